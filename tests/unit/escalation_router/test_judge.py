"""What a turn's evidence comes to: thresholds, age of facts, loops, mood, repetition, what is missing."""

import time
from datetime import timedelta

import pytest

from schemas import chat
from schemas.money import Money
from schemas.reasons import Decision, Intent, Owner, Reason
from services.escalation_router.judge import judge
from services.escalation_router.state import Conversation, Found, Heard, OpenTurn
from tests.unit.escalation_router.play import (
    POLICY,
    START,
    Line,
    accepted,
    proposed,
    scored,
    turn,
    unavailable,
    withheld,
)

EVENT = turn(1)
PRICE = Money(amount="89.00", currency="USD")


def verdict(answer, negative=0.05, *, now=START, at_deadline=False, sentiment=True, intent=None, **state):
    data = answer.data if answer is not None else None
    if intent is not None:
        data = data.model_copy(update={"intent": intent})
    found = Found(sentiment=scored(EVENT, negative).data if sentiment else None, answer=data)
    open_ = OpenTurn(
        position=1,
        message=EVENT.identity,
        accepted_at=START,
        text=EVENT.data.text,
        transcript=(),
        screening_version="1",
        found=found,
    )
    here = Conversation(gateway="web", conversation="c1", **state)
    return judge(here, open_, POLICY, now, at_deadline=at_deadline)


@pytest.mark.parametrize("intent", list(Intent))
def test_the_thresholds_of_each_intent(intent):
    low, sure = POLICY.answer[intent].threshold, POLICY.answer[intent].sure
    below = verdict(proposed(EVENT, low - 0.001), intent=intent)
    assert (below.decision, below.reason, below.answer) == (Decision.ESCALATE, Reason.LOW_CONFIDENCE, None)
    if low < sure:
        for confidence in (low, sure - 0.001):
            at = verdict(proposed(EVENT, confidence), intent=intent)
            assert (at.case, at.decision) == ("doubtful", Decision.ANSWER_AND_OFFER_HUMAN)
    assert verdict(proposed(EVENT, sure), intent=intent).case == "proven"


def proof(kind, age_s):
    return chat.FactProof(kind=kind, subject="SJ-1", value="x", read_at=START - timedelta(seconds=age_s))


def card(age_s, **fields):
    return chat.Card(
        sku="SJ-1", name="Jacket", url="https://x.test", read_at=START - timedelta(seconds=age_s), **fields
    )


@pytest.mark.parametrize(
    ("fields", "stands"),
    [
        ({"proofs": (proof("price", 900),)}, True),
        ({"proofs": (proof("price", 901),)}, False),
        ({"proofs": (proof("stock", 901), proof("price", 1))}, False),
        ({"proofs": (proof("order", 5000),)}, False),
        ({"proofs": (proof("attribute", 90_000), proof("product", 90_000))}, True),
        ({"proofs": (proof("price", -60),)}, True),
        ({"cards": (card(901, price=PRICE),)}, False),
        ({"cards": (card(901, in_stock=True),)}, False),
        ({"cards": (card(90_000),)}, True),
        ({"cards": (card(900, price=PRICE),)}, True),
    ],
)
def test_live_facts_prove_nothing_after_fifteen_minutes(fields, stands):
    found = verdict(proposed(EVENT, **fields))
    assert (found.case, found.reason) == (("proven", None) if stands else ("judged", Reason.UNVERIFIED_CLAIM))


def test_facts_age_while_the_answer_waits_for_the_sentiment():
    line = Line()
    made = line.open_turn(answer_by=START + timedelta(hours=9))
    line.come(proposed(made, proofs=(proof("price", 0),)))
    line.now += timedelta(seconds=901)
    line.come(scored(made))
    assert line.state.handoff.reason is Reason.UNVERIFIED_CLAIM


@pytest.mark.parametrize(
    ("proofs", "reason"),
    [((0,), None), ((), "unverified_claim"), ((0, 1), "unverified_claim"), ((-1,), "unverified_claim")],
)
def test_a_claim_that_names_no_proof_is_not_said(proofs, reason):
    claim = chat.Claim(text="It costs $89.", kind="price", proofs=proofs)
    assert verdict(proposed(EVENT, claims=(claim,), proofs=(proof("price", 1),))).reason == reason


def test_the_third_question_in_a_row_is_one_too_many():
    line = Line()
    for asked in range(2):
        line.answered(kind="clarification", text=f"question {asked} about something else entirely {'x' * asked * 30}")
        assert line.state.owner is Owner.AI
    line.answered(kind="clarification", text="and now for something completely different")
    assert (line.state.owner, line.state.handoff.reason) == (Owner.QUEUED, Reason.LOW_CONFIDENCE)


def test_an_answer_ends_the_row_of_questions():
    line = Line()
    for kind, text in zip(
        ("clarification", "clarification", "answer", "clarification"),
        ("shoes", "some jackets for my aunt", "blue trousers", "what about gloves"),
        strict=True,
    ):
        line.answered(kind=kind, text=text)
    assert line.state.owner is Owner.AI


@pytest.mark.parametrize(
    ("negative", "before", "angry"),
    [
        (0.90, (), True),
        (0.899, (), False),
        (0.75, (0.75,), True),
        (0.75, (0.749,), False),
        (0.749, (0.99,), False),
        (0.80, (0.9, 0.1), False),
        (None, (0.99,), False),
    ],
)
def test_one_angry_message_or_two_upset_ones(negative, before, angry):
    found = verdict(proposed(EVENT), negative, negatives=before)
    assert found.reason == (Reason.NEGATIVE_SENTIMENT if angry else None)


def test_an_angry_message_counts_although_a_newer_one_supersedes_it():
    for late in (False, True):
        line = Line()
        first = line.open_turn(text="This is a disgrace!")
        if not late:
            line.come(scored(first, 0.97))
        second = line.open_turn(text="hello?")
        if late:
            line.come(scored(first, 0.97))
        line.come(scored(second, 0.3), proposed(second))
        assert line.state.handoff.reason is Reason.NEGATIVE_SENTIMENT


def test_two_upset_messages_of_one_stretch_are_not_two_in_a_row():
    line = Line()
    first = line.open_turn(text="This is not nice.")
    line.come(scored(first, 0.8))
    second = line.open_turn(text="hello?")
    line.come(scored(second, 0.1), proposed(second))
    assert line.state.owner is Owner.AI
    assert line.state.negatives == (0.8,)


def test_the_trend_starts_over_once_a_human_had_the_conversation():
    line = Line()
    made = line.open_turn()
    line.come(scored(made, 0.8), proposed(made))
    line.come(accepted(chat.AgentMessageSeenAccepted, text="Hi"))
    assert (line.state.negatives, line.state.questions, line.state.offered_human) == ((), 0, False)


def heard(*lines):
    return {"heard": tuple(Heard(role=role, text=text) for role, text in lines)}


@pytest.mark.parametrize(
    ("lines", "repeated"),
    [
        ([("customer", "where is my jacket"), ("assistant", "Here."), ("customer", "Where is my jacket??")], True),
        ([("customer", "where is my jacket"), ("customer", "Where is my jacket??")], False),
        ([("assistant", "Here."), ("customer", "we are going in circles")], True),
        ([("customer", "we are going in circles")], False),
        ([("assistant", "Here."), ("customer", "thanks, and blue trousers?")], False),
        ([("assistant", "Here."), ("customer", "x" * 1900 + " you already said that")], True),
        ([], False),
    ],
)
def test_going_round_in_circles(lines, repeated):
    assert verdict(proposed(EVENT), **heard(*lines)).reason == (Reason.REPEATED_FAILURE if repeated else None)


def test_a_hostile_text_does_not_hold_up_the_search_for_repetition():
    lines = [("customer", "ab " * 600), ("assistant", "Yes")] * 3 + [("customer", "ba " * 600)]
    started = time.perf_counter()
    verdict(proposed(EVENT), **heard(*lines))
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize("cause", ["shop", "index", "llm", "deadline", "internal"])
def test_what_is_away_escalates_with_its_cause(cause):
    found = verdict(unavailable(EVENT, cause))
    assert (found.case, found.reason, found.evidence[0].source) == (
        "deadline",
        Reason.AI_UNAVAILABLE,
        f"answer:{cause}",
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_whatever_reason_an_answer_is_withheld_for_it_goes_to_a_human_with_a_whole_notice(reason):
    line = Line()
    made = line.open_turn(text="I {quote} it {time}")
    line.come(scored(made))
    done = line.come(withheld(made, reason))
    (notice,) = done.of(chat.NoticeSent)
    assert notice.reason is reason
    assert ("{quote}" in notice.text) is (reason is Reason.WITHDRAWAL_NOTICE)  # the shopper's own
    assert not notice.text.count("{time}") > 1


def test_of_several_reasons_the_first_of_the_list_is_named_and_all_stand_in_the_evidence():
    found = verdict(proposed(EVENT, 0.1, proofs=(proof("price", 901),)), 0.99)
    assert found.reason is Reason.NEGATIVE_SENTIMENT
    assert {e.reason for e in found.evidence} == {
        Reason.NEGATIVE_SENTIMENT,
        Reason.UNVERIFIED_CLAIM,
        Reason.LOW_CONFIDENCE,
    }


@pytest.mark.parametrize(
    ("answer", "negative", "carried"),
    [
        (proposed(EVENT), 0.99, True),
        (proposed(EVENT, 0.6), 0.99, True),
        (proposed(EVENT, 0.1), 0.99, False),
        (proposed(EVENT, proofs=(proof("price", 901),)), 0.99, False),
        (proposed(EVENT, kind="clarification"), 0.99, False),
        (withheld(EVENT), 0.99, False),
        (unavailable(EVENT), 0.99, False),
    ],
)
def test_a_proven_answer_goes_with_the_notice(answer, negative, carried):
    assert (verdict(answer, negative).answer is not None) is carried


def test_nothing_is_judged_while_evidence_is_missing():
    assert verdict(proposed(EVENT), sentiment=False) is None
    assert verdict(None) is None


@pytest.mark.parametrize(
    ("answer", "sentiment", "negative", "reason", "carried"),
    [
        (None, False, 0, Reason.AI_UNAVAILABLE, False),
        (None, True, 0.1, Reason.AI_UNAVAILABLE, False),
        (None, True, 0.99, Reason.NEGATIVE_SENTIMENT, False),
        (proposed(EVENT), False, 0, Reason.AI_UNAVAILABLE, True),
        (proposed(EVENT, 0.1), False, 0, Reason.LOW_CONFIDENCE, False),
        (proposed(EVENT, proofs=(proof("price", 901),)), False, 0, Reason.UNVERIFIED_CLAIM, False),
        (proposed(EVENT, kind="clarification"), False, 0, Reason.AI_UNAVAILABLE, False),
        (withheld(EVENT), False, 0, Reason.UNVERIFIED_CLAIM, False),
    ],
)
def test_the_deadline_judges_what_is_there(answer, sentiment, negative, reason, carried):
    found = verdict(answer, negative, sentiment=sentiment, at_deadline=True)
    assert (found.case, found.reason, found.answer is not None) == ("deadline", reason, carried)
    assert Reason.AI_UNAVAILABLE in {e.reason for e in found.evidence}


def test_the_notice_at_the_deadline_carries_the_answer_to_the_shopper():
    line = Line()
    made = line.open_turn()
    shown = card(0, price=PRICE)
    line.come(proposed(made, cards=(shown,)))
    line.wait(31)
    notice = next(n for d in line.done for n in d.of(chat.NoticeSent) if n.reason)
    assert notice.reason is Reason.AI_UNAVAILABLE
    assert "The Stormglass jacket fits." in notice.text
    assert "$89" in notice.plain
    assert notice.cards == (shown,)
    assert line.decided == {1: "deadline"}
