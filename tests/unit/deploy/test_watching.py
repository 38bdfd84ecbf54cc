"""Rules, alerts and dashboard name metrics and labels that exist, and every service is watched."""

import re
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from deploy.grafana import dashboard
from schemas.reasons import Arm, Decision, Reason
from schemas.topics import TOPICS
from services.cli.deployables import ServiceName
from services.lib.kit import metrics
from tests.unit.deploy.files import ROOT, read
from tests.unit.deploy.promql import Selector, groupings, selectors

TARGET = {"job", "instance", "service"}
"""Labels that Prometheus adds: `service` by deploy/prometheus/prometheus.yml."""


def exposed() -> dict[str, frozenset[str]]:
    """Every series that the metrics module exposes, with its labels as they are scraped."""
    found: dict[str, frozenset[str]] = {}
    for metric in vars(metrics).values():
        if not isinstance(metric, (Counter, Gauge, Histogram)):
            continue
        name, labels = metric._name, frozenset(metric._labelnames)
        if isinstance(metric, Counter):
            found[f"{name}_total"] = labels
        elif isinstance(metric, Histogram):
            found |= {f"{name}_sum": labels, f"{name}_count": labels, f"{name}_bucket": labels | {"le"}}
        else:
            found[name] = labels
    return found


KNOWN = {**exposed(), "up": frozenset()}
ALL_RULES = [rule for group in read("deploy/prometheus/rules/baton.yml")["groups"] for rule in group["rules"]]
RECORDED = {rule["record"]: frozenset({"service"}) for rule in ALL_RULES if "record" in rule}
EXPRESSIONS = [rule["expr"] for rule in ALL_RULES] + dashboard.expressions()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_what_exists(expression: str) -> None:
    named = selectors(expression)
    assert named
    known = {**KNOWN, **RECORDED}
    assert {one.metric for one in named} <= known.keys()
    for one in named:
        assert {label for label, _, _ in one.matchers} <= known[one.metric] | TARGET
    # What is grouped by is a label of everything beside it, or the result would silently lose it.
    for label in groupings(expression) - TARGET:
        assert all(label in known[one.metric] for one in named)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_label_is_compared_with_values_that_occur(expression: str) -> None:
    values: dict[str, set[str]] = {
        "service": {name.value for name in ServiceName},
        "job": {"baton"},
        "type": {type_.__name__ for topic in TOPICS for type_ in topic.types},
        "result": {"done", "duplicate", "skipped", "dead_lettered"},
        "decision": {one.value for one in Decision},
        "reason": {one.value for one in Reason} | {"none"},
        "arm": {one.value for one in Arm},
    }
    for one in selectors(expression):
        for label, operator, value in one.matchers:
            if label == "le":
                assert float(value) in buckets(one.metric)
                assert value == str(float(value)), "as the client writes it"
            else:
                named = value.split("|") if operator in ("=~", "!~") else [value]
                assert set(named) <= values[label]


def buckets(series: str) -> tuple[float, ...]:
    return next(
        tuple(metric._upper_bounds)
        for metric in vars(metrics).values()
        if isinstance(metric, Histogram) and f"{metric._name}_bucket" == series
    )


def test_the_reader_of_expressions_reads_them() -> None:
    text = 'sum by (a, le) (rate(x_total{b="c d", e=~"f|g"}[5m] offset 10m)) / on (h) 0.5 * x:y > 1 unless up'
    assert selectors(text) == [
        Selector("x_total", (("b", "=", "c d"), ("e", "=~", "f|g"))),
        Selector("x:y", ()),
        Selector("up", ()),
    ]
    assert groupings(text) == {"a", "le", "h"}


def test_the_windows_of_the_event_age_are_alike() -> None:
    recorded = {
        rule["record"].removeprefix("baton:event_age_late:ratio_rate"): rule["expr"] for rule in ALL_RULES[:7]
    }
    assert list(recorded) == ["5m", "30m", "1h", "2h", "6h", "1d", "3d"]
    assert len({expression.replace(f"[{window}]", "[]") for window, expression in recorded.items()}) == 1


def test_each_stage_has_one_target() -> None:
    targets: dict[str, list[float]] = defaultdict(list)
    for _, matchers in selectors(ALL_RULES[0]["expr"]):
        by_label = {label: value for label, _, value in matchers}
        for service in by_label.get("service", "").split("|"):
            if "le" in by_label:
                targets[service].append(float(by_label["le"]))
    assert targets.keys() == {name.value for name in ServiceName}
    assert all(len(seconds) == 1 for seconds in targets.values())


def test_every_alert_says_what_to_do(rules: list[dict[str, Any]]) -> None:
    alerts = [rule for rule in rules if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts) >= 10
    for rule in alerts:
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_an_alert_speaks_only_of_labels_that_its_expression_keeps(rules: list[dict[str, Any]]) -> None:
    for rule in rules:
        if "alert" in rule:
            spoken = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
            kept = groupings(rule["expr"])
            assert spoken <= (kept or TARGET), rule["alert"]
            if not kept and "sum(" in rule["expr"]:
                assert not spoken, rule["alert"]


def test_every_alert_fires_in_a_test_and_is_silent_in_another(rules: list[dict[str, Any]]) -> None:
    """promtool runs them; here, that none was forgotten."""
    fires, counted = set(), set()
    for file in (ROOT / "deploy/prometheus/tests").glob("*.yml"):
        text = yaml.safe_load(file.read_text())
        for test in text["tests"]:
            for one in test.get("alert_rule_test", ()):
                (fires if one["exp_alerts"] else counted).add(one["alertname"])
            for one in test.get("promql_expr_test", ()):
                for sample in one["exp_samples"]:
                    fires.update(re.findall(r'alertname="(\w+)"', sample["labels"]))
                    if sample["value"] and "count" in one["expr"]:
                        fires.update(re.findall(r'alertname="(\w+)"', one["expr"]))
    assert {rule["alert"] for rule in rules if "alert" in rule} == fires
    assert counted <= fires


def test_prometheus_reads_every_service_under_its_name(prometheus: dict[str, Any], compose: dict[str, Any]) -> None:
    (job,) = [job for job in prometheus["scrape_configs"] if job["job_name"] == "baton"]
    assert job["metrics_path"] == "/metrics/"
    assert job["honor_labels"] is True
    targets = {target: one["labels"]["service"] for one in job["static_configs"] for target in one["targets"]}
    assert targets == {f"{name.value}:8080": name.value for name in ServiceName}
    assert {name.value for name in ServiceName} <= compose["services"].keys()


def test_prometheus_keeps_what_the_slowest_window_looks_at(compose: dict[str, Any]) -> None:
    (kept,) = [
        int(one.partition("=")[2].removesuffix("d"))
        for one in compose["services"]["prometheus"]["command"]
        if one.startswith("--storage.tsdb.retention.time")
    ]
    assert timedelta(days=kept) > timedelta(days=3)


def test_the_dashboard_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert dashboard.main(["--check"]) == 0, capsys.readouterr().err


def test_a_dashboard_that_differs_is_noticed_and_written(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "line.json"
    file.write_text("{}")
    assert dashboard.main(["--check"], file) == 1
    assert "differs" in capsys.readouterr().err
    assert file.read_text() == "{}"
    assert dashboard.main([], file) == 0
    assert dashboard.main(["--check"], file) == 0


def test_panels_have_their_own_ids_and_places() -> None:
    made = dashboard.dashboard()
    ids = [panel["id"] for panel in made["panels"]]
    assert ids == list(range(1, len(ids) + 1))
    taken: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= dashboard.WIDTH
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_a_panel_names_itself_and_its_series() -> None:
    panels = [panel for panel in dashboard.dashboard()["panels"] if panel["type"] != "row"]
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["description"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            kept = groupings(target["expr"]) | ({"service"} if "baton:" in target["expr"] else set())
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) == kept - {"le"}


def test_the_datasource_is_the_one_that_is_provisioned(compose: dict[str, Any]) -> None:
    (source,) = read("deploy/grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["uid"] == dashboard.DATASOURCE["uid"]
    assert source["type"] == dashboard.DATASOURCE["type"]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert compose["services"][host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    (provider,) = read("deploy/grafana/provisioning/dashboards/baton.yml")["providers"]
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
