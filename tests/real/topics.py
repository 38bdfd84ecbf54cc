"""`Topics`: whole topics, as they lie there now; at each call read on from where the last one ended."""

from time import monotonic
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from tests.real.checker.log import Log, Record

_STUCK_S = 30.0
"""Without a record for so long although some are missing, reading gives up."""


class Topics:
    """All topics whose names begin with `baton.`, dead letters included."""

    def __init__(self, bootstrap: str, *, within_s: float = 10.0) -> None:
        """`within_s` bounds each question to Kafka."""
        self._within_s = within_s
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "reads-all",  # asked for by the client; nothing is committed
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )
        self._read_to: dict[tuple[str, int], int] = {}
        self._records: list[Record] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def read(self) -> Log:
        """All records up to the ends of the partitions at the start of the call. Raises `TimeoutError` where Kafka
        gives no more although more is there."""
        new = {place: end for place, end in self._ends().items() if end > self._read_to.get(place, 0)}
        if new:
            self._consumer.assign([TopicPartition(*place, self._read_to.get(place, 0)) for place in new])
            self._records += _read(self._consumer, new)
            self._read_to |= new
        return Log(tuple(self._records))

    def _ends(self) -> dict[tuple[str, int], int]:
        there = self._admin.list_topics(timeout=self._within_s).topics
        asked = {
            TopicPartition(name, partition): OffsetSpec.latest()
            for name in there
            if name.startswith("baton.")
            for partition in there[name].partitions
        }
        if not asked:
            return {}
        answers = self._admin.list_offsets(asked, request_timeout=self._within_s)
        return {(tp.topic, tp.partition): future.result().offset for tp, future in answers.items()}


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
