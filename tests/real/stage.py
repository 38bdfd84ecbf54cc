"""`Stage`: the whole line as separate processes on a real Kafka and PostgreSQL, to be killed, paused and multiplied.

Services are started by the product's own command, `baton up --service NAME`, told by the environment alone what they
need. Those that are added or are to die are forked and run under tests/real/faults.py.
"""

import json
import secrets
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from tests.real.checker import Sent, outstanding
from tests.real.checker.log import Log
from tests.real.forked import Forked
from tests.real.rig.children import Child, ask, end, spawn, tail
from tests.real.rig.kafka import Kafka
from tests.real.rig.ports import free_ports
from tests.real.rig.postgres import Postgres
from tests.real.topics import Topics

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "var" / "sandbox-index.db"
"""Shared with `make run`: what did not change is not encoded again."""

SERVICES = ("ingest", "sentiment", "retrieval-answer", "escalation-router", "copilot-drafter", "catalog-indexer")
DATABASES = {"ingest": "ingest", "escalation-router": "router"}
READY_S = 60.0
SESSION_MS = 6_000
"""The least that Kafka allows: so long a group waits for a member that was killed."""


@dataclass
class Process:
    """One running service."""

    name: str
    child: Child | Forked
    port: int
    log: Path
    fault: str | None = None

    @property
    def running(self) -> bool:
        return self.child.poll() is None

    @property
    def was_killed(self) -> bool:
        return self.child.poll() == -signal.SIGKILL

    def wrong(self) -> list[str] | None:
        """What it says is wrong with it; empty: it is ready; None: it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=2) as answer:
                return list(json.load(answer)["wrong"])
        except urllib.error.HTTPError as error:
            return list(json.load(error)["wrong"])
        except OSError:
            return None

    @property
    def paused(self) -> bool:
        """Whether it stands still, by whoever's SIGSTOP."""
        status = Path(f"/proc/{self.child.pid}/stat").read_text("utf-8", "replace")
        return status.rpartition(")")[2].split()[0] == "T"

    def metric(self, name: str) -> float:
        """The sum of its samples of this name, whatever their labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics/", timeout=5) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def wait_ready(self, within_s: float = READY_S) -> None:
        until = time.monotonic() + within_s
        while (wrong := self.wrong()) != []:
            if not self.running:
                raise AssertionError(f"{self.name} ended with {self.child.returncode}:\n{tail(self.log)}")
            if time.monotonic() > until:
                raise AssertionError(f"{self.name} is not ready: {wrong}\n{tail(self.log)}")
            time.sleep(0.1)

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        end(self.child, signal.SIGKILL)

    def stop(self) -> int:
        """The exit status."""
        return end(self.child)

    def pause(self) -> None:
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.child.send_signal(signal.SIGCONT)


Line = dict[str, Process]
"""One process of each service."""


@dataclass
class Stage:
    """`with Stage(kafka, postgres, folder) as stage: stage.start("ingest")`"""

    kafka: Kafka
    postgres: Postgres
    folder: Path
    prefix: str = "stage"
    """Of its databases: several stages may share a server."""
    processes: list[Process] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self._token, key = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        (self._shop_port, self._ingest_port) = free_ports(2)
        self._sandbox = {"BATON_SANDBOX_TOKEN": self._token, "BATON_SANDBOX_IDENTITY_KEY": key}
        self.environment = {
            "BATON_KAFKA__BOOTSTRAP": self.kafka.bootstrap,
            "BATON_KAFKA__SESSION_TIMEOUT_MS": str(SESSION_MS),
            "BATON_KAFKA__REQUEST_TIMEOUT_MS": "5000",
            "BATON_DEAD_LETTER_KEY": b64encode(secrets.token_bytes(32)).decode(),
            "BATON_IDENTITY_KEY": key,
            "BATON_TRANSCRIPT_TOKEN": secrets.token_urlsafe(48),
            "BATON_SHOP__BASE_URL": f"http://127.0.0.1:{self._shop_port}",
            "BATON_SHOP__TOKEN": self._token,
            "BATON_SHOP__STORES": '[{"code": "default", "currency": "USD"}, {"code": "de", "currency": "EUR"}]',
            "BATON_ANSWERING__STORE_LANGUAGES": '{"default": "en", "de": "de"}',
            "BATON_INDEX_PATH": str(INDEX),
            "BATON_INGEST_URL": f"http://127.0.0.1:{self._ingest_port}",
            "OMP_NUM_THREADS": "1",
        }
        for database in DATABASES.values():
            self.postgres.create(f"{self.prefix}_{database}")
            self.stack.callback(self.postgres.drop, f"{self.prefix}_{database}")
        self._topics = self.stack.enter_context(Topics(self.kafka.bootstrap))
        self.stack.callback(self.empty)
        self.baton("topics", "apply", "--replication", str(min(3, len(self.kafka.nodes))))
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def baton(self, *arguments: str) -> str:
        """What the command prints. Raises `AssertionError` where its status is not 0."""
        done = ask([sys.executable, "-m", "services.cli.main", *arguments], cwd=ROOT, env=self.environment)
        if done.returncode != 0:
            raise AssertionError(f"baton {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def open_shop(self) -> None:
        """Start the sandbox shop and index it."""
        command = [sys.executable, "-m", "services.lib.shop.sandbox.serve", "--port", str(self._shop_port)]
        child = spawn(command, self.folder / "shop.log", cwd=ROOT, env=self._sandbox)
        self.stack.callback(end, child)
        until = time.monotonic() + READY_S
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self._shop_port), timeout=1).close()
                break
            if time.monotonic() > until:
                raise AssertionError(tail(self.folder / "shop.log"))
            time.sleep(0.1)
        self.baton("index")

    def start(
        self,
        name: str,
        *,
        fault: str | None = None,
        bug: str | None = None,
        calls: Path | None = None,
        command: bool = False,
        wait: bool = True,
    ) -> Process:
        """One more process of this service. Waits until it is ready, which one that is to die may never be. `calls`
        is where it notes each event that it begins to work on. `command`: by the product's own, not forked."""
        first = name == "ingest" and not any(p.name == name and p.running for p in self.processes)
        port = self._ingest_port if first else free_ports(1)[0]
        given = {"--fault": fault, "--bug": bug, "--calls": calls}
        planted = [str(part) for pair in given.items() if pair[1] is not None for part in pair]
        environment = dict(self.environment)
        if name in DATABASES:
            environment["BATON_DATABASE_URL"] = self.postgres.url(f"{self.prefix}_{DATABASES[name]}")
        log = self.folder / f"{len(self.processes)}-{name}.log"
        child: Child | Forked
        if command:
            baton = [sys.executable, "-m", "services.cli.main", "up", "--service", name, "--port", str(port)]
            child = spawn(baton, log, cwd=ROOT, env=environment)
        else:
            child = Forked([name, "--port", str(port), *planted], log, environment)
        process = Process(name, child, port, log, fault)
        self.processes.append(process)
        if wait:
            process.wait_ready()
        return process

    def start_all(self, names: Sequence[str] = SERVICES) -> dict[str, Process]:
        """One of each, as an operator would start them."""
        started = {name: self.start(name, command=True, wait=False) for name in names}
        for process in started.values():
            process.wait_ready()
        return started

    def whole(self) -> Line:
        """One sound process of each service, on a Kafka and a PostgreSQL that run, whatever was done before."""
        for node in self.kafka.nodes:
            if not node.running:
                node.start()
        self.kafka.wait()
        if not self.postgres.running:
            self.postgres.start()
        for name in SERVICES:
            for process in self.running(name):
                process.resume()
            for process in self.running(name)[1:]:
                process.kill()
        self.start_all([name for name in SERVICES if not self.running(name)])
        return {name: self.running(name)[0] for name in SERVICES}

    def empty(self) -> None:
        """No process of any service."""
        for process in self.processes:
            if process.running:
                process.kill()

    def running(self, name: str) -> list[Process]:
        return [process for process in self.processes if process.name == name and process.running]

    def shares(self, name: str) -> list[frozenset[tuple[str, int]]]:
        """Topics and partitions of each member of the service's group, by Kafka's word; none while they change."""
        admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap})
        group = admin.describe_consumer_groups([name], request_timeout=10)[name].result()
        if group.state != ConsumerGroupState.STABLE:
            return []
        return [frozenset((p.topic, p.partition) for p in one.assignment.topic_partitions) for one in group.members]

    def log_of(self, gateway: str | None = None) -> Log:
        """The topics as they are now; of one gateway's conversations alone where it is named."""
        log = self._topics.read()
        if gateway is None:
            return log
        prefix = f"{gateway}:"
        return Log(tuple(record for record in log.records if (record.key or "").startswith(prefix)))

    def settle(self, sent: Sent | None, gateway: str, *, briefs: bool = True, within_s: float = 90.0) -> Log:
        """The log once nothing is under way any more, or as it is after `within_s`: the checker names what lacks."""
        until = time.monotonic() + within_s
        while True:
            log = self.log_of(gateway)
            if outstanding(log, sent, briefs=briefs) == 0 or time.monotonic() > until:
                return log
            time.sleep(1.0)


class Reviver:
    """Starts a service anew each time it was killed, with the next fault of its list, and at last without one."""

    def __init__(self, stage: Stage, service: str, faults: Sequence[str]) -> None:
        self._stage, self._service, self._faults = stage, service, list(faults)
        self.died: list[str] = []
        """The faults that came to pass."""
        self.failed: str | None = None
        """What went wrong that was not planned."""
        self._calls = stage.folder / f"{service}.calls"
        self._leave = threading.Event()
        self._current = self._started()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _started(self) -> Process:
        fault = self._faults.pop(0) if self._faults else None
        return self._stage.start(self._service, fault=fault, calls=self._calls, wait=False)

    def _watch(self) -> None:
        while not self._leave.wait(0.05):
            process = self._current
            if process.running:
                continue
            if not process.was_killed or process.fault is None:
                self.failed = f"{self._service} ended with {process.child.returncode}:\n{tail(process.log)}"
                return
            self.died.append(process.fault)
            self._current = self._started()

    @property
    def current(self) -> Process:
        """The one that runs now."""
        return self._current

    @property
    def ready(self) -> bool:
        """Whether a process runs that is ready, or nothing more will come."""
        return self.failed is not None or self._current.wrong() == []

    @property
    def done(self) -> bool:
        """Whether every fault came to pass and a sound process is ready, or nothing more will come."""
        return self.ready and (self.failed is not None or self._current.fault is None)

    @property
    def begun_again(self) -> tuple[int, int]:
        """How many events were worked on, and how often one was begun that had been begun before."""
        calls = self._calls.read_text().splitlines() if self._calls.exists() else []
        return len(set(calls)), len(calls) - len(set(calls))

    def finish(self) -> Process:
        """Watch no more. Returns the process that runs now."""
        self._leave.set()
        self._thread.join()
        return self._current
