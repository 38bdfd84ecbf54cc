"""Single histories that the tables and the random ones do not single out."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas import chat, support
from schemas.event import Event
from schemas.reasons import NO_LLM_EVER, Arm, Decision, Intent, Owner, Priority, Reason
from services.escalation_router import replies
from services.escalation_router.decide import RouterFold
from services.escalation_router.requests import as_name
from services.lib.kit.fold import Arrival, Timer
from tests.unit.escalation_router.play import (
    CONTEXT,
    START,
    Line,
    about,
    accepted,
    decisions,
    event,
    proposed,
    request,
    scored,
    turn,
)


def at(seconds):
    return START + timedelta(seconds=seconds)


# --- bursts and clocks --------------------------------------------------------------------------------


def test_under_continual_bursts_the_moment_is_said_once_and_the_deadline_counts_from_the_oldest():
    line = Line()
    oldest = at(30)
    for n in range(12):
        line.open_turn(text=f"{n} more", answer_by=oldest)
        line.wait(2)
    moments = [d for d in line.done if d.of(chat.NoticeSent)]
    assert [d.of(chat.NoticeSent)[0].notice for d in moments] == ["one_moment"]
    assert moments[0].arrival.due == at(8)
    line.wait(60)
    assert line.decided[12] == "deadline"
    assert decisions(line)[-1].accepted_at == START
    assert decisions(line)[-1].decided_at == oldest


def test_the_router_alone_knows_which_turns_are_open():
    """Ingest may not have read the answer yet and count the turn as undecided."""
    line = Line()
    first = line.answered(text="boots").arrival.event
    line.now = at(9)
    covered = (chat.Undecided(position=1, message=first.identity, accepted_at=START, text="boots"),)
    line.open_turn(undecided=covered)
    assert next(t for t in line.timers.values() if t.kind == "moment").due == at(17)


def test_a_turn_read_after_its_time_is_decided_by_the_evidence_in_the_log():
    late = Line(now=at(4000))
    made = turn(1, START)
    late.come(made)
    assert {t.kind: t.due for t in late.timers.values()} == {"deadline": at(30), "moment": at(8)}
    late.come(scored(made), proposed(made))
    assert late.decided == {1: "proven"}
    assert late.timers == {}


@pytest.mark.parametrize(
    "answer_by", [at(-10), at(31), datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)]
)
def test_no_deadline_is_later_than_half_a_minute(answer_by):
    line = Line()
    line.open_turn(answer_by=answer_by, accepted_at=datetime.max.replace(tzinfo=UTC))
    line.wait(30)
    assert line.decided == {1: "deadline"}


def test_a_moment_may_be_said_again_in_the_next_stretch():
    for end in ("answered", "spoke", "closed"):
        line = Line()
        made = line.open_turn()
        line.wait(9)
        if end == "answered":
            line.come(scored(made), proposed(made))
        elif end == "spoke":
            line.come(accepted(chat.AgentMessageSeenAccepted, text="Hi", agent="ann"))
            line.ask(support.GiveBackRequested)
        else:
            line.come(accepted(chat.ConversationClosedAccepted, by="customer"))
        line.open_turn(text="gloves", at=line.now)
        line.wait(9)
        said = [n.notice for d in line.done for n in d.of(chat.NoticeSent)]
        assert said.count("one_moment") == 2, end


# --- evidence that comes early --------------------------------------------------------------------------


def test_evidence_before_its_message_decides_with_it():
    line = Line()
    made = turn(1)
    line.come(proposed(made), scored(made))
    assert line.come(made).of(chat.AnswerSent)
    assert line.timers == {}


def test_early_evidence_of_messages_that_never_come_is_dropped():
    line = Line()
    lost, kept = turn(2), turn(4)
    for n in range(20):
        line.come(scored(turn(5 + n)))
    line.come(scored(lost), scored(kept))
    line.open_turn()
    assert set(line.state.early) >= {lost.identity, kept.identity}
    line.come(turn(3))
    assert lost.identity not in line.state.early
    assert kept.identity in line.state.early


# --- while a human is waited for ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then", "reason", "priority", "told"),
    [
        (Reason.DELIVERY_PROBLEM, Reason.PERSON_AT_RISK, Reason.PERSON_AT_RISK, Priority.URGENT, True),
        (Reason.DELIVERY_PROBLEM, Reason.HUMAN_REQUEST, Reason.HUMAN_REQUEST, Priority.HIGH, True),
        (Reason.LEGAL_THREAT, Reason.ORDER_CHANGE, Reason.LEGAL_THREAT, Priority.URGENT, True),
        (Reason.LEGAL_THREAT, Reason.B2B_DEAL, Reason.LEGAL_THREAT, Priority.HIGH, False),
        (Reason.HUMAN_REQUEST, Reason.HUMAN_REQUEST, Reason.HUMAN_REQUEST, Priority.NORMAL, False),
    ],
)
def test_a_handoff_takes_the_graver_reason_and_the_higher_priority(first, then, reason, priority, told):
    line = Line().under(Owner.QUEUED, first)
    line.open_turn(then)
    done = line.done[-1]
    assert (line.state.handoff.reason, line.state.handoff.priority) == (reason, priority)
    assert [(r.reason, r.priority) for r in done.of(support.PriorityRaised)] == ([(reason, priority)] if told else [])
    assert bool(done.of(chat.NoticeSent)) is (first is not then)
    assert not done.of(support.EscalationRaised)


def test_a_notice_is_sent_once_per_reason():
    line = Line().under(Owner.QUEUED, Reason.B2B_DEAL)
    for reason in (Reason.DELIVERY_PROBLEM, Reason.B2B_DEAL, Reason.DELIVERY_PROBLEM):
        line.open_turn(reason)
    assert [n.notice for d in line.done for n in d.of(chat.NoticeSent)] == ["b2b_deal", "delivery_problem"]


@pytest.mark.parametrize("how", ["screened button", "bare button", "quick reply"])
def test_the_human_button_is_heard_while_waiting(how):
    line = Line().under(Owner.QUEUED, Reason.DELIVERY_PROBLEM)
    if how == "quick reply":
        line.open_turn(type_=chat.QuickReplyChosenAccepted, text="A person", quick_reply=replies.HUMAN)
    else:
        reason = Reason.HUMAN_REQUEST if how == "screened button" else None
        line.open_turn(reason, type_=chat.HumanRequestedAccepted, text="")
    assert [n.notice for n in line.done[-1].of(chat.NoticeSent)] == ["human_request"]


@pytest.mark.parametrize("reason", list(Reason))
def test_what_the_shopper_may_take_back(reason):
    line = Line().under(Owner.QUEUED, reason)
    line.open_turn(text="never mind")
    assert line.state.owner is (Owner.QUEUED if reason in NO_LLM_EVER else Owner.AI)
    line.come(accepted(chat.ConversationClosedAccepted, by="customer"))
    assert line.state.owner is (Owner.QUEUED if reason in NO_LLM_EVER else Owner.CLOSED)


def test_never_mind_with_a_safety_matter_in_it_takes_nothing_back():
    line = Line().under(Owner.QUEUED)
    line.open_turn(Reason.RECALL_OR_SAFETY, text="never mind")
    assert line.state.owner is Owner.QUEUED
    line.open_turn(text="never mind")
    assert line.state.owner is Owner.QUEUED, "the graver reason stays"


def test_what_a_waiting_turn_leads_to_stands_in_its_decision():
    line = Line().under(Owner.QUEUED, Reason.B2B_DEAL)
    line.open_turn(Reason.LEGAL_THREAT)
    raised, notice = (e.id for e in line.published[-3:] if not isinstance(e.data, support.DecisionMade))
    assert decisions(line)[-1].effects == (raised, notice)
    line = Line().under(Owner.QUEUED)
    line.open_turn(text="never mind")
    led_to = {e.type for e in line.published if e.id in decisions(line)[-1].effects}
    assert led_to == {"EscalationCancelled", "NoticeSent"}


# --- the way to a human -----------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", list(Owner))
def test_the_button_works_under_every_owner(owner):
    line = Line().under(owner, Reason.DELIVERY_PROBLEM)
    line.open_turn(type_=chat.HumanRequestedAccepted, text="", complete=False)
    assert line.state.owner is (Owner.HUMAN if owner is Owner.HUMAN else Owner.QUEUED)
    if owner in (Owner.AI, Owner.CLOSED):
        assert line.state.handoff.reason is Reason.HUMAN_REQUEST


@pytest.mark.parametrize("arm", [Arm.ASSIST, Arm.HUMAN])
def test_no_turn_is_answered_outside_the_arm_of_the_machine(arm):
    rollout = {Arm.AI: 50, Arm.ASSIST: 0, Arm.HUMAN: 0} | {arm: 50}
    policy = CONTEXT.policy.model_copy(update={"rollout": rollout})
    line = Line(type(CONTEXT)(policy, CONTEXT.notices))
    line.open_turn(bucket=5000)
    assert (line.state.handoff.reason, line.state.arm) == (Reason.ROLLOUT_ARM, arm)
    inside = Line(type(CONTEXT)(policy, CONTEXT.notices))
    inside.open_turn(bucket=4999)
    assert inside.state.owner is Owner.AI
    found = Line(type(CONTEXT)(policy, CONTEXT.notices))
    found.open_turn(Reason.LEGAL_THREAT, bucket=5000)
    assert found.state.handoff.reason is Reason.LEGAL_THREAT


def test_an_offer_stands_until_the_next_reply():
    line = Line()
    line.answered(confidence=0.6)
    line.open_turn(text="hm")
    line.open_turn(text="yes please")
    assert line.state.handoff.reason is Reason.HUMAN_REQUEST
    other = Line()
    other.answered(confidence=0.6)
    other.answered(text="gloves?")
    other.open_turn(text="yes please")
    assert other.state.owner is Owner.AI


def test_an_offer_ends_where_a_human_spoke():
    line = Line()
    line.answered(confidence=0.6)
    line.come(accepted(chat.AgentMessageSeenAccepted, text="Hi", agent="ann"))
    line.ask(support.GiveBackRequested)
    line.open_turn(text="yes please")
    assert line.state.owner is Owner.AI


def test_a_reopened_conversation_starts_afresh():
    line = Line()
    line.answered(confidence=0.6)
    line.answered(kind="clarification", text="shoes")
    line.come(accepted(chat.ConversationClosedAccepted, by="customer"))
    closed = line.done[-1].of(support.ConversationEnded)[0]
    assert (closed.turns, closed.outcome) == (2, "closed")
    line.open_turn(text="yes please")
    state = line.state
    assert (state.owner, state.turns, state.offered_human, state.questions, state.epoch) == (Owner.AI, 0, False, 0, 2)


def test_nobody_is_abandoned_or_resolved_by_leaving():
    line = Line().under(Owner.QUEUED, Reason.DELIVERY_PROBLEM)
    line.come(accepted(chat.ConversationClosedAccepted, by="customer"))
    (ended,) = line.done[-1].of(support.ConversationEnded)
    assert (ended.outcome, ended.reason) == ("abandoned_waiting", Reason.DELIVERY_PROBLEM)


# --- agents -------------------------------------------------------------------------------------------------


def test_the_second_to_claim_is_told_who_has_it():
    line = Line().under(Owner.QUEUED)
    epoch = line.state.epoch
    line.come(request(support.ClaimRequested, epoch, "ann"), request(support.ClaimRequested, epoch, "bob"))
    (refused,) = line.done[-1].of(support.ActionRefused)
    assert (refused.cause, refused.claimed_by, refused.owner, refused.agent) == (
        "not_queued",
        "ann",
        Owner.HUMAN,
        "bob",
    )
    assert refused.request == line.done[-1].arrival.identity


@pytest.mark.parametrize(
    ("owner", "agent", "type_", "stale", "text", "cause"),
    [
        (Owner.AI, "ann", support.ClaimRequested, 0, "", "no_handoff"),
        (Owner.CLOSED, "ann", support.ResolveRequested, 0, "", "no_handoff"),
        (Owner.QUEUED, "ann", support.ClaimRequested, 1, "", "stale_epoch"),
        (Owner.QUEUED, "ann", support.ReplyRequested, 0, "Hi", "not_yours"),
        (Owner.HUMAN, "bob", support.ReplyRequested, 0, "Hi", "not_yours"),
        (Owner.HUMAN, "ann", support.ReplyRequested, 1, "Hi", "stale_epoch"),
        (Owner.HUMAN, "ann", support.ReplyRequested, 0, " \n", "empty"),
        (Owner.HUMAN, "bob", support.GiveBackRequested, 0, "", "not_yours"),
    ],
)
def test_why_a_request_is_refused(owner, agent, type_, stale, text, cause):
    line = Line().under(owner)
    fields = {"text": text} if type_ is support.ReplyRequested else {}
    before = line.state
    done = line.come(request(type_, before.epoch + stale, agent, **fields))
    assert [r.cause for r in done.of(support.ActionRefused)] == [cause]
    assert line.state.model_copy(update={"inputs": ()}) == before.model_copy(update={"inputs": ()})


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (None, "channel"),
        ("", "channel"),
        ("Ann K.", "Ann-K."),
        ("a:b\tc", "a-b-c"),
        (" :: ", "-"),
        ("\x1c", "channel"),
    ],
)
def test_a_name_as_a_channel_shows_it(shown, name):
    assert as_name(shown) == name
    line = Line()
    line.come(accepted(chat.AgentMessageSeenAccepted, text="Hi", agent=shown))
    assert line.state.handoff.agent == name


# --- what breaks -----------------------------------------------------------------------------------------------


def test_a_contained_message_that_breaks_keeps_its_reason():
    line = Line()
    line.come_broken(turn(1, reason=Reason.PRIVACY_REQUEST, language="de"))
    assert (line.state.handoff.reason, line.state.language) == (Reason.PRIVACY_REQUEST, "de")
    assert [n.language for n in line.done[-1].of(chat.NoticeSent)] == ["de"]


def test_where_its_notice_is_what_breaks_the_way_to_a_human_stays_open(monkeypatch):
    sound = replies.handoff_notice

    def planted(state, notices, reason, *args, **kwargs):
        if reason is Reason.WITHDRAWAL_NOTICE:
            raise RuntimeError("planted")
        return sound(state, notices, reason, *args, **kwargs)

    monkeypatch.setattr(replies, "handoff_notice", planted)
    line = Line()
    with pytest.raises(RuntimeError):
        RouterFold().step(line.state, Arrival(turn(1, reason=Reason.WITHDRAWAL_NOTICE)), CONTEXT, START)
    line.come_broken(turn(1, reason=Reason.WITHDRAWAL_NOTICE))
    assert line.state.handoff.reason is Reason.AI_UNAVAILABLE


def test_a_position_that_is_decided_does_not_break_twice():
    line = Line()
    line.answered()
    line.come_broken(turn(1))
    assert line.decided == {1: "proven"}
    assert line.state.owner is Owner.AI


def test_evidence_that_breaks_hands_the_open_turn_over():
    line = Line()
    made = line.open_turn()
    line.come_broken(scored(made))
    assert line.decided == {1: "broken"}
    assert line.done[-1].decisions[0].inputs[-1].type == "SentimentScored"
    other = Line()
    other.open_turn()
    other.come_broken(Timer("web:c1", "deadline", 1, 0, START))
    assert other.decided == {1: "broken"}


def test_the_longest_names_do_not_break_anything():
    line = Line()
    made = line.open_turn()
    line.come(scored(made, 0.99, model="m" * 5000), proposed(made))
    assert line.state.handoff.reason is Reason.NEGATIVE_SENTIMENT
    full = chat.AnswerWithheld(**about(made, Intent.OTHER), reason=Reason.LOW_CONFIDENCE, detail="x" * 500)
    other = Line()
    second = other.open_turn()
    other.come(scored(second))
    other.come(event(full.model_copy(update={"message": second.identity}), source="baton/retrieval-answer"))
    assert other.decided == {1: "judged"}


def test_a_message_full_of_findings_is_escalated_with_some_of_them():
    hits = tuple(chat.Evidence(source=f"rule:{n}", reason=Reason.B2B_DEAL, detail="é" * 500) for n in range(300))
    hits += (chat.Evidence(source="rule:last", reason=Reason.LEGAL_THREAT),)
    screening = chat.Screening(complete=True, reason=Reason.LEGAL_THREAT, evidence=hits, version="1")
    line = Line()
    line.open_turn(screening=screening)
    made = decisions(line)[0]
    assert len(made.evidence) == 20
    assert made.evidence[0].source == "rule:last"


def test_an_unscreened_line_is_marked_for_those_who_ask_an_llm():
    line = Line()
    line.open_turn(complete=False)
    raised = next(e.data for e in line.published if isinstance(e.data, support.EscalationRaised))
    assert raised.transcript[-1].contained is Reason.AI_UNAVAILABLE
    assert decisions(line)[0].evidence[0].source == "screening:incomplete"


def test_the_first_of_two_gateways_is_not_the_other():
    state = RouterFold().initial("web:a:b")
    assert (state.gateway, state.conversation) == ("web", "a:b")


def test_a_copy_of_a_decided_turn_under_another_id_opens_nothing():
    line = Line()
    made = line.open_turn()
    line.come(scored(made), proposed(made))
    copy: Event = made.model_copy(update={"id": "another"})
    assert line.come(copy).published == ()
    assert [d.decision for d in decisions(line)] == [Decision.ANSWER]
