"""`baton dlq list`: the dead letters of a topic, newest last."""

from typing import NamedTuple

from aiokafka import ConsumerRecord

from schemas.topics import TOPICS
from services.lib.kit.broker import groupless
from services.lib.kit.dead_letters import Letter, letter_of
from services.lib.kit.settings import KafkaSettings

QUIET_POLLS = 6
"""Half-second polls without a record after which the rest is taken for gone."""


class Listed(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: str
    letter: Letter | None
    """None where the record's headers are no dead letter's."""


async def listed(kafka: KafkaSettings, topic: str | None = None) -> list[Listed]:
    """All letters that are there now, oldest first. `topic` is a short name, e.g. `chat.inbound`; None: of all."""
    names = [one.dead_letters for one in TOPICS if one.consumers and topic in (None, one.short)]
    if not names:
        raise ValueError(f"{topic!r} is no topic: see `baton topics list`")
    found: list[Listed] = []
    async with groupless(kafka, *names) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        begins = await consumer.beginning_offsets(consumer.assignment())
        left = {tp for tp, end in ends.items() if begins[tp] < end}
        quiet = 0
        while left and quiet < QUIET_POLLS:  # what expires meanwhile never comes
            batches = await consumer.getmany(timeout_ms=500)
            quiet = 0 if batches else quiet + 1
            for tp, records in batches.items():
                found.extend(_listed(record) for record in records)
                if await consumer.position(tp) >= ends[tp]:
                    left.discard(tp)
    return sorted(found, key=lambda one: one.letter.failed_at if one.letter else "")


def _listed(record: ConsumerRecord) -> Listed:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    key = (record.key or b"").decode("utf-8", "replace")
    try:
        letter: Letter | None = letter_of(headers)
    except KeyError:
        letter = None
    return Listed(record.topic, record.partition, record.offset, key, letter)
