"""`evidence`: what is worked out of a message or an escalation is there, once."""

from collections import Counter
from collections.abc import Iterator

from tests.real.checker.log import Event, View

_SCORED = ("CustomerMessageAccepted", "QuickReplyChosenAccepted")
"""The human button says nothing to score or to answer."""


def evidence(view: View, *, briefs: bool, work_repeats: bool, no_unavailable_with_answer: bool) -> Iterator[str]:
    """Where work may repeat (a process was killed), a message may be answered again with another outcome: the shop
    may be away the second time. The router takes what comes first, or before it decides."""
    scores, answers = view.about("chat.sentiment"), view.about("chat.answers")
    messages = {event.identity for event in view.of("chat.messages", *_SCORED)}
    for event in view.of("chat.messages", *_SCORED):
        turn = f"{event.key} turn {event.position}"
        scored, answered = scores[event.identity], answers[event.identity]
        if len(scored) != 1:
            yield f"{turn}: {event} has {len(scored)} scores of its sentiment"
        if is_contained(event):
            yield from (f"{turn}: {event} is contained, and {a} answers it" for a in answered)
        elif not answered:
            yield f"{turn}: {event} has no answer event"
        elif len(answered) > (len({a.type for a in answered}) if work_repeats else 1):
            yield f"{turn}: {event} has several answer events: {', '.join(map(str, answered))}"
        for found in (*scored, *answered):
            if found.position != event.position or found.key != event.key:
                yield f"{turn}: {found} says it is about turn {found.position} of {found.key}"
    for about in (scores, answers):
        for message, found_ones in about.items():
            if message not in messages:
                yield from (f"{e.key} turn {e.position}: {e} is about no message" for e in found_ones)
    if briefs:
        yield from _briefs(view)
    if no_unavailable_with_answer:
        yield from _unavailable(view)


def missing_evidence(view: View, *, briefs: bool) -> int:
    """How many scores, answers and briefs are still to come."""
    scores, answers = view.about("chat.sentiment"), view.about("chat.answers")
    messages = view.of("chat.messages", *_SCORED)
    missing = sum(not scores[e.identity] for e in messages)
    missing += sum(not answers[e.identity] for e in messages if not is_contained(e))
    if briefs:
        prepared = {e.data.get("handoff") for e in view.of("support.briefs")}
        missing += sum(e.id not in prepared for e in view.of("support.escalations", "EscalationRaised"))
    return missing


def is_contained(event: Event) -> bool:
    """Whether nothing but a human may answer: a subject was found at the door, or nobody could look."""
    screening = event.data.get("screening", {})
    return screening.get("reason") is not None or not screening.get("complete")


def _briefs(view: View) -> Iterator[str]:
    raised = {event.id: event for event in view.of("support.escalations", "EscalationRaised")}
    prepared = Counter(event.data.get("handoff") for event in view.of("support.briefs"))
    for id_, event in raised.items():
        if prepared[id_] != 1:
            yield f"{event.key} turn {event.position}: {event} has {prepared[id_]} briefs"
    for event in view.of("support.briefs"):
        if event.data.get("handoff") not in raised:
            yield f"{event.key}: {event} is of no escalation"


def _unavailable(view: View) -> Iterator[str]:
    scores, answers = view.about("chat.sentiment"), view.about("chat.answers")
    for (key, position), made in view.decisions.items():
        for decision in made:
            if decision.data.get("reason") != "ai_unavailable":
                continue
            for turn in view.turns.get((key, position), []):
                there = [a for a in answers[turn.identity] if a.type != "AnswerUnavailable"]
                if there and scores[turn.identity]:
                    yield f"{key} turn {position}: {decision} says ai_unavailable, and {there[0]} is in the log"
