"""`Log`: all records of the topics, as they lie there; `View`: the same as events, each once.

The checker knows nothing of the services: it reads JSON, by the words of docs/topics.md and schemas/json alone.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

TURNS = ("CustomerMessage", "HumanRequested", "QuickReplyChosen")
"""What opens a turn."""
OPENS_TURN = tuple(f"{kind}Accepted" for kind in TURNS)
DEAD = ".dlq"


@dataclass(frozen=True, slots=True)
class Record:
    """One physical record; `topic` is the name on the wire."""

    topic: str
    partition: int
    offset: int
    key: str | None
    value: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """As the header `x-origin` of a dead letter names it."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def short(self) -> str:
        """`chat.messages` of `baton.chat.messages.v1`; dead letters keep their ending."""
        return self.topic.removeprefix("baton.").removesuffix(DEAD).rpartition(".v")[0] + (
            DEAD if self.topic.endswith(DEAD) else ""
        )


@dataclass(frozen=True, slots=True)
class Log:
    """Records of one partition are in the order of their offsets."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """One inbound event that Kafka acknowledged."""

    type: str
    message_id: str | None
    source: str
    id: str

    @property
    def identity(self) -> str:
        return f"{self.source}#{self.id}"


@dataclass(slots=True)
class Sent:
    """What was published on chat.inbound and acknowledged: of each conversation (`gateway:conversation`), in the
    order of sending. A copy of an event is there once."""

    conversations: dict[str, list[Said]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(said) for said in self.conversations.values())


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """The first copy of an event."""

    topic: str
    """Short."""
    id: str
    source: str
    type: str
    key: str
    sequence: int | None
    cause: str | None
    data: dict[str, Any]
    record: Record

    @property
    def identity(self) -> str:
        return f"{self.source}#{self.id}"

    @property
    def position(self) -> int | None:
        return self.data.get("position")

    @property
    def place(self) -> tuple[int, int]:
        return self.record.partition, self.record.offset

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


def event_of(record: Record) -> Event | None:
    """The event in a record; None where there is none."""
    try:
        raw = json.loads(record.value or b"")
        return Event(
            record.short,
            raw["id"],
            raw["source"],
            raw["type"],
            raw["subject"],
            raw.get("sequence"),
            raw.get("causationid"),
            dict(raw["data"]),
            record,
        )
    except (ValueError, KeyError, TypeError):
        return None


class View:
    """Events by what they are about. A second record with the same (topic, source, id) is a copy of the first."""

    def __init__(self, log: Log) -> None:
        self.events: list[Event] = []
        self.copies: list[tuple[Event, Record]] = []
        self.letters = [record for record in log.records if record.topic.endswith(DEAD)]
        self.unreadable: list[Record] = []
        self.by_identity: dict[str, Event] = {}
        self.origins: dict[str, str] = {}
        """Identity of the event at `topic/partition/offset`."""
        known: dict[tuple[str, str], Event] = {}
        for record in sorted(log.records, key=lambda r: (r.topic, r.partition, r.offset)):
            if record.topic.endswith(DEAD):
                continue
            event = event_of(record)
            if event is None:
                self.unreadable.append(record)
                continue
            self.origins[record.origin] = event.identity
            first = known.setdefault((event.topic, event.identity), event)
            if first is not event:
                self.copies.append((first, record))
                continue
            self.events.append(event)
            self.by_identity.setdefault(event.identity, event)

    def of(self, topic: str, *types: str) -> list[Event]:
        """Events of a topic (of these types), a conversation's in the order of their sequence, or else of the log."""
        return [e for e in self._by_topic.get(topic, ()) if not types or e.type in types]

    def by_key(self, topic: str, *types: str) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.of(topic, *types):
            found[event.key].append(event)
        return found

    @cached_property
    def _by_topic(self) -> dict[str, list[Event]]:
        found: dict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            found[event.topic].append(event)
        for events in found.values():
            events.sort(key=lambda e: (e.sequence or 0, e.place))
        return found

    @cached_property
    def turns(self) -> dict[tuple[str, int], list[Event]]:
        """Accepted events that opened a turn, by conversation and position."""
        return _at_position(self.of("chat.messages", *OPENS_TURN))

    @cached_property
    def decisions(self) -> dict[tuple[str, int], list[Event]]:
        return _at_position(self.of("support.decisions", "DecisionMade"))

    @cached_property
    def caused(self) -> dict[str, list[Event]]:
        """Events of the router by the identity of their cause."""
        found: dict[str, list[Event]] = defaultdict(list)
        for topic in ("chat.replies", "support.escalations", "support.decisions", "support.outcomes"):
            for event in self.of(topic):
                found[event.cause or ""].append(event)
        return found

    def about(self, *topics: str) -> dict[str, list[Event]]:
        """Events by the `message` they are about."""
        found: dict[str, list[Event]] = defaultdict(list)
        for topic in topics:
            for event in self.of(topic):
                found[str(event.data.get("message"))].append(event)
        return found

    @cached_property
    def dead(self) -> set[str]:
        """Identities of events that somebody put aside."""
        return {self.origins[o] for r in self.letters if (o := r.headers.get("x-origin", "")) in self.origins}


def _at_position(events: Iterable[Event]) -> dict[tuple[str, int], list[Event]]:
    found: dict[tuple[str, int], list[Event]] = defaultdict(list)
    for event in events:
        found[event.key, event.position or 0].append(event)
    return found
