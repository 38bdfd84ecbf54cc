"""Topics on a real broker: made once, and compared with the registry where they are there."""

import uuid
from dataclasses import replace
from datetime import timedelta

from confluent_kafka.admin import AdminClient

from schemas.topics import CHAT_INBOUND
from services.lib.kit.provisioning import provision
from services.lib.kit.settings import KafkaSettings
from tests.real.rig.kafka import Kafka


async def test_what_is_missing_is_made_and_what_differs_is_named(kafka: Kafka) -> None:
    settings = KafkaSettings(bootstrap=kafka.bootstrap)
    topic = replace(CHAT_INBOUND, short=f"provisioning.{uuid.uuid4().hex[:8]}")
    assert [one.state for one in await provision(settings, [topic], 1)] == ["created", "created"]
    assert [one.state for one in await provision(settings, [topic], 1)] == ["there", "there"]
    longer = replace(topic, retention=timedelta(days=7), partitions=13)
    first, letters = await provision(settings, [longer], 1)
    assert first.wrong
    assert letters.wrong
    assert "has 12 partitions, not 13" in first.state
    assert "retention.ms is 259200000, not 604800000" in first.state
    there = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(topic.name, timeout=10)
    assert len(there.topics[topic.name].partitions) == 12
