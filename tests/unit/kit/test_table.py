"""A compacted topic in memory, on the embedded Kafka."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiokafka.errors import KafkaConnectionError

from schemas import support, topics
from schemas.codec import encode
from schemas.event import Event
from services.lib.kit.broker import Publisher, connect
from services.lib.kit.settings import KafkaSettings
from services.lib.kit.table import Table

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC = topics.SUPPORT_PRESENCE


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110  # the table is asked
            await asyncio.sleep(0.01)


@asynccontextmanager
async def publisher(kafka: KafkaSettings) -> AsyncIterator[Publisher]:
    broker = connect(kafka, "test")
    await broker.connect()
    try:
        yield Publisher(broker)
    finally:
        await broker.stop()


def present(agent: str, capacity: int) -> Event[support.AgentPresent]:
    data = support.AgentPresent.model_validate(PRESENT | {"agent": agent, "capacity": capacity})
    return Event.new(data, source="desk", subject=agent, time=NOW, cause=f"{agent}{capacity}")


PRESENT = {"queues": ["general"], "capacity": 1, "until": NOW}


async def test_it_has_caught_up_before_it_is_ready_and_keeps_up(kafka: KafkaSettings) -> None:
    async with publisher(kafka) as out:
        for n in range(5):
            await out.publish(TOPIC, present(f"table-{n}", 1))
        await out.publish(TOPIC, present("table-0", 7))
        await out.send(TOPIC.name, b"table-1", b"")
        await out.send(TOPIC.name, b"table-2", b"garbage")
        await out.send(TOPIC.name, b"\xff", b"")
        await out.send(TOPIC.name, b"table-3", encode(TOPIC, present("another", 9)))
        table: Table[support.AgentPresent] = Table(TOPIC, kafka)
        assert not await table.caught_up()
        failures: list[BaseException] = []
        async with table.reading(failures.append):
            assert await table.caught_up()
            ours = {agent: row.capacity for agent, row in table.rows.items() if agent.startswith("table-")}
            assert ours == {"table-0": 7, "table-2": 1, "table-3": 1, "table-4": 1}
            seen = table.version
            await out.publish(TOPIC, present("table-new", 2))
            await out.send(TOPIC.name, b"table-0", b"")
            await until(lambda: "table-new" in table.rows and "table-0" not in table.rows)
            assert table.version == seen + 2
            table.rows.clear()  # a copy
            assert table.rows
        assert failures == []


async def test_where_kafka_is_away_it_says_so_instead_of_being_empty() -> None:
    table: Table[support.AgentPresent] = Table(TOPIC, KafkaSettings(bootstrap="localhost:1"))
    with pytest.raises(KafkaConnectionError):
        async with table.reading(lambda error: None):
            pytest.fail("it was ready")


def test_only_compacted_topics_are_tables() -> None:
    with pytest.raises(ValueError, match="not compacted"):
        Table(topics.CHAT_INBOUND, KafkaSettings())
