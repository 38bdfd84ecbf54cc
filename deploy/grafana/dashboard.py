"""`dashboard`: Grafana's dashboard of the line, as the JSON that Grafana reads from a file.

    python -m deploy.grafana.dashboard            write deploy/grafana/dashboards/line.json
    python -m deploy.grafana.dashboard --check    write nothing; status 1 where the file differs

No variables and no `$__rate_interval`: what a test asks a Prometheus (`expressions`) is what the panels ask.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "dashboards" / "line.json"
DATASOURCE = {"type": "prometheus", "uid": "baton-prometheus"}
"""As provisioned in provisioning/datasources/prometheus.yml."""

WIDTH, HEIGHT = 24, 8
"""Of Grafana's grid: columns of a row, and units of 30 pixels that a panel is high."""


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    about: str
    unit: str
    """Grafana's id of a unit: s, percentunit, cpm (a minute), short."""
    queries: tuple[tuple[str, str], ...]
    """(PromQL, legend)."""
    stacked: bool = False
    width: int = 8


NOTHING_YET = " or on () vector(0)"
"""For counters whose series are not known before something was counted: no series is none a minute."""


def per_minute(counter: str, by: str) -> str:
    """A counter by a label; the services count from zero."""
    return f"60 * sum by ({by}) (rate({counter}[5m]))"


def quantiles(histogram: str, by: str = "", over: str = "5m") -> tuple[tuple[str, str], ...]:
    labels, legend = (f"{by}, le", f"{{{{{by}}}}} ") if by else ("le", "")
    return tuple(
        (f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket[{over}])))", f"{legend}p{q * 100:.0f}")
        for q in (0.5, 0.95)
    )


def share(counter: str, by: str, of: str, among: str) -> str:
    """The share of `of` among `among`, both selectors; 0 where a group has none."""
    rates = [f"sum by ({by}) (rate({counter}{selector}[30m]))" for selector in (of, among)]
    return f"({rates[0]} or 0 * {rates[1]}) / {rates[1]}"


DECIDED = '{decision!="suppress"}'

ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "What shoppers get",
        (
            Panel(
                "Decisions",
                "Decided turns a minute. `suppress` says nothing: a newer turn or a human has taken over.",
                "cpm",
                ((per_minute("baton_decisions_total", "decision"), "{{decision}}"),),
                stacked=True,
            ),
            Panel(
                "Escalations by reason",
                "Turns handed to humans a minute, by the one reason that each has.",
                "cpm",
                (
                    (
                        '60 * sum by (reason) (rate(baton_decisions_total{decision="escalate"}[5m])) > 0'
                        + NOTHING_YET,  # of the many reasons those that there are
                        "{{reason}}",
                    ),
                ),
                stacked=True,
            ),
            Panel(
                "Escalation ratio by arm",
                "Share of the decided turns, without suppressed ones, that went to humans; over 30 minutes.",
                "percentunit",
                ((share("baton_decisions_total", "arm", '{decision="escalate"}', DECIDED), "{{arm}}"),),
            ),
            Panel(
                "Time to decision",
                "From acceptance to decision. No turn may take longer than its deadline of 30 s.",
                "s",
                quantiles("baton_decision_seconds"),
            ),
            Panel(
                "Handoff wait",
                "From a raised escalation to its claim by an agent, over an hour.",
                "s",
                quantiles("baton_handoff_wait_seconds", over="1h"),
            ),
            Panel(
                "Messages not accepted",
                "A minute, by cause. Hostile or malformed input is refused, not escalated.",
                "cpm",
                ((per_minute("baton_rejections_total", "cause"), "{{cause}}"),),
                stacked=True,
            ),
        ),
    ),
    (
        "Stages",
        (
            Panel(
                "Latency by stage",
                "Age of an event, counted from its own time, when the stage has handled it.",
                "s",
                quantiles("baton_event_age_seconds", "service"),
            ),
            Panel(
                "Handled too late",
                "Share of the events handled after the stage's target. The objective is 1 % at most.",
                "percentunit",
                (("baton:event_age_late:ratio_rate5m", "{{service}}"),),
            ),
            Panel(
                "Work on one event or batch",
                "p95 of the time a stage works, without the time that events wait for it.",
                "s",
                quantiles("baton_work_seconds", "service")[1:],
            ),
            Panel(
                "Lag",
                "Records that are not yet read.",
                "short",
                (("sum by (service, topic) (baton_lag_records)", "{{service}} {{topic}}"),),
            ),
            Panel(
                "Events handled",
                "A minute, by stage and by what became of them.",
                "cpm",
                ((per_minute("baton_events_total", "service, result") + NOTHING_YET, "{{service}} {{result}}"),),
            ),
            Panel(
                "In flight",
                "Records being worked on side by side. At the width of its window a stage is at its limit.",
                "short",
                (("sum by (service) (baton_in_flight_records)", "{{service}}"),),
            ),
        ),
    ),
    (
        "Trouble",
        (
            Panel(
                "Services that answer",
                "1 where Prometheus could read the metrics.",
                "short",
                (('min by (service) (up{job="baton"})', "{{service}}"),),
            ),
            Panel(
                "Paused",
                "1 while a service waits for its own SQL or Kafka.",
                "short",
                (("max by (service) (baton_paused)", "{{service}}"),),
            ),
            Panel(
                "Outbox age",
                "Age of the oldest row that was decided and not yet published.",
                "s",
                (("max by (service) (baton_outbox_age_seconds)", "{{service}}"),),
            ),
            Panel(
                "Dead letters",
                "Records put aside since the services started, by cause.",
                "short",
                (
                    (
                        "sum by (service, topic, cause) (baton_dead_letters_total) > 0" + NOTHING_YET,
                        "{{service}} {{topic}} {{cause}}",
                    ),
                ),
            ),
            Panel(
                "Retries and failed commits",
                "A minute. Retries follow passing errors; a commit fails where a rebalance overtook it.",
                "cpm",
                (
                    (per_minute("baton_retries_total", "service"), "{{service}} retries"),
                    (per_minute("baton_commit_failures_total", "service"), "{{service}} failed commits"),
                ),
            ),
            Panel(
                "Left to the relay",
                "Rows a minute that their batch could not publish: sent later, or never to be taken by Kafka.",
                "cpm",
                (
                    (per_minute("baton_outbox_relayed_total", "service"), "{{service}} relayed"),
                    (per_minute("baton_outbox_refused_total", "service, topic"), "{{service}} {{topic}} refused"),
                ),
            ),
        ),
    ),
    (
        "Answers, timers and briefs",
        (
            Panel(
                "Answers",
                "What retrieval-answer had to say, a minute.",
                "cpm",
                ((per_minute("baton_answers_total", "result"), "{{result}}"),),
                stacked=True,
            ),
            Panel(
                "Facts read from the shop",
                "A minute, by kind and by whether they came from the shop, the cache or not at all.",
                "cpm",
                ((per_minute("baton_facts_read_total", "kind, result"), "{{kind}} {{result}}"),),
                stacked=True,
            ),
            Panel(
                "Claims refused",
                "Claims without proof a minute, by kind: none of them was said.",
                "cpm",
                ((per_minute("baton_claims_refused_total", "kind"), "{{kind}}"),),
                stacked=True,
            ),
            Panel(
                "Timers",
                "Timers that fired, a minute.",
                "cpm",
                ((per_minute("baton_timers_fired_total", "service, kind") + NOTHING_YET, "{{service}} {{kind}}"),),
            ),
            Panel(
                "Timer delay",
                "p95 of the time from a timer's due moment to its firing, over half an hour.",
                "s",
                quantiles("baton_timer_delay_seconds", "service", over="30m")[1:],
            ),
            Panel(
                "Briefs",
                "A minute; `no` names something as missing.",
                "cpm",
                ((per_minute("baton_briefs_total", "complete"), "complete: {{complete}}"),),
                stacked=True,
            ),
            Panel(
                "Search index",
                "Documents of all store views, by kind.",
                "short",
                (("max by (kind) (baton_indexed_documents)", "{{kind}}"),),
            ),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Ids count from 1 in the order of the page; the uid is part of the dashboard's address."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        panels.append(
            {"type": "row", "title": title, "collapsed": False, "gridPos": _at(0, y, WIDTH, 1), "panels": []}
        )
        y, x = y + 1, 0
        for panel in row:
            if x + panel.width > WIDTH:
                y, x = y + HEIGHT, 0
            panels.append(_panel(panel, x, y))
            x += panel.width
        y += HEIGHT
    return {
        "uid": "baton-line",
        "title": "Baton: the line",
        "description": "Generated by deploy/grafana/dashboard.py; not edited by hand.",
        "tags": ["baton"],
        "timezone": "browser",
        "schemaVersion": 41,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": []},
        "annotations": {"list": []},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, start=1)],
    }


def expressions() -> list[str]:
    """What all panels ask, in their order."""
    return [expression for _, row in ROWS for panel in row for expression, _ in panel.queries]


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel, x: int, y: int) -> dict[str, Any]:
    custom: dict[str, Any] = {"fillOpacity": 30 if panel.stacked else 0, "showPoints": "never"}
    if panel.stacked:
        custom["stacking"] = {"mode": "normal", "group": "A"}
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": _at(x, y, panel.width, HEIGHT),
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": DATASOURCE, "expr": expression, "legendFormat": legend}
            for n, (expression, legend) in enumerate(panel.queries)
        ],
    }


def main(arguments: Sequence[str] | None = None, file: Path = FILE) -> int:
    """Exit status: 0 where the file is written (or agrees), 1 otherwise, with the reason on standard error."""
    parser = argparse.ArgumentParser("python -m deploy.grafana.dashboard", description="Write the dashboard.")
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where the file differs")
    options = parser.parse_args(arguments)
    wanted = json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"
    agrees = file.is_file() and file.read_text("utf-8") == wanted
    if options.check:
        if not agrees:
            sys.stderr.write(f"differs: {file}; run python -m deploy.grafana.dashboard\n")
        return 0 if agrees else 1
    if not agrees:
        file.write_text(wanted, "utf-8")
        sys.stdout.write(f"wrote {file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
