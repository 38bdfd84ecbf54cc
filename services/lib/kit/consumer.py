"""`Consumer`: the one subscriber of a service over all its topics, feeding a unit of work or a window."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker, KafkaMessage

from schemas.topics import Topic
from services.lib.kit import metrics
from services.lib.kit.broker import subscriber_options
from services.lib.kit.health import ServiceHealth
from services.lib.kit.settings import KafkaSettings
from services.lib.kit.window import COMMIT_S, Window
from services.lib.kit.work import UnitOfWork

REVOKE_S = 10.0
"""Seconds that running work gets when partitions are taken away; the group waits for us meanwhile."""

_log = logging.getLogger(__name__)


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Connects a broker's batches with a `sink`, commits for a unit of work, and gives partitions up in order."""

    def __init__(
        self,
        broker: KafkaBroker,
        kafka: KafkaSettings,
        group: str,
        topics: Sequence[Topic],
        sink: UnitOfWork[Any, Any] | Window,
        health: ServiceHealth,
        fail: Callable[[BaseException], None],
        *,
        max_records: int = 200,
    ) -> None:
        """`fail` ends the process: an infrastructure error must not be followed by the next batch."""
        self._group, self._topics, self._sink, self._health, self._fail = group, topics, sink, health, fail
        self._failed = False
        health.assigned = False
        self._subscriber = broker.subscriber(
            *(topic.name for topic in topics),
            **subscriber_options(kafka, group),
            max_records=max_records,
            batch_timeout_ms=50,
            listener=self,
            title=group,
        )
        self._subscriber(self._on_batch)

    @property
    def log(self) -> AIOKafkaConsumer | None:
        """The client behind the subscriber, once it runs."""
        return self._subscriber.consumer

    async def _on_batch(self, message: KafkaMessage) -> None:
        """FastStream logs an exception and reads on, past the batch; here it ends the process instead."""
        if self._failed or self.log is None:
            return
        self._health.busy(True)
        try:
            await self._feed(message.raw_message, self.log)
        except Exception as error:
            self._failed = True
            _log.critical("the batch failed, ending", exc_info=error, extra={"fields": {"service": self._group}})
            self._fail(error)
        finally:
            self._health.busy(False)

    async def _feed(self, records: Sequence[ConsumerRecord], log: AIOKafkaConsumer) -> None:
        if isinstance(self._sink, Window):
            self._sink.take(records, log)
            return
        offsets = await self._sink.handle(records)
        try:
            async with asyncio.timeout(COMMIT_S):  # with Kafka away aiokafka would look for it for ever
                await log.commit(offsets)
        except (KafkaError, TimeoutError):  # a rebalance overtook us: the next owner reads again and knows the ids
            metrics.COMMIT_FAILURES.labels(self._group).inc()
        if self._sink.braked is not None:
            raise self._sink.braked

    async def watch_lag(self, every_s: float = 5.0) -> None:
        """Keep the lag metric, for ever."""
        while True:
            await asyncio.sleep(every_s)
            if self.log is None:
                continue
            try:
                async with asyncio.timeout(every_s):
                    lag = await self._lag(self.log)
            except (KafkaError, TimeoutError):
                continue  # a rebalance, or Kafka is away
            for topic, records in lag.items():
                metrics.LAG.labels(self._group, topic).set(records)

    async def _lag(self, log: AIOKafkaConsumer) -> dict[str, int]:
        lag = dict.fromkeys((topic.name for topic in self._topics), 0)
        for tp in log.assignment():
            end = log.highwater(tp)
            if end is not None:
                lag[tp.topic] += max(0, end - await log.position(tp))
        return lag

    # --- ConsumerRebalanceListener --------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        if isinstance(self._sink, Window):
            await self._sink.revoke(list(revoked), REVOKE_S)
            return
        try:
            async with asyncio.timeout(REVOKE_S), self._sink.lock:
                pass  # the batch is through
        except TimeoutError:
            _log.warning("a batch outlasted the rebalance", extra={"fields": {"service": self._group}})

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        if not isinstance(self._sink, Window):
            self._sink.forget(assigned)
        self._health.assigned = True
        _log.info("assigned", extra={"fields": {"service": self._group, "partitions": len(assigned)}})
