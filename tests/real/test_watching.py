"""A real Prometheus reads the running line: targets, rules, alerts, and everything that the dashboard asks."""

import json
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer

from deploy.grafana import dashboard
from tests.real.conftest import entered
from tests.real.desk import Desk
from tests.real.load import Load
from tests.real.rig import prometheus as real_prometheus
from tests.real.rig.prometheus import Prometheus
from tests.real.stage import ROOT, SERVICES, Stage

pytestmark = pytest.mark.timeout(300)

PROMETHEUS = ROOT / "deploy" / "prometheus"
INTERVAL_S = 1
"""In place of the 15 seconds of the file: rates need two scrapes."""
WITHIN_S = 60.0

SHORT_LIVED = frozenset({"BatonEventsLate", "BatonEventsLateSlowly"})
"""Alerts that may be pending, and no more, on a line that has run for a minute: all their windows see its start, when
models are loaded and one slow event weighs much. Hence their five minutes of patience."""


def configuration(stage: Stage) -> dict[str, Any]:
    """The deployment's own, with the addresses and the intervals of this line."""
    config: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    config["global"] = {"scrape_interval": f"{INTERVAL_S}s", "evaluation_interval": f"{INTERVAL_S}s"}
    config["rule_files"] = [str(PROMETHEUS / one) for one in config["rule_files"]]
    (job,) = (job for job in config["scrape_configs"] if job["job_name"] == "baton")
    for one in job["static_configs"]:
        (process,) = stage.running(one["labels"]["service"])
        one["targets"] = [f"127.0.0.1:{process.port}"]
    config["scrape_configs"] = [job]  # Prometheus itself listens elsewhere
    return config


@pytest.fixture(scope="module")
def watched(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus over the line, once shoppers and agents have talked."""
    stage.empty()  # counters that begin with this module
    stage.start_all()
    folder = tmp_path_factory.mktemp("prometheus")
    with ExitStack() as stack:
        server = entered(stack, real_prometheus.prometheus(folder, configuration(stage)))
        until(lambda: len(server.query('up{job="baton"} == 1')) == len(SERVICES), "every service is scraped")
        time.sleep(2 * INTERVAL_S)  # what has been counted from zero is seen at zero
        with Desk(stage.kafka.bootstrap, share=1.0):
            odd_messages(stage.kafka.bootstrap)
            load = Load(stage.kafka.bootstrap, 12, 40, gateway="watched")
            load.send(rate=8)
            stage.settle(load.sent, "watched")
        time.sleep(2 * INTERVAL_S)
        yield server


def odd_messages(bootstrap: str) -> None:
    """One with nothing in it, which is refused, and one that waits for a reply that never comes, until its timer."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all"})
    for number, more in enumerate(({"text": " "}, {"text": "Do you have tents?", "last_reply_sequence": 99})):
        data = {"gateway": "odd", "conversation": f"c{number}", "message_id": "m1", **more}
        event = {
            "specversion": "1.0",
            "id": f"odd-{number}",
            "source": "gateway/odd",
            "type": "CustomerMessage",
            "subject": f"odd:c{number}",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "datacontenttype": "application/json",
            "data": data,
        }
        producer.produce("baton.chat.inbound.v1", key=event["subject"], value=json.dumps(event))
    assert producer.flush(30) == 0


def until(true: Any, what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < end, f"not within {WITHIN_S:g} s: {what}"
        time.sleep(0.5)


def numbers(server: Prometheus, expression: str) -> list[float]:
    """What is no NaN: a quantile of nothing is."""
    values = [float(sample["value"][1]) for sample in server.query(expression)]
    return [value for value in values if not math.isnan(value)]


def alone(expression: str) -> str:
    """Without what is shown where nothing was counted yet."""
    return expression.removesuffix(dashboard.NOTHING_YET)


def test_every_service_is_read_under_its_name(watched: Prometheus) -> None:
    assert {one["labels"]["service"]: one["health"] for one in watched.targets()} == dict.fromkeys(SERVICES, "up")
    assert numbers(watched, "count(count by (service) (baton_lag_records))") == [len(SERVICES)]


def test_every_rule_is_evaluated(watched: Prometheus) -> None:
    until(lambda: all(rule["health"] != "unknown" for rule in rules(watched)), "every rule was evaluated")
    written = yaml.safe_load((PROMETHEUS / "rules" / "baton.yml").read_text("utf-8"))
    assert len(rules(watched)) == sum(len(group["rules"]) for group in written["groups"])
    wrong = {rule["name"]: rule.get("lastError") for rule in rules(watched) if rule["health"] != "ok"}
    assert wrong == {}


def test_no_alert_on_a_healthy_line(watched: Prometheus) -> None:
    alerts = {rule["name"]: rule["state"] for rule in rules(watched) if rule["type"] == "alerting"}
    assert len(alerts) >= 10
    allowed = {name: {"inactive", "pending"} if name in SHORT_LIVED else {"inactive"} for name in alerts}
    assert {name: state for name, state in alerts.items() if state not in allowed[name]} == {}


def rules(server: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in server.rules() for rule in group["rules"]]


NEVER_HERE = frozenset({"baton_dead_letters_total"})
"""What a healthy line has at zero, in panels that show what is not zero."""


@pytest.mark.parametrize("expression", dashboard.expressions())
def test_the_dashboard_has_data(watched: Prometheus, expression: str) -> None:
    """Of the metrics themselves, and not of what stands in for them."""
    asked = alone(expression)
    if any(metric in asked for metric in NEVER_HERE):
        asked = asked.removesuffix(" > 0")
    assert numbers(watched, asked), expression


def test_an_expression_of_what_is_not_there_has_none(watched: Prometheus) -> None:
    assert numbers(watched, alone("sum by (service) (rate(baton_nothing_total[5m])) or on () vector(0)")) == []


@pytest.mark.parametrize(
    "counted",
    [
        'baton_decisions_total{decision="escalate"}',
        'baton_decisions_total{decision="answer"}',
        "baton_handoff_wait_seconds_count",
        'baton_rejections_total{cause="empty"}',
        'baton_facts_read_total{kind="live", result="read"}',
        'baton_facts_read_total{kind="live", result="cached"}',
        'baton_timers_fired_total{service="ingest", kind="wait"}',
        'baton_timer_delay_seconds_count{service="ingest"}',
        'baton_answers_total{result="proposed"}',
        "baton_briefs_total",
        'baton_indexed_documents{kind="product"}',
        'baton_indexed_documents{kind="passage"}',
    ],
)
def test_what_happened_was_counted(watched: Prometheus, counted: str) -> None:
    assert sum(numbers(watched, f"sum({counted})")) > 0


@pytest.mark.parametrize("counted", ["baton_dead_letters_total", "baton_claims_refused_total"])
def test_what_did_not_happen_is_counted_from_zero(watched: Prometheus, counted: str) -> None:
    """So that its first shows as an increase."""
    found = numbers(watched, counted)
    assert len(found) > 5
    assert set(found) == {0.0}


def test_each_handoff_waited_as_long_as_it_did(watched: Prometheus) -> None:
    """Agents claimed within seconds of the escalation."""
    (slowest,) = numbers(watched, "histogram_quantile(1, sum by (le) (baton_handoff_wait_seconds_bucket))")
    assert slowest <= 30
