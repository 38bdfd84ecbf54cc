"""`envelopes`: what holds of every event of a service, whatever it says: key, copies, sequence, order, cause."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from tests.real.checker.log import View

STATEFUL = {
    "chat.messages": "baton/ingest",
    "chat.replies": "baton/escalation-router",
    "support.escalations": "baton/escalation-router",
    "support.decisions": "baton/escalation-router",
    "support.outcomes": "baton/escalation-router",
}
"""Topics whose writer keeps state, so that `sequence` counts there without gaps."""
STATELESS = ("chat.sentiment", "chat.answers", "support.briefs")
"""Topics whose writer does work again after a crash: a copy says the same of the same, at another time."""
_ABOUT = ("gateway", "conversation", "position", "message", "handoff")


def envelopes(view: View, *, router_alone: bool) -> Iterator[str]:
    yield from _readable(view)
    yield from _copies(view)
    yield from _sequences(view)
    yield from _causes(view, router_alone=router_alone)


def _readable(view: View) -> Iterator[str]:
    for record in view.unreadable:
        if record.short in STATEFUL or record.short in STATELESS:
            yield f"{record.origin}: a service published what is no event"
    partitions: dict[tuple[str, str], int] = {}
    for event in view.events:
        if event.topic not in STATEFUL and event.topic not in STATELESS:
            continue
        address = f"{event.data.get('gateway')}:{event.data.get('conversation')}"
        if not event.key == event.record.key == address:
            yield f"{event.key}: {event} has the key {event.record.key} and is about {address}"
        if partitions.setdefault((event.topic, event.key), event.record.partition) != event.record.partition:
            yield f"{event.key}: {event} lies in another partition of {event.topic} than what came before it"
        if event.topic in STATEFUL and event.source != STATEFUL[event.topic]:
            yield f"{event.key}: {event} on {event.topic} was written by {event.source}"


def _copies(view: View) -> Iterator[str]:
    for first, record in view.copies:
        if first.topic in STATEFUL and record.value != first.record.value:
            yield f"{first.key}: {first} at {first.record.origin} and {record.origin} differ, with one id"
        elif first.topic in STATELESS and _core(record.value) != _core(first.record.value):
            yield f"{first.key}: {first} at {first.record.origin} and {record.origin} are about different things"


def _core(value: bytes | None) -> Any:
    """What doing the work again must not change."""
    raw = json.loads(value or b"{}")
    return raw["type"], raw["subject"], raw.get("causationid"), [raw["data"].get(name) for name in _ABOUT]


def _sequences(view: View) -> Iterator[str]:
    for topic in STATEFUL:
        for key, events in view.by_key(topic).items():
            numbers = [event.sequence or 0 for event in events]
            if numbers == list(range(1, len(events) + 1)):
                yield from (
                    f"{key}: on {topic} {after} (sequence {after.sequence}) lies before {before} ({before.sequence})"
                    for before, after in pairwise(events)
                    if before.place > after.place
                )
                continue
            missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
            twice = sorted({number for number in numbers if numbers.count(number) > 1 and number})
            without = [str(event) for event in events if not event.sequence]
            for found, what in ((missing, "gaps at"), (twice, "two events with"), (without, "none on")):
                if found:
                    about = [str(e) for e in events if e.sequence in twice] if found is twice else ""
                    yield f"{key}: the sequence on {topic} has {what} {found} {about}".rstrip()


def _causes(view: View, *, router_alone: bool) -> Iterator[str]:
    for event in view.events:
        if event.topic not in STATEFUL and event.topic not in STATELESS:
            continue
        if router_alone and event.topic == "chat.messages":
            continue  # made without inbound events
        cause = event.cause or ""
        if cause.startswith("timer:"):
            if not cause.startswith(f"timer:{event.key}:"):
                yield f"{event.key}: {event} comes from the timer of another conversation, {cause}"
        elif cause not in view.by_identity:
            yield f"{event.key}: {event} comes from {cause or 'nothing'}, which is on no topic"
        elif view.by_identity[cause].key != event.key:
            yield f"{event.key}: {event} comes from {cause}, which is of {view.by_identity[cause].key}"
