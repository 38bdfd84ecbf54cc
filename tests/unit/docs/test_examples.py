"""The examples are other people's programs: what they publish is decoded here as Baton decodes it."""

import ast
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import chat, support, topics
from schemas.codec import decode, encode
from schemas.event import Event
from schemas.reasons import Owner, Priority, Reason
from schemas.topics import CHAT_INBOUND, CHAT_REPLIES, SUPPORT_AGENT_ACTIONS, SUPPORT_BRIEFS, SUPPORT_ESCALATIONS
from tests.unit.docs.conftest import ROOT, example

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
gateway, desk = example("gateway"), example("desk")
KNOWN = {"store": "de", "locale": "de_DE", "identity_token": "a.b.c"}
BUTTON = {"id": "human", "title": "Talk to a person"}


@pytest.mark.parametrize("name", ["gateway", "desk"])
def test_nothing_of_baton_is_imported(name: str) -> None:
    tree = ast.parse((ROOT / f"docs/examples/{name}.py").read_text("utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [module for module in modules if module.split(".")[0] in ("schemas", "services", "")]


def test_topics_are_named_as_in_the_registry() -> None:
    assert (CHAT_INBOUND.name, CHAT_REPLIES.name) == (gateway.INBOUND, gateway.REPLIES)
    assert (SUPPORT_ESCALATIONS.name, SUPPORT_BRIEFS.name) == (desk.ESCALATIONS, desk.BRIEFS)
    assert SUPPORT_AGENT_ACTIONS.name == desk.ACTIONS


@pytest.mark.parametrize(
    ("event", "type_"),
    [
        (gateway.conversation_started("web", "c1", **KNOWN), chat.ConversationStarted),
        (gateway.customer_message("web", "c1", "m1", "Grüße 🎁", 4, **KNOWN), chat.CustomerMessage),
        (gateway.customer_message("web", "c1", "m1", ""), chat.CustomerMessage),
        (gateway.human_requested("web", "c1", "m2", **KNOWN), chat.HumanRequested),
        (gateway.quick_reply_chosen("web", "c1", "m3", BUTTON, 5, **KNOWN), chat.QuickReplyChosen),
        (gateway.conversation_closed("web", "c1"), chat.ConversationClosed),
    ],
)
def test_what_the_gateway_publishes_is_an_event(event: dict[str, Any], type_: type) -> None:
    key, value = gateway.record(event)
    decoded = decode(CHAT_INBOUND, key, value)
    assert type(decoded.data) is type_
    assert decoded.subject == "web:c1"
    for name in event["data"].keys() & KNOWN.keys():
        assert getattr(decoded.data, name) == KNOWN[name]


def test_the_gateway_says_which_reply_was_seen() -> None:
    sent = decode(CHAT_INBOUND, *gateway.record(gateway.customer_message("web", "c1", "m1", "it?", 4)))
    assert sent.data.last_reply_sequence == 4
    first = decode(CHAT_INBOUND, *gateway.record(gateway.customer_message("web", "c1", "m1", "hello")))
    assert first.data.last_reply_sequence is None


def test_a_message_that_is_sent_again_has_its_identity_again() -> None:
    one, two = (decode(CHAT_INBOUND, *gateway.record(gateway.customer_message("web", "c", "m", "x"))) for _ in "12")
    assert one.identity == two.identity


def test_two_conversations_may_both_number_from_1() -> None:
    one, two = (
        decode(CHAT_INBOUND, *gateway.record(gateway.customer_message("web", name, "1", "x"))) for name in ("a", "b")
    )
    assert one.identity != two.identity


@given(st.text(max_size=200))
def test_any_text_arrives_as_it_was_typed(text: str) -> None:
    decoded = decode(CHAT_INBOUND, *gateway.record(gateway.customer_message("web", "c1", "m1", text)))
    assert decoded.data.text == text


def reply_event(sequence: int, subject: str = "web:c1", **more: Any) -> bytes:
    name, _, conversation = subject.partition(":")
    sent = chat.NoticeSent(
        gateway=name,
        conversation=conversation,
        language="en",
        text="Hello",
        plain="Hello",
        notice="one_moment",
        **more,
    )
    event = Event.new(
        sent, source="baton/escalation-router", subject=subject, time=NOW, cause=f"x{sequence}", sequence=sequence
    )
    return encode(CHAT_REPLIES, event)


def test_the_gateway_shows_each_reply_of_its_conversation_once() -> None:
    replies = gateway.Replies("web:c1")
    button = chat.QuickReply(id="human", title="Talk to a person")
    first = reply_event(1, quick_replies=(button,))
    shown = replies.take(first)
    assert shown is not None
    assert gateway.shown(shown, replies.buttons) == "shop> Hello\n    [1] Talk to a person"
    assert replies.take(first) is None
    assert replies.take(reply_event(2, "web:another")) is None
    assert replies.last_sequence == 1
    assert replies.take(reply_event(3)) is not None
    assert (replies.last_sequence, replies.buttons) == (3, [])


@pytest.mark.parametrize(
    "value",
    [b"", b"no json", b"[]", b'{"source": "s"}', b"\xff", b'{"source":"s","id":"1","subject":"web:c1","data":{}}'],
)
def test_what_is_no_reply_is_passed_over(value: bytes) -> None:
    assert gateway.Replies("web:c1").take(value) is None


def test_a_card_is_shown_with_price_and_stock() -> None:
    example_event = json.loads((ROOT / f"schemas/examples/{CHAT_REPLIES.name}/AnswerSent.json").read_text("utf-8"))
    replies = gateway.Replies(example_event["subject"])
    event = replies.take(json.dumps(example_event).encode())
    text = gateway.shown(event, replies.buttons)
    for card in example_event["data"]["cards"]:
        assert f"{card['name']}  {card['price']['amount']} {card['price']['currency']}" in text


# --- the desk ----------------------------------------------------------------------------------------------------


def escalation(data: Any, ordinal: int) -> bytes:
    event = Event.new(
        data, source="baton/escalation-router", subject="web:c1", time=NOW, cause=f"c{ordinal}", sequence=ordinal
    )
    topic = next(t for t in topics.TOPICS if t.type_named(event.type))
    return encode(topic, event)


ADDRESS = {"gateway": "web", "conversation": "c1"}
RAISED = support.EscalationRaised(
    **ADDRESS,
    handoff="h1",
    epoch=1,
    position=1,
    reason=Reason.B2B_DEAL,
    evidence=(),
    priority=Priority.NORMAL,
    language="en",
    store="default",
    transcript=(chat.Utterance(role="customer", text="a quote, please", at=NOW),),
    versions=support.Versions(policy="p"),
)
BRIEF = support.BriefPrepared(
    **ADDRESS, handoff="h1", reason=Reason.B2B_DEAL, why="a rule", summary="wants a quote", read_at=NOW
)
CLAIMED = support.EscalationClaimed(**ADDRESS, handoff="h1", epoch=2, agent="ann")


@pytest.fixture
def board() -> Any:
    return desk.Board("example")


def test_a_handoff_is_listed_with_its_brief_and_its_epoch(board: Any) -> None:
    assert board.take(escalation(RAISED, 1)) == "new: web:c1 (b2b_deal, normal)"
    assert desk.told(board.at("1")) == ["customer> a quote, please"]
    assert "wants a quote" in board.take(escalation(BRIEF, 2))
    assert "summary: wants a quote" in desk.told(board.at("1"))
    assert board.take(escalation(CLAIMED, 3)) == "web:c1 is with ann"
    assert board.at("1").epoch == 2
    assert board.lines() == ["[1] normal  b2b_deal               web:c1  with ann"]


def test_a_brief_that_is_read_before_its_handoff_is_not_lost(board: Any) -> None:
    board.take(escalation(BRIEF, 2))
    board.take(escalation(RAISED, 1))
    assert "summary: wants a quote" in desk.told(board.at("1"))


def test_a_copy_changes_nothing(board: Any) -> None:
    raised = escalation(RAISED, 1)
    board.take(raised)
    board.take(escalation(CLAIMED, 2))
    assert board.take(raised) is None
    assert (board.at("1").epoch, board.at("1").agent) == (2, "ann")


@pytest.mark.parametrize("type_", [support.EscalationReturned, support.EscalationResolved])
def test_what_is_over_is_not_listed(board: Any, type_: Any) -> None:
    board.take(escalation(RAISED, 1))
    board.take(escalation(type_(**ADDRESS, handoff="h1", epoch=3, agent="ann"), 2))
    assert board.lines() == []
    assert board.at("1") is None


def test_a_graver_subject_moves_up(board: Any) -> None:
    board.take(escalation(RAISED, 1))
    graver = support.PriorityRaised(
        **ADDRESS, handoff="h1", epoch=1, position=2, reason=Reason.RECALL_OR_SAFETY, priority=Priority.URGENT
    )
    board.take(escalation(graver, 2))
    assert board.lines()[0].startswith("[1] urgent  recall_or_safety")


def test_requests_carry_the_epoch_and_are_events(board: Any) -> None:
    board.take(escalation(RAISED, 1))
    handoff = board.at("1")
    requests = [
        (desk.claim("example", "ann", handoff), support.ClaimRequested),
        (desk.reply("example", "ann", handoff, "Grüße 🎁", "edited"), support.ReplyRequested),
        (desk.give_back("example", "ann", handoff), support.GiveBackRequested),
        (desk.resolve("example", "ann", handoff), support.ResolveRequested),
    ]
    for request, type_ in requests:
        decoded = decode(SUPPORT_AGENT_ACTIONS, *desk.record(request))
        assert type(decoded.data) is type_
        assert (decoded.data.agent, decoded.data.epoch, decoded.subject) == ("ann", 1, "web:c1")
    assert len({request["id"] for request, _ in requests}) == 4


@pytest.mark.parametrize(("source", "told"), [("desk/example", True), ("desk/other", False)])
def test_its_own_refusals_are_told(board: Any, source: str, told: bool) -> None:
    board.take(escalation(RAISED, 1))
    refused = support.ActionRefused(
        **ADDRESS,
        handoff="h1",
        epoch=2,
        agent="ann",
        action="claim",
        cause="not_queued",
        owner=Owner.HUMAN,
        claimed_by="bob",
        request=f"{source}#42",
    )
    news = board.take(escalation(refused, 2))
    assert news == ("REFUSED: claim of web:c1 (not_queued); it is with bob" if told else None)


@pytest.mark.parametrize("value", [b"", b"no json", b"7", b'{"type": "EscalationRaised"}'])
def test_what_is_no_event_does_not_stop_the_desk(board: Any, value: bytes) -> None:
    assert board.take(value) is None


def test_a_conversation_with_odd_characters_has_an_address() -> None:
    handoff = desk.Handoff("web:a/b:c?d", 1)
    assert desk.transcript_address("http://i", handoff) == "http://i/transcripts/web/a/b%3Ac%3Fd"
