"""Runs one service that dies by SIGKILL at a named point, or that has a bug planted in it.

    python -m tests.real.faults escalation-router --port 8080 --fault after_commit:5
    python -m tests.real.faults escalation-router --port 8080 --fault pause_in_fold:5
    python -m tests.real.faults escalation-router --port 8080 --bug no_inbox

The product has no hooks for this: the kit's methods are wrapped here, in the process that is to die. `POINT:N` dies
when it comes to the point for the Nth time, or is paused there, once, until it gets SIGCONT.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from sqlalchemy import delete, select

from services.cli.deployables import ServiceName, run
from services.lib.kit import broker, consumer
from services.lib.kit.broker import Publisher
from services.lib.kit.errors import Unavailable
from services.lib.kit.outbox import Outbox
from services.lib.kit.rows import Row, Rows
from services.lib.kit.sql import inbox, outbox, states
from services.lib.kit.timers import TimerLoop
from services.lib.kit.window import Window
from services.lib.kit.work import UnitOfWork

_within: ContextVar[str] = ContextVar("within", default="batch")
"""What is publishing: a batch, the relay or a timer."""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def countdown(times: int) -> Callable[[], bool]:
    """True from the `times`th call on."""
    left = [times]

    def called() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return called


@contextlib.contextmanager
def within(what: str) -> Iterator[None]:
    token = _within.set(what)
    try:
        yield
    finally:
        _within.reset(token)


def counting(file: Path) -> None:
    """Note each event as work on it begins: in a fold's transaction, and before a window's model is called."""
    fold_one, work = UnitOfWork._fold_one, Window._work
    out = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def folded(self: Any, unit: Any, *given: Any) -> Any:
        os.write(out, f"{unit.arrival.identity}\n".encode())
        return fold_one(self, unit, *given)

    async def worked(self: Any, record: Any, event: Any) -> None:
        os.write(out, f"{event.identity}\n".encode())
        await work(self, record, event)

    UnitOfWork._fold_one, Window._work = folded, worked  # type: ignore[method-assign]


# --- where a process may die ----------------------------------------------------------------------------------


def handler(now: Callable[[], bool]) -> None:
    """In the middle of a handler: with the transaction of a fold open, with the work of a window begun."""
    fold_one, work = UnitOfWork._fold_one, Window._work

    def folded(self: Any, *given: Any) -> Any:
        done = fold_one(self, *given)
        if now():
            die()
        return done

    async def worked(self: Any, *given: Any) -> None:
        if now():
            begun = asyncio.create_task(work(self, *given))
            await asyncio.sleep(0.005)
            die()
            await begun
        await work(self, *given)

    UnitOfWork._fold_one, Window._work = folded, worked  # type: ignore[method-assign]


def after_commit(now: Callable[[], bool]) -> None:
    """After the SQL commit of a batch and before anything of it is published."""
    _before_publishing("batch", now)


def timer(now: Callable[[], bool]) -> None:
    """After the SQL commit of a timer and before anything of it is published: no record will come again for it."""
    fire = UnitOfWork.fire

    async def fired(self: Any, due: Any) -> None:
        with within("timer"):
            await fire(self, due)

    UnitOfWork.fire = fired  # type: ignore[method-assign]
    _before_publishing("timer", now)


def after_publish(now: Callable[[], bool]) -> None:
    """After some of a batch was published, and before that is noted or its offsets are committed."""
    publish_key, one = Outbox._publish_key, Window._one

    async def published(self: Any, rows: Any) -> Any:
        sent = await publish_key(self, rows)
        if _within.get() == "batch" and now():
            die()
        return sent

    async def done(self: Any, record: Any) -> None:
        await one(self, record)
        if now():
            die()

    Outbox._publish_key, Window._one = published, done  # type: ignore[method-assign]


def before_offsets(now: Callable[[], bool]) -> None:
    """When everything is published and the offsets are about to be committed."""
    commit = AIOKafkaConsumer.commit

    async def committed(self: Any, offsets: Any = None) -> None:
        if now():
            die()
        await commit(self, offsets)

    AIOKafkaConsumer.commit = committed


def relay(now: Callable[[], bool]) -> None:
    """In the relay, after it published and before that is noted. Kafka takes nothing of the first batches, so that
    there is something to relay."""
    _refusing_first(8)
    page, publish_key = Outbox._relay_page, Outbox._publish_key

    async def paged(self: Any) -> bool:
        with within("relay"):
            return await page(self)

    async def published(self: Any, rows: Any) -> Any:
        sent = await publish_key(self, rows)
        if _within.get() == "relay" and now():
            die()
        return sent

    Outbox._relay_page, Outbox._publish_key = paged, published  # type: ignore[method-assign]


def _before_publishing(what: str, now: Callable[[], bool], then: Callable[[], None] = die) -> None:
    publish = Outbox._publish

    async def published(self: Any, rows: Collection[Any]) -> int:
        if rows and _within.get() == what and now():
            then()
        return await publish(self, rows)

    Outbox._publish = published  # type: ignore[method-assign]


def _refusing_first(sends: int) -> None:
    send, passed = Publisher.send, countdown(sends + 1)

    async def sent(self: Any, *given: Any, **named: Any) -> None:
        if not passed():
            raise Unavailable("a broker that is away")
        await send(self, *given, **named)

    Publisher.send = sent  # type: ignore[method-assign]


# --- where it may be paused, as on a machine that is suspended ------------------------------------------------


def stand_still() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def only_first(true: Callable[[], bool]) -> Callable[[], bool]:
    """True the first time that `true` is, and never again."""
    left = [1]

    def called() -> bool:
        if not left[0] or not true():
            return False
        left[0] = 0
        return True

    return called


def pause_in_fold(now: Callable[[], bool]) -> None:
    """With the transaction of a batch open and its rows locked."""
    fold_one, first = UnitOfWork._fold_one, only_first(now)

    def folded(self: Any, *given: Any) -> Any:
        done = fold_one(self, *given)
        if first():
            stand_still()
        return done

    UnitOfWork._fold_one = folded  # type: ignore[method-assign,assignment]


def pause_before_publish(now: Callable[[], bool]) -> None:
    """After the SQL commit of a batch and before anything of it is published."""
    _before_publishing("batch", only_first(now), stand_still)


def pause_in_window(now: Callable[[], bool]) -> None:
    """With the work of a window begun."""
    work, first = Window._work, only_first(now)

    async def worked(self: Any, *given: Any) -> None:
        begun = asyncio.create_task(work(self, *given))
        if first():
            await asyncio.sleep(0.005)
            stand_still()
        await begun

    Window._work = worked  # type: ignore[method-assign,assignment]


FAULTS = {
    point.__name__: point
    for point in (
        handler,
        after_commit,
        after_publish,
        before_offsets,
        relay,
        timer,
        pause_in_fold,
        pause_before_publish,
        pause_in_window,
    )
}


# --- bugs that the checker must find --------------------------------------------------------------------------


def commit_before_publish() -> None:
    """What is to be published leaves the outbox first: a process that dies in between has said nothing, and what
    Kafka does not take is gone."""
    publish = Outbox._publish

    async def published(self: Any, rows: Collection[Any]) -> int:
        async with self._database.begin() as connection:
            await connection.execute(delete(outbox).where(outbox.c.n.in_([row.n for row in rows])))
        return await publish(self, rows)

    Outbox._publish = published  # type: ignore[method-assign]


def no_inbox() -> None:
    """No event is known from before: what Kafka delivers a second time is folded a second time."""
    fresh = UnitOfWork._fresh

    async def all_fresh(self: Any, connection: Any, units: Sequence[Any]) -> list[Any]:
        ids = [unit.arrival.identity for unit in units]
        await connection.execute(delete(inbox).where(inbox.c.id.in_(ids)))
        return await fresh(self, connection, units)

    UnitOfWork._fresh = all_fresh  # type: ignore[method-assign]


def no_relay() -> None:
    """What Kafka does not take at once stays behind."""

    async def nothing(self: Any) -> None:
        return

    Outbox.relay = nothing  # type: ignore[method-assign]


def round_robin() -> None:
    """A group dealt out in turn: with five members the partitions of one number come to different ones, and two
    members fold one conversation at the same time. Harmless by itself: correctness never rests on the assignment."""

    def options(kafka: Any, group: str) -> dict[str, Any]:
        return {
            **broker.subscriber_options(kafka, group),
            "partition_assignment_strategy": [RoundRobinPartitionAssignor],
        }

    consumer.subscriber_options = options


def round_robin_without_locks() -> None:
    """The same over a store that reads rows without locking them, and writes them without a look at their version:
    of two members who fold one conversation at the same time, the later overwrites what the earlier wrote."""
    round_robin()
    write = Rows.write

    async def unlocked(self: Any, connection: Any, keys: Sequence[str], now: Any) -> dict[str, Row[Any]]:
        new = {"version": 0, "sequences": {}, "changed_at": now}
        blank = [{"key": key, "body": self._fold.initial(key).model_dump_json(), **new} for key in keys]
        await connection.execute(self._database.insert_missing(states), blank)
        found = await connection.execute(select(states).where(states.c.key.in_(keys)).order_by(states.c.key))
        return {
            row.key: Row(self._fold.state_type.model_validate_json(row.body), row.version, dict(row.sequences))
            for row in found
        }

    async def overwritten(self: Any, connection: Any, key: str, row: Any, now: Any) -> None:
        there = select(states.c.version).where(states.c.key == key).with_for_update()
        row.version = await connection.scalar(there)
        await write(self, connection, key, row, now)

    Rows.lock, Rows.write = unlocked, overwritten  # type: ignore[method-assign]


def wall_clock() -> None:
    """A deadline has passed when the clock says so, whatever lies unread in the log."""

    async def all_ripe(self: Any, log: Any, waiting: Collection[Any], due: Any) -> list[Any]:
        return list(waiting)

    TimerLoop._ripe = all_ripe  # type: ignore[method-assign]


BUGS = {
    bug.__name__: bug
    for bug in (commit_before_publish, no_inbox, no_relay, round_robin, round_robin_without_locks, wall_clock)
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m tests.real.faults", description="Run a service that goes wrong.")
    parser.add_argument("service", type=ServiceName)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fault", help="POINT:N")
    parser.add_argument("--bug", choices=sorted(BUGS))
    parser.add_argument("--calls", type=Path, help="file that gets the identity of each event that is begun")
    asked = parser.parse_args(arguments)
    if asked.calls:
        counting(asked.calls)
    if asked.fault:
        point, _, times = asked.fault.partition(":")
        FAULTS[point](countdown(int(times)))
    if asked.bug:
        BUGS[asked.bug]()
    return run(asked.service, "127.0.0.1", asked.port)


if __name__ == "__main__":
    sys.exit(main())
