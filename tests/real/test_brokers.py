"""Three brokers of which one dies: what was acknowledged stays, and the line goes on with the two that are left."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tests.real.checker import Sent
from tests.real.checker.doorway import doorway, waiting_at_the_door
from tests.real.checker.envelopes import envelopes
from tests.real.checker.log import View
from tests.real.load import Load
from tests.real.rig.kafka import Kafka, Node
from tests.real.rig.postgres import Postgres
from tests.real.router_alone import RouterAlone, until
from tests.real.router_inputs import MESSAGES, router_inputs
from tests.real.stage import Stage

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def replicated(three_brokers: Kafka, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("replicated")
    with Stage(three_brokers, postgres, folder, prefix=f"s{uuid.uuid4().hex[:6]}") as stage:
        yield stage


def test_each_partition_lies_on_three_brokers(replicated: Stage) -> None:
    """And may be written as long as two of them have it: one can die and nothing acknowledged is lost."""
    admin = AdminClient({"bootstrap.servers": replicated.kafka.bootstrap})
    topics = {
        name: topic for name, topic in admin.list_topics(timeout=10).topics.items() if name.startswith("baton.")
    }
    assert MESSAGES in topics
    for name, topic in topics.items():
        assert {len(partition.replicas) for partition in topic.partitions.values()} == {3}, name
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
    for future in admin.describe_configs(asked, request_timeout=10).values():
        assert future.result()["min.insync.replicas"].value == "2"


def test_a_broker_dies_and_comes_back(replicated: Stage) -> None:
    """Ingest and router with it and without it, while shoppers write."""
    ingest = replicated.start("ingest", wait=False)
    line = RouterAlone(replicated, "brokers")
    router = line.start()
    ingest.wait_ready()
    door = Load(replicated.kafka.bootstrap, 40, 200, gateway="door")
    write(line, seed=1)
    door.start(rate=20)
    write(line, seed=2)
    dead = leader(replicated.kafka)
    dead.kill()
    write(line, seed=3)
    write(line, seed=4)
    line.settled(within_s=60)
    assert line.outstanding() == 0, "the router does not go on with two brokers"
    dead.start()
    replicated.kafka.wait()
    write(line, seed=5)
    sent = door.join()
    report = line.report(within_s=60)
    print(report)
    assert report.problems == []
    assert report.counts["turns"] == 5 * 60
    # The door alone is judged: nobody scores or answers what it lets in.
    passed = until(lambda: waiting_at_the_door(View(replicated.log_of("door")), sent) == 0, within_s=30)
    assert passed, "the door does not let everything in"
    assert router.stop() == ingest.stop() == 0
    assert at_the_door(replicated, sent) == []


def write(line: RouterAlone, seed: int) -> None:
    now = datetime.now(UTC)
    line.publish(router_inputs(30, 2, spread=timedelta(seconds=2), now=now, seed=seed, gateway=line.gateway))


def leader(kafka: Kafka) -> Node:
    """The broker that leads the first partition of chat.messages."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    leads = admin.list_topics(MESSAGES, timeout=10).topics[MESSAGES].partitions[0].leader
    return next(node for node in kafka.nodes if node.id == leads)


def at_the_door(stage: Stage, sent: Sent) -> list[str]:
    view = View(stage.log_of("door"))
    return [*doorway(view, sent), *envelopes(view, router_alone=False)]
