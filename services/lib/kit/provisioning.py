"""`provision`: topics as the registry has them, created where they are missing, compared where they are not."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, TopicAlreadyExistsError, for_code

from schemas.asyncapi import broker_limit
from schemas.topics import DEAD_LETTER_LIMIT, Topic
from services.lib.kit.broker import client_options
from services.lib.kit.settings import KafkaSettings

_CREATE_S = 30.0
DAY_MS = 24 * 3600 * 1000

DEAD_LETTERS_OF_TABLES_KEPT = timedelta(days=14)
"""A compacted topic has no time of its own."""


class Provisioned(NamedTuple):
    """What became of one topic. What differs is named and never changed: more partitions would re-map keys, and what
    is kept for less time is gone."""

    name: str
    state: str
    """`created`, `there`, or what is wrong with what is there."""
    wrong: bool


class Found(NamedTuple):
    """A topic that is there."""

    partitions: int
    config: dict[str, str]
    """Empty where the broker does not tell."""


class Plan(NamedTuple):
    """A topic to be."""

    name: str
    partitions: int
    config: dict[str, str]


def plans(topic: Topic, replication: int) -> list[Plan]:
    """The topic and, where somebody consumes it, its dead letters, kept as long as the topic itself."""
    # One replica less than there are may fall behind; `acks=all` means what this says.
    insync = {"min.insync.replicas": str(max(1, replication - 1))}
    kept = topic.retention or DEAD_LETTERS_OF_TABLES_KEPT
    config = {"max.message.bytes": str(broker_limit(topic.max_bytes)), **insync}
    config |= {"cleanup.policy": "compact"} if topic.compacted else _deleted_after(kept)
    both = [Plan(topic.name, topic.partitions, config)]
    if topic.consumers:
        dead = {"max.message.bytes": str(broker_limit(DEAD_LETTER_LIMIT)), **insync, **_deleted_after(kept)}
        both.append(Plan(topic.dead_letters, topic.partitions, dead))
    return both


def _deleted_after(kept: timedelta) -> dict[str, str]:
    """Kafka deletes whole segments, an active one never: with its default of a week "72 hours" would be ten days."""
    milliseconds = round(kept.total_seconds() * 1000)
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(milliseconds),
        "segment.ms": str(min(milliseconds // 6, DAY_MS)),
    }


async def provision(kafka: KafkaSettings, topics: Iterable[Topic], replication: int) -> list[Provisioned]:
    """Create what is missing. Raises aiokafka's `KafkaError` where the cluster is away or refuses."""
    wanted = [plan for topic in topics for plan in plans(topic, replication)]
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        counts = {
            one["topic"]: len(one["partitions"]) for one in await admin.describe_topics() if not one["error_code"]
        }
        configs = await _configs(admin, [plan.name for plan in wanted if plan.name in counts])
        there = {name: Found(count, configs.get(name, {})) for name, count in counts.items()}
        missing = [plan for plan in wanted if plan.name not in there]
        created = (
            await admin.create_topics(
                [NewTopic(p.name, p.partitions, replication, topic_configs=p.config) for p in missing],
                timeout_ms=round(_CREATE_S * 1000),
            )
            if missing
            else None
        )
    finally:
        await admin.close()
    errors = {name: (code, why) for name, code, why in created.topic_errors} if created else {}
    return [_state(plan, there.get(plan.name), errors.get(plan.name)) for plan in wanted]


async def _configs(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """What the brokers say of these topics; nothing where they do not understand the question."""
    if not names:
        return {}
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    except IncompatibleBrokerVersion:
        return {}
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if not code
    }


def _state(plan: Plan, found: Found | None, error: tuple[int, str | None] | None) -> Provisioned:
    if found is not None:
        if wrong := _differences(plan, found):
            return Provisioned(plan.name, "; ".join(wrong), wrong=True)
        return Provisioned(plan.name, "there", wrong=False)
    code, why = error or (0, None)
    if code and for_code(code) is TopicAlreadyExistsError:
        return Provisioned(plan.name, "there", wrong=False)
    if code:
        return Provisioned(plan.name, why or for_code(code).__name__, wrong=True)
    return Provisioned(plan.name, "created", wrong=False)


def _differences(plan: Plan, found: Found) -> list[str]:
    """In words. How long originals are kept is a promise, and a topic may have been made by hand."""
    wrong = []
    if found.partitions != plan.partitions:
        wrong.append(f"has {found.partitions} partitions, not {plan.partitions}")
    for name, value in plan.config.items():
        if (is_ := found.config.get(name, value)) != value:
            wrong.append(f"{name} is {is_}, not {value}")
    return wrong
