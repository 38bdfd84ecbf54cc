"""What the router counts: decisions, and how long a handoff waited for its human."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from schemas import chat, support
from schemas.reasons import Arm, Decision, Owner, Reason
from schemas.topics import TOPICS
from services.escalation_router.counting import count
from services.lib.kit.fold import Publish, Step
from tests.unit.escalation_router.play import Done, Line, accepted

SECONDS = "baton_handoff_wait_seconds_sum"
WAITS = "baton_handoff_wait_seconds_count"


def value(name: str, **labels: str) -> float:
    found = REGISTRY.get_sample_value(name, labels)
    assert found is not None, f"{name} {labels} is not there"
    return found


def counted(line: Line, done: Done) -> None:
    topics = {type_: topic for topic in TOPICS for type_ in topic.types}
    effects = tuple(Publish(topics[type(event.data)], event.data) for event in done.published)
    count("web:c1", done.before, Step(done.after, effects), line.now)


def test_a_claim_ends_the_wait_of_what_was_raised() -> None:
    line = Line().under(Owner.QUEUED)
    line.now += timedelta(seconds=42)
    before = value(WAITS), value(SECONDS)
    counted(line, line.ask(support.ClaimRequested))
    assert (value(WAITS) - before[0], value(SECONDS) - before[1]) == (1, pytest.approx(42))


def test_so_does_a_human_who_simply_speaks() -> None:
    line = Line().under(Owner.QUEUED)
    line.now += timedelta(seconds=7)
    before = value(SECONDS)
    counted(line, line.come(accepted(chat.AgentMessageSeenAccepted, line.now, text="Hi", agent="Cleo")))
    assert value(SECONDS) - before == pytest.approx(7)


def test_where_none_was_raised_nobody_waited() -> None:
    line = Line()
    before = value(WAITS)
    done = line.come(accepted(chat.AgentMessageSeenAccepted, line.now, text="Hi", agent="Cleo"))
    assert done.of(support.EscalationClaimed)
    counted(line, done)
    assert value(WAITS) == before


def test_a_claim_that_is_refused_ends_no_wait() -> None:
    line = Line().under(Owner.QUEUED)
    before = value(WAITS)
    counted(line, line.ask(support.ClaimRequested, epoch=99))
    assert value(WAITS) == before


def test_a_decision_is_counted_with_its_reason_and_arm() -> None:
    line, labels = Line(), {"decision": "escalate", "reason": "legal_threat", "arm": "ai"}
    before, timed = (
        value("baton_decisions_total", **labels),
        value("baton_decision_seconds_count", decision="escalate"),
    )
    line.open_turn(Reason.LEGAL_THREAT)
    counted(line, line.done[-1])
    assert value("baton_decisions_total", **labels) == before + 1
    assert value("baton_decision_seconds_count", decision="escalate") == timed + 1


def test_every_decision_is_counted_from_zero() -> None:
    """Or the first of a reason, at 1, would show no increase."""
    for arm in Arm:
        for reason in Reason:
            value("baton_decisions_total", decision="escalate", reason=reason, arm=arm)
        for decision in Decision:
            if decision is not Decision.ESCALATE:
                value("baton_decisions_total", decision=decision, reason="none", arm=arm)
