"""Fakes of what stands behind the kit's ports: Kafka's log and producer in memory, which can be made to fail."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from schemas.codec import encode
from schemas.event import Data, Event
from schemas.topics import Topic
from services.lib.kit.broker import Publisher

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


class Sent(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes
    headers: dict[str, str]


class MemoryPublisher(Publisher):
    """Keeps what it is given, as soon as `open` is set. `refuse` may return an error to raise in its place."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.open = asyncio.Event()
        self.open.set()
        self.refuse: Callable[[Sent], Exception | None] = lambda sent: None

    async def send(self, topic: str, key: bytes | None, value: bytes, headers: dict[str, str] | None = None) -> None:
        await self.open.wait()
        sent = Sent(topic, key, value, headers or {})
        if (error := self.refuse(sent)) is not None:
            raise error
        self.sent.append(sent)

    def on(self, topic: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.topic == topic]


@dataclass
class MemoryConsumer:
    """As strict as aiokafka's: what is not assigned can be neither committed nor paused."""

    assigned: set[TopicPartition]
    paused: set[TopicPartition] = field(default_factory=set)
    commits: list[dict[TopicPartition, int]] = field(default_factory=list)
    refuse: Exception | None = None

    def assignment(self) -> Collection[TopicPartition]:
        return frozenset(self.assigned)

    def pause(self, *partitions: TopicPartition) -> None:
        self._check(partitions)
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._check(partitions)
        self.paused.difference_update(partitions)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self._check(offsets)
        if self.refuse is not None:
            raise self.refuse
        self.commits.append(dict(offsets))

    def committed(self) -> dict[TopicPartition, int]:
        """The last of each partition."""
        return {tp: offset for commit in self.commits for tp, offset in commit.items()}

    def _check(self, partitions: Collection[TopicPartition]) -> None:
        for tp in partitions:
            if tp not in self.assigned:
                raise IllegalStateError(f"Partition {tp} is not assigned")


@dataclass
class MemoryLog:
    """Offsets of a consumer and of the partitions it has. `refuse` stands for a Kafka that is away."""

    ends: dict[TopicPartition, int]
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    beginnings: dict[TopicPartition, int] = field(default_factory=dict)
    commits: dict[TopicPartition, int] = field(default_factory=dict)
    refuse: Exception | None = None

    def assignment(self) -> Collection[TopicPartition]:
        return list(self.ends)

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        self._answer()
        return {tp: self.ends[tp] for tp in partitions}

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        self._answer()
        return {tp: self.beginnings.get(tp, 0) for tp in partitions}

    async def committed(self, partition: TopicPartition) -> int | None:
        self._answer()
        return self.commits.get(partition)

    async def position(self, partition: TopicPartition) -> int:
        self._answer()
        return self.positions.get(partition, 0)

    def _answer(self) -> None:
        if self.refuse is not None:
            raise self.refuse


@dataclass
class StandingClock:
    """Moves when told."""

    now: datetime = MIDNIGHT

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class NotedHealth:
    """Remembers what it was told."""

    told: list[str | None] = field(default_factory=list)

    def paused(self, why: str | None) -> None:
        self.told.append(why)

    @property
    def is_paused(self) -> bool:
        return bool(self.told) and self.told[-1] is not None


def record_of(
    topic: Topic | str,
    value: bytes | None,
    key: bytes | None = b"web:1",
    *,
    partition: int = 0,
    offset: int = 0,
    headers: Sequence[tuple[str, bytes]] = (),
) -> ConsumerRecord:
    """A record as aiokafka would hand it over."""
    name = topic if isinstance(topic, str) else topic.name
    sizes = (len(key or b""), len(value or b""))
    return ConsumerRecord(name, partition, offset, 0, 0, key, value, None, *sizes, tuple(headers))


def event_record(
    topic: Topic,
    data: Data,
    subject: str,
    cause: str,
    *,
    source: str = "gateway",
    partition: int = 0,
    offset: int = 0,
    headers: Sequence[tuple[str, bytes]] = (),
) -> ConsumerRecord:
    """A record that carries an event of this data."""
    event = Event.new(data, source=source, subject=subject, time=MIDNIGHT, cause=cause)
    value = encode(topic, event)
    return record_of(topic, value, subject.encode(), partition=partition, offset=offset, headers=headers)
