"""What a kill repeats, by the window's `span`: the price of a wide span against the price of a narrow one.

    python -m tests.bench.duplicates [--span 64 --span 128 ...]

Two members of a group work off a backlog of 60,000 records in 12 partitions on a real Kafka. A call takes 20 ms, and
one in a hundred 4 s, as calls of a shop or an LLM do. After ten seconds one member is killed. Prints for each span
how many calls both began a second until then, and how many were begun a second time by the other.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

from schemas.catalog import StockChanged
from schemas.codec import encode
from schemas.event import Event
from schemas.topics import CATALOG_CHANGES
from services.lib.kit.assembly import window_service
from services.lib.kit.broker import Publisher, connect, running
from services.lib.kit.provisioning import provision
from services.lib.kit.service import utc_now
from services.lib.kit.settings import KafkaSettings, ServiceSettings
from tests.real.rig.children import end, spawn
from tests.real.rig.kafka import kafka as real_kafka

RECORDS = 60_000
SPANS = (16, 32, 64, 128, 256, 512, 1_000_000)
UNTIL_KILLED_S = 10.0
AFTERWARDS_S = 20.0
"""The group waits 6 s for the dead member; what it had in hand is the first that the other one reads then."""
CALL_S, SLOW_S, SLOW_ONE_IN = 0.02, 4.0, 100


async def work(bootstrap: str, span: int, log: Path) -> None:
    """One member, until it is killed or told to end: writes the id of each call that it begins."""
    settings = ServiceSettings(
        kafka=KafkaSettings(bootstrap=bootstrap, session_timeout_ms=6_000),
        dead_letter_key=b64encode(bytes(32)).decode(),
    )
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def handle(event: Event[Any]) -> None:
        os.write(out, f"{event.id}\n".encode())
        slow = zlib.crc32(event.id.encode()) % SLOW_ONE_IN == 0
        await asyncio.sleep(SLOW_S if slow else CALL_S)

    service = window_service(
        f"bench-{span}", settings, (CATALOG_CHANGES,), (StockChanged,), lambda _: handle, span=span
    )
    async with service.running():
        await asyncio.Event().wait()


async def fill(bootstrap: str) -> None:
    settings = KafkaSettings(bootstrap=bootstrap)
    await provision(settings, (CATALOG_CHANGES,), 1)
    broker = connect(settings, "bench")
    async with running(broker):
        publisher = Publisher(broker)
        now = utc_now()
        for start in range(0, RECORDS, 500):
            await asyncio.gather(*(_publish(publisher, n, now) for n in range(start, start + 500)))


async def _publish(publisher: Publisher, number: int, now: Any) -> None:
    data = StockChanged(sku=f"sku-{number}", store="default", changed_at=now)
    event = Event.new(data, source="bench", subject=f"product:sku-{number}", time=now, cause=str(number))
    await publisher.send(CATALOG_CHANGES.name, event.subject.encode(), encode(CATALOG_CHANGES, event))


def measured(bootstrap: str, span: int, folder: Path) -> tuple[float, int]:
    """Calls begun a second until the kill, and calls begun again after it."""
    logs = [folder / f"{span}-{n}.calls" for n in range(2)]
    members = []
    for log in logs:
        log.touch()
        command = [sys.executable, "-m", "tests.bench.duplicates", "--work", str(log), bootstrap, "--span", str(span)]
        members.append(spawn(command, log.with_suffix(".log")))
    try:
        while not all(log.stat().st_size for log in logs):
            time.sleep(0.01)
        before, began = sum(map(len, map(_calls, logs))), time.monotonic()
        time.sleep(UNTIL_KILLED_S)
        rate = (sum(map(len, map(_calls, logs))) - before) / (time.monotonic() - began)
        members[0].kill()
        time.sleep(AFTERWARDS_S)
        calls = [call for log in logs for call in _calls(log)]
        return rate, len(calls) - len(set(calls))
    finally:
        for member in members:
            end(member, signal.SIGKILL)


def _calls(log: Path) -> list[str]:
    return log.read_text().splitlines()


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.bench.duplicates", description="What a kill repeats.")
    parser.add_argument("--span", type=int, action="append")
    parser.add_argument("--work", nargs=2, metavar=("LOG", "BOOTSTRAP"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        asyncio.run(work(asked.work[1], asked.span[0], Path(asked.work[0])))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with real_kafka(folder / "kafka") as kafka:
            asyncio.run(fill(kafka.bootstrap))
            print("     span   calls/s   begun again")
            for span in asked.span or SPANS:
                rate, again = measured(kafka.bootstrap, span, folder)
                print(f"{span if span < 10**6 else 'none':>9} {rate:9.0f} {again:13}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
