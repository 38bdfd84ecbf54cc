"""`UnitOfWork`: a batch of events folded in one SQL transaction, then published, then committed to Kafka.

1. decode; what is no event becomes a dead letter
2. prepare: what takes time and no state, before the transaction; where it raises, `broken` decides
3. one transaction: skip known ids, lock the rows of all keys in order, fold, write states, timers,
   records and outbox, mark ids as known
4. publish every unsent row of these keys
5. commit the offsets

A process killed between any two of these repeats steps that change nothing (3 skips known ids) or that
readers recognise (4 publishes the same event ids). Correctness never rests on who owns a partition.

One event never stops the others: where the database refuses what a batch would write, or a stored state
cannot be read, each event is folded alone, the refused one through `broken`, and where that is refused too
it becomes a dead letter and the conversation stays as it was.
Source of the pattern: transactional outbox and idempotent consumer (microservices.io).
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from aiokafka import ConsumerRecord, TopicPartition
from pydantic import BaseModel
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import Undecodable, decode
from schemas.event import Event
from schemas.topics import BY_NAME
from services.lib.kit import metrics
from services.lib.kit.dead_letters import Brake, DeadLetters
from services.lib.kit.errors import Braked, Unavailable
from services.lib.kit.fold import Arrival, Fold, Step, Timer
from services.lib.kit.logs import frames
from services.lib.kit.outbox import Outbox
from services.lib.kit.retry import RetryPolicy, waits
from services.lib.kit.rows import Outgoing, Recorder, Row, Rows, take
from services.lib.kit.sql import Database, inbox, is_refused

POSTPONED = timedelta(minutes=1)
"""Until a timer that the database refused is tried again."""

_log = logging.getLogger(__name__)

S = TypeVar("S", bound=BaseModel)
C = TypeVar("C")
T = TypeVar("T")

Prepare = Callable[[Sequence[tuple[Event[Any], ConsumerRecord]]], Awaitable[list[Arrival]]]
"""From decoded events to arrivals with what was found out about each, in the same order."""


Watch = Callable[[str, S, Step[S], datetime], None]
"""Told (key, state before, step, now) of each step once it is committed: metrics and logs count what came to pass,
once. It must not raise."""


class Health(Protocol):
    def paused(self, why: str | None) -> None:
        """Say not ready, and why; None: ready again."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """One thing to fold, and the record it came in (None: a timer)."""

    arrival: Arrival | Timer
    record: ConsumerRecord | None
    partition: int
    failure: Exception | None = None
    """Why `broken` decides in place of `step`."""


class UnitOfWork(Generic[S, C]):
    def __init__(
        self,
        service: str,
        fold: Fold[S, C],
        *,
        database: Database,
        outbox: Outbox,
        dead_letters: DeadLetters,
        context: Callable[[], C],
        clock: Callable[[], datetime],
        health: Health,
        recorder: Recorder | None = None,
        watch: Watch[S] | None = None,
        prepare: Prepare | None = None,
        size_limit: int | None = None,
        strict_types: bool = False,
        brake: Brake | None = None,
    ) -> None:
        """`size_limit` (bytes) replaces the topics' own; with `strict_types` an unknown type is a dead letter."""
        self._service, self._fold, self._database, self._outbox = service, fold, database, outbox
        self._dead_letters, self._context, self._clock, self._health = dead_letters, context, clock, health
        self._rows = Rows(fold, database, recorder)
        self._watch, self._prepare, self._size_limit = watch, prepare, size_limit
        self._strict_types, self._brake = strict_types, brake or Brake()
        self.processed: dict[TopicPartition, int] = {}
        """Next offset of each partition that was read here: everything before it is folded."""
        self.in_hand: Counter[TopicPartition] = Counter()
        """Records that were read and are not folded yet."""
        self.lock = asyncio.Lock()
        """Held while a batch or timers are folded."""
        self.braked: Braked | None = None
        """Why nothing more must be handled once the offsets of the last batch are committed."""

    async def handle(self, records: Sequence[ConsumerRecord]) -> dict[TopicPartition, int]:
        """Steps 1 to 4. Returns the offsets to commit. Raises what is a bug; waits while SQL or Kafka is away.

        Where the brake stops it among records that are no events, `braked` says so, and the offsets are those of what
        was read until then: put aside is put aside, and the next process must not begin with the same letters.
        """
        started = time.perf_counter()
        in_hand = Counter(TopicPartition(record.topic, record.partition) for record in records)
        self.in_hand += in_hand
        try:
            async with self.lock:
                units, taken = await self._units(records)
                if units:
                    await self._fold_all(units)
                    keys = {unit.arrival.key for unit in units}
                    await self._until_available(lambda: self._outbox.flush(keys))
                offsets: dict[TopicPartition, int] = {}
                for record in records[:taken]:
                    tp = TopicPartition(record.topic, record.partition)
                    offsets[tp] = max(offsets.get(tp, 0), record.offset + 1)
                self.processed.update(offsets)
        finally:
            self.in_hand -= in_hand
        metrics.WORK.labels(self._service).observe(time.perf_counter() - started)
        return offsets

    async def fire(self, due: Sequence[tuple[Timer, int]]) -> None:
        """Fold timers, each with its partition, and publish what follows. The caller holds `lock`."""
        await self._fold_all([_Unit(timer, None, partition) for timer, partition in due])
        await self._until_available(lambda: self._outbox.flush({timer.key for timer, _ in due}))

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """These were just assigned: what is folded of them, others may know better."""
        for tp in partitions:
            self.processed.pop(tp, None)

    # --- 1 and 2 -------------------------------------------------------------------------------------

    async def _units(self, records: Sequence[ConsumerRecord]) -> tuple[list[_Unit], int]:
        """And of how many of the records: of fewer where the brake came in between."""
        decoded: list[tuple[Event[Any], ConsumerRecord]] = []
        taken = 0
        for record in records:
            taken += 1
            if self._dead_letters.for_others(record):
                continue
            try:
                event = decode(BY_NAME[record.topic], record.key, record.value, limit=self._size_limit)
            except Undecodable as error:
                if error.cause == "unknown_type" and not self._strict_types:
                    metrics.HANDLED.labels(self._service, "unknown", "skipped").inc()
                    continue
                try:
                    await self._put_aside(record, error.cause, str(error))
                except Braked as braked:
                    self.braked = braked
                    break
                continue
            decoded.append((event, record))
        return await self._prepared(decoded), taken

    async def _prepared(self, decoded: Sequence[tuple[Event[Any], ConsumerRecord]]) -> list[_Unit]:
        """Prepared together, or one by one where that raises."""
        prepare = self._prepare
        if prepare is None or not decoded:
            return [_Unit(Arrival(event), record, record.partition) for event, record in decoded]
        try:
            arrivals = await self._until_available(lambda: prepare(decoded))
        except Exception as error:
            if len(decoded) > 1:
                return [unit for one in decoded for unit in await self._prepared([one])]
            event, record = decoded[0]
            return [_Unit(Arrival(event), record, record.partition, error)]
        return [
            _Unit(arrival, record, record.partition) for arrival, (_, record) in zip(arrivals, decoded, strict=True)
        ]

    async def _put_aside(self, record: ConsumerRecord, cause: str, error: str) -> None:
        fields = {"topic": record.topic, "offset": record.offset, "cause": cause}
        _log.warning("dead letter", extra={"fields": fields})
        metrics.HANDLED.labels(self._service, "unknown", "dead_lettered").inc()
        await self._until_available(lambda: self._dead_letters.put(record, cause, error, self._clock()))
        self._brake.bad()

    # --- 3 -------------------------------------------------------------------------------------------

    async def _fold_all(self, units: Sequence[_Unit]) -> None:
        try:
            await self._until_available(lambda: self._fold_units(units))
        except Exception as error:
            if not (isinstance(error, ValueError) or is_refused(error)):
                raise  # nothing that other values would cure
            if len(units) > 1:
                for unit in units:
                    await self._fold_all([unit])
            elif units[0].failure is None:
                await self._fold_all([replace(units[0], failure=error)])
            else:
                await self._give_up(units[0], error)

    async def _give_up(self, unit: _Unit, error: Exception) -> None:
        """Neither what was decided nor what `broken` decided can be written, or the state cannot be read."""
        fields = {"service": self._service, "id": unit.arrival.identity, "error": frames(error)}
        _log.error("cannot be written", extra={"fields": fields})
        if unit.record is not None:
            await self._put_aside(unit.record, "unwritable", type(error).__name__)
        elif isinstance(unit.arrival, Timer):
            timer = unit.arrival
            await self._until_available(lambda: self._rows.postpone(timer, self._clock() + POSTPONED))

    async def _fold_units(self, units: Sequence[_Unit]) -> None:
        now = self._clock()
        context = self._context()
        brake = self._brake.copy()  # the transaction may be tried again
        async with self._database.begin() as connection:
            # The rows first: what another member, which held them, has folded is known only then.
            rows = await self._rows.lock(connection, sorted({unit.arrival.key for unit in units}), now)
            fresh = await self._fresh(connection, units)
            folded = [(unit, self._fold_one(unit, rows[unit.arrival.key], context, now)) for unit in fresh]
            ids = [
                {"id": unit.arrival.identity, "seen_at": now}
                for unit, error in folded
                if error is None and unit.record is not None
            ]
            if ids:
                await connection.execute(insert(inbox), ids)
            for key, row in rows.items():
                if row.touched:
                    await self._rows.write(connection, key, row, now)
            for unit, error in folded:
                if unit.record is not None:  # inside: where it raises, nothing of the batch must stay
                    brake.good() if error is None else brake.bad()
        self._brake = brake
        self._count(units, folded, now)
        if self._watch is not None:
            for key, row in rows.items():
                for before, step in row.steps:
                    self._watch(key, before, step, now)

    def _count(self, units: Sequence[_Unit], folded: Sequence[tuple[_Unit, Exception | None]], now: datetime) -> None:
        """The metrics of a batch, once it is committed."""
        fresh = {id(unit) for unit, _ in folded}
        for unit in units:
            if isinstance(unit.arrival, Arrival) and id(unit) not in fresh:
                metrics.HANDLED.labels(self._service, unit.arrival.event.type, "duplicate").inc()
        for unit, error in folded:
            arrival = unit.arrival
            if isinstance(arrival, Timer):
                metrics.TIMERS_FIRED.labels(self._service, arrival.kind).inc()
                delay = (now - arrival.due).total_seconds()
                metrics.TIMER_DELAY.labels(self._service).observe(max(0.0, delay))
                continue
            result = "done" if error is None else "dead_lettered"
            metrics.HANDLED.labels(self._service, arrival.event.type, result).inc()
            if error is not None and unit.record is not None:
                metrics.DEAD_LETTERS.labels(self._service, unit.record.topic, "broken").inc()
            age = (now - arrival.event.time).total_seconds()
            metrics.EVENT_AGE.labels(self._service, arrival.event.type).observe(max(0.0, age))

    async def _fresh(self, connection: AsyncConnection, units: Sequence[_Unit]) -> list[_Unit]:
        """Without events known from before or seen earlier in this batch, and timers that are gone."""
        ids = [unit.arrival.identity for unit in units if unit.record is not None]
        known = set((await connection.execute(select(inbox.c.id).where(inbox.c.id.in_(ids)))).scalars())
        fresh: list[_Unit] = []
        for unit in units:
            arrival = unit.arrival
            if isinstance(arrival, Timer):
                if await take(connection, arrival):
                    fresh.append(unit)
            elif arrival.identity not in known:
                known.add(arrival.identity)
                fresh.append(unit)
        return fresh

    def _fold_one(self, unit: _Unit, row: Row[S], context: C, now: datetime) -> Exception | None:
        """Fold one unit into its row. Returns why it is quarantined: such an id does not become known, so that
        the event may be sent again."""
        arrival, error = unit.arrival, unit.failure
        row.touched = True
        if error is None:
            try:
                row.apply(
                    self._service, arrival, unit.partition, self._fold.step(row.state, arrival, context, now), now
                )
            except Exception as raised:  # a pure function raised: quarantine, whatever it is
                error = raised
            else:
                return None
        fields = {"service": self._service, "id": arrival.identity}
        _log.error("deciding raised", extra={"fields": {**fields, "error": frames(error)}})
        try:
            row.apply(
                self._service, arrival, unit.partition, self._fold.broken(row.state, arrival, context, now), now
            )
        except Exception as again:  # then the conversation stays as it was; the partition goes on
            _log.critical("deciding raised twice", extra={"fields": {**fields, "error": frames(again)}})
        if unit.record is not None:
            letter = self._dead_letters.sealed(unit.record, "broken", type(error).__name__, now)
            row.outgoing.append(Outgoing(*letter))
        return error

    # --- helpers -------------------------------------------------------------------------------------

    async def _until_available(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, waiting as long as our own SQL or Kafka is away, and saying so."""
        async for attempt in waits(RetryPolicy(base_s=0.1, cap_s=5.0)):
            try:
                result = await work()
            except Unavailable as error:
                if attempt == 0:
                    _log.warning("paused", extra={"fields": {"service": self._service, "why": str(error)}})
                self._health.paused(str(error))
            else:
                if attempt:
                    self._health.paused(None)
                return result
        raise AssertionError("waits() is endless")
