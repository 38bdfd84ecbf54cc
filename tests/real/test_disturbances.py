"""The line while its surroundings fail it: members come and go, Kafka and PostgreSQL restart, processes stand still.

Shoppers write all the while and agents answer. Each test leaves the line whole: one sound process of each service.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Literal

import pytest

from schemas.topics import PARTITIONS
from tests.real.checker import check
from tests.real.desk import Desk
from tests.real.load import Load
from tests.real.stage import DATABASES, SERVICES, Line, Process, Stage

pytestmark = pytest.mark.timeout(240)

FLOW = tuple(name for name in SERVICES if name != "catalog-indexer")
"""What messages go through. The index of the catalogue is a file here, which one process writes."""

ROUTERS = 5

_CRASHES: tuple[tuple[Literal["fast", "immediate"], int | None], ...] = (("fast", 70), ("immediate", None))
"""How PostgreSQL ends, and how many events are sent around it."""


@pytest.fixture(scope="module", autouse=True)
def desk(stage: Stage) -> Iterator[None]:
    with Desk(stage.kafka.bootstrap):
        yield


def test_two_of_every_service_and_five_routers_join_and_leave(stage: Stage, line: Line) -> None:
    load = Load(stage.kafka.bootstrap, 40, 150, gateway="crowd")
    wanted = {name: ROUTERS if name == "escalation-router" else 2 for name in FLOW}
    with flowing(load, 60, rate=6):
        joined = {
            name: [stage.start(name, wait=False) for _ in range(members - 1)] for name, members in wanted.items()
        }
        for process in (process for started in joined.values() for process in started):
            process.wait_ready()
    for name, members in wanted.items():
        shares = shared(stage, name, members)
        numbers = [{partition for _, partition in share} for share in shares]
        assert sorted(number for of_one in numbers for number in of_one) == list(range(PARTITIONS)), (
            f"{name}: a partition's number is with two members: {shares}"
        )
        topics = {topic for share in shares for topic, _ in share}
        assert set().union(*shares) == {(topic, n) for topic in topics for n in range(PARTITIONS)}
    routers = [line["escalation-router"], *joined["escalation-router"]]
    before = [router.metric("baton_events_total") for router in routers]
    with flowing(load, 60, rate=15):
        until(
            lambda: all(now.metric("baton_events_total") > was for now, was in zip(routers, before, strict=True)),
            "every router handles something",
        )
    with flowing(load, rate=15):
        for name in ("escalation-router", "sentiment", "copilot-drafter"):
            joined[name].pop().kill()
        leaving = [process for left in joined.values() for process in left]
        assert {process.name for process in leaving} == {"escalation-router", "ingest", "retrieval-answer"}
        stop_all(leaving)
    judged(stage, load)
    for name in FLOW:
        shared(stage, name, 1)


def test_the_broker_restarts_and_is_killed(stage: Stage, line: Line) -> None:
    load = Load(stage.kafka.bootstrap, 30, 100, gateway="broker")
    (node,) = stage.kafka.nodes
    for end, events in ((node.stop, 70), (node.kill, None)):
        with flowing(load, events, rate=15):
            some_flowed(load)
            end()
            time.sleep(3)  # requests run into it
            node.start()
            stage.kafka.wait()
        is_whole(line)
    judged(stage, load)


def test_postgresql_restarts_and_crashes(stage: Stage, line: Line) -> None:
    load = Load(stage.kafka.bootstrap, 30, 120, gateway="sql")
    for mode, events in _CRASHES:
        with flowing(load, events, rate=15):
            some_flowed(load)
            stage.postgres.stop(mode)
            for name in DATABASES:
                until(partial(said_by, line[name], "sql does not answer"), f"{name} says that its SQL is away")
            until(partial(said_by, line["ingest"], "paused: database"), "ingest pauses with the next message")
            stage.postgres.start()
        is_whole(line)
    judged(stage, load)


def test_a_router_is_paused_within_a_transaction_past_its_session(stage: Stage, line: Line) -> None:
    """It holds rows that the other router needs, until PostgreSQL ends its transaction."""
    load = Load(stage.kafka.bootstrap, 30, 130, gateway="zombie")
    zombie = stage.start("escalation-router", fault="pause_in_fold:12")
    shared(stage, "escalation-router", 2)
    with flowing(load, 100, rate=15):
        until(lambda: zombie.paused, "the router is paused within a fold")
        until(lambda: idle_transactions(stage) == 1, "its rows are locked")
    judged(stage, load)  # the other one has done it all
    assert zombie.paused
    assert len(stage.shares("escalation-router")) == 1
    assert idle_transactions(stage) == 0
    comes_back(stage, zombie)
    load.send(rate=15)
    judged(stage, load)
    stop_all([zombie])


def test_others_are_paused_past_their_session_with_work_in_hand(stage: Stage, line: Line) -> None:
    """One that has committed and not published, and one in the middle of an answer, with others there to take over;
    and one whose work nobody takes over."""
    load = Load(stage.kafka.bootstrap, 30, 130, gateway="zombies")
    zombies = [
        stage.start("ingest", fault="pause_before_publish:4", wait=False),
        stage.start("retrieval-answer", fault="pause_in_window:4", wait=False),
    ]
    for zombie in zombies:
        zombie.wait_ready()
        shared(stage, zombie.name, 2)
    with flowing(load, 100, rate=15):
        line["sentiment"].pause()
        until(lambda: all(zombie.paused for zombie in zombies), "they are paused with work in hand")
    for zombie in zombies:
        shared(stage, zombie.name, 1)
    until(lambda: not stage.shares("sentiment"), "the group of sentiment has lost its one member")
    line["sentiment"].resume()
    judged(stage, load)
    for zombie in zombies:
        assert zombie.paused
        comes_back(stage, zombie)
    load.send(rate=15)
    judged(stage, load)
    stop_all(zombies)
    is_whole(line)


def test_the_router_is_away_for_a_while(stage: Stage, line: Line) -> None:
    load = Load(stage.kafka.bootstrap, 30, 120, gateway="away")
    with flowing(load, rate=8):
        some_flowed(load)
        assert line["escalation-router"].stop() == 0
        time.sleep(15)
        stage.start("escalation-router")
    judged(stage, load, no_unavailable_with_answer=True, work_repeats=False)


# --- what they have in common ---------------------------------------------------------------------------------


@contextmanager
def flowing(load: Load, events: int | None = None, *, rate: float) -> Iterator[None]:
    """The next events (None: all that are left) are sent meanwhile; Kafka has them at the end."""
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(load.send, events, rate=rate)
        yield
        sending.result()


def judged(stage: Stage, load: Load, *, no_unavailable_with_answer: bool = False, work_repeats: bool = True) -> None:
    """Everything that was sent is done, and all promises were kept."""
    gateway = load.plan[0].key.partition(":")[0]
    report = check(
        stage.settle(load.sent, gateway),
        sent=load.sent,
        no_unavailable_with_answer=no_unavailable_with_answer,
        work_repeats=work_repeats,
    )
    print(report)
    assert report.problems == []


def shared(stage: Stage, name: str, members: int) -> list[frozenset[tuple[str, int]]]:
    """The partitions of each member of a service, once there are so many and none is idle."""
    found: list[frozenset[tuple[str, int]]] = []

    def all_there() -> bool:
        found[:] = stage.shares(name)
        return len(found) == members and all(found)

    until(all_there, f"{members} of {name} share the work")
    return found


def comes_back(stage: Stage, zombie: Process) -> None:
    """A paused process goes on, and takes part again."""
    zombie.resume()
    shared(stage, zombie.name, 2)
    zombie.wait_ready()


def some_flowed(load: Load) -> None:
    """The flow is well under way."""
    there = load.remaining
    until(lambda: load.remaining < there - 10, "messages flow")


def stop_all(processes: Sequence[Process]) -> None:
    """At the same time, as a deployment does; each finishes what it holds and ends with status 0."""
    with ThreadPoolExecutor(len(processes)) as pool:
        ended = list(pool.map(Process.stop, processes))
    assert ended == [0] * len(processes), [(process.name, process.log) for process in processes]


def said_by(process: Process, why: str) -> bool:
    """Whether it says that this is wrong with it."""
    return any(wrong.startswith(why) for wrong in process.wrong() or ())


def idle_transactions(stage: Stage) -> int:
    """Transactions of the router's that have waited for their process for half a second."""
    found = stage.postgres.query(
        "postgres",
        "SELECT datname FROM pg_stat_activity "
        "WHERE state LIKE 'idle in%' AND state_change < now() - interval '0.5 s'",
    )
    return found.count((f"{stage.prefix}_{DATABASES['escalation-router']}",))


def is_whole(line: Line) -> None:
    """No process has ended, and each is ready."""
    for process in line.values():
        assert process.running, f"{process.name} ended with {process.child.returncode}"
        process.wait_ready()


def until(true: Callable[[], bool], what: str, within_s: float = 45.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"not within {within_s:.0f} s: {what}"
        time.sleep(0.1)
