"""Every service killed at every point where it could lose or repeat something, while shoppers write."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.real.checker import check
from tests.real.desk import Desk
from tests.real.load import Load
from tests.real.stage import ROOT, Reviver, Stage

pytestmark = pytest.mark.timeout(420)

FOLD = ("timer:1", "handler:5", "after_commit:5", "after_publish:9", "before_offsets:6", "relay:1")
"""The timer first: ingest's waits for replies, which nobody has sent yet, the router's for answers, which are held
up."""
WINDOW = ("handler:7", "after_publish:12", "before_offsets:4")
FAULTS = {
    "ingest": FOLD,
    "escalation-router": FOLD,
    "sentiment": WINDOW,
    "retrieval-answer": WINDOW,
    "copilot-drafter": ("handler:3", "after_publish:4", "before_offsets:3"),
    "catalog-indexer": ("handler:3", "after_publish:4", "before_offsets:2"),
}


CHANGES = "baton.catalog.changes.v1"
SHELF = ROOT / "services/lib/shop/sandbox/data/products/40_home.json"
PRODUCTS = [product["sku"] for product in json.loads(SHELF.read_text("utf-8"))]
EACH_TIME = 20
"""Changes of the catalogue with each slice of messages."""

SLICE = 90
"""Messages between one death and the next: enough for every fault to come to pass."""


def test_killed_everywhere_while_500_messages_of_100_conversations_flow(stage: Stage) -> None:
    stage.empty()
    load = Load(stage.kafka.bootstrap, 100, 500, gateway="kills")
    revivers = {name: Reviver(stage, name, faults) for name, faults in FAULTS.items()}
    published, deaths = 0, False
    with Desk(stage.kafka.bootstrap):
        while load.remaining:
            until(lambda: all(one.ready for one in revivers.values()), within_s=60)
            waiting = [one for one in revivers.values() if not one.done]
            published += products_changed(stage.kafka.bootstrap, published)
            answers = revivers["retrieval-answer"].current
            if not deaths:
                answers.pause()
            load.send(SLICE, rate=30)
            if not deaths:
                until(lambda: bool(revivers["escalation-router"].died), within_s=25)
                answers.resume()
                deaths = True
            until(lambda these=waiting: not any(one.ready for one in these), within_s=5)
        until(lambda: all(one.done for one in revivers.values()), within_s=60)
        log = stage.settle(load.sent, "kills")
    for one in revivers.values():
        one.finish()
    report = check(log, sent=load.sent)
    print(report)
    for name, one in revivers.items():
        worked, again = one.begun_again
        print(f"{name}: {len(one.died)} kills, {worked} events worked on, {again} begun again")
    assert report.problems == []
    assert revivers["catalog-indexer"].begun_again[0] == published
    assert read_to_the_end(stage.kafka.bootstrap, "catalog-indexer", CHANGES)
    for name, one in revivers.items():
        assert one.failed is None
        assert tuple(one.died) == FAULTS[name], f"{name} did not come to all its faults"


def products_changed(bootstrap: str, before: int) -> int:
    """Say that products changed, as the shop does. The indexer reads each of them again. Returns how many."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all"})
    now = datetime.now(UTC).isoformat()
    for number in range(before, before + EACH_TIME):
        sku = PRODUCTS[number % len(PRODUCTS)]
        event = {
            "specversion": "1.0",
            "id": f"change-{number}",
            "source": "magento",
            "type": "ProductChanged",
            "subject": f"sku:{sku}",
            "time": now,
            "datacontenttype": "application/json",
            "data": {"sku": sku, "changed_at": now, "gone": False},
        }
        producer.produce(CHANGES, key=event["subject"], value=json.dumps(event).encode())
    assert producer.flush(30) == 0
    return EACH_TIME


def read_to_the_end(bootstrap: str, group: str, topic: str) -> bool:
    """Whether the group has committed all that is in the topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False})
    try:
        partitions = [
            TopicPartition(topic, n) for n in consumer.list_topics(topic, timeout=10).topics[topic].partitions
        ]
        ends = {tp.partition: consumer.get_watermark_offsets(tp, timeout=10)[1] for tp in partitions}
        return all(ends[tp.partition] in (0, tp.offset) for tp in consumer.committed(partitions, timeout=10))
    finally:
        consumer.close()


def until(true: Callable[[], bool], within_s: float) -> None:
    """Wait for it, but no longer: what did not come to pass is seen afterwards."""
    end = time.monotonic() + within_s
    while not true() and time.monotonic() < end:
        time.sleep(0.2)
