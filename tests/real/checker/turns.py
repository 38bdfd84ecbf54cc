"""`turns`: every turn ends in one decision, and the decision has the effects of the table in docs/decisions.md."""

from collections.abc import Iterator
from itertools import pairwise

from tests.real.checker.evidence import is_contained
from tests.real.checker.log import OPENS_TURN, Event, View

ANSWERS = ("answer", "answer_and_offer_human", "clarify")
MOMENT = "one_moment"
"""The notice that decides nothing."""


def turns(view: View) -> Iterator[str]:
    for (key, position), opened in sorted(view.turns.items()):
        made = view.decisions.get((key, position), [])
        if len(made) != 1:
            said = ", ".join(f"{e} ({e.data.get('decision')})" for e in made) or "none"
            yield f"{key} turn {position}: {len(made)} decisions on {opened[0]}: {said}"
    for (key, position), made in sorted(view.decisions.items()):
        if (key, position) not in view.turns:
            yield from (f"{key} turn {position}: {decision} decides a turn that nobody opened" for decision in made)
    for key, made in view.by_key("support.decisions").items():
        positions = [decision.position or 0 for decision in made]
        if positions != sorted(positions):
            yield f"{key}: its turns were decided in the order {positions}"
    yield from _effects(view)
    yield from _stray(view)
    yield from _moments(view)


def undecided(view: View) -> int:
    """Turns without a decision, and effects that a decision names and that are not there."""
    there = {event.id for event in _of_router(view)}
    missing = sum(place not in view.decisions for place in view.turns)
    decisions = view.of("support.decisions", "DecisionMade")
    return missing + sum(id_ not in there for d in decisions for id_ in d.data.get("effects", []))


def _of_router(view: View) -> list[Event]:
    return [*view.of("chat.replies"), *view.of("support.escalations")]


def _effects(view: View) -> Iterator[str]:
    there = {event.id: event for event in _of_router(view)}
    for (key, position), made in sorted(view.decisions.items()):
        for decision in made:
            turn = f"{key} turn {position}: {decision.data.get('decision')} {decision.id}"
            ids = decision.data.get("effects", [])
            found = [there[id_] for id_ in ids if id_ in there]
            yield from (f"{turn} names the effect {id_}, which is on no topic" for id_ in ids if id_ not in there)
            if len(set(ids)) != len(ids):
                yield f"{turn} names an effect twice: {ids}"
            for effect in found:
                if effect.key != key or effect.position not in (position, None):
                    yield f"{turn} names {effect}, which is of {effect.key} turn {effect.position}"
                if effect.cause != decision.cause:
                    yield f"{turn} comes from {decision.cause}, and its effect {effect} from {effect.cause}"
            if len(found) == len(ids):
                opened = view.turns.get((key, position), [None])[0]
                yield from (f"{turn} {what}" for what in _against_table(view, decision, found, opened))


def _against_table(view: View, decision: Event, found: list[Event], opened: Event | None) -> Iterator[str]:
    kind, owner, reason = (decision.data.get(name) for name in ("decision", "owner", "reason"))
    types = [effect.type for effect in found]
    if kind in ANSWERS:
        yield from _answered(view, decision, found)
        if opened is not None and (is_contained(opened) or opened.type == "HumanRequestedAccepted"):
            yield f"answers a contained message, {opened}"
    elif kind == "escalate":
        if sorted(types) != ["EscalationRaised", "NoticeSent"]:
            yield f"must lead to one EscalationRaised and one notice, and led to {types or 'nothing'}"
        for effect in found:
            if effect.data.get("reason") != reason or reason is None:
                yield f"is for {reason}, and its {effect} for {effect.data.get('reason')}"
            if effect.type == "EscalationRaised" and effect.data.get("handoff") != effect.id:
                yield f"raised {effect}, which names another handoff, {effect.data.get('handoff')}"
    elif kind == "suppress":
        yield from _suppressed(view, decision, types, found, opened)
    else:
        yield "is no decision"
    if kind != "suppress" and owner != "ai":
        yield f"speaks although the owner is {owner}"


def _answered(view: View, decision: Event, found: list[Event]) -> Iterator[str]:
    kind = decision.data.get("decision")
    if [effect.type for effect in found] != ["AnswerSent"]:
        yield f"must lead to one AnswerSent, and led to {[e.type for e in found] or 'nothing'}"
        return
    sent = found[0].data
    if sent.get("kind") != ("clarification" if kind == "clarify" else "answer"):
        yield f"sent {found[0]}, of the kind {sent.get('kind')}"
    if bool(sent.get("offers_human")) != (kind == "answer_and_offer_human"):
        yield f"sent {found[0]}, with offers_human {sent.get('offers_human')}"
    answers = (a for a in view.of("chat.answers", "AnswerProposed") if a.key == decision.key)
    proposed = [a.data.get("text", "") for a in answers if a.position == decision.position]
    if not any(sent.get("text", "").endswith(text) for text in proposed):
        yield f"sent {found[0]}, which nobody proposed for this turn"


_WHILE_WAITING: tuple[list[str], ...] = (
    [],
    ["NoticeSent"],
    ["PriorityRaised", "NoticeSent"],
    ["EscalationCancelled", "NoticeSent"],
)
"""Cases waiting, waiting_contained (twice), waiting_cancelled."""


def _suppressed(
    view: View, decision: Event, types: list[str], found: list[Event], opened: Event | None
) -> Iterator[str]:
    owner = decision.data.get("owner")
    cause = view.by_identity.get(decision.cause or "")
    if owner == "queued":
        if types not in _WHILE_WAITING:
            yield f"under queued led to {types}"
        cancelled = "EscalationCancelled" in types
        for effect in found:
            if effect.type == "EscalationCancelled" and effect.data.get("by") != "customer":
                yield f"cancelled for {effect.data.get('by')}"
            if effect.type == "NoticeSent" and (effect.data.get("notice") == "cancelled") != cancelled:
                yield f"sent the notice {effect.data.get('notice')} with {types}"
        return
    if found:
        yield f"under {owner} must lead to nothing, and led to {types}"
    if owner == "human":
        return
    if owner != "ai":
        yield f"is of a conversation whose owner is {owner}"
    elif cause is None or cause.key != decision.key:
        yield f"under ai has no cause among the events: {decision.cause}"
    elif cause.type in OPENS_TURN:
        if (cause.position or 0) <= (decision.position or 0):
            yield f"is superseded by an older turn, {cause.position}, or by itself"
        elif cause.position != (decision.position or 0) + 1:
            yield f"is superseded by {cause.position}, which is not the next turn"
    elif cause.type not in ("AgentMessageSeenAccepted", "ConversationClosedAccepted"):
        yield f"under ai comes from {cause}, which ends no turn"


def _stray(view: View) -> Iterator[str]:
    """Nothing that speaks of a turn is there without its decision."""
    named = {id_ for d in view.of("support.decisions") for id_ in d.data.get("effects", [])}
    for event in _of_router(view):
        of_turn = event.type in ("AnswerSent", "EscalationRaised", "PriorityRaised") or (
            event.type == "NoticeSent" and event.position is not None and event.data.get("notice") != MOMENT
        )
        if of_turn and event.id not in named:
            yield f"{event.key} turn {event.position}: {event} is the effect of no decision"
    for key, replies in view.by_key("chat.replies").items():
        for before, after in pairwise(r for r in replies if r.position is not None):
            if (before.position or 0) > (after.position or 0):
                yield f"{key}: {after} (turn {after.position}) was said after {before} (turn {before.position})"


def _moments(view: View) -> Iterator[str]:
    """At most one "one moment" in a stretch of turns of which each supersedes the one before."""
    said: dict[tuple[str, int], Event] = {}
    for event in view.of("chat.replies", "NoticeSent"):
        if event.data.get("notice") != MOMENT or event.position is None:
            continue
        if not (event.cause or "").startswith(f"timer:{event.key}:moment:{event.position}:"):
            yield f"{event.key} turn {event.position}: {event} comes from {event.cause}, and not from its timer"
        last = event.position
        while any(
            (view.by_identity.get(d.cause or "") or d).type in OPENS_TURN and _gave_way(d)
            for d in view.decisions.get((event.key, last), [])
        ):
            last += 1
        first = said.setdefault((event.key, last), event)
        if first is not event:
            yield f"{event.key} turn {event.position}: {event} says again what {first} (turn {first.position}) said"


def _gave_way(decision: Event) -> bool:
    return decision.data.get("decision") == "suppress" and decision.data.get("owner") == "ai"
