"""`Window`: a consumer for work that waits. Many records in flight, one key in order, nothing lost.

Up to `width` records are worked on at once; a key's next record starts when its last one ended, so a slow
record holds nobody but its own key. Of each partition the low watermark is committed, the first offset
that is not finished; a partition runs at most `span` offsets ahead of it, which bounds what is done again
after a kill. A full partition is paused, not waited for.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from schemas.codec import Undecodable, decode
from schemas.event import Event
from schemas.topics import BY_NAME
from services.lib.kit import metrics
from services.lib.kit.dead_letters import Brake, DeadLetters
from services.lib.kit.errors import Poison, Transient, Unavailable
from services.lib.kit.logs import frames
from services.lib.kit.retry import RetryPolicy, retrying, waits
from services.lib.kit.work import Health

COMMIT_EVERY_S = 0.5
"""Seconds between commits: a commit a record costs a round trip each (measured: 4,600 records a second
against 125,000)."""

COMMIT_S = 15.0
"""Seconds a commit may take."""

HANDLE_S = 120.0
"""Seconds one record may take, retries included; then it is a dead letter. Twice what any handler should
need: without a limit one call that never returns holds its partition for ever."""

_log = logging.getLogger(__name__)

Handle = Callable[[Event[Any]], Awaitable[None]]
"""Does the work for one event and publishes what follows, under ids derived from the event."""


class Commits(Protocol):
    """What the window needs of a consumer (aiokafka's has it)."""

    def assignment(self) -> Collection[TopicPartition]: ...

    def pause(self, *partitions: TopicPartition) -> None: ...

    def resume(self, *partitions: TopicPartition) -> None: ...

    async def commit(self, offsets: dict[TopicPartition, int]) -> None: ...


@dataclass(slots=True)
class _Lane:
    """One partition: what was taken in, what of it waits, what is finished."""

    first: int
    """Where we began."""
    read_to: int
    """Everything below was taken in, or is no record: offsets have holes (transactions, compaction)."""
    committed: int = -1
    taken: deque[int] = field(default_factory=deque)
    """Offsets from the first unfinished one on."""
    done: set[int] = field(default_factory=set)
    """Of these, the finished ones."""
    waiting: deque[ConsumerRecord] = field(default_factory=deque)
    paused: bool = False

    @property
    def watermark(self) -> int:
        """Everything below is finished."""
        return self.taken[0] if self.taken else self.read_to

    def take(self, record: ConsumerRecord) -> None:
        self.taken.append(record.offset)
        self.waiting.append(record)
        self.read_to = record.offset + 1

    def finish(self, offset: int) -> None:
        self.done.add(offset)
        while self.taken and self.taken[0] in self.done:
            self.done.remove(self.taken.popleft())


class Window:
    def __init__(
        self,
        service: str,
        handle: Handle,
        types: Sequence[type],
        *,
        dead_letters: DeadLetters,
        clock: Callable[[], datetime],
        health: Health,
        fail: Callable[[BaseException], None],
        width: int = 64,
        span: int = 64,
        retry: RetryPolicy | None = None,
        brake: Brake | None = None,
        handle_s: float = HANDLE_S,
    ) -> None:
        """`types` are the data models that are handled; events of others are skipped. `fail` ends the process."""
        self._service, self._handle, self._types = service, handle, tuple(types)
        self._dead_letters, self._clock, self._health, self._fail = dead_letters, clock, health, fail
        self._width, self._span, self._handle_s = width, span, handle_s
        self._retry, self._brake = retry or RetryPolicy(), brake or Brake()
        self._lanes: dict[TopicPartition, _Lane] = {}
        self._busy: dict[bytes, deque[tuple[TopicPartition, _Lane, ConsumerRecord]]] = {}
        """Keys being worked on, with their records that wait behind the current one."""
        self._running: set[asyncio.Task[None]] = set()
        self._consumer: Commits | None = None
        self._away: dict[tuple[str, int, int], str] = {}
        """Records that wait for our own SQL or Kafka, and why: ready again when none does."""
        self._stopping = False
        """Nothing new is started."""
        self._closed = False
        """And nothing more is taken in, for good."""

    def take(self, records: Sequence[ConsumerRecord], consumer: Commits) -> None:
        """Take records in and start what may start. Returns at once."""
        self._consumer = consumer
        assigned = consumer.assignment()
        if self._closed:
            consumer.pause(*assigned)  # the next owner reads them again
            return
        for record in records:
            tp = TopicPartition(record.topic, record.partition)
            if tp not in assigned:
                continue  # read before a rebalance: it is the new owner's
            lane = self._lanes.get(tp)
            if lane is None or record.offset < lane.first:
                lane = self._lanes[tp] = _Lane(record.offset, record.offset)
            if record.offset >= lane.read_to:  # else read again after a seek
                lane.take(record)
        self._pump()

    def _pump(self) -> None:
        if not self._stopping:
            while sum(self._start_next(tp, lane) for tp, lane in self._lanes.items()):
                pass  # one of each partition in turn, so that none waits behind another's backlog
            for tp, lane in self._lanes.items():
                self._hold_or_let_go(tp, lane)
        metrics.IN_FLIGHT.labels(self._service).set(len(self._running))

    def _hold_or_let_go(self, tp: TopicPartition, lane: _Lane) -> None:
        if self._consumer is None or lane.paused == bool(lane.waiting):
            return
        if tp not in self._consumer.assignment():
            return
        lane.paused = bool(lane.waiting)
        (self._consumer.pause if lane.paused else self._consumer.resume)(tp)

    def _start_next(self, tp: TopicPartition, lane: _Lane) -> bool:
        if not lane.waiting or len(self._running) >= self._width:
            return False
        if lane.waiting[0].offset - lane.watermark >= self._span:
            return False
        self._start(tp, lane, lane.waiting.popleft())
        return True

    def _start(self, tp: TopicPartition, lane: _Lane, record: ConsumerRecord) -> None:
        key = record.key or b"%d:%d" % (record.partition, record.offset)
        behind = self._busy.get(key)
        if behind is not None:
            behind.append((tp, lane, record))
            return
        self._busy[key] = deque()
        task = asyncio.create_task(self._run_key(key, tp, lane, record))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._stopping = self._closed = True  # what is broken must not read on
            self._fail(error)
        self._pump()

    async def _run_key(self, key: bytes, tp: TopicPartition, lane: _Lane, record: ConsumerRecord) -> None:
        """Work through one key's records, one after the other."""
        behind = self._busy[key]
        try:
            while True:
                if self._lanes.get(tp) is lane:  # else the partition went to somebody else meanwhile
                    await self._one(record)
                    lane.finish(record.offset)
                if self._stopping or not behind:
                    return
                tp, lane, record = behind.popleft()
        finally:
            del self._busy[key]
            for _, lane_behind, left in reversed(behind):
                lane_behind.waiting.appendleft(left)

    async def _one(self, record: ConsumerRecord) -> None:
        if self._dead_letters.for_others(record):
            return
        started = time.perf_counter()
        try:
            event = decode(BY_NAME[record.topic], record.key, record.value)
        except Undecodable as error:
            if error.cause == "unknown_type":
                metrics.HANDLED.labels(self._service, "unknown", "skipped").inc()
            else:
                await self._put_aside(record, error.cause, str(error))
            return
        if not isinstance(event.data, self._types):
            metrics.HANDLED.labels(self._service, event.type, "skipped").inc()
            return
        await self._work(record, event)
        metrics.WORK.labels(self._service).observe(time.perf_counter() - started)
        age = (self._clock() - event.time).total_seconds()
        metrics.EVENT_AGE.labels(self._service, event.type).observe(max(0.0, age))

    async def _work(self, record: ConsumerRecord, event: Event[Any]) -> None:
        async for _ in waits(RetryPolicy(base_s=0.1)):
            limit = asyncio.timeout(self._handle_s)
            try:
                async with limit:
                    await retrying(
                        lambda: self._handle(event), self._retry, metrics.RETRIES.labels(self._service).inc
                    )
            except Unavailable as error:
                self._paused(record, str(error))
                continue
            except (Poison, Transient) as error:
                await self._put_aside(record, type(error).__name__.lower(), str(error))
            except Exception as error:  # a bug in the handler: this record is put aside, the others go on
                cause = "timeout" if limit.expired() else "broken"
                fields = {"service": self._service, "id": event.identity, "error": frames(error)}
                _log.error("handling raised", extra={"fields": fields})
                await self._put_aside(record, cause, type(error).__name__)
            else:
                self._brake.good()
                metrics.HANDLED.labels(self._service, event.type, "done").inc()
            self._paused(record, None)
            return

    def _paused(self, record: ConsumerRecord, why: str | None) -> None:
        """One record waits, or waits no longer; the service is ready again when none does."""
        place = (record.topic, record.partition, record.offset)
        if why is None:
            if self._away.pop(place, None) is None:
                return
        else:
            if not self._away:
                _log.warning("paused", extra={"fields": {"service": self._service, "why": why}})
            self._away[place] = why
        self._health.paused(next(iter(self._away.values()), None))

    async def _put_aside(self, record: ConsumerRecord, cause: str, error: str) -> None:
        fields = {"topic": record.topic, "offset": record.offset, "cause": cause}
        _log.warning("dead letter", extra={"fields": fields})
        async for _ in waits(RetryPolicy(base_s=0.1)):
            try:
                await self._dead_letters.put(record, cause, error, self._clock())
            except Unavailable as away:
                self._paused(record, str(away))
            else:
                break
        self._paused(record, None)
        metrics.HANDLED.labels(self._service, "unknown", "dead_lettered").inc()
        self._brake.bad()

    # --- commits, revocation, the end -----------------------------------------------------------------

    async def run_commits(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            await self.commit()

    async def commit(self) -> None:
        """Commit the watermarks that moved. A commit that a rebalance overtook is no loss: others read again."""
        if self._consumer is None:
            return
        assigned = self._consumer.assignment()  # one partition that is not ours would fail the commit of all
        due = {
            tp: (lane, lane.watermark)
            for tp, lane in self._lanes.items()
            if tp in assigned and lane.watermark > max(lane.committed, lane.first)
        }
        if not due:
            return
        try:
            async with asyncio.timeout(COMMIT_S):  # with Kafka away aiokafka would look for it for ever
                await self._consumer.commit({tp: watermark for tp, (_, watermark) in due.items()})
        except (KafkaError, TimeoutError):
            metrics.COMMIT_FAILURES.labels(self._service).inc()
            return
        for lane, watermark in due.values():
            lane.committed = watermark

    async def drain(self, timeout_s: float) -> None:
        """The end: let running work end, at most this long, start nothing new, and commit. What has not ended
        is cancelled; others do it again."""
        self._closed = True
        await self._settle(timeout_s)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def revoke(self, partitions: Sequence[TopicPartition], timeout_s: float) -> None:
        """Give partitions up: let running work end for a bounded time, commit, forget them."""
        await self._settle(timeout_s)
        for tp in partitions:
            self._lanes.pop(tp, None)
        self._stopping = self._closed
        self._pump()

    async def _settle(self, timeout_s: float) -> None:
        self._stopping = True
        if self._running:
            await asyncio.wait(set(self._running), timeout=timeout_s)
        await self.commit()
