"""The rig itself: its servers do what the tests that use them rely on, and none is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.real.rig import Missing, cache
from tests.real.rig.cache import REPOSITORY
from tests.real.rig.kafka import Kafka
from tests.real.rig.ports import free_ports
from tests.real.rig.postgres import Postgres
from tests.real.rig.prometheus import prometheus, promtool
from tests.real.rig.tls import Authority

QUIET = {"log_level": 0}  # librdkafka reports every lost connection, which here are the point


def new_topic(bootstrap: str, **layout: int) -> str:
    name = f"rig-{uuid4().hex[:8]}"
    settings = {"min.insync.replicas": "2"} if layout.get("replication_factor") == 3 else {}
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    admin.create_topics([NewTopic(name, config=settings, **layout)])[name].result(10)
    return name


def write(bootstrap: str, topic: str, values: list[str]) -> None:
    refused: list[object] = []
    # A topic that is not there is said to be so after a second, not after half a minute.
    patience = {"delivery.timeout.ms": 30_000, "topic.metadata.propagation.max.ms": 1000}
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", **patience, **QUIET})
    for value in values:
        producer.produce(topic, value.encode(), on_delivery=lambda error, _: refused.append(error) if error else None)
    assert producer.flush(35) == 0
    assert refused == []


def read(bootstrap: str, topic: str, count: int) -> list[str]:
    """The first `count` values, as a new group with a session time-out of 6 s reads them."""
    group = {"group.id": uuid4().hex, "auto.offset.reset": "earliest", "session.timeout.ms": 6000}
    consumer = Consumer({"bootstrap.servers": bootstrap, **group, **QUIET})
    consumer.subscribe([topic])
    found: list[str] = []
    deadline = time.monotonic() + 30
    try:
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append(message.value().decode())
    finally:
        consumer.close()
    return found


def leader(bootstrap: str, topic: str) -> int:
    metadata = AdminClient({"bootstrap.servers": bootstrap, **QUIET}).list_topics(topic, timeout=10)
    found: int = metadata.topics[topic].partitions[0].leader
    return found


def test_a_broker_keeps_its_port_and_its_data_over_a_kill(kafka: Kafka) -> None:
    topic = new_topic(kafka.bootstrap, num_partitions=1)
    write(kafka.bootstrap, topic, ["one", "two"])
    kafka.nodes[0].kill()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": kafka.bootstrap, **QUIET}).list_topics(timeout=0.5)
    kafka.nodes[0].start()
    kafka.wait()
    write(kafka.bootstrap, topic, ["three"])
    assert read(kafka.bootstrap, topic, 3) == ["one", "two", "three"]


def test_a_topic_that_nobody_made_is_not_made_by_writing_to_it(kafka: Kafka) -> None:
    with pytest.raises(AssertionError, match="UNKNOWN_TOPIC"):
        write(kafka.bootstrap, f"rig-{uuid4().hex}", ["lost"])


def test_waiting_for_a_paused_broker_is_not_waiting_for_it_to_answer(kafka: Kafka) -> None:
    kafka.nodes[0].pause()
    try:
        kafka.wait(1)
        with pytest.raises(KafkaException):
            AdminClient({"bootstrap.servers": kafka.bootstrap, **QUIET}).list_topics(timeout=0.5)
    finally:
        kafka.nodes[0].resume()
    kafka.wait()


def test_two_brokers_of_three_take_what_all_replicas_must_have(three_brokers: Kafka) -> None:
    topic = new_topic(three_brokers.bootstrap, num_partitions=1, replication_factor=3)
    write(three_brokers.bootstrap, topic, ["before"])
    dead = next(node for node in three_brokers.nodes if node.id == leader(three_brokers.bootstrap, topic))
    dead.kill()
    write(three_brokers.bootstrap, topic, ["while it is away"])
    three_brokers.wait()
    assert leader(three_brokers.bootstrap, topic) != dead.id
    dead.start()
    three_brokers.wait()
    assert read(three_brokers.bootstrap, topic, 2) == ["before", "while it is away"]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_the_secure_listener_wants_the_right_password_and_shows_its_certificate(
    kafka: Kafka, mechanism: str, tmp_path: Path
) -> None:
    def connect(password: str, ca: Path | None) -> str:
        who = {"sasl.mechanism": mechanism, "sasl.username": kafka.user, "sasl.password": password}
        where = {"bootstrap.servers": kafka.secure_bootstrap, "ssl.ca.location": str(ca)}
        errors: list[str] = []
        said = {"error_cb": lambda error: errors.append(error.name()), **QUIET}
        admin = AdminClient({"security.protocol": "SASL_SSL", **who, **where, **said})
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                admin.list_topics(timeout=0.5)
            except KafkaException:
                admin.poll(0)
            else:
                return "connected"
            if refusals := [error for error in errors if error in ("_AUTHENTICATION", "_SSL")]:
                return refusals[0]
        return f"nothing but {errors}"

    assert connect(kafka.password, kafka.ca) == "connected"
    assert connect("wrong", kafka.ca) == "_AUTHENTICATION"
    assert connect(kafka.password, Authority(tmp_path / "stranger").certificate) == "_SSL"


def test_postgresql_keeps_its_data_over_a_crash_and_drops_databases_in_use(postgres: Postgres) -> None:
    postgres.create("rig_one")
    postgres.query("rig_one", "CREATE TABLE said (what text); INSERT INTO said VALUES ('a,\"b\"'), (''), (NULL)")
    for mode in ("fast", "immediate"):
        postgres.restart(mode)
        assert postgres.query("rig_one", "SELECT what, 1 FROM said") == [('a,"b"', "1"), ("", "1"), (None, "1")]
    postgres.drop("rig_one")
    with pytest.raises(RuntimeError, match='database "rig_one" does not exist'):
        postgres.query("rig_one", "SELECT 1")


def test_a_server_started_in_a_thread_outlives_the_thread(postgres: Postgres) -> None:
    postgres.stop()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(postgres.start).result()
    assert postgres.query("postgres", "SELECT 1") == [("1",)]


def test_prometheus_scrapes_and_answers(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    config = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "scrape_configs": [{"job_name": "nobody", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
    }
    try:
        promtool()
    except Missing as missing:
        pytest.skip(str(missing))
    with prometheus(tmp_path, config) as server:
        deadline = time.monotonic() + 10
        while not (samples := server.query("up")) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [sample["value"][1] for sample in samples] == ["0"]
        assert [target["health"] for target in server.targets()] == ["down"]
        with pytest.raises(RuntimeError, match="parse error"):
            server.query("up{")


@pytest.mark.parametrize(
    ("module", "sent"),
    [
        ("tests.real.rig.postgres", signal.SIGINT),
        ("tests.real.rig.postgres", signal.SIGKILL),
        ("tests.real.rig.kafka", signal.SIGKILL),
    ],
)
@pytest.mark.usefixtures("postgres", "kafka")  # they skip where the servers are missing
def test_a_command_leaves_nothing_behind(module: str, sent: signal.Signals) -> None:
    owner = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", module], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    try:
        assert owner.stdout is not None
        folder = json.loads(owner.stdout.readline())["folder"]
        assert processes_of(folder)
        owner.send_signal(sent)
        assert owner.wait(20) == (-sent if sent is signal.SIGKILL else 0)
        deadline = time.monotonic() + 20
        while (processes_of(folder) or Path(folder).exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert processes_of(folder) == []
        assert not Path(folder).exists()
    finally:
        owner.kill()
        owner.communicate()


def processes_of(folder: str) -> list[str]:
    """The command lines that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if folder in command and process.name != str(os.getpid()):
            found.append(command)
    return found


def test_what_is_fetched_arrives_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_RIG_CACHE", str(tmp_path / "cache"))
    fetched: list[Path] = []

    def broken(folder: Path) -> None:
        (folder / "half").write_text("")
        raise Missing("The network went away.")

    def whole(folder: Path) -> None:
        fetched.append(folder)
        time.sleep(0.05)
        (folder / "whole").write_text("")

    with pytest.raises(Missing):
        cache.cached("thing", broken)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["thing.lock"]
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda _: cache.cached("thing", whole), range(4)))
    assert len(fetched) == 1
    assert {place / "whole" for place in places} == {tmp_path / "cache" / "thing" / "whole"}
    assert (places[0] / "whole").exists()
