"""`ownership`: who may speak, worked out of the events that say so; and that nobody else spoke.

Each change of owner has the next epoch. The escalations say all of them but two: the closing of a conversation that
the machine had (its `ConversationEnded` says so) and the reopening (the accepted message itself does).
"""

from collections.abc import Iterator

from tests.real.checker.log import OPENS_TURN, Event, View

_BECOMES = {
    "EscalationRaised": "queued",
    "EscalationClaimed": "human",
    "EscalationReturned": "ai",
    "EscalationResolved": "closed",
}
_FROM = {
    "EscalationRaised": ("ai",),
    "EscalationReturned": ("human",),
    "EscalationResolved": ("human",),
}


def ownership(view: View) -> Iterator[str]:
    escalations, decisions = view.by_key("support.escalations"), view.by_key("support.decisions")
    endings, messages = view.by_key("support.outcomes", "ConversationEnded"), view.by_key("chat.messages")
    for key in sorted({*escalations, *decisions, *endings}):
        changes = [event for event in escalations.get(key, []) if becomes(event) is not None]
        closings = sum(closed_by_ai_alone(view, event) for event in endings.get(key, []))
        made = decisions.get(key, [])
        owners, problems = owners_of(key, changes, made, closings)
        yield from problems
        yield from _decided(key, made, owners)
        yield from _handoffs(key, escalations.get(key, []))
        yield from _humans(view, key, owners)
        yield from _told(view, messages.get(key, []), owners)
        last = messages.get(key, [])[-1:]
        if last and last[0].type == "ConversationClosedAccepted" and owners[max(owners)] == "ai":
            yield f"{key}: {last[0]} closed the conversation, and its owner is still ai"


def becomes(event: Event) -> str | None:
    """The owner after an event of support.escalations; None where it changes none."""
    if event.type == "EscalationCancelled":
        return "ai" if event.data.get("by") == "customer" else "closed"
    return _BECOMES.get(event.type)


def closed_by_ai_alone(view: View, ended: Event) -> bool:
    """Whether this `ConversationEnded` is the only word of a change from `ai` to `closed`."""
    return not any(becomes(event) for event in view.caused[ended.cause or ""] if event.topic == "support.escalations")


def owners_of(
    key: str, changes: list[Event], decisions: list[Event], closings: int
) -> tuple[dict[int, str], list[str]]:
    """The owner in each epoch. `closings`: how often the machine's conversation was closed."""
    problems: list[str] = []
    said: dict[int, Event] = {}
    before = 0
    for event in changes:
        epoch = int(event.data.get("epoch", 0))
        if epoch in said:
            problems.append(f"{key}: {said[epoch]} and {event} both are the change of owner to epoch {epoch}")
        elif epoch <= before:
            problems.append(f"{key}: {event} changes the owner to epoch {epoch} after epoch {before}")
        said.setdefault(epoch, event)
        before = max(before, epoch)
    owners = {0: "ai"}
    seen = max([before, *(int(d.data.get("epoch", 0)) for d in decisions)])
    for epoch in range(1, seen + 1):
        was = owners[epoch - 1]
        if epoch in said:
            event = said[epoch]
            owners[epoch] = becomes(event) or ""
            took_over = event.data.get("took_over")
            claims = ("queued", "ai") if took_over else ("queued",)
            ends = ("queued",) if event.data.get("by") == "customer" else ("queued", "human")
            allowed = _FROM.get(event.type) or (claims if event.type == "EscalationClaimed" else ends)
            if was not in allowed:
                problems.append(f"{key}: {event} in epoch {epoch} comes where the owner is {was}")
        elif was == "ai" and closings:
            owners[epoch], closings = "closed", closings - 1
        elif was == "closed":
            owners[epoch] = "ai"
        else:
            owners[epoch] = was
            problems.append(f"{key}: no event says how the owner, {was}, changed to epoch {epoch}")
    if closings and owners[seen] == "ai":
        owners[seen + 1], closings = "closed", closings - 1
    if closings:
        problems.append(f"{key}: {closings} more ConversationEnded than changes of owner")
    return owners, problems


def _decided(key: str, decisions: list[Event], owners: dict[int, str]) -> Iterator[str]:
    least, after = 0, "the beginning"
    for made in decisions:
        epoch, owner = int(made.data.get("epoch", 0)), made.data.get("owner")
        turn = f"{key} turn {made.position}: {made.data.get('decision')} {made.id}"
        if owners.get(epoch) != owner:
            yield f"{turn} says owner {owner} in epoch {epoch}, where it is {owners.get(epoch)}"
        if epoch < least:
            yield f"{turn} was made in epoch {epoch}, after {after}, which leads to epoch {least}"
        if made.data.get("decision") == "escalate":
            epoch += 1
        if epoch > least:
            least, after = epoch, f"{made.data.get('decision')} {made.id}"


def _handoffs(key: str, escalations: list[Event]) -> Iterator[str]:
    """Events of a handoff name one that is open."""
    handoff: str | None = None
    for event in escalations:
        named = event.data.get("handoff")
        if event.type == "EscalationRaised" or (event.type == "EscalationClaimed" and handoff is None):
            handoff = event.id
            if event.type == "EscalationClaimed" and not event.data.get("took_over"):
                yield f"{key}: {event} claims where no handoff is open"
        if event.type == "ActionRefused":
            continue
        if named != handoff:
            yield f"{key}: {event} is of the handoff {named}, and {handoff or 'none'} is open"
        if event.type in ("EscalationReturned", "EscalationResolved", "EscalationCancelled"):
            handoff = None


def _humans(view: View, key: str, owners: dict[int, str]) -> Iterator[str]:
    """What agents say is said under `human`: in the epoch that their request names."""
    for reply in view.by_key("chat.replies", "HumanReplySent").get(key, []):
        request = view.by_identity.get(reply.cause or "")
        if request is not None and owners.get(int(request.data.get("epoch", -1))) != "human":
            epoch = request.data.get("epoch")
            yield f"{key}: {reply} was sent in epoch {epoch}, whose owner is {owners.get(int(epoch or 0))}"


def _told(view: View, messages: list[Event], owners: dict[int, str]) -> Iterator[str]:
    """A contact that was left is noted under `queued` alone, a rejection is told unless under `human`: as far as the
    decisions before and after leave no doubt who the owner was."""
    for number, event in enumerate(messages):
        notes = event.type == "ContactLeftAccepted"
        if not notes and not (event.type == "MessageRejected" and event.data.get("announce", True)):
            continue
        told = any(effect.type in ("NoticeSent", "RejectionSent") for effect in view.caused[event.identity])
        possible = {owners[epoch] for epoch in _epochs(view, messages, number, max(owners))}
        wanted = {owner for owner in possible if (owner == "queued" if notes else owner != "human")}
        if told and not wanted:
            yield f"{event.key}: {event} was answered with a notice, under {', '.join(sorted(possible))}"
        elif not told and wanted == possible:
            yield f"{event.key}: {event} is to be answered with a notice, under {', '.join(sorted(possible))}"


def _epochs(view: View, messages: list[Event], number: int, last: int) -> range:
    """In which the n-th event may have come: while a turn is open, the epoch does not change."""

    def decided(turn: Event | None) -> Event | None:
        made = view.decisions.get((turn.key, turn.position or 0)) if turn is not None else None
        return made[0] if made else None

    turns = [(n, event) for n, event in enumerate(messages) if event.type in OPENS_TURN]
    before = decided(next((event for n, event in reversed(turns) if n < number), None))
    after = decided(next((event for n, event in turns if n > number), None))
    low = int(before.data.get("epoch", 0)) if before is not None else 0
    if before is not None and before.data.get("decision") == "escalate":
        opened = view.by_identity.get(before.cause or "")
        low += opened is not None and opened.position == before.position and opened.type in OPENS_TURN
    return range(min(low, last), min(int(after.data.get("epoch", 0)) if after is not None else last, last) + 1)
