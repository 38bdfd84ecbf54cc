"""An embedded Kafka for a first minute without one: librdkafka's mock cluster, in a process of its own.

In memory, 4 partitions a topic, one member per group, about 5 MB per partition before the oldest records
are gone. It goes with its parent: it ends when its standard input does.

    python -m services.lib.kit.embedded TOPIC...     prints one line of JSON when it is up
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

START_S = 20.0
"""Seconds it may take to come up; it takes about one."""


@dataclass(frozen=True, slots=True)
class EmbeddedKafka:
    bootstrap: str
    cluster_id: str
    """New at each start: state that belongs to another cluster is no state of this one."""


def is_embedded(cluster_id: str) -> bool:
    """Whether a cluster of this id is librdkafka's mock."""
    return cluster_id.startswith("mockCluster")


@asynccontextmanager
async def embedded_kafka(topics: Sequence[str]) -> AsyncIterator[EmbeddedKafka]:
    """A running mock cluster that has these topics: a consumer that starts before its topic sees nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__ if __name__ != "__main__" else "services.lib.kit.embedded",
        *topics,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # an interrupt from the terminal must not end it before those who use it
    )
    try:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("the embedded Kafka has no pipes")
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError("the embedded Kafka did not start")
        yield EmbeddedKafka(**json.loads(line))
    finally:
        if process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def main(topics: Sequence[str]) -> None:
    """Serve until standard input ends."""
    from confluent_kafka import Producer  # only this process needs librdkafka

    producer = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 0})
    metadata = producer.list_topics(timeout=START_S)
    for topic in topics:  # asking for a topic's metadata creates it
        producer.list_topics(topic, timeout=START_S)
    broker = next(iter(metadata.brokers.values()))
    print(json.dumps({"bootstrap": f"{broker.host}:{broker.port}", "cluster_id": uuid4().hex}), flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
