"""Another try comes after a growing, jittered, bounded wait, and not for ever."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.kit.errors import Poison, Transient
from services.lib.kit.retry import RetryPolicy, retrying, waits

_s = st.floats(0, 100)


@given(base=_s, cap=_s, attempt=st.integers(0, 10**6), luck=st.floats(0, 1, exclude_max=True))
def test_waits_are_bounded(base: float, cap: float, attempt: int, luck: float) -> None:
    policy = RetryPolicy(base_s=base, cap_s=cap)
    wait = policy.delay_s(attempt, lambda: luck)
    full = min(cap, base * 2.0 ** min(attempt, 30))
    assert full / 2 <= wait <= full <= cap


@given(base=st.floats(0.001, 10), attempt=st.integers(0, 20), luck=st.floats(0, 0.999))
def test_waits_grow_to_the_cap(base: float, attempt: int, luck: float) -> None:
    policy = RetryPolicy(base_s=base, cap_s=1000)
    assert policy.delay_s(attempt, lambda: luck) <= policy.delay_s(attempt + 1, lambda: luck)


@pytest.mark.parametrize(("attempts", "failures", "tries"), [(3, 0, 1), (3, 2, 3), (1, 0, 1)])
async def test_it_tries_until_it_works(attempts: int, failures: int, tries: int) -> None:
    made, retries = 0, 0

    async def work() -> str:
        nonlocal made
        made += 1
        if made <= failures:
            raise Transient("429")
        return "done"

    def on_retry() -> None:
        nonlocal retries
        retries += 1

    assert await retrying(work, RetryPolicy(attempts=attempts, base_s=0), on_retry) == "done"
    assert (made, retries) == (tries, tries - 1)


async def test_the_last_failure_comes_out_and_others_at_once() -> None:
    made = 0

    async def work() -> None:
        nonlocal made
        made += 1
        raise Transient(str(made)) if made < 3 else Poison("no")

    with pytest.raises(Transient, match="2"):
        await retrying(work, RetryPolicy(attempts=2, base_s=0), lambda: None)
    with pytest.raises(Poison):
        await retrying(work, RetryPolicy(attempts=9, base_s=0), lambda: None)
    assert made == 3


async def test_waits_never_end_and_begin_without_one() -> None:
    async with asyncio.timeout(1):
        seen = []
        async for attempt in waits(RetryPolicy(base_s=0)):
            seen.append(attempt)
            if attempt == 1000:
                break
    assert seen == list(range(1001))
