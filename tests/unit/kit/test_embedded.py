"""The embedded Kafka: new at each start, and gone with whoever started it."""

import asyncio
import json
import subprocess
import sys
import textwrap
import time
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaConsumer

from services.lib.kit import broker as broker_module
from services.lib.kit.broker import Publisher, connect, running
from services.lib.kit.embedded import embedded_kafka
from services.lib.kit.errors import Unavailable
from services.lib.kit.settings import KafkaSettings


async def answers(bootstrap: str) -> bool:
    host, port = bootstrap.split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def test_it_has_its_topics() -> None:
    async with embedded_kafka(["t-1", "t-2"]) as kafka:
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
        await consumer.start()
        assert {"t-1", "t-2"} <= await consumer.topics()
        await consumer.stop()


async def test_when_it_is_gone_publishing_says_unavailable_and_stopping_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A producer that holds records waits for Kafka for ever at its end."""
    monkeypatch.setattr(broker_module, "STOP_S", 0.5)
    gone = AsyncExitStack()
    kafka = await gone.enter_async_context(embedded_kafka(["t-1"]))
    broker = connect(KafkaSettings(bootstrap=kafka.bootstrap, request_timeout_ms=1000), "t")
    async with asyncio.timeout(10):
        async with running(broker):
            publisher = Publisher(broker, timeout_s=0.5)
            await publisher.send("t-1", b"k", b"v")
            await gone.aclose()
            assert not await answers(kafka.bootstrap)
            with pytest.raises(Unavailable):
                await publisher.send("t-1", b"k", b"v")


async def test_two_are_two_clusters() -> None:
    async with embedded_kafka(["t"]) as one, embedded_kafka(["t"]) as two:
        assert one.cluster_id != two.cluster_id
        assert one.bootstrap != two.bootstrap


async def test_it_ends_with_a_parent_that_is_killed() -> None:
    script = textwrap.dedent(
        """
        import asyncio, json
        from services.lib.kit.embedded import embedded_kafka
        async def main():
            async with embedded_kafka(["t"]) as kafka:
                print(json.dumps(kafka.bootstrap), flush=True)
                await asyncio.sleep(60)
        asyncio.run(main())
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:  # noqa: S603, ASYNC220
        assert parent.stdout is not None
        bootstrap = json.loads(await asyncio.to_thread(parent.stdout.readline))
        assert await answers(bootstrap)
        parent.kill()
    until = time.monotonic() + 10
    while await answers(bootstrap) and time.monotonic() < until:  # noqa: ASYNC110  # another process's end
        await asyncio.sleep(0.05)
    assert not await answers(bootstrap)
