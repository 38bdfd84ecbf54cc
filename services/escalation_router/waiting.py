"""`turn_of_others`: the shopper writes while a human has the conversation or is waited for."""

from typing import Any, Literal

from schemas import topics
from schemas.chat import AcceptedTurn, Evidence, HumanRequestedAccepted, QuickReplyChosenAccepted
from schemas.event import derived_id
from schemas.reasons import NO_LLM_EVER, Owner, Priority, Reason, gravest
from schemas.support import EscalationCancelled, PriorityRaised
from services.escalation_router import replies
from services.escalation_router.context import Context
from services.escalation_router.state import HandoffState, OpenTurn
from services.escalation_router.turns import Draft, suppress

_URGENCY = {priority: rank for rank, priority in enumerate(Priority)}


def turn_of_others(draft: Draft, context: Context, turn: OpenTurn, data: AcceptedTurn) -> None:
    owner, handoff = draft.state.owner, draft.state.handoff
    if owner is not Owner.QUEUED or handoff is None:
        suppress(draft, context, turn, case_of(owner), f"owner {owner}")
        return
    wish = wish_for_human(data)
    reason = gravest(data.screening.reason, wish.reason if wish else None)
    if reason is None and handoff.reason not in NO_LLM_EVER and _takes_back(context, data):
        effects = tuple(derived_id(draft.cause, kind, 0) for kind in ("EscalationCancelled", "NoticeSent"))
        suppress(draft, context, turn, "waiting_cancelled", "the shopper cancelled", effects)
        cancel(draft, "customer", Owner.AI)
        draft.publish(topics.CHAT_REPLIES, replies.notice(draft.state, context.notices, "cancelled"))
    elif reason is None or reason in handoff.notified:
        suppress(draft, context, turn, "waiting", "owner queued")
    else:
        raised = _graver(draft, context, turn, handoff, reason)
        notice = replies.handoff_notice(draft.state, context.notices, reason, turn.position, turn=data)
        effects = (*raised, draft.publish(topics.CHAT_REPLIES, notice))
        suppress(draft, context, turn, "waiting_contained", f"owner queued, contained: {reason}", effects)


def wish_for_human(data: AcceptedTurn) -> Evidence | None:
    """The human button, wherever a channel shows it."""
    if isinstance(data, HumanRequestedAccepted):
        return Evidence(source="button", reason=Reason.HUMAN_REQUEST)
    if isinstance(data, QuickReplyChosenAccepted) and data.quick_reply == replies.HUMAN:
        return Evidence(source="button:quick_reply", reason=Reason.HUMAN_REQUEST)
    return None


def _takes_back(context: Context, data: AcceptedTurn) -> bool:
    if isinstance(data, QuickReplyChosenAccepted):
        return data.quick_reply == replies.CANCEL
    return context.notices.of(data.language).is_phrase("cancel", data.text)


def _graver(draft: Draft, context: Context, turn: OpenTurn, handoff: HandoffState, reason: Reason) -> tuple[str, ...]:
    """Note the reason on the open handoff. It takes the graver reason and the higher priority of the two; says
    so where either changes. Returns the ids of what it published."""
    known = handoff.reason or reason
    gravest_of_both = min(known, reason, key=lambda r: r.rank)
    priority = min(handoff.priority, context.policy.priority[reason], key=lambda p: _URGENCY[p])
    changed: dict[str, Any] = {"reason": gravest_of_both, "priority": priority}
    draft.set(handoff=handoff.model_copy(update={"notified": (*handoff.notified, reason), **changed}))
    if (gravest_of_both, priority) == (handoff.reason, handoff.priority):
        return ()
    raised = PriorityRaised(
        **draft.address, handoff=handoff.id, epoch=draft.state.epoch, position=turn.position, **changed
    )
    return (draft.publish(topics.SUPPORT_ESCALATIONS, raised),)


def cancel(draft: Draft, by: Literal["customer", "closed"], owner: Owner) -> None:
    """End the open handoff without a human; `owner` has the conversation then."""
    handoff = draft.state.handoff
    if handoff is None:
        raise ValueError("no handoff to cancel")
    epoch = draft.state.epoch + 1
    cancelled = EscalationCancelled(**draft.address, handoff=handoff.id, epoch=epoch, by=by)
    draft.publish(topics.SUPPORT_ESCALATIONS, cancelled)
    draft.set(owner=owner, epoch=epoch, handoff=None)


def case_of(owner: Owner) -> str:
    """Row of the table of turns for one that opens under an owner who answers it himself."""
    return {Owner.QUEUED: "waiting", Owner.HUMAN: "with_human"}.get(owner, "closed")
