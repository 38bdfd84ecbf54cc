"""`Table`: a compacted topic in memory. Every instance reads all partitions from the beginning, without a
group, and is not ready before it has caught up with what was there when it started."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from schemas.codec import Undecodable, decode
from schemas.event import Data
from schemas.topics import Topic
from services.lib.kit.broker import groupless
from services.lib.kit.settings import KafkaSettings

D = TypeVar("D", bound=Data)

_log = logging.getLogger(__name__)


class Table(Generic[D]):
    """Key to the last data of that key. A tombstone removes the key; what is no event is skipped and logged."""

    def __init__(self, topic: Topic, kafka: KafkaSettings) -> None:
        if not topic.compacted:
            raise ValueError(f"{topic.name} is not compacted")
        self._topic, self._kafka = topic, kafka
        self._rows: dict[str, D] = {}
        self._caught_up = asyncio.Event()
        self.version = 0
        """Counts the records read, so that a decision can say which state of the table it saw."""

    @property
    def rows(self) -> dict[str, D]:
        """As of now; a copy."""
        return dict(self._rows)

    async def caught_up(self) -> bool:
        return self._caught_up.is_set()

    async def wait(self) -> None:
        await self._caught_up.wait()

    @asynccontextmanager
    async def reading(self, fail: Callable[[BaseException], None]) -> AsyncIterator[None]:
        """Caught up when it is entered, kept up until it is left; `fail` hears of an error in between."""
        reader = asyncio.create_task(self.run())
        caught_up = asyncio.create_task(self.wait())
        try:
            await asyncio.wait({reader, caught_up}, return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                await reader  # raises why it could not
            reader.add_done_callback(lambda task: _tell(task, fail))
            yield
        finally:
            caught_up.cancel()
            reader.cancel()
            await asyncio.gather(reader, caught_up, return_exceptions=True)

    async def run(self) -> None:
        """Read for ever."""
        async with groupless(self._kafka, self._topic.name) as consumer:
            ends = await consumer.end_offsets(consumer.assignment())
            while True:
                if not self._caught_up.is_set() and await _is_at(consumer, ends):
                    self._caught_up.set()
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        self._put(record)

    def _put(self, record: ConsumerRecord) -> None:
        self.version += 1
        key = (record.key or b"").decode("utf-8", "replace")
        if not record.value:
            self._rows.pop(key, None)
            return
        try:
            self._rows[key] = decode(self._topic, record.key, record.value).data
        except Undecodable as error:
            fields = {"topic": record.topic, "offset": record.offset, "cause": error.cause}
            _log.warning("skipped a record of a table", extra={"fields": fields})


async def _is_at(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for tp, end in ends.items():
        if await consumer.position(tp) < end:
            return False
    return True


def _tell(reader: asyncio.Task[None], fail: Callable[[BaseException], None]) -> None:
    if not reader.cancelled() and (error := reader.exception()) is not None:
        fail(error)
