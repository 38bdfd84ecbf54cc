"""What FastStream does by default, and what the kit does in its place.

One embedded Kafka, real clients. Each fact that loses, repeats or reorders is shown on FastStream's own
defaults first: where one of these tests fails because FastStream has become better, a workaround may go.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from pydantic import BaseModel

from schemas import chat, topics
from schemas.codec import encode
from schemas.event import Event
from services.lib.kit.assembly import fold_service, window_service
from services.lib.kit.broker import MAX_REQUEST, Publisher, connect, groupless, subscriber_options
from services.lib.kit.dead_letters import Vault, letter_of
from services.lib.kit.errors import Poison
from services.lib.kit.fakes import MIDNIGHT
from services.lib.kit.fold import Arrival, Publish, Step, Timer
from services.lib.kit.service import Service
from services.lib.kit.settings import KafkaSettings, ServiceSettings, StatefulSettings
from services.lib.kit.sql import Database

IN, OUT = topics.CHAT_INBOUND, topics.CHAT_MESSAGES


class Count(BaseModel):
    n: int = 0


class Echo:
    """Publishes one event a message; one text it cannot decide."""

    state_type = Count

    def initial(self, key: str) -> Count:
        return Count()

    def step(self, state: Count, arrival: Arrival | Timer, context: Any, now: datetime) -> Step[Count]:
        assert isinstance(arrival, Arrival)
        data = arrival.event.data
        if data.text == "poison":
            raise LookupError
        said = chat.MessageRejected(
            gateway=data.gateway, conversation=data.conversation, message_id=data.text, cause="empty", language="en"
        )
        return Step(Count(n=state.n + 1), (Publish(OUT, said),))

    def broken(self, state: Count, arrival: Arrival | Timer, context: Any, now: datetime) -> Step[Count]:
        return Step(state)


def message(key: str, text: str) -> tuple[bytes, bytes]:
    gateway, conversation = key.split(":")
    data = chat.CustomerMessage(gateway=gateway, conversation=conversation, message_id=text, text=text)
    event = Event.new(data, source="gateway", subject=key, time=MIDNIGHT, cause=f"{key} {text}")
    return key.encode(), encode(IN, event)


@asynccontextmanager
async def producing(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, max_request_size=MAX_REQUEST) as producer:
        yield producer


async def read(
    kafka: KafkaSettings, topic: str, key: str, enough: int, within_s: float = 15.0
) -> list[ConsumerRecord]:
    """The records of a key, until there are enough of them."""
    found: list[ConsumerRecord] = []
    async with groupless(kafka, topic) as consumer:
        until = time.monotonic() + within_s
        while len(found) < enough and time.monotonic() < until:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found.extend(record for record in records if record.key == key.encode())
    return found


async def committed(kafka: KafkaSettings, group: str, topic: str) -> int:
    """The sum over all partitions."""
    return sum([await _committed_of(kafka, group, TopicPartition(topic, n)) for n in range(4)])


async def _committed_of(kafka: KafkaSettings, group: str, tp: TopicPartition) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return await consumer.committed(tp) or 0
    finally:
        await consumer.stop()


async def until(done: Callable[[], bool], within_s: float = 15.0) -> None:
    async with asyncio.timeout(within_s):
        while not done():  # noqa: ASYNC110  # several things are asked
            await asyncio.sleep(0.01)


@pytest.fixture
def name() -> str:
    """A group of one's own."""
    return f"t-{uuid4().hex[:8]}"


def fold(kafka: KafkaSettings, name: str, folder: Path, vault_key: str) -> Service:
    """Under a name of its own, and so in a group of its own, over one database."""
    url = f"sqlite+aiosqlite:///{folder}/fold.db"
    settings = StatefulSettings(kafka=kafka, dead_letter_key=vault_key, database_url=url)
    service = fold_service(name, settings, Echo(), [IN], database=Database(url), context=lambda: None)
    service.end = lambda: None
    return service


# --- settings that FastStream has wrong -------------------------------------------------------------


async def test_every_default_that_loses_is_replaced(kafka: KafkaSettings) -> None:
    """Facts 1, 2 and 9, and the assignor: what the clients really got."""
    theirs, ours = KafkaBroker(kafka.bootstrap), connect(kafka, "t")
    default = theirs.subscriber("plain-0", group_id=f"t-{uuid4().hex}")
    kit = ours.subscriber("plain-0", **subscriber_options(kafka, f"t-{uuid4().hex}"))
    for subscriber in (default, kit):
        subscriber(_nothing)
    async with theirs, ours:
        await asyncio.gather(theirs.start(), ours.start())
        for broker, acks in ((theirs, 1), (ours, -1)):
            assert broker.config.producer._producer.producer._sender._acks == acks
        assert default.consumer is not None
        assert kit.consumer is not None
        assert (default.consumer._enable_auto_commit, kit.consumer._enable_auto_commit) == (True, False)
        assert (default.consumer._auto_offset_reset, kit.consumer._auto_offset_reset) == ("latest", "earliest")
        # A forward pass of a model may hold the loop for a while: 10 s are soon over.
        assert (default.consumer._session_timeout_ms, kit.consumer._session_timeout_ms) == (10_000, 30_000)
        assert kit.consumer._heartbeat_interval_ms * 3 <= kit.consumer._session_timeout_ms
        assert kit.consumer._partition_assignment_strategy == [RangePartitionAssignor]
        assert default.consumer._partition_assignment_strategy != [RangePartitionAssignor]
        assert (default._no_reply, kit._no_reply) == (False, True)
        creates = [broker.config.broker_config.allow_auto_create_topics for broker in (theirs, ours)]
        assert creates == [True, False]
        assert kit.ack_policy is AckPolicy.MANUAL


async def _nothing(_: Any) -> None: ...


class Cluster:
    """What an assignor asks of the cluster's metadata."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(topics.PARTITIONS))


@pytest.mark.parametrize("members", range(1, 14))
def test_equal_partitions_of_joined_topics_come_to_one_member_for_any_number_of_members(members: int) -> None:
    """Their default, round robin, puts none of 12 together with 5, 7 or 8 members."""
    joined = [topic.name for topic in topics.TOPICS if "escalation-router" in topic.consumers and not topic.compacted]
    joined = [topic for topic in joined if topics.BY_NAME[topic].key == "conversation"]
    metadata = {f"m{n}": RangePartitionAssignor.metadata(joined) for n in range(members)}

    def together(assignor: Any) -> int:
        owners: dict[int, set[str]] = {}
        for member, assignment in assignor.assign(Cluster(), metadata).items():
            for _, partitions in assignment.assignment:
                for partition in partitions:
                    owners.setdefault(partition, set()).add(member)
        return sum(len(of) == 1 for of in owners.values())

    assert together(RangePartitionAssignor) == topics.PARTITIONS
    if members in (5, 7, 8):
        assert together(RoundRobinPartitionAssignor) == 0


# --- the same records, through their defaults and through the kit -------------------------------------


async def test_a_new_group_reads_what_was_there_and_nothing_bad_stops_or_vanishes(
    kafka: KafkaSettings, name: str, tmp_path: Path
) -> None:
    """Facts 1, 4, 5, 6, 7: FastStream starts at the end; a record that it cannot parse, decode or handle is lost
    or read for ever, alone or with its batch. In the kit each becomes an effect or a dead letter, once."""
    key, vault_key = f"web:{name}", Vault.new_key()
    bad = [b"not json", b"\xff\xfe", b"", b"x" * 1_000_000]
    async with producing(kafka) as producer:
        for n in range(5):
            await producer.send_and_wait(IN.name, message(key, f"m{n}")[1], key=key.encode())
        for value in bad:
            await producer.send_and_wait(IN.name, value, key=key.encode())
        await producer.send_and_wait(IN.name, message(key, "poison")[1], key=key.encode())
        evil = [("traceparent", b"\xff\xfe"), ("reply_to", b"plain-9"), ("content-type", b"\xff")]
        await producer.send_and_wait(IN.name, message(key, "header")[1], key=key.encode(), headers=evil)
        await producer.send_and_wait(IN.name, message(key, "last")[1], key=key.encode())
    service = fold(kafka, name, tmp_path, vault_key)
    async with service.running():
        records, letters = await asyncio.gather(
            read(kafka, OUT.name, key, 7), read(kafka, IN.dead_letters, key, len(bad) + 1)
        )
        assert await service.health.ready() == []
    events = [json.loads(record.value) for record in records]
    assert [(e["sequence"], e["data"]["message_id"]) for e in events] == [
        *((n + 1, f"m{n}") for n in range(5)), (6, "header"), (7, "last"),
    ]  # fmt: skip
    opened = []
    for record in letters:
        letter = letter_of({header: value.decode() for header, value in record.headers})
        opened.append((letter.cause, Vault(vault_key).open(record.value, letter.origin)))
    causes = ["not_json", "not_utf8", "empty", "too_large", "broken"]
    assert sorted(opened) == sorted(zip(causes, [*bad, message(key, "poison")[1]], strict=True))
    assert not service.failed


async def test_on_their_defaults_the_same_is_lost_or_read_for_ever(kafka: KafkaSettings, name: str) -> None:
    """Facts 4, 5, 6 and 7 on FastStream itself, one subscriber a policy."""

    class Model(BaseModel):
        n: int

    plain = ("plain-1", "plain-2", "plain-3", "plain-4")
    async with producing(kafka) as producer:
        for topic in plain:
            for value in (b'{"n": 1}', b"not json", b'{"n": 3}'):
                headers = [("x", b"\xff")] if topic == "plain-4" and b"3" in value else []
                await producer.send_and_wait(topic, value, partition=0, headers=headers)
    brokers = {topic: KafkaBroker(kafka.bootstrap, logger=None) for topic in plain}
    seen: dict[str, list[int]] = {"drop": [], "loop": [], "batch": [], "header": []}
    tries = 0

    def subscriber(topic: str, policy: AckPolicy, **more: Any) -> Any:
        group = {"group_id": f"{name}-{topic}", "auto_offset_reset": "earliest"}
        return brokers[topic].subscriber(topic, ack_policy=policy, **group, **more)

    async def counted(message: Any) -> Any:
        nonlocal tries
        tries += 1
        return json.loads(message.body)

    @subscriber("plain-1", AckPolicy.ACK)
    async def drop(body: Model) -> None:
        seen["drop"].append(body.n)

    @subscriber("plain-2", AckPolicy.NACK_ON_ERROR, decoder=counted)
    async def loop(body: Model) -> None:
        seen["loop"].append(body.n)

    @subscriber("plain-3", AckPolicy.ACK, batch=True, batch_timeout_ms=1000)
    async def batch(body: list[Model]) -> None:
        seen["batch"].extend(model.n for model in body)

    @subscriber("plain-4", AckPolicy.ACK)
    async def header(body: Any) -> None:
        seen["header"].append(1)

    async with _running(brokers.values()):
        await until(lambda: seen["drop"] == [1, 3] and tries > 20 and len(seen["header"]) == 2)
        await asyncio.sleep(0.5)
    assert await committed(kafka, f"{name}-plain-1", "plain-1") == 3  # the bad one is gone
    assert seen["loop"] == [1] * len(seen["loop"])  # the one behind it was never reached
    assert len(seen["header"]) == 2  # nor was this one handled, nor did anybody hear of it
    assert len(seen["batch"]) < 3


@asynccontextmanager
async def _running(brokers: Collection[KafkaBroker]) -> AsyncIterator[None]:
    """Side by side: each takes three seconds to join its group."""
    try:
        await asyncio.gather(*(broker.start() for broker in brokers))
        yield
    finally:
        await asyncio.gather(*(broker.stop() for broker in brokers))


# --- stop -----------------------------------------------------------------------------------------------


async def test_stopped_in_the_middle_their_workers_lose(kafka: KafkaSettings, name: str) -> None:
    """Fact 2: what waits for a worker is committed and dropped. (Fact 3, what is in flight happens twice under the
    other policies, takes several members of one group, which the embedded Kafka has not.)"""
    topic, ended = "plain-0", 0
    async with producing(kafka) as producer:
        for n in range(40):
            await producer.send(topic, b"{}", partition=n % 4)
        await producer.flush()
    broker = KafkaBroker(kafka.bootstrap, logger=None)

    @broker.subscriber(
        topic, group_id=name, auto_offset_reset="earliest", ack_policy=AckPolicy.ACK_FIRST, max_workers=4
    )
    async def handle(body: Any) -> None:
        nonlocal ended
        await asyncio.sleep(0.3)
        ended += 1

    async with _running([broker]):
        await until(lambda: ended >= 4)
        await asyncio.sleep(0.15)
    assert ended < await committed(kafka, name, topic)


async def test_a_window_stopped_in_the_middle_has_committed_what_it_did_and_nothing_else(
    kafka: KafkaSettings, name: str
) -> None:
    key, handled, busy = f"web:{name}", set[bytes](), 0

    def make_handle(publisher: Publisher) -> Callable[[Event[Any]], Awaitable[None]]:
        async def handle(event: Event[Any]) -> None:
            nonlocal busy
            if event.subject.startswith(key):
                busy += 1
                await asyncio.sleep(0.3)
                busy -= 1
                handled.add(event.subject.encode())

        return handle

    async with producing(kafka) as producer:
        for n in range(24):
            of_n = f"{key}/{n}"
            await producer.send_and_wait(IN.name, message(of_n, f"m{n}")[1], key=of_n.encode())
    settings = ServiceSettings(kafka=kafka, dead_letter_key=Vault.new_key())
    service = window_service(name, settings, [IN], [chat.CustomerMessage], make_handle, width=4)
    async with service.running():
        await until(lambda: len(handled) >= 2 and busy == 4)
    assert busy == 0  # what ran has ended
    assert 2 < len(handled) < 24
    ours: dict[TopicPartition, dict[int, bytes]] = {}
    async with groupless(kafka, IN.name) as consumer:
        async with asyncio.timeout(15):
            while sum(map(len, ours.values())) < 24:
                for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                    found = {record.offset: record.key for record in records if record.key.startswith(key.encode())}
                    ours.setdefault(tp, {}).update(found)
    for tp, records in ours.items():
        upto = await _committed_of(kafka, name, tp)
        finished = {offset for offset, of_key in records.items() if of_key in handled}
        assert all(offset < upto for offset in finished if offset < min(set(records) - finished, default=10**9))
        assert all(offset in finished for offset in records if offset < upto)


async def test_a_fold_stopped_in_the_middle_loses_and_repeats_nothing(
    kafka: KafkaSettings, name: str, tmp_path: Path
) -> None:
    key, vault_key = f"web:{name}", Vault.new_key()
    async with producing(kafka) as producer:
        for n in range(20):
            await producer.send_and_wait(IN.name, message(key, f"m{n}")[1], key=key.encode())
        async with fold(kafka, name, tmp_path, vault_key).running():
            await asyncio.sleep(0.1)
        for n in range(20, 25):
            await producer.send_and_wait(IN.name, message(key, f"m{n}")[1], key=key.encode())
    async with fold(kafka, name + "-again", tmp_path, vault_key).running():  # reads everything once more
        await read(kafka, OUT.name, key, 25)
        await asyncio.sleep(0.3)
    events = [json.loads(record.value) for record in await read(kafka, OUT.name, key, 26, within_s=1)]
    assert [(e["sequence"], e["data"]["message_id"]) for e in events] == [(n + 1, f"m{n}") for n in range(25)]


# --- publishing -----------------------------------------------------------------------------------------


async def test_events_of_a_key_go_to_its_partition(kafka: KafkaSettings, name: str) -> None:
    """Fact 8: their `publish_batch` sends all keys to one partition."""
    keys = [f"web:{name}{n}" for n in range(8)]
    broker = connect(kafka, "t")
    async with broker:
        await broker.connect()
        publisher = Publisher(broker)
        for key in keys:
            await publisher.send("plain-5", key.encode(), b"{}")
        await broker.publish_batch(*[b"{}"] * 8, topic="plain-6")
    async with producing(kafka) as producer:
        await producer.client._wait_on_metadata("plain-5")
        expected = {key: producer._partition("plain-5", None, None, None, key.encode(), None) for key in keys}
    async with groupless(kafka, "plain-5", "plain-6") as consumer:
        found: dict[str, int] = {}
        batch: set[int] = set()
        deadline = time.monotonic() + 10
        while (len(found) < 8 or not batch) and time.monotonic() < deadline:
            for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                if tp.topic == "plain-6":
                    batch.add(tp.partition)
                else:
                    found |= {record.key.decode(): record.partition for record in records}
    assert found == expected
    assert len(set(expected.values())) > 1
    assert len(batch) == 1


async def test_two_mebibytes_go_and_more_is_poison(kafka: KafkaSettings, name: str) -> None:
    """aiokafka's own limit is 1 MiB, under which a dead letter of an event would not go."""
    broker = connect(kafka, "t")
    async with broker:
        await broker.connect()
        publisher = Publisher(broker)
        await publisher.send("plain-7", name.encode(), b"x" * topics.DEAD_LETTER_LIMIT)
        with pytest.raises(Poison):
            await publisher.send("plain-7", name.encode(), b"x" * (MAX_REQUEST + 1))
    [record] = await read(kafka, "plain-7", name, 1)
    assert len(record.value) == topics.DEAD_LETTER_LIMIT
