"""`retrying`: another try after a jittered, growing, bounded wait."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from services.lib.kit.errors import Transient

T = TypeVar("T")

_MAX_DOUBLINGS = 30
"""Beyond every cap; a float overflows at 1,024."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`attempts` in all; waits grow from `base_s` to `cap_s`, each between half and all of its length."""

    attempts: int = 3
    base_s: float = 0.2
    cap_s: float = 5.0

    def delay_s(self, attempt: int, rng: Callable[[], float] = random.random) -> float:
        """Seconds to wait after try number `attempt` (0 is the first). Jitter keeps many from coming back at once."""
        return float(min(self.cap_s, self.base_s * 2 ** min(attempt, _MAX_DOUBLINGS)) * (0.5 + rng() / 2))


async def retrying(work: Callable[[], Awaitable[T]], policy: RetryPolicy, on_retry: Callable[[], None]) -> T:
    """The result of `work`, tried again on `Transient`; the last `Transient` where all tries failed."""
    for attempt in range(policy.attempts - 1):
        try:
            return await work()
        except Transient:
            on_retry()
            await asyncio.sleep(policy.delay_s(attempt))
    return await work()


async def waits(policy: RetryPolicy) -> AsyncIterator[int]:
    """Endless attempt numbers with the policy's waits between them, for what must work in the end."""
    attempt = 0
    while True:
        yield attempt
        await asyncio.sleep(policy.delay_s(attempt))
        attempt += 1
