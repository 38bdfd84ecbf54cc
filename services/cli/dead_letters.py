"""`baton dlq`: the dead letters that are there, and sending their originals again, for one group.

A letter stays where it is when it is sent again: Kafka's log forgets by age alone. So everything here may be
done twice. Nothing is held but what headers say: bodies pass through one at a time.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError, UnknownTopicOrPartitionError

from schemas.topics import TOPICS, Topic
from services.lib.kit.broker import MAX_REQUEST, client_options, groupless
from services.lib.kit.dead_letters import REDRIVE, Letter, Lost, Place, Vault, letter_of, opened, origin_of
from services.lib.kit.settings import KafkaSettings

QUIET_POLLS = 6
"""Half-second polls without a record after which the rest is taken for gone."""

_FETCH_S = 15.0
"""Seconds that one record may take to come."""

_STEP_OVER = 200
"""Records that are read past rather than sought over: a seek throws away what was fetched already."""

_KEY_SHOWN = 1000
"""Bytes of a key that are kept in memory."""


class Listed(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: str
    letter: Letter | None
    """None where the record's headers are no dead letter's."""

    @property
    def place(self) -> Place:
        return Place(self.topic, self.partition, self.offset)


class Redriven(NamedTuple):
    """What became of one letter."""

    listed: Listed
    trouble: str | None
    """Why it was not sent; None where it was."""


class NoTopic(ValueError):
    """There is no such topic; the text says what to do."""


def printable(text: str) -> str:
    """In ASCII, everything that a terminal would obey or a log reader would take for a line as an escape."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in plain)


def line_of(one: Listed) -> str:
    """Never the body."""
    place, letter = one.place, one.letter
    if letter is None:
        return f"{place}: not a dead letter"
    said = (letter.failed_at, letter.group, letter.origin, letter.cause, letter.error, "(cut)" if letter.cut else "")
    return "  ".join(printable(part) for part in said if part)


def counted(found: Iterable[Listed]) -> list[str]:
    """How many there are by group, topic and cause, most first; the same record put aside again counts again."""
    counts = Counter(
        (one.letter.group, Place.parse(one.letter.origin).topic, one.letter.cause)
        if one.letter
        else ("not a dead letter", one.topic, "")
        for one in found
    )
    return [f"{n:>7}  {'  '.join(map(printable, of))}".rstrip() for of, n in counts.most_common()]


async def listed(kafka: KafkaSettings, topic: str | None = None, group: str | None = None) -> list[Listed]:
    """All letters that are there now, oldest first; of one group, with what is no letter. `topic` is a short
    name, e.g. `chat.inbound`; None: of all. Raises `NoTopic`."""
    found: list[Listed] = []
    for one in _topics(topic):
        async with _reading(kafka, one) as consumer:
            found.extend([letter async for letter in _headers(consumer) if _is_of(letter, group)])
    return sorted(found, key=lambda one: one.letter.failed_at if one.letter else "")


async def redrive(
    kafka: KafkaSettings,
    vault: Vault,
    group: str,
    *,
    topic: str | None = None,
    causes: Collection[str] = (),
    origins: Collection[Place] = (),
    dry_run: bool = False,
) -> AsyncIterator[Redriven]:
    """Send the originals of a group's letters again, each to the partition it was read from and under its own
    key, in the order in which they lay there, each confirmed by all replicas before the next.

    Its partition is the one its letter is sealed with, not a new hash of its key: other programs' producers
    hash otherwise, and a record without a key has no other home. Of letters with the same bytes one is sent:
    what was sent again and failed again has two. Raises `NoTopic`, aiokafka's `KafkaError` where Kafka is away.
    """
    async with _producing(kafka) as producer:
        for one in _topics(topic):
            async with _reading(kafka, one) as consumer:
                wanted = [
                    letter
                    async for letter in _headers(consumer)
                    if _is_of(letter, group) and _is_wanted(letter, causes, origins)
                ]
                wanted.sort(key=_order)
                async for done in _send_all(consumer, producer, vault, wanted, dry_run):
                    yield done


def _topics(short: str | None) -> list[Topic]:
    found = [one for one in TOPICS if one.consumers and short in (None, one.short)]
    if not found:
        raise NoTopic(f"{short!r} is no topic: see `baton topics list`")
    return found


def _is_of(one: Listed, group: str | None) -> bool:
    """What is no letter may have been one of anybody's."""
    return group is None or one.letter is None or one.letter.group == group


def _is_wanted(one: Listed, causes: Collection[str], origins: Collection[Place]) -> bool:
    if one.letter is None:
        return not causes and not origins
    return (not causes or one.letter.cause in causes) and (not origins or Place.parse(one.letter.origin) in origins)


def _order(one: Listed) -> tuple[Place, Place]:
    """As the originals lay in their partition: letters of one key may have been written in another order, and
    again after a restart. What is no letter comes first."""
    return (Place.parse(one.letter.origin) if one.letter else Place("", 0, 0)), one.place


async def _send_all(
    consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, vault: Vault, wanted: list[Listed], dry_run: bool
) -> AsyncIterator[Redriven]:
    """`wanted` are the letters of one topic."""
    gone: set[tuple[str, str, bool]] = set()
    for one in wanted:
        letter = one.letter
        if letter is None:
            yield Redriven(one, "not a dead letter")
            continue
        content = (one.key, letter.sha256, letter.tombstone)
        if content in gone:
            continue
        try:
            record = await _record_at(consumer, one.place)
            place, value = await _original(producer, record, letter, vault)
            if not dry_run:
                await _send(producer, place, record.key, value, letter.group)
        except Lost as error:
            yield Redriven(one, str(error))
        else:
            gone.add(content)
            yield Redriven(one, None)


async def _original(
    producer: AIOKafkaProducer, record: ConsumerRecord, letter: Letter, vault: Vault
) -> tuple[Place, bytes | None]:
    """Where the original goes, and its value. Raises `Lost` where it cannot be sent."""
    topic, place = origin_of(letter, record.topic)
    value = opened(letter, record.value, vault)
    if topic.compacted:
        raise Lost("its topic keeps the last record of a key: an older one would take its place")
    if record.key is None and value is None:
        raise Lost("the original had neither key nor value")
    if place.partition not in await producer.partitions_for(topic.name):
        raise Lost("its partition is not there any more")
    return place, value


async def _send(producer: AIOKafkaProducer, to: Place, key: bytes | None, value: bytes | None, group: str) -> None:
    headers = [(REDRIVE, group.encode())]
    try:
        await producer.send_and_wait(to.topic, value, key, partition=to.partition, headers=headers)
    except (MessageSizeTooLargeError, RecordListTooLargeError):
        raise Lost(f"{to.topic} does not take {len(value or b'')} bytes") from None


# --- reading ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def _reading(kafka: KafkaSettings, topic: Topic) -> AsyncIterator[AIOKafkaConsumer]:
    """The dead letters of one topic: what is fetched ahead of us is then bounded by its partitions alone."""
    try:
        async with groupless(kafka, topic.dead_letters) as consumer:
            yield consumer
    except UnknownTopicOrPartitionError:
        raise NoTopic(f"{topic.dead_letters} is not there: `baton topics apply` creates it") from None


@asynccontextmanager
async def _producing(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    """Not an idempotent one: that takes nothing more for a partition after a record was refused for its size.
    A copy that its retry makes is recognised as any other."""
    producer = AIOKafkaProducer(acks="all", max_request_size=MAX_REQUEST, **client_options(kafka))
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _headers(consumer: AIOKafkaConsumer) -> AsyncIterator[Listed]:
    """Every record that is there now, without its body."""
    ends = await consumer.end_offsets(consumer.assignment())
    begins = await consumer.beginning_offsets(consumer.assignment())
    left = {tp for tp, end in ends.items() if begins[tp] < end}
    quiet = 0
    while left and quiet < QUIET_POLLS:  # what expires meanwhile never comes
        batches = await consumer.getmany(*left, timeout_ms=500)
        quiet = 0 if batches else quiet + 1
        for tp, records in batches.items():
            for record in records:
                if record.offset < ends[tp]:
                    yield _listed(record)
            if await consumer.position(tp) >= ends[tp]:
                left.discard(tp)


async def _record_at(consumer: AIOKafkaConsumer, place: Place) -> ConsumerRecord:
    tp = TopicPartition(place.topic, place.partition)
    if not 0 <= place.offset - await consumer.position(tp) <= _STEP_OVER:
        consumer.seek(tp, place.offset)
    try:
        async with asyncio.timeout(_FETCH_S):
            record = await consumer.getone(tp)
            while record.offset < place.offset:
                record = await consumer.getone(tp)
    except TimeoutError:
        raise Lost("it did not come") from None
    if record.offset != place.offset:
        raise Lost("it has expired meanwhile")
    return record


def _listed(record: ConsumerRecord) -> Listed:
    key = (record.key or b"")[:_KEY_SHOWN].decode("utf-8", "backslashreplace")
    try:
        letter: Letter | None = letter_of(record.headers)
    except ValueError:
        letter = None
    return Listed(record.topic, record.partition, record.offset, key, letter)
