"""`Ledger`: the effects of one step, in order, and the identity that each published event will have.

A turn names the accepted events of older ones, so identities must be known while deciding. They follow from
the cause, the type and an ordinal (`schemas.event`), as the unit of work derives them when it publishes.
"""

from datetime import datetime

from schemas.event import Data, derived_id
from schemas.topics import CHAT_MESSAGES
from services.ingest.rows import LogLine
from services.lib.kit.fold import CancelTimers, Effect, Publish, Record, SetTimer

SOURCE = "baton/ingest"
WAIT = "wait"
"""Kind of the timer that ends a wait for a reply of ours."""


class Ledger:
    def __init__(self, cause: str) -> None:
        """`cause` is the identity of what is being decided."""
        self._cause = cause
        self._ordinals: dict[str, int] = {}
        self._effects: list[Effect] = []

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(self._effects)

    def mark(self) -> tuple[int, dict[str, int]]:
        """Where it stands, for `undo`."""
        return len(self._effects), dict(self._ordinals)

    def undo(self, mark: tuple[int, dict[str, int]]) -> None:
        """Back to where it stood."""
        effects, self._ordinals = mark
        del self._effects[effects:]

    def publish(self, data: Data) -> str:
        """Publish on chat.messages. Returns the identity of the event."""
        kind = type(data).__name__
        ordinal = self._ordinals.get(kind, 0)
        self._ordinals[kind] = ordinal + 1
        self._effects.append(Publish(CHAT_MESSAGES, data, ordinal))
        return f"{SOURCE}#{derived_id(self._cause, kind, ordinal)}"

    def log(self, line: LogLine) -> None:
        self._effects.append(Record(line))

    def start_wait(self, due: datetime, number: int) -> None:
        self._effects.append(SetTimer(WAIT, due, epoch=number))

    def end_wait(self) -> None:
        self._effects.append(CancelTimers((WAIT,)))
