"""How a turn ends: the effects of each decision in docs/decisions.md, as pure functions."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas import topics
from schemas.chat import AcceptedTurn, Evidence, Utterance
from schemas.event import Data, derived_id
from schemas.reasons import Decision, Owner, Reason
from schemas.support import DecisionMade, EscalationRaised, Versions
from schemas.topics import TRANSCRIPT_LIMIT, Topic
from services.escalation_router import replies
from services.escalation_router.context import Context
from services.escalation_router.judge import Verdict
from services.escalation_router.state import TREND_KEPT, Conversation, HandoffState, OpenTurn
from services.lib.kit.fold import CancelTimers, Effect, Publish, Record, SetTimer

TIMERS = ("moment", "deadline")

EVIDENCE_KEPT = 20
"""Findings of the screening that a decision names; a message full of hits says nothing more by the next."""


@dataclass(slots=True)
class Draft:
    """A step in the making: the state so far and the effects so far, with the cause they share."""

    state: Conversation
    cause: str
    now: datetime
    effects: list[Effect] = field(default_factory=list)
    _ordinals: dict[str, int] = field(default_factory=dict)

    def set(self, **fields: Any) -> None:
        self.state = self.state.model_copy(update=fields)

    def publish(self, topic: Topic, data: Data) -> str:
        """Publish, and say which id the event will have."""
        kind = type(data).__name__
        ordinal = self._ordinals.get(kind, 0)
        self._ordinals[kind] = ordinal + 1
        self.effects.append(Publish(topic, data, ordinal))
        return derived_id(self.cause, kind, ordinal)

    def next_id(self, kind: str) -> str:
        """The id that the next event of this kind will have."""
        return derived_id(self.cause, kind, self._ordinals.get(kind, 0))

    def set_timer(self, kind: str, due: datetime, turn: int) -> None:
        self.effects.append(SetTimer(kind, due, turn, self.state.epoch))

    @property
    def address(self) -> dict[str, Any]:
        return {"gateway": self.state.gateway, "conversation": self.state.conversation}


def suppress(
    draft: Draft, context: Context, turn: OpenTurn, case: str, because: str, effects: tuple[str, ...] = ()
) -> None:
    """The turn ends without an answer. `effects`: ids of what is said all the same."""
    _decided(draft, context, turn, Verdict(Decision.SUPPRESS, case), because, effects)


def reply(draft: Draft, context: Context, turn: OpenTurn, verdict: Verdict) -> None:
    """The turn ends with an answer, an answer that offers a human, or a question."""
    if verdict.answer is None:
        raise ValueError(f"{verdict.decision} without an answer")
    offer = verdict.decision is Decision.ANSWER_AND_OFFER_HUMAN
    sent = replies.answer(draft.state, context.notices, verdict.answer, turn.position, offer=offer)
    id_ = draft.publish(topics.CHAT_REPLIES, sent)
    _decided(draft, context, turn, verdict, verdict.case, (id_,))
    draft.set(
        disclosed=True,
        offered_human=offer,
        questions=draft.state.questions + 1 if verdict.decision is Decision.CLARIFY else 0,
        heard=draft.state.hearing("assistant", verdict.answer.text),
    )


def escalate(
    draft: Draft, context: Context, turn: OpenTurn, verdict: Verdict, accepted: AcceptedTurn | None = None
) -> None:
    """The turn ends with a handoff and its notice. `accepted` is the event where it is at hand, for a quote."""
    if verdict.reason is None:
        raise ValueError("an escalation without a reason")
    reason, before = verdict.reason, draft.state
    priority = context.policy.priority[reason]
    handoff = draft.next_id("EscalationRaised")
    transcript, cut = fitting(turn.transcript)
    raised = draft.publish(
        topics.SUPPORT_ESCALATIONS,
        EscalationRaised(
            **draft.address,
            handoff=handoff,
            epoch=before.epoch + 1,
            position=turn.position,
            reason=reason,
            evidence=verdict.evidence,
            priority=priority,
            language=before.language,
            store=before.store,
            customer_id=turn.customer_id,
            transcript=transcript,
            transcript_cut=cut,
            attachments=turn.attachments,
            sentiment=turn.found.sentiment.scores if turn.found.sentiment else None,
            intent=turn.found.answer.intent if turn.found.answer else None,
            versions=_versions(context, turn),
        ),
    )
    notice = draft.publish(
        topics.CHAT_REPLIES,
        replies.handoff_notice(before, context.notices, reason, turn.position, turn=accepted, carried=verdict.answer),
    )
    because = f"{verdict.case}: {reason}"
    _decided(draft, context, turn, verdict, because, (raised, notice))
    draft.set(
        owner=Owner.QUEUED,
        epoch=before.epoch + 1,
        handoff=HandoffState(id=handoff, reason=reason, priority=priority, raised_at=draft.now, notified=(reason,)),
        disclosed=True,
        offered_human=False,
        questions=0,
    )


def _decided(
    draft: Draft, context: Context, turn: OpenTurn, verdict: Verdict, because: str, effects: tuple[str, ...]
) -> None:
    state = draft.state
    answer = turn.found.answer
    made = DecisionMade(
        **draft.address,
        position=turn.position,
        decision=verdict.decision,
        reason=verdict.reason,
        evidence=verdict.evidence,
        because=because,
        intent=answer.intent if answer else None,
        confidence=getattr(answer, "confidence", None),
        arm=state.arm,
        owner=state.owner,
        epoch=state.epoch,
        accepted_at=turn.accepted_at,
        decided_at=draft.now,
        inputs=state.inputs,
        inputs_cut=state.inputs_cut,
        effects=effects,
        versions=_versions(context, turn),
    )
    draft.publish(topics.SUPPORT_DECISIONS, made)
    draft.effects.append(Record(made))
    draft.effects.append(CancelTimers(TIMERS, turn.position))
    draft.set(open=None, inputs=(), inputs_cut=False, turns=state.turns + 1)
    if verdict.case != "superseded":  # then the stretch goes on
        mood = () if turn.negativity is None else (turn.negativity,)
        draft.set(negatives=(*state.negatives, *mood)[-TREND_KEPT:], moment_said=False)


def _versions(context: Context, turn: OpenTurn) -> Versions:
    answer = turn.found.answer
    return Versions(
        policy=context.policy.version,
        screening=turn.screening_version,
        sentiment=turn.found.sentiment.model if turn.found.sentiment else None,
        answer=getattr(answer, "versions", {}),
    )


def fitting(transcript: tuple[Utterance, ...], limit: int = TRANSCRIPT_LIMIT) -> tuple[tuple[Utterance, ...], bool]:
    """The newest lines that fit into `limit` bytes of JSON, and whether something was left out. The last line is
    always there; one that fills the transcript alone is cut."""
    kept: list[Utterance] = []
    room = limit
    for line in reversed(transcript):
        room -= len(line.model_dump_json().encode()) + 1
        if room < 0:
            if not kept:  # JSON takes six bytes for a character at most
                kept.append(line.model_copy(update={"text": line.text[: limit // 8], "skus": ()}))
            return tuple(reversed(kept)), True
        kept.append(line)
    return tuple(reversed(kept)), False


def evidence_of(accepted: AcceptedTurn, reason: Reason) -> tuple[Evidence, ...]:
    """What the screening found, the deciding reason's evidence first."""
    return tuple(sorted(accepted.screening.evidence, key=lambda e: e.reason is not reason))[:EVIDENCE_KEPT]
