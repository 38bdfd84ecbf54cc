"""Dead letters over a real Kafka: put aside encrypted, sent again for one group, and a brake that loses nothing."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from typer.testing import CliRunner

from schemas.chat import MessageRejected
from schemas.codec import encode
from schemas.event import Event
from schemas.topics import CHAT_MESSAGES, DEAD_LETTER_LIMIT
from services.cli.dead_letters import listed, redrive
from services.cli.main import app
from services.lib.kit.assembly import window_service
from services.lib.kit.broker import MAX_REQUEST, Publisher, client_options, groupless
from services.lib.kit.dead_letters import DeadLetters, Place, Vault, letter_of, opened
from services.lib.kit.errors import Braked, Poison
from services.lib.kit.fakes import MIDNIGHT, MemoryPublisher, record_of
from services.lib.kit.provisioning import provision
from services.lib.kit.service import Service
from services.lib.kit.settings import KafkaSettings, ServiceSettings
from tests.real.conftest import entered
from tests.real.rig import kafka as real_kafka
from tests.real.rig.kafka import Kafka

TOPIC = CHAT_MESSAGES
POISON = "a text that the handler cannot bear"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker of this module's own: what others have written would be read by every group here."""
    with ExitStack() as stack:
        yield entered(stack, real_kafka.kafka(tmp_path_factory.mktemp("kafka")))


@dataclass
class Reader:
    """A window service in a group of its own, which keeps what it handled."""

    kafka: KafkaSettings
    key: str
    group: str = field(default_factory=lambda: f"reader-{uuid4().hex[:8]}")
    well: bool = False
    """Bears everything."""
    handled: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        settings = ServiceSettings(kafka=self.kafka, dead_letter_key=self.key)
        service = window_service(self.group, settings, [TOPIC], [MessageRejected], self._make_handle)
        service.end = lambda: None
        async with service.running():
            yield service

    def _make_handle(self, publisher: Publisher) -> Any:
        async def handle(event: Event[Any]) -> None:
            if event.data.message_id == POISON and not self.well:
                raise Poison("cannot bear it")
            self.handled.append(event.data.message_id)

        return handle


@pytest.fixture
async def broker(kafka: Kafka) -> KafkaSettings:
    settings = KafkaSettings(bootstrap=kafka.bootstrap)
    await provision(settings, [TOPIC], replication=1)
    return settings


@pytest.fixture
def vault_key() -> str:
    return Vault.new_key()


def message(conversation: str, text: str) -> tuple[bytes, bytes]:
    data = MessageRejected(gateway="web", conversation=conversation, message_id=text, cause="empty", language="en")
    event = Event.new(data, source="ingest", subject=data.key, time=MIDNIGHT, cause=f"{conversation} {text}")
    return data.key.encode(), encode(TOPIC, event)


async def write(kafka: KafkaSettings, *records: tuple[bytes | None, bytes | None]) -> list[str]:
    """Their places."""
    async with AIOKafkaProducer(max_request_size=MAX_REQUEST, acks="all", **client_options(kafka)) as producer:
        sent = [await producer.send_and_wait(TOPIC.name, value, key) for key, value in records]
    return [f"{at.topic}/{at.partition}/{at.offset}" for at in sent]


async def reader_of(kafka: KafkaSettings, key: str, *, well: bool = False) -> Reader:
    """One that begins at the end of what other tests have left."""
    reader = Reader(kafka, key, well=well)
    consumer = AIOKafkaConsumer(group_id=reader.group, enable_auto_commit=False, **client_options(kafka))
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(TOPIC.name, n) for n in range(TOPIC.partitions)])
        consumer.assign(list(ends))
        await consumer.commit(ends)
    finally:
        await consumer.stop()
    return reader


async def until(done: Callable[[], bool], within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not done():  # noqa: ASYNC110  # several things are asked
            await asyncio.sleep(0.05)


async def letters(kafka: KafkaSettings, group: str, enough: int, within_s: float = 30.0) -> dict[str, str]:
    """Cause of each origin of a group's letters, once there are enough."""
    end = time.monotonic() + within_s
    while True:
        found = {x.letter.origin: x.letter.cause for x in await listed(kafka, TOPIC.short, group) if x.letter}
        if len(found) >= enough or time.monotonic() > end:
            return found


async def at(kafka: KafkaSettings, topic: str, place: str) -> ConsumerRecord:
    """The record of a letter whose origin is `place`, or the record there."""
    async with groupless(kafka, topic) as consumer:
        async with asyncio.timeout(30):
            async for record in consumer:
                if topic == TOPIC.dead_letters:
                    if letter_of(record.headers).origin == place:
                        return record
                elif f"{record.topic}/{record.partition}/{record.offset}" == place:
                    return record
    raise AssertionError("unreachable")


async def committed(kafka: KafkaSettings, group: str, partition: int) -> int:
    consumer = AIOKafkaConsumer(group_id=group, enable_auto_commit=False, **client_options(kafka))
    await consumer.start()
    try:
        return await consumer.committed(TopicPartition(TOPIC.name, partition)) or 0
    finally:
        await consumer.stop()


async def test_put_aside_listed_and_sent_again_for_one_group(
    broker: KafkaSettings, vault_key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATON_KAFKA__BOOTSTRAP", broker.bootstrap)
    monkeypatch.setenv("BATON_DEAD_LETTER_KEY", vault_key)
    name = uuid4().hex[:8]
    key, garbage = f"web:{name}".encode(), b"{card 4111 of " + name.encode()
    one, other = await reader_of(broker, vault_key), await reader_of(broker, vault_key)
    places = await write(
        broker, message(name, "before"), (key, garbage), message(name, POISON), message(name, "after")
    )
    async with one.running(), other.running():
        for reader in (one, other):
            assert await letters(broker, reader.group, 2) == {places[1]: "not_json", places[2]: "poison"}
            await until(lambda reader=reader: len(reader.handled) >= 2)  # type: ignore[misc]  # bound as a default
            assert [text for text in reader.handled if text] == ["before", "after"]
        on_the_wire = await at(broker, TOPIC.dead_letters, places[1])
        said = b"".join((value or b"") for _, value in on_the_wire.headers) + on_the_wire.value
        assert b"4111" not in said
        assert garbage[:5] not in said
        assert opened(letter_of(on_the_wire.headers), on_the_wire.value, Vault(vault_key)) == garbage

        command = ("dlq", "list", "--group", one.group, "--topic", TOPIC.short)
        shown = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert shown.exit_code == 0, shown.output
        assert f"{one.group}  {places[1]}  not_json" in shown.stdout
        assert f"{one.group}  {places[2]}  poison" in shown.stdout
        assert "4111" not in shown.output
        assert POISON not in shown.output

        one.well = other.well = True
        again = ("dlq", "redrive", "--group", one.group, "--cause", "poison", "--topic", TOPIC.short)
        sent = await asyncio.to_thread(CliRunner().invoke, app, again)
        assert sent.exit_code == 0, sent.output
        assert sent.stdout.startswith("sent  ")
        assert places[2] in sent.stdout
        await until(lambda: POISON in one.handled)
        [mark] = await write(broker, message(name, "mark"))  # behind it in the same partition
        await until(lambda: "mark" in one.handled and "mark" in other.handled)
    assert Counter(one.handled) == {"before": 1, "after": 1, POISON: 1, "mark": 1}
    assert Counter(other.handled) == {"before": 1, "after": 1, "mark": 1}
    assert Place.parse(mark).partition == Place.parse(places[2]).partition


async def test_what_was_sent_again_and_fails_again_may_be_sent_again(broker: KafkaSettings, vault_key: str) -> None:
    name, reader = uuid4().hex[:8], await reader_of(broker, vault_key)
    await write(broker, message(name, POISON))
    async with reader.running():
        for times in (1, 2, 3, 4):
            assert len(await letters(broker, reader.group, times)) == times
            reader.well = times == 4
            done = [d async for d in redrive(broker, Vault(vault_key), reader.group, topic=TOPIC.short)]
            assert [d.trouble for d in done] == [None]  # one, however many letters it has
        await until(lambda: bool(reader.handled))
    assert reader.handled == [POISON]


async def test_bodies_near_the_limits_come_back_bit_for_bit(broker: KafkaSettings, vault_key: str) -> None:
    """The broker takes a megabyte for the topic itself; a body it does not take again is named."""
    reader, name = await reader_of(broker, vault_key), uuid4().hex[:8].encode()
    bodies = [os.urandom(1_040_000), os.urandom(TOPIC.max_bytes + 1), b"", None]
    records = [(name, body) for body in bodies]
    places = await write(broker, *records)
    vault = Vault(vault_key)
    async with reader.running():
        causes = await letters(broker, reader.group, len(places))
        assert [causes[place] for place in places] == ["too_large", "too_large", "empty", "empty"]
        for place, body in zip(places, bodies, strict=True):
            record = await at(broker, TOPIC.dead_letters, place)
            assert opened(letter_of(record.headers), record.value, vault) == body
    largest = os.urandom(DEAD_LETTER_LIMIT - 1024)
    far = Place(TOPIC.name, Place.parse(places[0]).partition, 2**40)
    oversize = record_of(TOPIC, largest, name, partition=far.partition, offset=far.offset)
    topic, key, sealed, headers = DeadLetters(MemoryPublisher(), reader.group, vault).sealed(
        oversize, "too_large", "", MIDNIGHT
    )
    async with AIOKafkaProducer(max_request_size=MAX_REQUEST, **client_options(broker)) as producer:
        await producer.send_and_wait(topic, sealed, key, headers=[(n, v.encode()) for n, v in headers.items()])
    end = await _end(broker, far.partition)
    done = [d async for d in redrive(broker, vault, reader.group, topic=TOPIC.short)]
    assert [d.trouble for d in done] == [None, None, None, None, f"{TOPIC.name} does not take {len(largest)} bytes"]
    back = [await at(broker, TOPIC.name, f"{TOPIC.name}/{far.partition}/{end + n}") for n in range(4)]
    assert [record.value for record in back] == bodies
    assert {record.key for record in back} == {name}


async def _end(kafka: KafkaSettings, partition: int) -> int:
    async with groupless(kafka, TOPIC.name) as consumer:
        tp = TopicPartition(TOPIC.name, partition)
        return int((await consumer.end_offsets([tp]))[tp])


async def test_the_brake_ends_the_consumer_and_nothing_behind_it_is_lost(
    broker: KafkaSettings, vault_key: str
) -> None:
    name = uuid4().hex[:8]
    key = f"web:{name}".encode()
    reader = await reader_of(broker, vault_key, well=True)
    first, *places, last = await write(
        broker, message(name, "before"), *((key, b"garbage %d" % n) for n in range(60)), message(name, "after")
    )
    async with reader.running() as service:
        await until(lambda: service.failed)
        assert isinstance(service.health.failure, Braked)
    partition = Place.parse(last).partition
    assert await committed(broker, reader.group, partition) <= Place.parse(places[50]).offset
    found = await letters(broker, reader.group, 50)
    assert sorted(found) == sorted(places[:50])
    assert reader.handled == ["before"]
    starts = 0
    while "after" not in reader.handled and starts < 5:  # as an orchestrator would
        starts += 1
        async with reader.running() as service:
            await until(lambda: service.failed or "after" in reader.handled)
    assert starts <= 2, "each start comes further"
    found = await letters(broker, reader.group, 60)
    assert sorted(found) == sorted(places)
    assert Place.parse(first).partition == partition
