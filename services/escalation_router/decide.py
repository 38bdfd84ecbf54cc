"""`RouterFold`: the router's rules. What each case leads to stands in docs/decisions.md."""

import logging
from datetime import datetime, timedelta
from typing import Any

from schemas import topics
from schemas.chat import (
    Accepted,
    AcceptedTurn,
    AgentMessageSeenAccepted,
    AnswerProposed,
    AnswerUnavailable,
    AnswerWithheld,
    ContactLeftAccepted,
    ConversationClosedAccepted,
    CustomerMessageAccepted,
    Evidence,
    FeedbackGivenAccepted,
    MessageRejected,
    SentimentScored,
    Utterance,
)
from schemas.event import Data
from schemas.reasons import NO_LLM_EVER, Arm, Decision, Outcome, Owner, Reason, gravest
from schemas.support import (
    AgentRequest,
    ConversationEnded,
    FeedbackRecorded,
)
from services.escalation_router import replies, requests
from services.escalation_router.context import Context
from services.escalation_router.inputs import remembered
from services.escalation_router.judge import Verdict, judge
from services.escalation_router.state import AFRESH, COVERED_KEPT, EARLY_KEPT, Conversation, Found, OpenTurn
from services.escalation_router.turns import Draft, escalate, evidence_of, reply, suppress
from services.escalation_router.waiting import cancel, case_of, turn_of_others, wish_for_human
from services.lib.kit.fold import Arrival, Step, Timer

_AT_MOST = timedelta(seconds=30)
"""Whatever deadline an event carries, nobody waits longer. One that is past fires as soon as the log is read."""

_log = logging.getLogger(__name__)


class RouterFold:
    state_type = Conversation

    def initial(self, key: str) -> Conversation:
        gateway, _, conversation = key.partition(":")
        return Conversation(gateway=gateway, conversation=conversation)

    def step(
        self, state: Conversation, arrival: Arrival | Timer, context: Context, now: datetime
    ) -> Step[Conversation]:
        draft = Draft(state, arrival.identity, now)
        _note(draft, context, arrival)
        if isinstance(arrival, Timer):
            _timer(draft, context, arrival)
        else:
            _event(draft, context, arrival)
        return Step(draft.state, tuple(draft.effects))

    def broken(
        self, state: Conversation, arrival: Arrival | Timer, context: Context, now: datetime
    ) -> Step[Conversation]:
        """The conversation goes to a human, unless one has it or there is no turn to hand over."""
        data = arrival.event.data if isinstance(arrival, Arrival) else None
        accepted = data if isinstance(data, AcceptedTurn) else None
        contained = accepted.screening.reason if accepted is not None else None
        if contained is not None:
            try:  # for what was found at the door, unless that is what raises
                return _handed_over(Draft(state, arrival.identity, now), context, arrival, contained)
            except Exception:  # whatever it is: what comes next asks for less
                _log.warning("a contained message is handed over as ai_unavailable")
        return _handed_over(Draft(state, arrival.identity, now), context, arrival, Reason.AI_UNAVAILABLE)


def _handed_over(draft: Draft, context: Context, arrival: Arrival | Timer, reason: Reason) -> Step[Conversation]:
    """The effects of the case `broken`."""
    data = _note(draft, context, arrival)
    accepted = data if isinstance(data, AcceptedTurn) and data.position > draft.state.seen else None
    if accepted is not None:
        _open(draft, context, arrival.identity, accepted)
    turn = draft.state.open
    if turn is not None and draft.state.owner is Owner.AI:
        why = Evidence(source="broken", reason=reason)
        verdict = Verdict(Decision.ESCALATE, "broken", reason, (why,))
        escalate(draft, context, turn, verdict, accepted)
    elif turn is not None:
        suppress(draft, context, turn, case_of(draft.state.owner), f"owner {draft.state.owner}")
    return Step(draft.state, tuple(draft.effects))


def _note(draft: Draft, context: Context, arrival: Arrival | Timer) -> Data | None:
    """What is taken down of everything that comes; also its data, where it is an event."""
    draft.set(**remembered(draft.state, arrival, draft.now))
    data: Data | None = arrival.event.data if isinstance(arrival, Arrival) else None
    if isinstance(data, Accepted):
        draft.set(language=data.language, store=data.store, arm=context.policy.arm(data.bucket))
    return data


def _event(draft: Draft, context: Context, arrival: Arrival) -> None:
    data = arrival.event.data
    match data:
        case AcceptedTurn():
            _turn(draft, context, arrival, data)
        case SentimentScored() | AnswerProposed() | AnswerWithheld() | AnswerUnavailable():
            _evidence(draft, context, data)
        case AgentRequest():
            requests.request(draft, context, arrival.event)
        case AgentMessageSeenAccepted():
            requests.agent_spoke(draft, context, data)
        case ContactLeftAccepted():
            if draft.state.owner is Owner.QUEUED:
                draft.publish(topics.CHAT_REPLIES, replies.notice(draft.state, context.notices, "contact_noted"))
        case FeedbackGivenAccepted():
            draft.publish(
                topics.SUPPORT_OUTCOMES,
                FeedbackRecorded(**draft.address, helpful=data.helpful, reply_id=data.reply_id, comment=data.comment),
            )
        case MessageRejected():
            if data.announce and draft.state.owner is not Owner.HUMAN:
                draft.publish(topics.CHAT_REPLIES, replies.rejection(draft.state, context.notices, data))
                draft.set(disclosed=True)
        case ConversationClosedAccepted():
            _closed(draft, context)
        case _:
            pass  # ConversationStarted and IdentityChanged: only what every accepted event says of whereabouts


# --- turns ---------------------------------------------------------------------------------------------


def _open(draft: Draft, context: Context, message: str, data: AcceptedTurn) -> None:
    """Open the turn; an older one that is open ends as superseded, and this one covers it."""
    if draft.state.owner is Owner.CLOSED:
        draft.set(owner=Owner.AI, epoch=draft.state.epoch + 1, turns=0, **AFRESH)
    older = draft.state.open
    if older is not None:
        # What came with the new turn belongs to the new turn's decision.
        inputs, cut = draft.state.inputs, draft.state.inputs_cut
        draft.set(inputs=inputs[:-1])
        suppress(draft, context, older, "superseded", f"superseded by {data.position}")
        draft.set(inputs=inputs[-1:], inputs_cut=cut)
    line = Utterance(
        role="customer",
        text=data.text,
        at=data.accepted_at,
        position=data.position,
        # What nobody screened may be anything: no LLM sees it either.
        contained=data.screening.reason or (None if data.screening.complete else Reason.AI_UNAVAILABLE),
    )
    early = {id_: found for id_, found in draft.state.early.items() if found.position > data.position}
    draft.set(
        seen=data.position,
        early=early,
        heard=draft.state.hearing("customer", data.text),
        open=OpenTurn(
            position=data.position,
            message=message,
            accepted_at=older.accepted_at if older is not None else data.accepted_at,
            text=data.text,
            transcript=(*data.history, line),
            attachments=len(data.attachments) if isinstance(data, CustomerMessageAccepted) else 0,
            customer_id=data.identity.customer_id,
            screening_version=data.screening.version,
            found=draft.state.early.get(message, Found()),
            covers=(*older.covers, older.message)[-COVERED_KEPT:] if older is not None else (),
            angriest=older.negativity if older is not None else None,
        ),
    )


def _turn(draft: Draft, context: Context, arrival: Arrival, data: AcceptedTurn) -> None:
    if data.position <= draft.state.seen:
        return  # a position comes once; a second one is a copy under another id
    offered = draft.state.offered_human
    _open(draft, context, arrival.identity, data)
    turn = draft.state.open
    if turn is None:
        raise ValueError("no turn was opened")
    if draft.state.owner is not Owner.AI:
        turn_of_others(draft, context, turn, data)
        return
    reason, evidence = _contained(context, data, offered=offered)
    if reason is not None:
        verdict = Verdict(Decision.ESCALATE, "contained", reason, evidence)
        escalate(draft, context, turn, verdict, data)
    elif draft.state.arm is not Arm.AI:
        why = (Evidence(source="policy:rollout", reason=Reason.ROLLOUT_ARM, detail=draft.state.arm),)
        escalate(draft, context, turn, Verdict(Decision.ESCALATE, "forced", Reason.ROLLOUT_ARM, why), data)
    else:
        draft.set_timer("deadline", min(data.answer_by, draft.now + _AT_MOST), turn.position)
        if not draft.state.moment_said:
            waits_since = min(turn.accepted_at, draft.now)
            moment = waits_since + timedelta(seconds=context.policy.timing.moment_s)
            draft.set_timer("moment", moment, turn.position)
        _weigh(draft, context)


def _contained(context: Context, data: AcceptedTurn, *, offered: bool) -> tuple[Reason | None, tuple[Evidence, ...]]:
    """Why this must go to a human before anything else is asked, with the evidence."""
    wish = wish_for_human(data)
    if wish is None and offered and context.notices.of(data.language).is_phrase("accept", data.text):
        wish = Evidence(source="rule:offer_accepted", reason=Reason.HUMAN_REQUEST)
    reason = gravest(data.screening.reason, wish.reason if wish else None)
    if reason is None:
        if data.screening.complete:
            return None, ()
        unscreened = Evidence(source="screening:incomplete", reason=Reason.AI_UNAVAILABLE)
        return Reason.AI_UNAVAILABLE, (unscreened, *evidence_of(data, Reason.AI_UNAVAILABLE))
    found = evidence_of(data, reason)
    if wish is not None and wish not in found:
        found = (wish, *found) if reason is Reason.HUMAN_REQUEST else (*found, wish)
    return reason, found


# --- evidence and timers ---------------------------------------------------------------------------------


def _evidence(
    draft: Draft,
    context: Context,
    data: SentimentScored | AnswerProposed | AnswerWithheld | AnswerUnavailable,
) -> None:
    part: dict[str, Any] = {"sentiment" if isinstance(data, SentimentScored) else "answer": data}
    turn = draft.state.open
    if turn is not None and turn.message == data.message:
        found = turn.found.model_copy(update=part)
        draft.set(open=turn.model_copy(update={"found": found}))
        _weigh(draft, context)
    elif data.position > draft.state.seen:
        early = dict(draft.state.early)
        known = early.get(data.message, Found(position=data.position))
        early[data.message] = known.model_copy(update=part)
        draft.set(early=dict(list(early.items())[-EARLY_KEPT:]))
    elif turn is not None and data.message in turn.covers and isinstance(data, SentimentScored) and data.scores:
        angriest = max(turn.angriest or 0.0, data.scores.negative)
        draft.set(open=turn.model_copy(update={"angriest": angriest}))
    # else: the turn is decided, and a late answer is discarded


def _weigh(draft: Draft, context: Context, *, at_deadline: bool = False) -> None:
    """Decide the open turn where its evidence is complete, or must do."""
    turn = draft.state.open
    if turn is None or draft.state.owner is not Owner.AI:
        return
    verdict = judge(draft.state, turn, context.policy, draft.now, at_deadline=at_deadline)
    if verdict is None:
        return
    if verdict.decision is Decision.ESCALATE:
        escalate(draft, context, turn, verdict)
    else:
        reply(draft, context, turn, verdict)


def _timer(draft: Draft, context: Context, timer: Timer) -> None:
    turn = draft.state.open
    stale = turn is None or turn.position != timer.turn or draft.state.epoch != timer.epoch
    if turn is None or stale or draft.state.owner is not Owner.AI:
        return
    if timer.kind == "deadline":
        _weigh(draft, context, at_deadline=True)
    elif not draft.state.moment_said:
        moment = replies.notice(draft.state, context.notices, "one_moment", turn.position)
        draft.publish(topics.CHAT_REPLIES, moment)
        draft.set(moment_said=True, disclosed=True)


# --- the end ---------------------------------------------------------------------------------------------


def _closed(draft: Draft, context: Context) -> None:
    state = draft.state
    if state.owner is Owner.CLOSED:
        return
    handoff = state.handoff
    if state.owner is Owner.QUEUED and handoff is not None and handoff.reason in NO_LLM_EVER:
        return  # safety, law and privacy are looked at although the shopper left
    if state.open is not None:
        suppress(draft, context, state.open, "closed", "the conversation was closed")
    outcome = Outcome.ABANDONED_WAITING if state.owner is Owner.QUEUED else Outcome.CLOSED
    if handoff is not None:
        cancel(draft, "closed", Owner.CLOSED)
    else:
        draft.set(owner=Owner.CLOSED, epoch=state.epoch + 1)
    draft.publish(
        topics.SUPPORT_OUTCOMES,
        ConversationEnded(
            **draft.address,
            outcome=outcome,
            reason=handoff.reason if handoff else None,
            turns=draft.state.turns,
            arm=state.arm,
            ended_at=draft.now,
        ),
    )
