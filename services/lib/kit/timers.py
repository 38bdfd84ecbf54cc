"""`TimerLoop`: fires due timers through the fold, under the read-up-to rule.

A timer fires only once this member has folded its partition of every consumed topic up to an end offset
that was taken after the timer fell due. After an outage the evidence is in the log already; by the wall
clock alone everybody would be escalated although the answer is a few records away.

Some offsets hold no record: after a transaction comes a marker, after a gap in the log nothing. Where the
consumer's own position is past the end, and nothing it read has been in hand for a while, those count as read.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy import case, func, select

from services.lib.kit.fold import Timer
from services.lib.kit.sql import Database, timers
from services.lib.kit.work import UnitOfWork

TICK_S = 0.2
"""Seconds between looks at the clock: the resolution of every timer."""

_AT_ONCE = 200
"""Timers folded in one transaction, and looked at per partition: after an outage thousands may be due."""

KAFKA_S = 5.0
"""Seconds to ask Kafka for offsets: while it is away aiokafka would look for it for ever."""

QUIET_S = 1.0
"""Seconds without a batch in hand after which the consumer's position is what was folded: what a poll has
returned is in hand within a few turns of the event loop."""


class Log(Protocol):
    """What a consumer knows of its partitions (aiokafka's does)."""

    def assignment(self) -> Collection[TopicPartition]: ...

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]: ...

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]: ...

    async def committed(self, partition: TopicPartition) -> int | None: ...

    async def position(self, partition: TopicPartition) -> int: ...


class TimerLoop:
    def __init__(
        self,
        database: Database,
        work: UnitOfWork[Any, Any],
        log: Callable[[], Log | None],
        clock: Callable[[], datetime],
        *,
        by_the_clock: Collection[str] = (),
    ) -> None:
        """`by_the_clock` names kinds that wait for nobody's evidence and fire when they are due."""
        self._database, self._work, self._log, self._clock = database, work, log, clock
        self._by_the_clock = frozenset(by_the_clock)
        self._awaited: dict[Timer, dict[TopicPartition, int]] = {}
        """Due timers, with the end offsets that must have been read."""
        self._passed: dict[TopicPartition, tuple[int, float]] = {}
        """Position of the consumer, and since when it is there with nothing in hand (monotonic seconds)."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self.tick()

    async def tick(self) -> None:
        """Fire what may fire now."""
        log = self._log()
        if log is None:
            return
        owned = {tp.partition for tp in log.assignment()}
        due = await self._due(owned)
        self._awaited = {timer: ends for timer, ends in self._awaited.items() if timer in due}
        if not due:
            self._passed.clear()
            return
        at_once = [timer for timer in due if timer.kind in self._by_the_clock]
        waiting = [timer for timer in due if timer.kind not in self._by_the_clock]
        # Before the lock: a batch must not wait until Kafka answers. What is folded stays folded.
        ripe = [*at_once, *await self._ripe(log, waiting, due)]
        for start in range(0, len(ripe), _AT_ONCE):
            async with self._work.lock:
                await self._work.fire([(timer, due[timer]) for timer in ripe[start : start + _AT_ONCE]])

    async def _ripe(self, log: Log, waiting: Collection[Timer], due: dict[Timer, int]) -> list[Timer]:
        """Those whose evidence is folded. While Kafka is away none: what cannot be known is waited for."""
        if not waiting:
            return []
        try:
            async with asyncio.timeout(KAFKA_S):
                await self._take_ends(log, waiting, due)
                folded: dict[TopicPartition, int] = {}
                return [timer for timer in waiting if await self._read_up_to(log, self._awaited.get(timer), folded)]
        except (KafkaError, TimeoutError):
            return []

    async def _due(self, owned: set[int]) -> dict[Timer, int]:
        """The oldest of each partition, and of those by the clock: none waits behind another's backlog."""
        by_the_clock = case((timers.c.kind.in_(sorted(self._by_the_clock)), 1), else_=0)
        place = func.row_number().over(partition_by=(timers.c.partition, by_the_clock), order_by=timers.c.due)
        placed = (
            select(timers, place.label("place"))
            .where(timers.c.due <= self._clock(), timers.c.partition.in_(sorted(owned)))
            .subquery()
        )
        query = select(placed).where(placed.c.place <= _AT_ONCE).order_by(placed.c.due)
        async with self._database.read() as connection:
            return {
                Timer(row.key, row.kind, row.turn, row.epoch, row.due): row.partition
                for row in await connection.execute(query)
            }

    async def _take_ends(self, log: Log, waiting: Collection[Timer], due: dict[Timer, int]) -> None:
        """Take the end offsets for timers that have none yet: now, which is after they fell due."""
        new = [timer for timer in waiting if timer not in self._awaited]
        if not new:
            return
        partitions = {due[timer] for timer in new}
        ends = await log.end_offsets([tp for tp in log.assignment() if tp.partition in partitions])
        for timer in new:
            self._awaited[timer] = {tp: end for tp, end in ends.items() if tp.partition == due[timer]}

    async def _read_up_to(
        self, log: Log, ends: dict[TopicPartition, int] | None, folded: dict[TopicPartition, int]
    ) -> bool:
        """`folded` keeps what was found out in this look."""
        if not ends:
            return False  # the partition went to another member meanwhile
        for tp, end in ends.items():
            if end <= self._work.processed.get(tp, -1):
                continue
            if tp not in folded:
                folded[tp] = await self._folded_to(log, tp)
            if end > folded[tp]:
                return False
        return True

    async def _folded_to(self, log: Log, tp: TopicPartition) -> int:
        """The offset before which everything is folded, or no record."""
        return max(
            self._work.processed.get(tp, -1),
            await log.committed(tp) or 0,
            (await log.beginning_offsets([tp]))[tp],
            await self._quiet_position(log, tp),
        )

    async def _quiet_position(self, log: Log, tp: TopicPartition) -> int:
        position = await log.position(tp)
        now = time.monotonic()
        if self._work.in_hand[tp]:
            self._passed.pop(tp, None)
            return -1
        known, since = self._passed.get(tp, (-1, now))
        if known != position:
            self._passed[tp] = (position, now)
            return -1
        return position if now - since >= QUIET_S else -1
