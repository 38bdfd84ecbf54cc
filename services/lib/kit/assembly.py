"""`fold_service` and `window_service`: the parts of the kit put together in the one right order.

Start: SQL, then clients, then the consumer, then what runs beside. Stop: the same backwards, so that a
consumer drains and commits while everything it needs still runs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel

from schemas.codec import Cause
from schemas.topics import TOPICS, Topic
from services.lib.kit import metrics
from services.lib.kit.broker import Publisher, connect, running
from services.lib.kit.consumer import Consumer
from services.lib.kit.dead_letters import DeadLetters, Vault
from services.lib.kit.errors import Unavailable
from services.lib.kit.fold import Fold
from services.lib.kit.outbox import Outbox
from services.lib.kit.rows import Recorder
from services.lib.kit.service import Service, utc_now
from services.lib.kit.settings import ServiceSettings, StatefulSettings
from services.lib.kit.sql import Database
from services.lib.kit.table import Table
from services.lib.kit.timers import TimerLoop
from services.lib.kit.window import Handle, Window
from services.lib.kit.work import Prepare, UnitOfWork, Watch

RELAY_EVERY_S = 1.0
PRUNE_EVERY_S = 3600.0

FOLD_CAUSES = (*get_args(Cause), "broken", "unwritable")
"""Why a fold puts a record aside."""
WINDOW_CAUSES = (*get_args(Cause), "poison", "transient", "timeout", "broken")
"""Why a window does."""

S = TypeVar("S", bound=BaseModel)
C = TypeVar("C")


def fold_service(
    name: str,
    settings: StatefulSettings,
    fold: Fold[S, C],
    topics: Sequence[Topic],
    *,
    database: Database,
    migrations: Sequence[Path] = (),
    context: Callable[[], C],
    recorder: Recorder | None = None,
    watch: Watch[S] | None = None,
    prepare: Prepare | None = None,
    size_limit: int | None = None,
    strict_types: bool = False,
    timers_by_the_clock: Collection[str] = (),
    needs: Sequence[Callable[[], AbstractAsyncContextManager[object]]] = (),
    tables: Sequence[Table[Any]] = (),
) -> Service:
    """A stateful service: one consumer of `topics` into a unit of work, with timers, relay and pruning.

    `migrations` are the folders of the service's own revisions, beside those of the fold's tables; `watch` is told of
    every step once it is committed.
    `needs` are entered, and `tables` caught up, before anything is consumed: a decision must not rest on a
    table that is half read.
    """
    service = Service(name)
    _count_from_zero(name, topics, FOLD_CAUSES)
    metrics.OUTBOX_RELAYED.labels(name)
    metrics.TIMER_DELAY.labels(name)
    for topic in TOPICS:
        if name in topic.producers:
            metrics.OUTBOX_REFUSED.labels(name, topic.name)
    broker = connect(settings.kafka, name)
    publisher = Publisher(broker, settings.kafka.request_timeout_ms / 1000)
    outbox = Outbox(name, database, publisher, utc_now)
    work = UnitOfWork(
        name,
        fold,
        database=database,
        outbox=outbox,
        dead_letters=DeadLetters(publisher, name, Vault(settings.dead_letter_key.get_secret_value())),
        context=context,
        clock=utc_now,
        health=service.health,
        recorder=recorder,
        watch=watch,
        prepare=prepare,
        size_limit=size_limit,
        strict_types=strict_types,
    )
    consumer = Consumer(broker, settings.kafka, name, topics, work, service.health, service.fail)
    timer_loop = TimerLoop(database, work, lambda: consumer.log, utc_now, by_the_clock=timers_by_the_clock)

    @asynccontextmanager
    async def sql() -> AsyncIterator[None]:
        from services.lib.kit.migrations import migrate  # Alembic takes half a second, and most services have no SQL

        try:
            await migrate(settings.database_url, *migrations)
            yield
        finally:
            await database.close()

    service.on_start(sql)
    for need in needs:
        service.on_start(need)
    for table in tables:
        service.on_start(partial(table.reading, service.fail))
    service.on_start(partial(running, broker))
    service.health.checks["sql does not answer"] = database.answering
    service.run_beside(consumer.watch_lag)
    service.run_beside(lambda: _endlessly(timer_loop.run))
    service.run_beside(lambda: _every(RELAY_EVERY_S, outbox.relay))
    service.run_beside(lambda: _every(PRUNE_EVERY_S, outbox.prune))
    return service


def window_service(
    name: str,
    settings: ServiceSettings,
    topics: Sequence[Topic],
    types: Sequence[type],
    make_handle: Callable[[Publisher], Handle],
    *,
    needs: Sequence[Callable[[], AbstractAsyncContextManager[object]]] = (),
    tables: Sequence[Table[Any]] = (),
    width: int = 64,
    span: int | None = None,
) -> Service:
    """A stateless service: one consumer of `topics` into a window. `needs` are entered, and `tables` caught up,
    before it starts.

    `width`: records at work at once. `span`: how far a partition runs ahead of its first unfinished record, which is
    what a kill may repeat of it and what a slow record lets through beside it; None: `width`, so that one partition
    alone can keep a member busy (docs/adr/0003-window.md).
    """
    service = Service(name)
    _count_from_zero(name, topics, WINDOW_CAUSES)
    metrics.RETRIES.labels(name)
    metrics.IN_FLIGHT.labels(name)
    broker = connect(settings.kafka, name)
    publisher = Publisher(broker, settings.kafka.request_timeout_ms / 1000)
    window = Window(
        name,
        make_handle(publisher),
        types,
        dead_letters=DeadLetters(publisher, name, Vault(settings.dead_letter_key.get_secret_value())),
        clock=utc_now,
        health=service.health,
        fail=service.fail,
        width=width,
        span=width if span is None else span,
    )
    consumer = Consumer(broker, settings.kafka, name, topics, window, service.health, service.fail)

    @asynccontextmanager
    async def kafka() -> AsyncIterator[None]:
        async with running(broker):
            try:
                yield
            finally:
                await window.drain(settings.drain_s)

    for need in needs:
        service.on_start(need)
    for table in tables:
        service.on_start(partial(table.reading, service.fail))
    service.on_start(kafka)
    service.run_beside(consumer.watch_lag)
    service.run_beside(window.run_commits)
    return service


def _count_from_zero(name: str, topics: Sequence[Topic], causes: Sequence[str]) -> None:
    """A counter that is born with its first event, at 1, shows no increase: the one that matters most is not seen."""
    metrics.COMMIT_FAILURES.labels(name)
    metrics.PAUSED.labels(name)
    for topic in topics:
        for cause in causes:
            metrics.DEAD_LETTERS.labels(name, topic.name, cause)


async def _every(seconds: float, work: Callable[[], Any]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Unavailable:
            continue  # the consumer says so already; this comes round again


async def _endlessly(work: Callable[[], Any]) -> None:
    while True:
        try:
            await work()
        except Unavailable:
            await asyncio.sleep(1.0)
