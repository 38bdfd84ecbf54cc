"""The window: many records in flight, one key in order, nothing committed that is not finished."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import chat, topics
from schemas.event import Event
from services.lib.kit.dead_letters import REDRIVE, Brake, DeadLetters, Vault, letter_of
from services.lib.kit.errors import Braked, Poison, Transient, Unavailable
from services.lib.kit.fakes import (
    MemoryConsumer,
    MemoryPublisher,
    NotedHealth,
    StandingClock,
    event_record,
    record_of,
)
from services.lib.kit.retry import RetryPolicy
from services.lib.kit.window import Window

TOPIC = topics.CHAT_INBOUND
QUICK = RetryPolicy(attempts=2, base_s=0.0)


def tp(partition: int = 0) -> TopicPartition:
    return TopicPartition(TOPIC.name, partition)


def said(text: str, offset: int, key: str = "web:1", partition: int = 0, **more: Any) -> Any:
    gateway, conversation = key.split(":")
    data = chat.CustomerMessage(gateway=gateway, conversation=conversation, message_id=str(offset), text=text)
    return event_record(TOPIC, data, key, f"{partition}-{offset}", partition=partition, offset=offset, **more)


@dataclass
class Bench:
    """A window over a handler that can be held: `gate(text)` keeps it from ending."""

    width: int = 8
    span: int = 32
    brake: Brake = field(default_factory=Brake)
    raises: dict[str, list[Exception]] = field(default_factory=dict)
    handle_s: float = 5.0
    partitions: int = 4

    def __post_init__(self) -> None:
        self.consumer = MemoryConsumer({tp(n) for n in range(self.partitions)})
        self.publisher, self.health = MemoryPublisher(), NotedHealth()
        self.failures: list[BaseException] = []
        self.started: list[tuple[str, str]] = []
        self.ended: list[tuple[str, str]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.vault = Vault(Vault.new_key())
        self.window = Window(
            "test",
            self.handle,
            [chat.CustomerMessage],
            dead_letters=DeadLetters(self.publisher, "test", self.vault),
            clock=StandingClock(),
            health=self.health,
            fail=self.failures.append,
            width=self.width,
            span=self.span,
            retry=QUICK,
            brake=self.brake,
            handle_s=self.handle_s,
        )

    async def handle(self, event: Event[Any]) -> None:
        text = event.data.text
        self.started.append((event.subject, text))
        if text in self.gates:
            await self.gates[text].wait()
        if self.raises.get(text):
            raise self.raises[text].pop(0)
        self.ended.append((event.subject, text))

    def gate(self, *texts: str) -> None:
        for text in texts:
            self.gates[text] = asyncio.Event()

    def open(self, *texts: str) -> None:
        for text in texts:
            self.gates[text].set()

    def take(self, *records: Any) -> None:
        self.window.take(records, self.consumer)

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.ended]

    def letters(self) -> list[tuple[str, str]]:
        found = [letter_of(sent.headers) for sent in self.publisher.on(TOPIC.dead_letters)]
        return [(letter.cause, letter.origin.rsplit("/", 1)[1]) for letter in found]


async def quiet(until: Callable[[], bool] | None = None) -> None:
    """Let everything run that can."""
    for _ in range(200):
        await asyncio.sleep(0)
    if until is not None:
        async with asyncio.timeout(5):
            while not until():  # noqa: ASYNC110  # a condition of several parts
                await asyncio.sleep(0.002)


# --- order and isolation ----------------------------------------------------------------------------


async def test_a_slow_record_holds_nobody_but_its_own_key() -> None:
    bench = Bench()
    bench.gate("slow")
    bench.take(said("slow", 0), said("behind", 1), *(said(f"o{n}", n, f"web:o{n}") for n in range(2, 12)))
    await quiet()
    assert bench.texts == [f"o{n}" for n in range(2, 12)]
    bench.open("slow")
    await quiet()
    assert bench.texts[-2:] == ["slow", "behind"]


async def test_the_first_unfinished_offset_is_committed() -> None:
    bench = Bench()
    bench.gate("slow")
    bench.take(said("a", 10, "web:a"), said("slow", 11, "web:b"), said("c", 12, "web:c"))
    await quiet()
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(): 11}
    await bench.window.commit()
    assert len(bench.consumer.commits) == 1  # nothing moved
    bench.open("slow")
    await quiet()
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(): 13}


async def test_holes_in_the_offsets_are_no_unfinished_records() -> None:
    bench = Bench(span=4)
    bench.take(said("a", 10), said("b", 20, "web:2"))
    bench.take(said("c", 5_000_000, "web:3"))  # at once, not offset by offset
    await quiet()
    await bench.window.commit()
    assert bench.texts == ["a", "b", "c"]
    assert bench.consumer.committed() == {tp(): 5_000_001}


async def test_width_and_span_are_kept_and_a_full_partition_is_paused_alone() -> None:
    bench = Bench(width=6, span=4)
    bench.gate("x")
    bench.take(*(said("x", n, f"web:{n}") for n in range(10)), *(said("y", n, f"tel:{n}", 1) for n in range(10)))
    await quiet()
    assert len([text for _, text in bench.started if text == "x"]) == 4
    assert bench.texts == ["y"] * 10  # the full partition held the other one up in nothing
    assert bench.consumer.paused == {tp(0)}
    bench.open("x")
    await quiet()
    assert len(bench.texts) == 20
    assert bench.consumer.paused == set()


async def test_a_hot_key_does_not_use_up_the_width() -> None:
    bench = Bench(width=2)
    bench.gate("h0")
    bench.take(*(said(f"h{n}", n, "web:hot") for n in range(10)), said("other", 10, "web:2"))
    await quiet()
    assert bench.texts == ["other"]
    bench.open("h0")
    await quiet()
    assert bench.texts[1:] == [f"h{n}" for n in range(10)]
    assert bench.window._busy == {}  # nothing is kept of keys that are done


async def test_records_read_again_after_a_seek_are_not_done_again() -> None:
    bench = Bench()
    bench.take(said("a", 0), said("b", 1))
    await quiet()
    bench.take(said("a", 0), said("b", 1), said("c", 2))
    await quiet()
    assert bench.texts == ["a", "b", "c"]


# --- errors -----------------------------------------------------------------------------------------


async def test_transient_is_tried_again_and_then_put_aside() -> None:
    bench = Bench(raises={"once": [Transient("429")], "always": [Transient("429")] * 9})
    bench.take(said("once", 0), said("always", 1, "web:2"), said("next", 2, "web:2"))
    await quiet(lambda: len(bench.texts) == 2 and bool(bench.letters()))
    assert set(bench.texts) == {"once", "next"}
    assert bench.letters() == [("transient", "1")]
    assert len(bench.started) == 5


@pytest.mark.parametrize(("error", "cause"), [(Poison("no"), "poison"), (KeyError("bug"), "broken")])
async def test_poison_and_bugs_are_put_aside_at_once_and_the_key_goes_on(error: Exception, cause: str) -> None:
    bench = Bench(raises={"bad": [error]})
    bench.take(said("bad", 0), said("next", 1))
    await quiet(lambda: bench.texts == ["next"])
    assert bench.letters() == [(cause, "0")]
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(): 2}
    assert bench.failures == []


async def test_work_that_never_ends_is_put_aside() -> None:
    bench = Bench(handle_s=0.05)
    bench.gate("never")
    bench.take(said("never", 0), said("next", 1))
    await quiet(lambda: bench.texts == ["next"])
    assert bench.letters() == [("timeout", "0")]


async def test_while_something_of_ours_is_away_nothing_is_put_aside_and_one_success_is_not_readiness() -> None:
    bench = Bench(raises={"a": [Unavailable("SQL")], "b": [Unavailable("SQL")] * 2})
    bench.take(said("a", 0), said("b", 1, "web:2"), said("c", 2, "web:3"))
    await quiet(lambda: "a" in bench.texts)
    assert bench.health.is_paused  # b still waits
    await quiet(lambda: "b" in bench.texts)
    assert not bench.health.is_paused
    assert bench.letters() == []


async def test_what_is_no_event_is_put_aside_and_other_types_are_skipped() -> None:
    bench = Bench()
    unknown = {**json.loads(said("x", 0).value), "type": "FromTheFuture"}
    del unknown["dataschema"]
    started = chat.ConversationStarted(gateway="web", conversation="1")
    bench.take(
        record_of(TOPIC, b"no", offset=0),
        record_of(TOPIC, b"", None, offset=1),
        record_of(TOPIC, json.dumps(unknown).encode(), offset=2),
        event_record(TOPIC, started, "web:1", "s", offset=3),
        said("for others", 4, headers=[(REDRIVE, b"else")]),
        said("a", 5),
    )
    await quiet()
    assert sorted(bench.letters()) == [("empty", "1"), ("not_json", "0")]
    assert bench.texts == ["a"]
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(): 6}


async def test_a_letter_waits_for_kafka_and_its_record_is_not_committed_before() -> None:
    bench = Bench()
    bench.publisher.refuse = lambda sent: Unavailable("away")
    bench.take(record_of(TOPIC, b"no", offset=3), said("a", 4, "web:2"))
    await quiet()
    await bench.window.commit()
    assert bench.consumer.commits == []
    assert bench.health.is_paused
    bench.publisher.refuse = lambda sent: None
    await quiet(lambda: bool(bench.letters()))
    await quiet()
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(): 5}
    assert not bench.health.is_paused


async def test_the_brake_ends_the_process_starts_nothing_more_and_commits_nothing_of_it() -> None:
    bench = Bench(brake=Brake(run=3), width=1)
    bench.take(*(record_of(TOPIC, b"no", f"web:{n}".encode(), offset=n) for n in range(10)))
    await quiet()
    assert [type(error) for error in bench.failures] == [Braked]
    assert len(bench.letters()) == 3
    bench.take(said("later", 10))
    await quiet()
    assert bench.texts == []
    await bench.window.drain(1)
    assert bench.consumer.committed() == {tp(): 2}


# --- revocation and the end -------------------------------------------------------------------------


async def test_revoked_partitions_drain_commit_and_are_forgotten_the_others_go_on() -> None:
    bench = Bench()
    bench.gate("r0", "k0")
    bench.take(said("r0", 0), said("r1", 1), said("k0", 0, "web:k", 1), said("k1", 1, "web:k", 1))
    await quiet()
    revoking = asyncio.create_task(bench.window.revoke([tp(0)], 5))
    await quiet()
    bench.open("r0", "k0")
    await revoking
    bench.consumer.assigned.discard(tp(0))
    await quiet()
    assert bench.consumer.committed() == {tp(0): 1, tp(1): 1}
    assert bench.texts == ["r0", "k0", "k1"]  # r1 is the next owner's
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(0): 1, tp(1): 2}


async def test_a_partition_that_comes_back_begins_where_kafka_says() -> None:
    bench = Bench()
    bench.gate("slow")
    bench.take(said("slow", 0), said("b", 1), said("c", 2, "web:2"))
    await quiet()
    await bench.window.revoke([tp(0)], 0.01)  # the slow one outlasts it
    bench.take(said("again", 0), said("b", 1), said("c", 2, "web:2"))
    await quiet()
    assert [text for _, text in bench.started] == ["slow", "c", "c"]  # its key is still busy
    bench.open("slow")
    await quiet()
    assert [text for _, text in bench.started] == ["slow", "c", "c", "again", "b"]
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(0): 3}


async def test_records_of_partitions_that_went_are_not_taken_in_and_do_not_spoil_commits() -> None:
    bench = Bench(partitions=1)
    bench.take(said("late", 7, "web:2", partition=3), said("a", 0))
    await quiet()
    assert bench.texts == ["a"]
    bench.take(said("b", 1))
    await quiet()
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(0): 2}


async def test_a_batch_from_before_a_rebalance_hides_nothing() -> None:
    """It was fetched while the partition was ours before; the log goes on at the committed offset."""
    bench = Bench()
    bench.take(said("stale", 9))
    await quiet()
    bench.take(*(said(f"t{n}", n) for n in range(5, 10)))
    await quiet()
    assert bench.texts == ["stale", "t5", "t6", "t7", "t8", "t9"]


async def test_a_commit_that_fails_is_made_up_for() -> None:
    bench = Bench()
    bench.consumer.refuse = CommitFailedError()
    bench.take(said("a", 0))
    await quiet()
    await bench.window.commit()
    bench.consumer.refuse = None
    await bench.window.commit()
    assert bench.consumer.committed() == {tp(): 1}


async def test_at_the_end_running_work_ends_and_waiting_work_does_not_start() -> None:
    bench = Bench(width=1)
    bench.gate("a")
    bench.take(said("a", 0), said("b", 1), said("c", 2, "web:2"))
    await quiet()
    draining = asyncio.create_task(bench.window.drain(5))
    await quiet()
    bench.take(said("d", 3, "web:3"))
    assert bench.consumer.paused == bench.consumer.assigned  # or memory would fill while it drains
    bench.open("a")
    await draining
    await quiet()
    assert bench.texts == ["a"]
    assert bench.consumer.committed() == {tp(): 1}


async def test_work_that_outlasts_the_end_is_cancelled_and_not_committed() -> None:
    bench = Bench()
    bench.gate("slow")
    bench.take(said("a", 0), said("slow", 1), said("b", 2, "web:2"))
    await quiet()
    await bench.window.drain(0.01)
    assert bench.window._running == set()
    assert bench.consumer.committed() == {tp(): 1}
    assert bench.failures == []


# --- all of it at once ------------------------------------------------------------------------------

_records = st.lists(
    st.tuples(
        st.integers(0, 2),  # partition
        st.integers(0, 3),  # key, of its partition
        st.sampled_from([0, 0, 0, 1, 2, 5]),  # turns of the loop it takes
        st.sampled_from(["ok"] * 6 + ["poison", "bug", "transient", "away"]),
        st.integers(1, 3),  # distance to the next offset
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(
    records=_records,
    width=st.integers(1, 6),
    span=st.integers(1, 12),
    batch=st.integers(1, 9),
    revoke_at=st.one_of(st.none(), st.integers(0, 40)),
)
def test_random_histories(
    records: list[tuple[int, int, int, str, int]], width: int, span: int, batch: int, revoke_at: int | None
) -> None:
    asyncio.run(_history(records, width, span, batch, revoke_at))


async def _history(
    plan: list[tuple[int, int, int, str, int]], width: int, span: int, batch: int, revoke_at: int | None
) -> None:
    bench = Bench(width=width, span=span, brake=Brake(run=10**6, window=10**6))
    log: list[Any] = []
    ends: dict[int, int] = defaultdict(int)
    turns, failing = {}, {}
    for number, (partition, key, takes, result, gap) in enumerate(plan):
        text = f"{number}"
        turns[text], failing[text] = takes, result
        log.append(said(text, ends[partition], f"p{partition}:k{key}", partition))
        ends[partition] += gap
    busy: set[str] = set()
    in_flight: dict[str, tuple[int, int]] = {}
    done: dict[int, set[int]] = defaultdict(set)
    seen: dict[str, list[int]] = defaultdict(list)
    offsets = {json.loads(record.value)["data"]["text"]: (record.partition, record.offset) for record in log}

    async def handle(event: Event[Any]) -> None:
        text, key = event.data.text, event.subject
        assert key not in busy, "two records of one key at once"
        busy.add(key)
        in_flight[text] = offsets[text]
        assert len(in_flight) <= width
        try:
            if failing[text] != "retried":
                seen[key].append(int(text))
            for _ in range(turns[text]):
                await asyncio.sleep(0)
            match failing[text]:
                case "poison":
                    raise Poison("no")
                case "bug":
                    raise LookupError("no")
                case "transient" | "away" as kind:
                    failing[text] = "retried"
                    raise (Transient if kind == "transient" else Unavailable)("later")
        finally:
            busy.discard(key)
            del in_flight[text]
        partition, offset = offsets[text]
        done[partition].add(offset)

    bench.window._handle = handle

    def check() -> None:
        put_aside = {tuple(map(int, letter_of(s.headers).origin.split("/")[1:])) for s in bench.publisher.sent}
        finished = {(p, o) for p, of in done.items() for o in of} | put_aside
        for place, upto in bench.consumer.committed().items():
            of_partition = {o for p, o in offsets.values() if p == place.partition and o < upto}
            assert all((place.partition, o) in finished for o in of_partition), "committed past unfinished work"
        for partition, offset in in_flight.values():
            committed = bench.window._lanes[tp(partition)].watermark
            assert offset - committed < span

    for start in range(0, len(log), batch):
        bench.take(*log[start : start + batch])
        await asyncio.sleep(0)
        if revoke_at is not None and start <= revoke_at < start + batch:
            await bench.window.revoke([], 5)  # a rebalance after which all is ours still
        check()
        await bench.window.commit()
        check()
    async with asyncio.timeout(20):
        while any(lane.taken for lane in bench.window._lanes.values()):
            await asyncio.sleep(0.001)
            check()
    await bench.window.commit()
    check()
    last = {p: max(o for q, o in offsets.values() if q == p) for p, _ in offsets.values()}
    assert bench.consumer.committed() == {tp(p): offset + 1 for p, offset in last.items()}
    for of_key in seen.values():
        assert of_key == sorted(of_key), "a key out of order"
    assert sorted(n for of_key in seen.values() for n in of_key) == list(range(len(log)))
    assert bench.consumer.paused == set()
    assert bench.failures == []
