"""What the loads would send: the same for the same seed, by the contract, and with all that a gateway does."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas.chat import AcceptedTurn, AnswerProposed
from schemas.codec import decode
from schemas.topics import BY_NAME, CHAT_INBOUND
from tests.real.checker import Log, Record, outstanding
from tests.real.checker.log import TURNS
from tests.real.desk import reaction
from tests.real.load import INBOUND, body, planned
from tests.real.router_inputs import router_inputs

NOW = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
SCHEMAS = Path(__file__).parents[3] / "schemas/json"


def validator(topic: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / f"{topic}.json").read_text("utf-8")))


def test_the_plan_follows_from_the_seed() -> None:
    assert planned(20, 100, seed=3, gateway="load") == planned(20, 100, seed=3, gateway="load")
    assert planned(20, 100, seed=3, gateway="load") != planned(20, 100, seed=4, gateway="load")


def test_every_event_of_the_plan_is_an_inbound_event() -> None:
    valid = validator(INBOUND)
    for one in planned(50, 400, seed=1, gateway="load"):
        event = decode(CHAT_INBOUND, one.key.encode(), body(one))
        assert (event.identity, event.subject) == (one.said.identity, one.key)
        valid.validate(event.model_dump(mode="json", exclude_none=True))


def test_the_plan_has_the_messages_and_conversations_asked_for_and_they_interleave() -> None:
    plan = planned(100, 500, seed=1, gateway="load")
    once = {one.said.id: one for one in plan}.values()
    ids = {
        (one.key, one.said.message_id)
        for one in once
        if one.said.type in TURNS and one.data.get("text") != "  \u200b"
    }
    assert len(ids) == 500
    assert len({one.key for one in plan}) == 100
    assert sum(a.key != b.key for a, b in pairwise(plan)) > 400


def test_the_plan_has_what_gateways_do() -> None:
    plan = planned(100, 500, seed=1, gateway="load")
    kinds = Counter(one.said.type for one in plan)
    assert set(kinds) == {
        "ConversationStarted",
        "CustomerMessage",
        "HumanRequested",
        "QuickReplyChosen",
        "FeedbackGiven",
        "ContactLeft",
        "AgentMessageSeen",
        "ConversationClosed",
    }
    events = Counter(one.said.id for one in plan)
    assert sum(number == 2 for number in events.values()) > 5
    messages: dict[object, set[str]] = defaultdict(set)
    for one in plan:
        if one.said.type in TURNS:
            messages[one.key, one.said.message_id].add(one.said.id)
    assert sum(len(ids) == 2 for ids in messages.values()) > 3
    assert any(one.data.get("last_reply_sequence") for one in plan)
    assert any(one.data["store"] == "de" for one in plan)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_router_s_inputs_are_by_the_contract(seed: int) -> None:
    valid = {
        name: validator(name)
        for name in ("baton.chat.messages.v1", "baton.chat.sentiment.v1", "baton.chat.answers.v1")
    }
    positions: dict[str, list[int]] = defaultdict(list)
    kinds: Counter[str] = Counter()
    for one in router_inputs(30, 5, spread=timedelta(minutes=10), now=NOW, seed=seed):
        valid[one.topic].validate(json.loads(one.value))
        event = decode(BY_NAME[one.topic], one.key.encode(), one.value)
        assert NOW - timedelta(minutes=10) <= event.time <= NOW
        kinds[event.type] += 1
        if isinstance(event.data, AcceptedTurn):
            assert event.data.answer_by - event.data.accepted_at == timedelta(seconds=30)
            assert event.sequence == event.data.position
            positions[one.key].append(event.data.position)
        if isinstance(event.data, AnswerProposed):
            assert all(NOW - proof.read_at < timedelta(minutes=15) for proof in event.data.proofs)
            assert all(claim.proofs for claim in event.data.claims)
    assert len(positions) == 30
    assert all(of_one == [1, 2, 3, 4, 5] for of_one in positions.values())
    assert kinds["AnswerProposed"] > 100
    assert kinds["SentimentScored"] == kinds["CustomerMessageAccepted"]
    assert kinds["HumanRequestedAccepted"]
    assert kinds["AnswerWithheld"]


def test_facts_too_old_are_refused() -> None:
    with pytest.raises(ValueError, match="no proof"):
        router_inputs(1, 1, spread=timedelta(minutes=20), now=NOW)


def test_inputs_of_the_router_wait_for_decisions_alone() -> None:
    ready = router_inputs(3, 4, spread=timedelta(minutes=1), now=NOW)
    records = [Record(one.topic, 0, n, one.key, one.value) for n, one in enumerate(ready)]
    assert outstanding(Log(tuple(records)), None, briefs=False) == 12


def test_agents_claim_a_share_and_go_on_with_what_is_theirs() -> None:
    raised = [{"id": f"e{n}", "type": "EscalationRaised", "data": {}} for n in range(200)]
    claims = [reaction(event, 0.4) for event in raised]
    assert 40 < sum(bool(asked) for asked in claims) < 120
    assert any(len(asked) == 2 for asked in claims)
    assert not any(reaction(event, 0.0) for event in raised)
    claimed = [{"id": f"c{n}", "type": "EscalationClaimed", "data": {"agent": "ada"}} for n in range(50)]
    asked = [[kind for kind, _ in reaction(event, 0.4)] for event in claimed]
    assert all(kinds[0] == "ReplyRequested" for kinds in asked)
    assert {kinds[1] for kinds in asked if len(kinds) > 1} == {"GiveBackRequested", "ResolveRequested"}
    assert reaction({"id": "x", "type": "EscalationReturned", "data": {}}, 1.0) == []
