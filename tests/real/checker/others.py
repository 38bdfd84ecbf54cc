"""`others`: what opens no turn, and requests of agents, have the effects of their tables in docs/decisions.md."""

from collections.abc import Iterator

from tests.real.checker.log import OPENS_TURN, Event, View
from tests.real.checker.turns import MOMENT

_REFUSED = (["ActionRefused"],)
_VERDICTS: dict[str, tuple[list[str], ...]] = {
    "ClaimRequested": (["EscalationClaimed", "human_joined"], *_REFUSED),
    "ReplyRequested": (["HumanReplySent"], ["DraftUsed", "HumanReplySent"], *_REFUSED),
    "GiveBackRequested": (["EscalationReturned", "given_back"], *_REFUSED),
    "ResolveRequested": (["ConversationEnded", "EscalationResolved"], *_REFUSED),
    "DraftFeedbackGiven": (["DraftUsed"],),
}
_ALLOWED: dict[str, tuple[list[str], ...]] = {
    "ConversationStartedAccepted": ([],),
    "IdentityChangedAccepted": ([],),
    "FeedbackGivenAccepted": (["FeedbackRecorded"],),
    "ContactLeftAccepted": ([], ["contact_noted"]),
    "AgentMessageSeenAccepted": ([], ["EscalationClaimed"]),
    "ConversationClosedAccepted": ([], ["ConversationEnded"], ["ConversationEnded", "EscalationCancelled"]),
}
_CAUSES: dict[str, tuple[str, ...]] = {
    "EscalationClaimed": ("ClaimRequested", "AgentMessageSeenAccepted"),
    "EscalationReturned": ("GiveBackRequested",),
    "EscalationResolved": ("ResolveRequested",),
    "EscalationCancelled": (*OPENS_TURN, "ConversationClosedAccepted"),
    "ActionRefused": ("ClaimRequested", "ReplyRequested", "GiveBackRequested", "ResolveRequested"),
    "HumanReplySent": ("ReplyRequested",),
    "ConversationEnded": ("ConversationClosedAccepted", "ResolveRequested"),
    "DraftUsed": ("ReplyRequested", "DraftFeedbackGiven"),
    "FeedbackRecorded": ("FeedbackGivenAccepted",),
}
"""What may lead to events that are no turn's."""
_OF_REQUEST = {"human_joined": "ClaimRequested", "given_back": "GiveBackRequested"}


def others(view: View) -> Iterator[str]:
    for event in view.of("chat.messages", *_ALLOWED):
        effects = _effects(view, event)
        if effects not in _ALLOWED[event.type] and event.identity not in view.dead:
            yield f"{event.key}: {event} led to {effects or 'nothing'}"
    for event in view.of("chat.messages", "MessageRejected"):
        effects, announced = _effects(view, event), event.data.get("announce", True)
        if effects not in (([], ["RejectionSent"]) if announced else ([],)):
            yield f"{event.key}: {event} led to {effects}"
    for event in view.of("support.agent-actions", *_VERDICTS):
        effects = _effects(view, event)
        excused = not effects and (event.identity in view.dead or _needs_no_verdict(view, event))
        if effects not in _VERDICTS[event.type] and not excused:
            yield f"{event.key}: {event} of {event.data.get('agent')} led to {effects or 'nothing'}"
    yield from _notices(view)
    for topic in ("chat.replies", "support.escalations", "support.outcomes"):
        for event in view.of(topic, *_CAUSES):
            cause = view.by_identity.get(event.cause or "")
            if cause is None or cause.type not in _CAUSES[event.type]:
                yield f"{event.key}: {event} comes from {cause or event.cause}, which never leads to one"


def unheard(view: View) -> int:
    """Requests of agents without a verdict, and feedback that is not recorded."""
    waiting = [
        *(e for e in view.of("support.agent-actions", *_VERDICTS) if not _needs_no_verdict(view, e)),
        *view.of("chat.messages", "FeedbackGivenAccepted"),
    ]
    return sum(not _effects(view, event) and event.identity not in view.dead for event in waiting)


def _effects(view: View, event: Event) -> list[str]:
    """Types of what came of an event, notices by their names; without decisions, which have rules of their own."""
    found = (e for e in view.caused[event.identity] if e.type != "DecisionMade")
    return sorted(str(e.data.get("notice")) if e.type == "NoticeSent" else e.type for e in found)


def _needs_no_verdict(view: View, event: Event) -> bool:
    """A claim of what is the agent's already, as far as one can see: it was theirs at some time."""
    claims = view.by_key("support.escalations", "EscalationClaimed").get(event.key, [])
    return event.type == "ClaimRequested" and any(
        claim.data.get("agent") == event.data.get("agent") for claim in claims
    )


def _notices(view: View) -> Iterator[str]:
    """Each notice has something that explains it. Those of turns are held against their decisions."""
    named = {id_ for d in view.of("support.decisions") for id_ in d.data.get("effects", [])}
    for event in view.of("chat.replies", "NoticeSent", "RejectionSent"):
        notice, cause = event.data.get("notice"), view.by_identity.get(event.cause or "")
        came = cause.type if cause is not None else (event.cause or "").partition(":")[0]
        explained = (
            event.id in named
            or (event.type == "RejectionSent" and came == "MessageRejected")
            or (notice == MOMENT and came == "timer")
            or (notice == "contact_noted" and came == "ContactLeftAccepted")
            or (notice in _OF_REQUEST and came == _OF_REQUEST[notice])
        )
        if not explained:
            yield f"{event.key}: {event} ({notice}) comes from {came or 'nothing'}, which leads to no such notice"
