"""What agents ask for, and the router's verdict: the last table of docs/decisions.md."""

import re
from typing import Literal

from schemas import topics
from schemas.chat import AgentMessageSeenAccepted, HumanReplySent
from schemas.event import Event
from schemas.reasons import Outcome, Owner, Priority
from schemas.support import (
    ActionRefused,
    AgentRequest,
    ClaimRequested,
    ConversationEnded,
    DraftFeedbackGiven,
    DraftUsed,
    EscalationClaimed,
    EscalationResolved,
    EscalationReturned,
    GiveBackRequested,
    ReplyRequested,
    ResolveRequested,
)
from services.escalation_router import replies
from services.escalation_router.context import Context
from services.escalation_router.state import AFRESH, HandoffState
from services.escalation_router.turns import Draft, suppress

Cause = Literal["stale_epoch", "not_queued", "not_yours", "no_handoff", "empty"]
_ACTIONS: dict[type[AgentRequest], Literal["claim", "reply", "give_back", "resolve"]] = {
    ClaimRequested: "claim",
    ReplyRequested: "reply",
    GiveBackRequested: "give_back",
    ResolveRequested: "resolve",
}


def request(draft: Draft, context: Context, event: Event[AgentRequest]) -> None:
    asked = event.data
    if isinstance(asked, DraftFeedbackGiven):
        draft.publish(
            topics.SUPPORT_OUTCOMES,
            DraftUsed(**draft.address, agent=asked.agent, verdict=asked.verdict, comment=asked.comment),
        )
        return
    state = draft.state
    if isinstance(asked, ClaimRequested) and state.owner is Owner.HUMAN and _is_theirs(draft, asked.agent):
        return
    cause = _objection(draft, asked)
    if cause is not None:
        draft.publish(
            topics.SUPPORT_ESCALATIONS,
            ActionRefused(
                **draft.address,
                handoff=state.handoff.id if state.handoff else "",
                epoch=state.epoch,
                agent=asked.agent,
                action=_ACTIONS[type(asked)],
                cause=cause,
                owner=state.owner,
                claimed_by=state.handoff.agent if state.handoff else None,
                request=event.identity,
            ),
        )
    elif isinstance(asked, ClaimRequested):
        _claim(draft, asked.agent, took_over=False)
        draft.publish(topics.CHAT_REPLIES, replies.notice(draft.state, context.notices, "human_joined"))
    elif isinstance(asked, ReplyRequested):
        _reply(draft, asked)
    elif isinstance(asked, GiveBackRequested):
        _end_handoff(draft, EscalationReturned, asked.agent, Owner.AI)
        draft.publish(topics.CHAT_REPLIES, replies.notice(draft.state, context.notices, "given_back"))
    elif isinstance(asked, ResolveRequested):
        reason = state.handoff.reason if state.handoff else None
        _end_handoff(draft, EscalationResolved, asked.agent, Owner.CLOSED)
        draft.publish(
            topics.SUPPORT_OUTCOMES,
            ConversationEnded(
                **draft.address,
                outcome=Outcome.RESOLVED_BY_HUMAN,
                reason=reason,
                turns=state.turns,
                arm=state.arm,
                ended_at=draft.now,
            ),
        )


def _objection(draft: Draft, asked: AgentRequest) -> Cause | None:
    """Why the request is refused, or None."""
    state = draft.state
    if state.handoff is None:
        return "no_handoff"
    if isinstance(asked, ClaimRequested):
        if state.owner is not Owner.QUEUED:
            return "not_queued"
    elif state.owner is not Owner.HUMAN or not _is_theirs(draft, asked.agent):
        return "not_yours"
    if asked.epoch != state.epoch:
        return "stale_epoch"
    if isinstance(asked, ReplyRequested) and not asked.text.strip():
        return "empty"
    return None


def _is_theirs(draft: Draft, agent: str) -> bool:
    return draft.state.handoff is not None and draft.state.handoff.agent == agent


def _claim(draft: Draft, agent: str, *, took_over: bool) -> None:
    state = draft.state
    handoff = state.handoff or HandoffState(
        id=draft.next_id("EscalationClaimed"), reason=None, priority=Priority.NORMAL, raised_at=draft.now
    )
    held = handoff.model_copy(update={"agent": agent})
    draft.set(**AFRESH | {"owner": Owner.HUMAN, "epoch": state.epoch + 1, "handoff": held})
    draft.publish(
        topics.SUPPORT_ESCALATIONS,
        EscalationClaimed(
            **draft.address, handoff=handoff.id, epoch=state.epoch + 1, agent=agent, took_over=took_over
        ),
    )


def _reply(draft: Draft, asked: ReplyRequested) -> None:
    draft.publish(
        topics.CHAT_REPLIES,
        HumanReplySent(
            **draft.address,
            language=draft.state.language,
            text=asked.text,
            plain=asked.text,
            agent=asked.agent,
        ),
    )
    if asked.draft_use != "none":
        verdict: Literal["used", "edited"] = "used" if asked.draft_use == "as_is" else "edited"
        draft.publish(topics.SUPPORT_OUTCOMES, DraftUsed(**draft.address, agent=asked.agent, verdict=verdict))


def _end_handoff(
    draft: Draft, ended: type[EscalationReturned | EscalationResolved], agent: str, owner: Owner
) -> None:
    state = draft.state
    draft.publish(
        topics.SUPPORT_ESCALATIONS,
        ended(
            **draft.address,
            handoff=state.handoff.id if state.handoff else "",
            epoch=state.epoch + 1,
            agent=agent,
        ),
    )
    draft.set(owner=owner, epoch=state.epoch + 1, handoff=None)


def agent_spoke(draft: Draft, context: Context, seen: AgentMessageSeenAccepted) -> None:
    """A human wrote in the channel without asking first: the conversation is theirs. An echo changes nothing."""
    if seen.reply_id is not None or draft.state.owner not in (Owner.AI, Owner.QUEUED):
        return
    if draft.state.open is not None:
        suppress(draft, context, draft.state.open, "taken_over", "a human spoke")
    _claim(draft, as_name(seen.agent), took_over=True)


def as_name(agent: str | None) -> str:
    """An agent's name as a channel shows it, in the form that names have here."""
    return re.sub(r"[\s:]+", "-", (agent or "").strip())[:128] or "channel"
