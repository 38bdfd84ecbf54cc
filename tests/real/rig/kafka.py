"""Apache Kafka on loopback, in KRaft combined mode.

`with kafka(folder, nodes=3) -> Kafka` in tests, `python -m tests.real.rig.kafka --nodes 3` for people. The brokers
come from Maven, once; each keeps its ports and its data while it is stopped, killed or paused.
"""

import argparse
import json
import shutil
import signal
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.real.rig.cache import cached
from tests.real.rig.children import Child, end, exits_on_signals, kill_group, scratch, spawn, tail, until_signalled
from tests.real.rig.jvm import VERSION, java, java_version, using
from tests.real.rig.ports import free_ports
from tests.real.rig.tls import Authority

USER, PASSWORD = "baton", "baton-secret"


@dataclass
class Node:
    """One broker and controller. Signals do what they say; `Kafka.wait` tells when their effect is over."""

    id: int
    port: int
    controller_port: int
    secure_port: int
    folder: Path
    jvm: list[str]
    paused: bool = False
    _child: Child | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        """A paused node runs."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"

    def start(self) -> None:
        """Start the process; it answers some seconds later."""
        assert not self.running, f"node {self.id} runs already"
        self.paused = False
        self._child = spawn(java(self.jvm, "kafka.Kafka", self.properties), self.log, cwd=self.folder)

    def stop(self, timeout_s: float = 60.0) -> None:
        """SIGTERM: the broker hands over what it leads and ends; SIGKILL where it has not after `timeout_s`."""
        self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> None:
        """SIGKILL: the broker ends where it stands."""
        self._end(signal.SIGKILL, 60.0)

    def _end(self, sent: signal.Signals, timeout_s: float) -> None:
        if self._child is not None:
            end(self._child, sent, timeout_s)
            self._child, self.paused = None, False

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        assert self._child is not None
        self._child.send_signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        assert self._child is not None
        self._child.send_signal(signal.SIGCONT)
        self.paused = False


@dataclass(frozen=True)
class Kafka:
    """A cluster. `secure_bootstrap` and `ca` are empty without `security`."""

    nodes: list[Node]
    bootstrap: str
    secure_bootstrap: str = ""
    ca: Path | None = None
    user: str = USER
    password: str = PASSWORD

    def wait(self, timeout_s: float = 60.0) -> None:
        """Until every node that runs and is not paused answers, sees all the others, and leads what it can.

        That is: each names all of them in its metadata, and every partition with an in-sync replica on one of them is
        led by one of them. Raises TimeoutError, or RuntimeError where a node ended by itself; both show its log.
        """
        deadline = time.monotonic() + timeout_s
        waited_for = [node for node in self.nodes if node._child is not None and not node.paused]
        wanted = {node.id for node in waited_for}
        for node in waited_for:
            admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{node.port}", "log_level": 0, **_QUICK})
            while (lack := _lack(admin, wanted)) is not None:
                for other in waited_for:
                    if not other.running:
                        raise RuntimeError(f"Kafka node {other.id} ended by itself:\n{tail(other.log)}")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Kafka node {node.id}: {lack} after {timeout_s:g} s:\n{tail(node.log)}")
                time.sleep(0.1)


_QUICK = {"socket.timeout.ms": 2000, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200}


def _lack(admin: AdminClient, wanted: set[int]) -> str | None:
    """What keeps a node from being ready, in words; None where nothing does."""
    try:
        seen = admin.list_topics(timeout=2.0)
    except KafkaException as away:
        return f"no metadata ({away.args[0].str()})"
    if not wanted <= seen.brokers.keys():
        return f"sees the nodes {sorted(seen.brokers)} of {sorted(wanted)}"
    for topic in seen.topics.values():
        for partition in topic.partitions.values():
            if wanted & set(partition.isrs) and partition.leader not in wanted:
                return f"{topic.topic}[{partition.id}] is led by {partition.leader}"
    return None


@contextmanager
def kafka(folder: Path, nodes: int = 1, security: Literal["SASL_SSL"] | None = None) -> Iterator[Kafka]:
    """A cluster of `nodes` whose data is in `folder` (new or empty), ready; all its processes are killed at the end.

    `security` adds a listener for TLS with SASL, SCRAM-SHA-512 and PLAIN, to the one without. Raises `Missing`.
    """
    heap = "-Xmx512m" if nodes == 1 else "-Xmx384m"
    with _cluster(folder.absolute(), nodes, security is not None, [heap, using(class_archive())]) as cluster:
        yield cluster


def class_archive() -> Path:
    """Kafka's classes in the form this Java loads fastest, from one short run: it halves the CPU time of a start.

    Raises `Missing`.
    """
    return cached(f"kafka-{VERSION}-java-{java_version()}", _record) / "classes.jsa"


def _record(folder: Path) -> None:
    run, archive = folder / "run", folder / "classes.jsa"
    with _cluster(run, 1, True, ["-Xmx512m"]) as cluster:
        node = cluster.nodes[0]
        node.stop()
        node.jvm = ["-Xmx512m", f"-XX:ArchiveClassesAtExit={archive}"]
        node.start()
        cluster.wait(120.0)
        node.stop(120.0)
    if not archive.exists():
        raise RuntimeError(f"Java wrote no archive of Kafka's classes:\n{tail(node.log)}")
    shutil.rmtree(run)


@contextmanager
def _cluster(folder: Path, nodes: int, secure: bool, jvm: list[str]) -> Iterator[Kafka]:
    ports = iter(free_ports(3 * nodes))
    made = [
        Node(number, next(ports), next(ports), next(ports), folder / f"node-{number}", jvm)
        for number in range(1, nodes + 1)
    ]
    authority = Authority(folder / "tls") if secure else None
    _format(made, authority)
    cluster = Kafka(
        nodes=made,
        bootstrap=",".join(f"127.0.0.1:{node.port}" for node in made),
        secure_bootstrap=",".join(f"127.0.0.1:{node.secure_port}" for node in made) if authority else "",
        ca=authority.certificate if authority else None,
    )
    try:
        for node in made:
            node.start()
        cluster.wait(120.0)
        yield cluster
    finally:
        # Killed, not stopped: the data is done with, and a cluster that lost its quorum does not shut down in order.
        for node in made:
            if node.running:
                kill_group(node._child)  # type: ignore[arg-type]  # all at once
        for node in made:
            node.kill()


def _format(nodes: list[Node], authority: Authority | None) -> None:
    """Write each node's settings and lay out its data folder, all at a time: each takes a JVM."""
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    cluster = cluster if not cluster.startswith("-") else "A" + cluster[1:]  # else it reads as an option
    users = ["--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"] if authority else []
    running: list[tuple[Node, Child]] = []
    try:
        for node in nodes:
            node.folder.mkdir(parents=True)
            node.properties.write_text(_properties(node, nodes, authority))
            command = java(
                node.jvm, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", node.properties, *users
            )
            running.append((node, spawn(command, node.log, cwd=node.folder)))
        for node, child in running:
            if child.wait(60.0) != 0:
                raise RuntimeError(f"Kafka could not format the folder of node {node.id}:\n{tail(node.log)}")
    finally:
        for _, child in running:
            end(child, signal.SIGKILL)


def _properties(node: Node, nodes: list[Node], authority: Authority | None) -> str:
    copies = min(len(nodes), 3)
    listeners = {"PLAINTEXT": node.port, "CONTROLLER": node.controller_port}
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    if authority:
        listeners["SECURE"], protocols["SECURE"] = node.secure_port, "SASL_SSL"
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node.id,
        "controller.quorum.voters": ",".join(f"{one.id}@127.0.0.1:{one.controller_port}" for one in nodes),
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
        "advertised.listeners": ",".join(
            f"{name}://127.0.0.1:{port}" for name, port in listeners.items() if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": node.folder / "data",
        "auto.create.topics.enable": "false",
        "default.replication.factor": copies,
        "min.insync.replicas": max(copies - 1, 1),
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": max(copies - 1, 1),
        # Fewer internal partitions: a broker opens, recovers and elects for each of them at every start.
        "offsets.topic.num.partitions": 5,
        "transaction.state.log.num.partitions": 5,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": max(copies - 1, 1),
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1000,
        # A killed broker is known as dead after so long, and its next start is not let in before.
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 4000 if len(nodes) > 1 else 2500,
        "controlled.shutdown.max.retries": 1,
        "num.io.threads": 4,
        "num.network.threads": 2,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,  # the default, 128 MiB, is a third of this heap
    }
    if authority:
        certificate = authority.issue(f"node-{node.id}")
        secure = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": certificate,
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "plain.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'user_{USER}="{PASSWORD}";',
        }
        settings |= {f"listener.name.secure.{name}": value for name, value in secure.items()}
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.real.rig.kafka", description="Apache Kafka until Ctrl-C.")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--secure", action="store_true", help="add a listener for TLS with SASL")
    asked = parser.parse_args()
    exits_on_signals()
    with (
        suppress(KeyboardInterrupt),
        scratch("baton-kafka-") as folder,
        kafka(folder, asked.nodes, "SASL_SSL" if asked.secure else None) as cluster,
    ):
        told = {"bootstrap": cluster.bootstrap, "folder": str(folder), "pids": [node.pid for node in cluster.nodes]}
        if cluster.ca is not None:
            told |= {"secure_bootstrap": cluster.secure_bootstrap, "ca": str(cluster.ca)}
            told |= {"user": cluster.user, "password": cluster.password}
        print(json.dumps(told), flush=True)
        until_signalled()


if __name__ == "__main__":
    main()
