"""`connect`: a FastStream broker with every default that loses messages replaced, and `Publisher` on it.

Why each: FastStream acknowledges before it processes, starts a new group at the end of the log, lets the
producer be content with one replica, creates missing topics with one partition, and lets a record choose
the topic its handler's result goes to. tests/unit/kit/test_defaults.py shows each loss.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    ProducerClosed,
    RecordListTooLargeError,
)
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from faststream.kafka.security import parse_security
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from schemas.codec import encode
from schemas.event import Event
from schemas.topics import DEAD_LETTER_LIMIT, Topic
from services.lib.kit.errors import Poison, Unavailable
from services.lib.kit.settings import KafkaSettings

MAX_REQUEST = DEAD_LETTER_LIMIT + 64 * 1024
"""Bytes of the largest record: a dead letter with its headers. aiokafka refuses more than 1 MiB by default."""

GRACE_S = 25.0
"""Seconds that a batch may take to end when the service is asked to stop."""

STOP_S = GRACE_S + 5.0

_log = logging.getLogger(__name__)


def connect(kafka: KafkaSettings, client_id: str) -> KafkaBroker:
    """A broker, not yet started."""
    return KafkaBroker(
        kafka.bootstrap.split(","),
        client_id=client_id,
        acks="all",
        # One refused record breaks the idempotent one for good: docs/adr/0009-producer-without-idempotence.md
        enable_idempotence=False,
        request_timeout_ms=kafka.request_timeout_ms,
        max_request_size=MAX_REQUEST,
        ack_policy=AckPolicy.MANUAL,
        allow_auto_create_topics=False,
        graceful_timeout=GRACE_S,
        apply_types=False,
        security=_security(kafka),
        logger=_log,
        log_level=logging.DEBUG,  # two lines a batch otherwise
    )


def subscriber_options(kafka: KafkaSettings, group: str) -> dict[str, Any]:
    """Options of the one subscriber of a service: raw batches, nothing acknowledged on its own.

    The range assignor gives equal partition numbers of all topics to the same member, for any number of
    members; round-robin and sticky do not with 5, 7 or 8. All members must agree on it.
    """
    return {
        "group_id": group,
        "auto_offset_reset": "earliest",
        "no_reply": True,
        "batch": True,
        "ack_policy": AckPolicy.MANUAL,
        "parser": _undecoded,
        "decoder": _untouched,
        "partition_assignment_strategy": [RangePartitionAssignor],
        "session_timeout_ms": kafka.session_timeout_ms,
        "heartbeat_interval_ms": min(3_000, kafka.session_timeout_ms // 3),
        "max_poll_interval_ms": 300_000,
    }


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """What every aiokafka client of ours is built with."""
    return {
        "bootstrap_servers": kafka.bootstrap.split(","),
        "request_timeout_ms": kafka.request_timeout_ms,
        **parse_security(_security(kafka)),
    }


@asynccontextmanager
async def running(broker: KafkaBroker) -> AsyncIterator[None]:
    """Started, and stopped in bounded time: a producer that holds records waits for Kafka for ever."""
    try:
        await broker.start()
        yield
    finally:
        try:
            async with asyncio.timeout(STOP_S):
                await broker.stop()
        except TimeoutError:
            _log.warning("Kafka is away: stopped without it")


@asynccontextmanager
async def groupless(kafka: KafkaSettings, *topics: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all partitions of `topics` from the beginning, without a group: it commits nothing."""
    consumer = AIOKafkaConsumer(
        *topics, group_id=None, auto_offset_reset="earliest", enable_auto_commit=False, **client_options(kafka)
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def _undecoded(records: Any) -> KafkaMessage:
    """The raw records as one message. FastStream's own parser fails on a header that is not UTF-8, and the
    record is gone without a trace."""
    return KafkaMessage(body=b"", headers={}, raw_message=records, message_id="batch", consumer=FAKE_CONSUMER)


async def _untouched(message: KafkaMessage) -> KafkaMessage:
    return message


def _security(kafka: KafkaSettings) -> BaseSecurity | None:
    if kafka.security == "PLAINTEXT":
        return None
    context = None
    if kafka.security in ("SSL", "SASL_SSL"):
        context = ssl.create_default_context(cafile=str(kafka.ca_file) if kafka.ca_file else None)
        if kafka.cert_file is not None:
            context.load_cert_chain(kafka.cert_file, kafka.key_file)
    if kafka.security == "SSL":
        return BaseSecurity(ssl_context=context, use_ssl=True)
    mechanism = {
        "PLAIN": SASLPlaintext,
        "SCRAM-SHA-256": SASLScram256,
        "SCRAM-SHA-512": SASLScram512,
    }[kafka.sasl_mechanism]
    password = kafka.password.get_secret_value() if kafka.password else ""
    return mechanism(kafka.username or "", password, ssl_context=context, use_ssl=kafka.security == "SASL_SSL")


class Publisher:
    """Publishes events and raw records, each confirmed by all in-sync replicas before it returns.

    Raises `Unavailable` where Kafka does not take the record now, `Poison` where it never will, and aiokafka's
    own error where the producer is broken for good, which must end the process.
    """

    def __init__(self, broker: KafkaBroker, timeout_s: float = 15.0) -> None:
        """`timeout_s`: until `Unavailable`. A record that was given up here may still come; sent again it is the same
        record."""
        self._broker, self._timeout_s = broker, timeout_s

    async def publish(self, topic: Topic, event: Event[Any]) -> None:
        await self.send(topic.name, event.subject.encode(), encode(topic, event))

    async def send(self, topic: str, key: bytes | None, value: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._broker.publish(value, topic, key=key, headers=headers or {})
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise Poison(f"{topic} does not take {len(value)} bytes") from error
        except (KafkaError, TimeoutError) as error:
            # A plain KafkaError is how aiokafka says that its sender has died.
            if isinstance(error, ProducerClosed) or type(error) is KafkaError:
                raise
            raise Unavailable(f"{topic}: {type(error).__name__}") from error
