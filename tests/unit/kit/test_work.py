"""The unit of work and its outbox on SQLite: what is known, what is written, and what a kill leaves behind."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, update
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import chat, topics
from services.lib.kit import outbox as outbox_module
from services.lib.kit.dead_letters import REDRIVE, Brake, DeadLetters, Vault, letter_of
from services.lib.kit.errors import Braked, Poison, Unavailable
from services.lib.kit.fakes import (
    MIDNIGHT,
    MemoryPublisher,
    NotedHealth,
    StandingClock,
    event_record,
    record_of,
)
from services.lib.kit.fold import Arrival, CancelTimers, Publish, Record, SetTimer, Step, Timer
from services.lib.kit.outbox import Outbox
from services.lib.kit.sql import Database, fold_tables, inbox, outbox, refused, states, timers
from services.lib.kit.work import UnitOfWork

INBOUND, OUT = topics.CHAT_INBOUND, topics.CHAT_MESSAGES


class Heard(BaseModel):
    """What the fold of the tests knows: what was said, in order."""

    texts: tuple[str, ...] = ()
    fired: tuple[str, ...] = ()


class Note(BaseModel):
    text: str


class Echo:
    """Publishes one event a message. Some texts make it do more."""

    state_type = Heard

    def initial(self, key: str) -> Heard:
        return Heard()

    def step(self, state: Heard, arrival: Arrival | Timer, context: Any, now: datetime) -> Step[Heard]:
        if isinstance(arrival, Timer):
            if arrival.kind == "bad":
                raise LookupError("a timer nobody can decide")
            fired = state.model_copy(update={"fired": (*state.fired, arrival.kind)})
            return Step(fired, (rejected(arrival.key, f"fired {arrival.kind}"),))
        text = arrival.event.data.text
        if text.startswith("boom"):
            raise LookupError(text)
        known = state.model_copy(update={"texts": (*state.texts, text)})
        effects: list[Any] = [rejected(arrival.key, text)]
        if text.startswith("large"):  # the second effect cannot be encoded: neither may have happened
            effects.append(rejected(arrival.key, "x" * topics.EVENT_LIMIT, ordinal=1))
        if text.startswith("timer"):
            effects.append(SetTimer(text.split()[1], now + timedelta(seconds=10)))
        if text.startswith("cancel"):
            effects.append(CancelTimers((text.split()[1],)))
        if text.startswith("note"):
            effects.append(Record(Note(text=text)))
        return Step(known, tuple(effects))

    def broken(self, state: Heard, arrival: Arrival | Timer, context: Any, now: datetime) -> Step[Heard]:
        if isinstance(arrival, Arrival) and "twice" in arrival.event.data.text:
            raise LookupError("nor this")
        return Step(state, (rejected(arrival.key, "a human looks at it"),))


def rejected(key: str, text: str, ordinal: int = 0) -> Publish:
    gateway, conversation = key.split(":")
    data = chat.MessageRejected(
        gateway=gateway, conversation=conversation, message_id=text, cause="empty", language="en"
    )
    return Publish(OUT, data, ordinal)


def said(text: str, offset: int, key: str = "web:1", *, cause: str | None = None, partition: int = 0) -> Any:
    gateway, conversation = key.split(":")
    data = chat.CustomerMessage(gateway=gateway, conversation=conversation, message_id=str(offset), text=text)
    return event_record(INBOUND, data, key, cause or f"{key}-{offset}", partition=partition, offset=offset)


own_tables = fold_tables()
notes = Table("notes", own_tables, Column("key", String), Column("text", String, unique=True), Column("n", Integer))


class Notebook:
    """A recorder with a rule of the database: no text twice."""

    async def write(self, connection: AsyncConnection, key: str, rows: Sequence[BaseModel]) -> None:
        await connection.execute(insert(notes), [{"key": key, **row.model_dump()} for row in rows])


@dataclass
class Bench:
    """One service's unit of work with everything it touches."""

    database: Database
    publisher: MemoryPublisher = field(default_factory=MemoryPublisher)
    clock: StandingClock = field(default_factory=StandingClock)
    health: NotedHealth = field(default_factory=NotedHealth)
    vault: Vault = field(default_factory=lambda: Vault(Vault.new_key()))
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outbox = Outbox("echo", self.database, self.publisher, self.clock)
        self.work = UnitOfWork(
            "echo",
            Echo(),
            database=self.database,
            outbox=self.outbox,
            dead_letters=DeadLetters(self.publisher, "echo", self.vault),
            context=lambda: None,
            clock=self.clock,
            health=self.health,
            recorder=Notebook(),
            **self.options,
        )

    async def rows(self, table: Any) -> list[Any]:
        async with self.database.read() as connection:
            return list((await connection.execute(select(table))).mappings())

    async def state(self, key: str = "web:1") -> Heard:
        async with self.database.read() as connection:
            body = await connection.scalar(select(states.c.body).where(states.c.key == key))
        return Heard.model_validate_json(body)

    def published(self, key: str = "web:1") -> list[tuple[int, str]]:
        """(sequence, text) of what went out, in order."""
        events = [json.loads(sent.value) for sent in self.publisher.on(OUT.name) if sent.key == key.encode()]
        return [(event["sequence"], event["data"]["message_id"]) for event in events]

    def letters(self) -> list[tuple[str, bytes]]:
        """(cause, original) of the dead letters."""
        found = []
        for sent in self.publisher.on(INBOUND.dead_letters):
            letter = letter_of(sent.headers)
            found.append((letter.cause, self.vault.open(sent.value, letter.origin)))
        return found


@pytest.fixture
async def make(open_database: Any) -> Callable[..., Any]:
    async def build(tables: MetaData = own_tables, **options: Any) -> Bench:
        return Bench(await open_database(tables), options=options)

    return build


# --- what is known --------------------------------------------------------------------------------


async def test_an_id_counts_once_in_a_batch_and_over_batches_whatever_it_says(make: Any) -> None:
    bench = await make()
    first = said("a", 0, cause="same")
    offsets = await bench.work.handle([first, said("b", 1), said("other words", 2, cause="same")])
    assert offsets == {TopicPartition(INBOUND.name, 0): 3}
    await bench.work.handle([said("again", 3, cause="same"), said("c", 4)])
    assert (await bench.state()).texts == ("a", "b", "c")
    assert bench.published() == [(1, "a"), (2, "b"), (3, "c")]
    assert len(await bench.rows(inbox)) == 3


async def test_sequences_run_per_topic_and_conversation(make: Any) -> None:
    bench = await make()
    await bench.work.handle([said("a", 0), said("b", 1, "web:2"), said("c", 2), said("d", 3, "tel:1")])
    assert bench.published("web:1") == [(1, "a"), (2, "c")]
    assert bench.published("web:2") == [(1, "b")]
    assert bench.published("tel:1") == [(1, "d")]


@pytest.mark.parametrize("bad", ["boom", "large"])
async def test_a_step_that_raises_leaves_no_gap_and_no_half(make: Any, bad: str) -> None:
    bench = await make()
    record = said(bad, 1)
    await bench.work.handle([said("a", 0), record, said("b", 2)])
    assert bench.published() == [(1, "a"), (2, "a human looks at it"), (3, "b")]
    assert (await bench.state()).texts == ("a", "b")
    assert bench.letters() == [("broken", record.value)]
    assert len(await bench.rows(inbox)) == 2  # a quarantined id is not known: it may be sent again


async def test_where_broken_raises_too_the_conversation_stays_and_the_partition_goes_on(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench = await make()
    record = said("boom twice 4711", 1)
    await bench.work.handle([said("a", 0), record, said("b", 2)])
    assert bench.published() == [(1, "a"), (2, "b")]
    assert bench.letters() == [("broken", record.value)]
    assert "4711" not in caplog.text + str([r.__dict__ for r in caplog.records])


async def test_a_quarantined_event_may_come_again(make: Any) -> None:
    bench = await make()
    record = said("boom", 0)
    await bench.work.handle([record])
    await bench.work.handle([record])
    assert len(bench.letters()) == 2


async def test_what_is_no_event_is_a_dead_letter_and_stops_nobody(make: Any) -> None:
    bench = await make()
    good = json.loads(said("x", 0).value)
    bad = [
        record_of(INBOUND, b"not json", offset=0),
        record_of(INBOUND, b"\xff\xfe", offset=1),
        record_of(INBOUND, None, offset=2),
        record_of(INBOUND, b"x" * 1_000_000, offset=3),
        record_of(INBOUND, json.dumps({**good, "specversion": "0.3"}).encode(), offset=4),
        record_of(INBOUND, said("x", 0).value, None, offset=5),
        record_of(INBOUND, said("x", 0).value, b"web:2", offset=6),
        record_of(INBOUND, said("x", 0).value, b"\xff", offset=7),
    ]
    offsets = await bench.work.handle([*bad, said("a", 8)])
    assert offsets == {TopicPartition(INBOUND.name, 0): 9}
    causes = [cause for cause, _ in bench.letters()]
    assert causes == [
        "not_json", "not_utf8", "empty", "too_large", "wrong_version", "missing_key", "key_mismatch", "not_utf8",
    ]  # fmt: skip
    assert [body for _, body in bench.letters()] == [record.value or b"" for record in bad]
    assert bench.published() == [(1, "a")]


@pytest.mark.parametrize(("strict", "letters"), [(False, 0), (True, 1)])
async def test_an_unknown_type_is_skipped_or_rejected(make: Any, strict: bool, letters: int) -> None:
    bench = await make(strict_types=strict)
    event = {**json.loads(said("x", 0).value), "type": "FromTheFuture"}
    del event["dataschema"]
    await bench.work.handle([record_of(INBOUND, json.dumps(event).encode())])
    assert len(bench.letters()) == letters


async def test_what_is_sent_again_for_another_group_is_passed_over(make: Any) -> None:
    bench = await make()
    ours, theirs = said("ours", 0), said("theirs", 1)
    await bench.work.handle(
        [
            record_of(INBOUND, ours.value, ours.key, offset=0, headers=[(REDRIVE, b"echo")]),
            record_of(INBOUND, theirs.value, theirs.key, offset=1, headers=[(REDRIVE, b"other"), ("x", b"\xff")]),
        ]
    )
    assert (await bench.state()).texts == ("ours",)


# --- prepare ----------------------------------------------------------------------------------------


async def test_prepare_that_raises_on_one_event_breaks_only_that_one(make: Any) -> None:
    async def prepare(decoded: Sequence[Any]) -> list[Arrival]:
        if any(event.data.text == "unscreenable" for event, _ in decoded):
            raise RuntimeError("the model fell over")
        return [Arrival(event, "screened") for event, _ in decoded]

    bench = await make(prepare=prepare)
    record = said("unscreenable", 1)
    await bench.work.handle([said("a", 0), record, said("b", 2)])
    assert bench.published() == [(1, "a"), (2, "a human looks at it"), (3, "b")]
    assert bench.letters() == [("broken", record.value)]


# --- what the database refuses ----------------------------------------------------------------------


async def test_a_row_that_the_database_refuses_breaks_only_its_event(make: Any) -> None:
    bench = await make()
    record = said("note 1", 2, "web:2")
    await bench.work.handle([said("note 1", 0), said("a", 1), record, said("b", 3, "web:2")])
    assert bench.published("web:1") == [(1, "note 1"), (2, "a")]
    assert bench.published("web:2") == [(1, "a human looks at it"), (2, "b")]
    assert bench.letters() == [("broken", record.value)]
    assert [row["text"] for row in await bench.rows(notes)] == ["note 1"]


async def test_a_state_that_cannot_be_read_stops_its_conversation_alone(make: Any) -> None:
    bench = await make()
    await bench.work.handle([said("a", 0), said("b", 1, "web:2")])
    async with bench.database.begin() as connection:
        await connection.execute(update(states).where(states.c.key == "web:1").values(body='{"texts": 7}'))
    lost = said("c", 2)
    await bench.work.handle([lost, said("d", 3, "web:2")])
    assert bench.published("web:2") == [(1, "b"), (2, "d")]
    assert bench.letters() == [("unwritable", lost.value)]


async def test_a_missing_table_is_no_fault_of_the_event(make: Any, tmp_path: Path) -> None:
    bench = await make(tables=fold_tables())  # without the recorder's table
    with pytest.raises(DBAPIError):
        await bench.work.handle([said("note 1", 0)])
    assert bench.publisher.sent == []


# --- brake ------------------------------------------------------------------------------------------


async def test_the_brake_stops_a_fold_that_quarantines_everything_and_nothing_of_the_batch_stays(make: Any) -> None:
    bench = await make(brake=Brake(run=5))
    await bench.work.handle([said("a", 0)])
    await bench.work.handle([said("boom", n) for n in range(1, 5)])
    with pytest.raises(Braked, match="5 dead letters in a row"):
        await bench.work.handle([said("boom", 5)])
    assert len(bench.letters()) == 4
    assert len(await bench.rows(outbox)) == 0


async def test_the_brake_among_records_that_are_no_events_keeps_what_was_done(make: Any) -> None:
    """Else each start of the process would make the same letters again, and come no further."""
    bench = await make(brake=Brake(run=3, start=3))
    garbage = [record_of(INBOUND, b"no event", b"web:1", offset=n) for n in range(1, 6)]
    offsets = await bench.work.handle([said("a", 0), *garbage, said("b", 6)])
    assert bench.work.braked is not None
    assert offsets == {TopicPartition(INBOUND.name, 0): 4}
    assert bench.published() == [(1, "a")]
    assert len(bench.letters()) == 3
    bench = await make(brake=Brake(run=3, start=3))  # the next process
    assert await bench.work.handle([*garbage[3:], said("b", 6)]) == {TopicPartition(INBOUND.name, 0): 7}
    assert bench.work.braked is None
    assert bench.published() == [(2, "b")]


async def test_the_brake_counts_a_batch_once_however_often_it_is_tried(make: Any) -> None:
    bench = await make(brake=Brake(run=3))
    begin, failures = bench.database.begin, iter(range(4))

    class Flaky:
        """Fails at the commit, after everything was folded."""

        def __init__(self) -> None:
            self.inner = begin()

        async def __aenter__(self) -> Any:
            return await self.inner.__aenter__()

        async def __aexit__(self, *error: Any) -> Any:
            if next(failures, None) is not None and error[0] is None:
                failed = Unavailable("at commit")
                await self.inner.__aexit__(type(failed), failed, None)
                raise failed
            return await self.inner.__aexit__(*error)

    bench.database.begin = Flaky
    await bench.work.handle([said("boom", 0), said("boom", 1)])
    bench.database.begin = begin
    assert bench.letters() == [("broken", said("boom", 0).value), ("broken", said("boom", 1).value)]


# --- outbox -----------------------------------------------------------------------------------------


async def test_a_conversation_stops_at_its_first_failure_and_the_others_go_on(make: Any) -> None:
    bench = await make()
    bench.publisher.refuse = lambda sent: Unavailable("away") if b'"b"' in sent.value else None
    await bench.work.handle([said("a", 0), said("b", 1), said("c", 2), said("d", 3, "web:2")])
    assert bench.published() == [(1, "a")]
    assert bench.published("web:2") == [(1, "d")]
    await bench.work.handle([said("e", 4)])
    assert bench.published() == [(1, "a")]
    bench.publisher.refuse = lambda sent: None
    await bench.work.handle([said("f", 5)])
    assert bench.published() == [(1, "a"), (2, "b"), (3, "c"), (4, "e"), (5, "f")]
    assert await bench.rows(outbox) == []


async def test_the_relay_takes_what_stayed_behind_for_five_seconds(make: Any) -> None:
    bench = await make()
    bench.publisher.refuse = lambda sent: Unavailable("away")
    await bench.work.handle([said("a", 0), said("b", 1)])
    bench.publisher.refuse = lambda sent: None
    bench.clock.move(4.9)
    await bench.outbox.relay()
    assert bench.published() == []
    bench.clock.move(0.2)
    await bench.outbox.relay()
    assert bench.published() == [(1, "a"), (2, "b")]
    assert await bench.rows(outbox) == []


async def test_the_relay_leaves_alone_what_a_slow_batch_is_still_sending(make: Any) -> None:
    """Its rows are old enough, but not left behind: each would go out twice."""
    bench = await make()
    bench.publisher.open.clear()
    slow = asyncio.create_task(bench.work.handle([said("a", 0), said("b", 1)]))
    while not await bench.rows(outbox):  # noqa: ASYNC110  # the database has no event
        await asyncio.sleep(0.01)
    bench.clock.move(60)
    await asyncio.wait_for(bench.outbox.relay(), 5)
    bench.publisher.open.set()
    await slow
    assert bench.published() == [(1, "a"), (2, "b")]


async def test_a_topic_that_is_away_does_not_hold_the_relay_up(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_AT_ONCE", 4)
    bench = await make()
    bench.publisher.refuse = lambda sent: Unavailable("away")
    await bench.work.handle([said("stuck", n, f"web:{n}") for n in range(10)] + [said("ok", 10, "web:x")] * 1)
    await bench.work.handle([said("ok", n, "web:y") for n in range(11, 21)])
    bench.publisher.refuse = lambda sent: Unavailable("away") if b"stuck" in sent.value else None
    bench.clock.move(6)
    for _ in range(4):
        await bench.outbox.relay()
    assert bench.published("web:x") == [(1, "ok")]
    assert [n for n, _ in bench.published("web:y")] == list(range(1, 11))
    assert len(await bench.rows(outbox)) == 10


async def test_a_row_that_kafka_never_takes_is_put_aside_and_blocks_nobody(make: Any) -> None:
    bench = await make()
    bench.publisher.refuse = lambda sent: Poison("too large") if b'"b"' in sent.value else None
    await bench.work.handle([said("a", 0), said("b", 1), said("c", 2)])
    assert bench.published() == [(1, "a"), (3, "c")]
    assert await bench.rows(outbox) == []
    assert [(row["key"], row["topic"], row["why"]) for row in await bench.rows(refused)] == [
        ("web:1", OUT.name, "too large")
    ]


async def test_a_dead_letter_that_does_not_go_holds_no_reply_back(make: Any) -> None:
    bench = await make()
    bench.publisher.refuse = lambda sent: Unavailable("no such topic") if sent.topic.endswith(".dlq") else None
    await bench.work.handle([said("boom", 0), said("b", 1)])
    await bench.work.handle([said("c", 2)])
    assert bench.published() == [(1, "a human looks at it"), (2, "b"), (3, "c")]
    assert len(await bench.rows(outbox)) == 1


async def test_a_broken_producer_ends_the_process_after_what_was_sent_is_noted(make: Any) -> None:
    bench = await make()
    bench.publisher.refuse = lambda sent: RuntimeError("fenced") if b'"b"' in sent.value else None
    with pytest.raises(RuntimeError, match="fenced"):
        await bench.work.handle([said("a", 0), said("b", 1), said("c", 2, "web:2")])
    assert [json.loads(row["value"])["data"]["message_id"] for row in await bench.rows(outbox)] == ["b"]


async def test_old_ids_are_forgotten_after_three_weeks(make: Any) -> None:
    bench = await make()
    await bench.work.handle([said("a", 0)])
    bench.clock.move(20 * 86_400)
    await bench.work.handle([said("b", 1)])
    bench.clock.move(2 * 86_400)
    await bench.outbox.prune()
    assert len(await bench.rows(inbox)) == 1


# --- timers in the transaction ----------------------------------------------------------------------


def timer(kind: str, key: str = "web:1") -> Timer:
    return Timer(key, kind, 0, 0, MIDNIGHT + timedelta(seconds=10))


async def test_a_timer_is_set_once_fires_once_and_a_cancelled_one_never(make: Any) -> None:
    bench = await make()
    await bench.work.handle([said("timer t", 0, partition=3), said("timer t", 1, partition=3), said("timer u", 2)])
    assert sorted((row["kind"], row["partition"]) for row in await bench.rows(timers)) == [("t", 3), ("u", 0)]
    await bench.work.handle([said("cancel u", 3)])
    for _ in range(2):
        await bench.work.fire([(timer("t"), 3), (timer("u"), 0)])
    assert (await bench.state()).fired == ("t",)
    assert bench.published()[-1] == (5, "fired t")
    assert len(bench.published()) == 5


async def test_a_timer_that_nobody_can_decide_goes_to_broken(make: Any) -> None:
    bench = await make()
    await bench.work.handle([said("timer bad", 0)])
    await bench.work.fire([(timer("bad"), 0)])
    assert bench.published()[-1] == (2, "a human looks at it")
    assert await bench.rows(timers) == []


async def test_a_timer_whose_state_cannot_be_read_is_tried_again_later_and_not_at_once(make: Any) -> None:
    bench = await make()
    await bench.work.handle([said("timer t", 0), said("timer t", 1, "web:2")])
    async with bench.database.begin() as connection:
        await connection.execute(update(states).where(states.c.key == "web:1").values(body="{"))
    await bench.work.fire([(timer("t"), 0), (timer("t", "web:2"), 0)])
    assert (await bench.state("web:2")).fired == ("t",)
    assert [(row["key"], row["due"]) for row in await bench.rows(timers)] == [
        ("web:1", MIDNIGHT + timedelta(minutes=1))
    ]


# --- SQL away ---------------------------------------------------------------------------------------


async def test_while_sql_is_away_the_service_waits_says_so_and_then_goes_on(make: Any) -> None:
    bench = await make()
    begin = bench.database.begin
    away = True

    def gone() -> Any:
        if away:
            raise Unavailable("database: away")
        return begin()

    bench.database.begin = gone
    task = asyncio.create_task(bench.work.handle([said("a", 0)]))
    await asyncio.sleep(0.15)
    assert not task.done()
    assert bench.health.told[-1] == "database: away"
    away = False
    await task
    assert bench.health.told[-1] is None
    assert bench.published() == [(1, "a")]


async def test_a_file_that_cannot_be_opened_is_unavailable_and_a_wrong_statement_is_not(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/x.db")
    with pytest.raises(Unavailable):
        async with database.begin():
            pass
    with pytest.raises(Unavailable):
        async with database.read():
            pass
    assert not await database.answering()
    await database.close()
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/x.db")
    with pytest.raises(OperationalError):
        async with database.read() as connection:
            await connection.execute(select(notes))
    assert await database.answering()
    await database.close()


async def test_errors_do_not_repeat_what_shoppers_wrote(make: Any) -> None:
    bench = await make()
    async with bench.database.begin() as connection:
        await connection.execute(insert(inbox), {"id": "secret", "seen_at": MIDNIGHT})
    with pytest.raises(IntegrityError) as caught:
        async with bench.database.begin() as connection:
            await connection.execute(insert(inbox), {"id": "secret", "seen_at": MIDNIGHT})
    assert "secret" not in str(caught.value)


async def test_readers_do_not_wait_for_the_writer(make: Any) -> None:
    bench = await make()
    async with bench.database.begin(), asyncio.timeout(1):
        assert await bench.rows(inbox) == []
        assert await bench.database.answering()


# --- kills ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """No handler of ours may survive it."""


@pytest.mark.parametrize("kept", range(9))
async def test_killed_anywhere_and_run_again_every_effect_happens_once(make: Any, kept: int) -> None:
    """`kept` steps towards the outside (transactions and sends) happen, then the process is gone."""
    bench = await make()
    left = kept

    def step_outside(*_: Any) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1

    begin, read, send = bench.database.begin, bench.database.read, bench.publisher.send

    async def killing_send(*args: Any) -> None:
        step_outside()
        await send(*args)

    bench.database.begin = lambda: (step_outside(), begin())[1]
    bench.database.read = lambda: (step_outside(), read())[1]
    bench.publisher.send = killing_send  # type: ignore[method-assign]
    batch = [
        said("a", 0),
        said("timer t", 1),
        said("b", 2, "web:2"),
        said("a", 0),
        record_of(INBOUND, b"{", offset=4),
    ]
    died = False
    try:
        await bench.work.handle(batch)
    except Killed:
        died = True
    assert died == (kept < 7)  # so that every step was a place to die at
    bench.database.begin, bench.database.read = begin, read

    again = await make()
    again.publisher.sent = bench.publisher.sent
    again.vault = bench.vault
    await again.work.handle(batch)
    again.clock.move(60)
    await again.outbox.relay()
    assert (await again.state()).texts == ("a", "timer t")
    assert await again.rows(outbox) == []
    assert len(await again.rows(timers)) == 1
    by_id = {json.loads(sent.value)["id"]: json.loads(sent.value) for sent in again.publisher.on(OUT.name)}
    found = sorted((e["subject"], e["sequence"], e["data"]["message_id"]) for e in by_id.values())
    assert found == [("web:1", 1, "a"), ("web:1", 2, "timer t"), ("web:2", 1, "b")]
    assert {letter_of(sent.headers).origin for sent in again.publisher.on(INBOUND.dead_letters)} == {
        f"{INBOUND.name}/0/4"
    }


async def test_two_members_over_one_database_lose_no_update(make: Any) -> None:
    """As after a rebalance that one of them has not noticed."""
    one, two = await make(), await make()
    two.publisher = one.publisher
    two.outbox._publisher = one.publisher
    shared = [said(f"t{n}", n, f"web:{n % 3}") for n in range(30)]
    await asyncio.gather(
        *(bench.work.handle(shared[n : n + 5]) for n in range(0, 30, 5) for bench in (one, two)),
    )
    for key in range(3):
        texts = (await one.state(f"web:{key}")).texts
        assert sorted(texts) == sorted(f"t{n}" for n in range(30) if n % 3 == key)
        by_sequence = dict(one.published(f"web:{key}"))
        assert sorted(by_sequence) == list(range(1, 11))
        assert tuple(by_sequence[n] for n in sorted(by_sequence)) == texts


async def test_a_transaction_that_reads_first_holds_the_write_lock_already(make: Any) -> None:
    """Of two processes; with the driver's own BEGIN one of the two updates is lost or refused."""
    databases = [(await make()).database for _ in range(2)]
    row = {"key": "k", "version": 0, "body": "{}", "sequences": {}, "changed_at": MIDNIGHT}
    async with databases[0].begin() as connection:
        await connection.execute(insert(states), row)

    async def count(database: Database) -> None:
        async with database.begin() as connection:
            version = await connection.scalar(select(states.c.version).where(states.c.key == "k").with_for_update())
            await asyncio.sleep(0.01)
            await connection.execute(update(states).where(states.c.key == "k").values(version=version + 1))

    await asyncio.gather(*(count(database) for database in databases for _ in range(5)))
    async with databases[0].read() as connection:
        assert await connection.scalar(select(states.c.version)) == 10


async def test_ids_are_looked_up_under_the_lock_of_the_row(make: Any) -> None:
    """On a database with row locks the other member's commit is seen only by a statement after the lock."""
    bench = await make()
    statements: list[str] = []

    @sqlalchemy_event.listens_for(bench.database.engine.sync_engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    await bench.work.handle([said("a", 0)])
    looked = [
        table
        for statement in statements
        for table in ("states", "inbox")
        if statement.startswith("SELECT") and f"FROM {table}" in statement
    ]
    assert looked == ["states", "inbox"]


# --- who watches ----------------------------------------------------------------------------------


async def test_each_step_is_told_once_and_only_when_it_is_committed(make: Any) -> None:
    told: list[tuple[str, tuple[str, ...], tuple[str, ...], datetime]] = []

    def watch(key: str, before: Heard, step: Step[Heard], now: datetime) -> None:
        told.append((key, before.texts, step.state.texts, now))

    bench = await make(watch=watch)
    await bench.work.handle([said("a", 0), said("b", 1)])
    assert told == [("web:1", (), ("a",), bench.clock()), ("web:1", ("a",), ("a", "b"), bench.clock())]
    await bench.work.handle([said("a", 2, cause="web:1-0")])  # known
    assert len(told) == 2
    told.clear()
    # The database refuses the second note, so the batch is rolled back and each event is folded alone.
    await bench.work.handle([said("note x", 3), said("note x", 4, "web:2"), said("c", 5, "web:3")])
    kept = [(key, after) for key, before, after, _ in told if after != before]
    assert kept == [("web:1", ("a", "b", "note x")), ("web:3", ("c",))]
