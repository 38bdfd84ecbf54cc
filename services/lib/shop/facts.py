"""Facts: what was just read, used again for some seconds, and read once for all who ask at once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Generic, Literal, TypeVar

from services.lib.kit import metrics

LIFETIME = timedelta(minutes=15)
"""After this a fact proves nothing and may not leave in a reply."""

MAX_ENTRIES = 5_000
"""Keys remembered at most. Facts of a product with a dozen variants take about 20 kB, so a full memory
is some 100 MB; it is rarely full, since what is too old to be used again is dropped."""

Kind = Literal["live", "orders", "customer"]
"""What is counted: price and stock, orders, customers. The rest is no fact of a reply."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def is_proof(read_at: datetime, now: datetime) -> bool:
    """Whether a fact read then may still support a claim now."""
    return now - read_at <= LIFETIME


class Facts(Generic[K, V]):
    """Values by key, each kept `keep_s` seconds from the moment its reading *began*.

    A key that is being read is not read again: who asks meanwhile waits for the same answer, or for
    the same exception. That something does not exist is remembered like a value; a failure is not.
    A caller that stops waiting does not stop the reading. With a `kind` each key asked for is counted by what the
    caller got: read from the shop (by its own question or another's that was under way), cached, or unavailable.
    """

    def __init__(
        self,
        keep_s: float,
        monotonic: Callable[[], float],
        *,
        max_entries: int = MAX_ENTRIES,
        kind: Kind | None = None,
    ) -> None:
        self._keep_s = min(keep_s, LIFETIME.total_seconds())
        self._monotonic = monotonic
        self._max_entries = max_entries
        self._kind = kind
        for result in ("read", "cached", "unavailable"):  # counted from zero, so that the first one is an increase
            self._count(result, 0)
        self._known: OrderedDict[K, tuple[float, V | None]] = OrderedDict()
        self._reading: dict[K, asyncio.Task[Mapping[K, V]]] = {}

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._known)

    async def many(self, keys: Iterable[K], read: Callable[[tuple[K, ...]], Awaitable[Mapping[K, V]]]) -> dict[K, V]:
        """The values of those keys that exist; `read` gets the unknown ones, in one call."""
        wanted = tuple(dict.fromkeys(keys))
        found: dict[K, V | None] = {}
        waiting: dict[K, asyncio.Task[Mapping[K, V]]] = {}
        unknown: list[K] = []
        for key in wanted:
            if key in self._known and not self._outlived(key):
                found[key] = self._known[key][1]
            elif key in self._reading:
                waiting[key] = self._reading[key]
            else:
                unknown.append(key)
        if unknown:
            task = asyncio.ensure_future(self._read(tuple(unknown), read))
            task.add_done_callback(_look_at_failure)
            for key in unknown:
                self._reading[key] = waiting[key] = task
        self._count("cached", len(found))
        result = "unavailable"
        try:
            for key, task in waiting.items():
                found[key] = (await asyncio.shield(task)).get(key)
            result = "read"
        finally:  # a failure, or nobody waits any longer
            self._count(result, len(waiting))
        return {key: value for key in wanted if (value := found[key]) is not None}

    async def one(self, key: K, read: Callable[[], Awaitable[V | None]]) -> V | None:
        async def read_one(_: tuple[K, ...]) -> Mapping[K, V]:
            value = await read()
            return {} if value is None else {key: value}

        return (await self.many((key,), read_one)).get(key)

    def _count(self, result: str, keys: int) -> None:
        if self._kind is not None:
            metrics.FACTS_READ.labels(self._kind, result).inc(keys)

    def _outlived(self, key: K) -> bool:
        return self._monotonic() - self._known[key][0] >= self._keep_s

    async def _read(
        self, keys: tuple[K, ...], read: Callable[[tuple[K, ...]], Awaitable[Mapping[K, V]]]
    ) -> Mapping[K, V]:
        began = self._monotonic()
        try:
            values = await read(keys)
        finally:
            for key in keys:
                self._reading.pop(key, None)
        for key in keys:
            self._known[key] = (began, values.get(key))
            self._known.move_to_end(key)
        while self._known and (len(self) > self._max_entries or self._outlived(next(iter(self._known)))):
            self._known.popitem(last=False)
        return values


def _look_at_failure(task: "asyncio.Task[Mapping[K, V]]") -> None:
    """Nobody may be left who waits for it; asyncio would then complain about an unseen exception."""
    if not task.cancelled():
        task.exception()
