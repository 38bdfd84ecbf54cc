"""The read-up-to rule: a timer fires once what was in the log when it fell due has been folded."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from pydantic import BaseModel
from sqlalchemy import func, insert, select

from schemas import chat, topics
from services.lib.kit import timers as timers_module
from services.lib.kit.dead_letters import DeadLetters, Vault
from services.lib.kit.fakes import (
    MIDNIGHT,
    MemoryLog,
    MemoryPublisher,
    NotedHealth,
    StandingClock,
    event_record,
)
from services.lib.kit.fold import Arrival, Step, Timer
from services.lib.kit.outbox import Outbox
from services.lib.kit.sql import Database, metadata, timers
from services.lib.kit.timers import TimerLoop
from services.lib.kit.work import UnitOfWork

MESSAGES, ANSWERS = topics.CHAT_INBOUND.name, topics.CHAT_ANSWERS.name


def tp(topic: str, partition: int = 0) -> TopicPartition:
    return TopicPartition(topic, partition)


class Nothing(BaseModel):
    pass


class Bench:
    """A timer loop over a log whose offsets are set by hand."""

    state_type = Nothing

    def __init__(self, database: Database) -> None:
        self.clock, self.fired = StandingClock(), list[str]()
        self.log = MemoryLog({tp(topic, n): 0 for topic in (MESSAGES, ANSWERS) for n in range(2)})
        self.database, publisher = database, MemoryPublisher()
        self.work = UnitOfWork(
            "bench",
            self,
            database=database,
            outbox=Outbox("bench", database, publisher, self.clock),
            dead_letters=DeadLetters(publisher, "bench", Vault(Vault.new_key())),
            context=lambda: None,
            clock=self.clock,
            health=NotedHealth(),
        )
        self.loop = TimerLoop(database, self.work, lambda: self.log, self.clock, by_the_clock=["wall"])

    def initial(self, key: str) -> Nothing:
        return Nothing()

    def step(self, state: Nothing, arrival: Arrival | Timer, context: Any, now: datetime) -> Step[Nothing]:
        if isinstance(arrival, Timer):
            self.fired.append(f"{arrival.key}/{arrival.kind}")
        return Step(state)

    def broken(self, state: Nothing, arrival: Arrival | Timer, context: Any, now: datetime) -> Step[Nothing]:
        raise AssertionError

    async def set(self, key: str, kind: str = "deadline", partition: int = 0, due_s: float = 30) -> None:
        row = {"key": key, "kind": kind, "turn": 1, "epoch": 0, "partition": partition}
        async with self.database.begin() as connection:
            await connection.execute(insert(timers), {**row, "due": MIDNIGHT + timedelta(seconds=due_s)})

    async def read(self, offset: int) -> None:
        """Fold a message that ends at `offset`."""
        data = chat.ConversationStarted(gateway="web", conversation="1")
        record = event_record(topics.CHAT_INBOUND, data, "web:1", f"{offset}", offset=offset - 1)
        await self.work.handle([record])

    async def left(self) -> int:
        async with self.database.read() as connection:
            return int(await connection.scalar(select(func.count()).select_from(timers)) or 0)


@pytest.fixture
async def bench(open_database: Any) -> Bench:
    return Bench(await open_database(metadata))


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [0.0]
    monkeypatch.setattr(timers_module.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


async def test_it_does_not_fire_before_it_is_due(bench: Bench) -> None:
    await bench.set("web:1")
    bench.clock.move(29.9)
    await bench.loop.tick()
    assert bench.fired == []
    bench.clock.move(0.2)
    await bench.loop.tick()
    await bench.loop.tick()
    assert bench.fired == ["web:1/deadline"]
    assert await bench.left() == 0


async def test_it_waits_for_evidence_that_was_in_the_log_when_it_fell_due(bench: Bench) -> None:
    bench.log.ends[tp(ANSWERS)] = 7
    await bench.set("web:1")
    await bench.set("web:2", partition=1)
    bench.clock.move(60)
    await bench.loop.tick()
    assert bench.fired == ["web:2/deadline"]  # nothing is unread in its own partition
    bench.work.processed[tp(ANSWERS)] = 6
    await bench.loop.tick()
    assert bench.fired == ["web:2/deadline"]
    bench.log.ends[tp(ANSWERS)] = 99  # what came after it fell due is not waited for
    bench.work.processed[tp(ANSWERS)] = 7
    await bench.loop.tick()
    assert bench.fired == ["web:2/deadline", "web:1/deadline"]


async def test_the_end_is_taken_after_it_fell_due(bench: Bench) -> None:
    await bench.set("web:1")
    await bench.loop.tick()  # not due: an end taken now would be too early
    bench.log.ends[tp(ANSWERS)] = 3
    bench.clock.move(60)
    await bench.loop.tick()
    assert bench.fired == []


async def test_what_handle_folded_counts_as_read(bench: Bench) -> None:
    bench.log.ends[tp(MESSAGES)] = 5
    await bench.set("web:1")
    bench.clock.move(60)
    await bench.loop.tick()
    await bench.read(4)
    await bench.loop.tick()
    assert bench.fired == []
    await bench.read(5)
    await bench.loop.tick()
    assert bench.fired == ["web:1/deadline"]


async def test_after_a_restart_committed_offsets_and_an_emptied_log_count(bench: Bench) -> None:
    bench.log.ends |= {tp(ANSWERS): 500, tp(MESSAGES): 9}
    bench.log.commits |= {tp(ANSWERS): 300, tp(MESSAGES): 9}
    await bench.set("web:1")
    bench.clock.move(60)
    await bench.loop.tick()
    assert bench.fired == []
    bench.log.beginnings[tp(ANSWERS)] = 500  # what we had not read is gone: nothing can come of it any more
    await bench.loop.tick()
    assert bench.fired == ["web:1/deadline"]


async def test_a_stale_offset_of_ours_does_not_hide_what_another_member_folded(bench: Bench) -> None:
    bench.work.processed[tp(ANSWERS)] = 10
    bench.log.ends[tp(ANSWERS)] = bench.log.commits[tp(ANSWERS)] = 15
    await bench.set("web:1")
    bench.clock.move(60)
    await bench.loop.tick()
    assert bench.fired == ["web:1/deadline"]


async def test_offsets_that_hold_no_record_are_passed_after_a_quiet_while(
    bench: Bench, stopwatch: Callable[[float], None]
) -> None:
    """A transaction of a desk leaves a marker at the end of the log; no record ever reaches that offset."""
    bench.log.ends[tp(ANSWERS)] = 8
    bench.work.processed[tp(ANSWERS)] = 7
    bench.log.positions[tp(ANSWERS)] = 8
    await bench.set("web:1")
    bench.clock.move(60)
    await bench.loop.tick()
    stopwatch(0.9)
    bench.work.in_hand[tp(ANSWERS)] += 1
    await bench.loop.tick()
    stopwatch(0.9)
    bench.work.in_hand[tp(ANSWERS)] -= 1
    await bench.loop.tick()
    assert bench.fired == []  # something was in hand in between: it may be the evidence
    stopwatch(0.9)
    await bench.loop.tick()
    assert bench.fired == []  # not for long enough: it may have left the poll and not arrived
    stopwatch(0.2)
    await bench.loop.tick()
    assert bench.fired == ["web:1/deadline"]


async def test_a_partition_that_went_takes_its_timers_along_and_comes_back_with_a_new_end(bench: Bench) -> None:
    bench.log.ends[tp(ANSWERS)] = 5
    await bench.set("web:1")
    bench.clock.move(60)
    await bench.loop.tick()
    ends, bench.log.ends = bench.log.ends, {tp(ANSWERS, 1): 0}
    bench.work.processed[tp(ANSWERS)] = 5
    await bench.loop.tick()
    assert bench.fired == []
    assert await bench.left() == 1
    bench.log.ends = {**ends, tp(ANSWERS): 6}
    bench.work.forget([tp(ANSWERS)])
    bench.log.commits[tp(ANSWERS)] = 5
    await bench.loop.tick()
    assert bench.fired == []  # the end is a new one
    bench.log.commits[tp(ANSWERS)] = 6
    await bench.loop.tick()
    assert bench.fired == ["web:1/deadline"]


@pytest.mark.parametrize("error", [KafkaConnectionError("away"), TimeoutError()])
async def test_while_kafka_is_away_only_kinds_by_the_clock_fire(bench: Bench, error: Exception) -> None:
    bench.log.refuse = error
    await bench.set("web:1")
    await bench.set("web:1", "wall")
    bench.clock.move(60)
    await bench.loop.tick()
    assert bench.fired == ["web:1/wall"]
    bench.log.refuse = None
    await bench.loop.tick()
    assert bench.fired == ["web:1/wall", "web:1/deadline"]


async def test_a_kafka_that_never_answers_holds_no_batch_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers_module, "KAFKA_S", 0.05)

    class Hanging(MemoryLog):
        async def committed(self, partition: TopicPartition) -> int | None:
            assert not bench.work.lock.locked()
            await super().committed(partition)
            raise TimeoutError

    bench.log = Hanging({tp(ANSWERS): 3})
    await bench.set("web:1")
    bench.clock.move(60)
    await bench.loop.tick()
    assert bench.fired == []


async def test_timers_that_wait_do_not_hold_up_those_that_may_fire(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers_module, "_AT_ONCE", 3)
    bench.log.ends[tp(ANSWERS)] = 5
    for n in range(6):
        await bench.set(f"web:{n}", due_s=n)
    await bench.set("web:1", "wall")
    await bench.set("tel:1", partition=1)
    bench.clock.move(60)
    await bench.loop.tick()
    assert sorted(bench.fired) == ["tel:1/deadline", "web:1/wall"]
    bench.work.processed[tp(ANSWERS)] = 5
    for _ in range(2):
        await bench.loop.tick()
    assert len(bench.fired) == 8


async def test_without_a_consumer_nothing_fires(bench: Bench) -> None:
    await bench.set("web:1")
    bench.clock.move(60)
    loop = TimerLoop(bench.database, bench.work, lambda: None, bench.clock)
    await loop.tick()
    bench.log.ends.clear()
    await bench.loop.tick()
    assert bench.fired == []
