"""`Fold`: what a stateful service decides, as a pure function of what it knew and what came.

    step(state, arrival, context, now) -> Step(state, effects)

Testable without a broker, replayable from recorded inputs, and idempotent under the unit of work, which
alone turns effects into rows and records.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from schemas.event import Data, Event, timer_cause
from schemas.topics import Topic

S = TypeVar("S", bound=BaseModel)
C = TypeVar("C", contravariant=True)


@dataclass(frozen=True, slots=True)
class Timer:
    """An event that comes from the clock. At most one per (key, kind, turn, epoch)."""

    key: str
    kind: str
    turn: int
    epoch: int
    due: datetime

    @property
    def identity(self) -> str:
        return timer_cause(self.key, self.kind, self.turn, self.epoch)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event with what was found out about it before the transaction (screening, an identity)."""

    event: Event[Any]
    found: Any = None

    @property
    def key(self) -> str:
        return self.event.subject

    @property
    def identity(self) -> str:
        return self.event.identity


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish `data` on `topic`, caused by what is being decided. `ordinal` tells apart several of one type."""

    topic: Topic
    data: Data
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class SetTimer:
    kind: str
    due: datetime
    turn: int = 0
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class CancelTimers:
    """Cancel the timers of these kinds, of one turn or of all."""

    kinds: tuple[str, ...]
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A row of the service's own table, written in the same transaction by its `Recorder`."""

    row: BaseModel


Effect = Publish | SetTimer | CancelTimers | Record


class Step(NamedTuple, Generic[S]):
    """What is known now, and what must happen, in order."""

    state: S
    effects: tuple[Effect, ...] = ()


class Fold(Protocol[S, C]):
    """The rules of one stateful service. All methods are pure: no await, no clock, no randomness."""

    state_type: type[S]

    def initial(self, key: str) -> S:
        """What is known of a conversation nobody has heard of."""

    def step(self, state: S, arrival: Arrival | Timer, context: C, now: datetime) -> Step[S]:
        """One event or timer. An exception quarantines the event and calls `broken` in its place."""

    def broken(self, state: S, arrival: Arrival | Timer, context: C, now: datetime) -> Step[S]:
        """What happens to the conversation where `step` raised: the way to a human stays open."""
