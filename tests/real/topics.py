"""`read_all`: whole topics, as they lie there now."""

from collections.abc import Iterable
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.real.checker.log import Log, Record

_STUCK_S = 30.0
"""Without a record for so long although some are missing, reading gives up."""


def read_all(bootstrap: str, topics: Iterable[str] | None = None, *, within_s: float = 10.0) -> Log:
    """All records of the topics (names on the wire; None: all that begin with `baton.`, dead letters included), from
    the beginning up to the ends of the partitions at the start of the call. `within_s` bounds each question to Kafka.
    Raises `TimeoutError` where Kafka gives no more although more is there.
    """
    there = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=within_s).topics
    names = sorted(name for name in there if name.startswith("baton.")) if topics is None else list(topics)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reads-all",  # asked for by the client; nothing is committed
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
        }
    )
    try:
        ends: dict[tuple[str, int], int] = {}
        start = []
        for name in names:
            for partition in there[name].partitions if name in there else ():
                low, high = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=within_s)
                if high > low:
                    ends[name, partition] = high
                    start.append(TopicPartition(name, partition, low))
        consumer.assign(start)
        return Log(tuple(_read(consumer, ends)))
    finally:
        consumer.close()


def _read(consumer: Consumer, ends: dict[tuple[str, int], int]) -> list[Record]:
    records: list[Record] = []
    left = set(ends)
    news = monotonic()
    while left:
        messages: list[Any] = consumer.consume(500, timeout=1.0)
        if monotonic() - news > _STUCK_S:
            raise TimeoutError(f"nothing more came from {sorted(left)}")
        for message in messages:
            place = (message.topic(), message.partition())
            error = message.error()
            if error is not None:
                if error.name() != "_PARTITION_EOF":
                    raise KafkaException(error)
                left.discard(place)  # compaction and transactions leave gaps at the end
                continue
            news = monotonic()
            if message.offset() < ends[place]:
                records.append(_record(message))
            if message.offset() + 1 >= ends[place]:
                left.discard(place)
    return records


def _record(message: Any) -> Record:
    key = message.key()
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers() or ()}
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        key.decode("utf-8", "replace") if key is not None else None,
        message.value(),
        headers,
    )
