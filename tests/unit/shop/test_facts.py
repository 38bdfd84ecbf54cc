import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from services.lib.shop.facts import LIFETIME, Facts, is_proof


class Source:
    """Reads that can be held back, and are counted."""

    def __init__(self, **values: int) -> None:
        self.values = values
        self.calls: list[tuple[str, ...]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def read(self, keys: tuple[str, ...]) -> Mapping[str, int]:
        self.calls.append(keys)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {key: self.values[key] for key in keys if key in self.values}


async def test_values_are_kept_for_their_time(time) -> None:
    source, facts = Source(a=1, b=2), Facts[str, int](60, time.monotonic)
    assert await facts.many(["a", "b", "a"], source.read) == {"a": 1, "b": 2}
    time.passed = 59
    assert await facts.many(["b"], source.read) == {"b": 2}
    assert source.calls == [("a", "b")]
    time.passed = 60
    source.values["b"] = 3
    assert await facts.many(["b"], source.read) == {"b": 3}


async def test_only_what_is_unknown_is_read(time) -> None:
    source, facts = Source(a=1, b=2), Facts[str, int](60, time.monotonic)
    await facts.many(["a"], source.read)
    assert await facts.many(["b", "a"], source.read) == {"b": 2, "a": 1}
    assert source.calls == [("a",), ("b",)]


async def test_that_something_does_not_exist_is_remembered(time) -> None:
    source, facts = Source(), Facts[str, int](60, time.monotonic)
    assert await facts.many(["x"], source.read) == {}
    source.values["x"] = 1
    assert await facts.many(["x"], source.read) == {}
    time.passed = 61
    assert await facts.many(["x"], source.read) == {"x": 1}


async def test_who_asks_at_once_is_answered_by_one_reading(time) -> None:
    source, facts = Source(a=1, b=2, c=3), Facts[str, int](60, time.monotonic)
    source.gate.clear()
    first = asyncio.create_task(facts.many(["a", "b"], source.read))
    await asyncio.sleep(0)
    second = asyncio.create_task(facts.many(["b", "c"], source.read))
    await asyncio.sleep(0)
    source.gate.set()
    assert await first == {"a": 1, "b": 2}
    assert await second == {"b": 2, "c": 3}
    assert source.calls == [("a", "b"), ("c",)]


async def test_a_failure_reaches_all_who_wait_and_is_not_kept(time) -> None:
    source, facts = Source(a=1), Facts[str, int](60, time.monotonic)
    source.gate.clear()
    source.error = OSError("down")
    waiting = [asyncio.create_task(facts.many(["a"], source.read)) for _ in range(3)]
    await asyncio.sleep(0)
    source.gate.set()
    assert [type(result) for result in await asyncio.gather(*waiting, return_exceptions=True)] == [OSError] * 3
    assert len(source.calls) == 1
    source.error = None
    assert await facts.many(["a"], source.read) == {"a": 1}


async def test_a_caller_who_leaves_stops_nobody_else(time) -> None:
    source, facts = Source(a=1), Facts[str, int](60, time.monotonic)
    source.gate.clear()
    impatient = asyncio.create_task(facts.many(["a"], source.read))
    patient = asyncio.create_task(facts.many(["a"], source.read))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    source.gate.set()
    assert await patient == {"a": 1}
    assert len(source.calls) == 1


async def test_the_age_of_a_value_counts_from_when_its_reading_began(time) -> None:
    source, facts = Source(a=1), Facts[str, int](60, time.monotonic)

    async def slow(keys: tuple[str, ...]) -> Mapping[str, int]:
        time.passed += 50
        return await source.read(keys)

    await facts.many(["a"], slow)
    time.passed = 61
    await facts.many(["a"], slow)
    assert len(source.calls) == 2


async def test_no_setting_keeps_a_fact_beyond_its_lifetime(time) -> None:
    source, facts = Source(a=1), Facts[str, int](10**6, time.monotonic)
    await facts.many(["a"], source.read)
    time.passed = LIFETIME.total_seconds()
    await facts.many(["a"], source.read)
    assert len(source.calls) == 2


async def test_memory_is_bounded_and_the_oldest_go_first(time) -> None:
    source = Source(a=1, b=2, c=3)
    facts = Facts[str, int](60, time.monotonic, max_entries=2)
    for key in "abc":
        await facts.many([key], source.read)
    await facts.many(["b", "c"], source.read)
    await facts.many(["a"], source.read)
    assert source.calls == [("a",), ("b",), ("c",), ("a",)]


async def test_what_is_too_old_is_dropped(time) -> None:
    source, facts = Source(a=1, b=2), Facts[str, int](60, time.monotonic)
    await facts.many(["a"], source.read)
    time.passed = 30
    await facts.many(["b"], source.read)
    assert len(facts) == 2
    time.passed = 60
    await facts.many(["c"], source.read)
    assert len(facts) == 2
    time.passed = 200
    await facts.many(["c"], source.read)
    assert len(facts) == 1


async def test_a_keep_of_zero_still_coalesces(time) -> None:
    source, facts = Source(a=1), Facts[str, int](0, time.monotonic)
    assert await asyncio.gather(*(facts.many(["a"], source.read) for _ in range(5))) == [{"a": 1}] * 5
    assert len(source.calls) == 1
    await facts.many(["a"], source.read)
    assert len(source.calls) == 2


def test_a_fact_proves_for_fifteen_minutes(time) -> None:
    read_at = time.now()
    assert is_proof(read_at, read_at + timedelta(minutes=15))
    assert not is_proof(read_at, read_at + timedelta(minutes=15, seconds=1))


@pytest.fixture
def counted() -> Callable[[], dict[str, float]]:
    """What was counted of kind `live` since the last look."""
    last: dict[str, float] = {}

    def look() -> dict[str, float]:
        found = {}
        for result in ("read", "cached", "unavailable"):
            now = REGISTRY.get_sample_value("baton_facts_read_total", {"kind": "live", "result": result}) or 0.0
            found[result] = now - last.get(result, 0.0)
            last[result] = now
        return {result: number for result, number in found.items() if number}

    look()
    return look


async def test_each_key_is_counted_by_what_its_caller_got(time, counted) -> None:
    source, facts = Source(a=1, b=2, c=3), Facts[str, int](60, time.monotonic, kind="live")
    await facts.many(["a", "b", "a"], source.read)
    assert counted() == {"read": 2}
    await facts.many(["a", "c"], source.read)
    assert counted() == {"read": 1, "cached": 1}
    source.error = LookupError("away")
    with pytest.raises(LookupError):
        await facts.many(["a", "x", "y"], source.read)
    assert counted() == {"cached": 1, "unavailable": 2}


async def test_a_caller_who_waits_no_longer_got_nothing(time, counted) -> None:
    source, facts = Source(a=1), Facts[str, int](60, time.monotonic, kind="live")
    source.gate.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await facts.many(["a"], source.read)
    assert counted() == {"unavailable": 1}
    patient = asyncio.create_task(facts.many(["a"], source.read))
    await asyncio.sleep(0)
    source.gate.set()
    assert await patient == {"a": 1}
    assert counted() == {"read": 1}  # by the reading that was under way


async def test_what_is_no_fact_is_not_counted(time, counted) -> None:
    source, facts = Source(a=1), Facts[str, int](60, time.monotonic)
    await facts.many(["a"], source.read)
    assert counted() == {}
