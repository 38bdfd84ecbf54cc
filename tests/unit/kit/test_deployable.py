"""A service in a process of its own: it says why it does not start, drains, and ends with an honest status."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time

import httpx
import pytest

from services.lib.kit.dead_letters import Vault
from services.lib.kit.deployable import Deployable, deployable
from services.lib.kit.service import Service
from services.lib.kit.settings import KafkaSettings, ServiceSettings

SCRIPT = """
import asyncio, sys
from contextlib import asynccontextmanager
from services.lib.kit.deployable import Deployable, serve
from services.lib.kit.errors import Unavailable
from services.lib.kit.service import Service

service = Service("x")

@asynccontextmanager
async def part():
    {start}
    print("up", flush=True)
    yield
    print("drained", flush=True)

async def beside():
    {beside}

service.on_start(part)
service.run_beside(beside)

async def build():
    return service

raise SystemExit(serve(Deployable("x", build), "127.0.0.1", int(sys.argv[1])))
"""


def start(**parts: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(SCRIPT).format(**{"start": "pass", "beside": "await asyncio.sleep(60)", **parts})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", script, str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_drains_and_ends_with_status_0(number: signal.Signals) -> None:
    with start() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        time.sleep(0.3)  # uvicorn takes the signal from here on
        process.send_signal(number)
        out, _ = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "drained\n")


def test_a_failing_service_drains_and_ends_with_status_1() -> None:
    with start(beside="await asyncio.sleep(0.5); raise LookupError('no')") as process:
        out, err = process.communicate(timeout=15)
    assert (process.returncode, out) == (1, "up\ndrained\n")
    assert "LookupError" in err


def test_what_does_not_start_ends_with_status_1() -> None:
    with start(start="raise Unavailable('SQL is away')") as process:
        out, err = process.communicate(timeout=15)
    assert (process.returncode, out) == (1, "")
    assert "x: SQL is away" in err
    assert "Traceback" not in err


def test_what_breaks_at_the_start_shows_where() -> None:
    with start(start="raise LookupError('a bug')") as process:
        out, err = process.communicate(timeout=15)
    assert (process.returncode, out) == (1, "")
    assert "Traceback" in err


# --- what its server is told ---


async def told(app: Deployable) -> list[dict[str, str]]:
    """What a server hears that starts it and, where it started, ends it."""
    said: list[dict[str, str]] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.shutdown" if said else "lifespan.startup"}

    async def send(message: dict[str, str]) -> None:
        said.append(message)

    await app({"type": "lifespan"}, receive, send)  # type: ignore[arg-type]  # of our own making
    return said


async def test_it_refuses_the_embedded_kafka(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_KAFKA__BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("BATON_DEAD_LETTER_KEY", Vault.new_key())
    (message,) = await told(deployable("x", ServiceSettings, lambda _: Service("x")))
    assert message["type"] == "lifespan.startup.failed"
    assert "embedded Kafka" in message["message"]


async def test_it_says_that_kafka_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("BATON_DEAD_LETTER_KEY", Vault.new_key())
    (message,) = await told(deployable("x", ServiceSettings, lambda _: Service("x")))
    assert message["type"] == "lifespan.startup.failed"
    assert message["message"].startswith("x: Kafka at 127.0.0.1:1 does not answer or refuses")


async def test_it_names_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_DEAD_LETTER_KEY", "no key")
    (message,) = await told(deployable("x", ServiceSettings, lambda _: Service("x")))
    assert "BATON_DEAD_LETTER_KEY: Value error, must be base64" in message["message"]


async def test_it_answers_while_it_runs() -> None:
    async def build() -> Service:
        return Service("x")

    app = Deployable("x", build)
    with pytest.raises(RuntimeError, match="lifespan"):
        await app({"type": "http"}, None, None)  # type: ignore[arg-type]  # a server without lifespans
    assert [message["type"] for message in await told(app)] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        assert (await client.get("/health/live")).json() == {"ok": True, "wrong": []}


@pytest.mark.parametrize(
    "name",
    ["ingest", "sentiment", "retrieval_answer", "escalation_router", "copilot_drafter", "catalog_indexer"],
)
def test_every_service_has_an_entry_that_names_what_it_lacks(name: str) -> None:
    """As a server of somebody else would start it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BATON_")}
    command = [sys.executable, "-m", "uvicorn", f"services.{name}.app:app", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.returncode != 0
    assert "wrong settings: " in done.stderr
    assert "BATON_DEAD_LETTER_KEY: Field required" in done.stderr
