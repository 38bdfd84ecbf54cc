"""`Rows`: what a fold keeps in SQL, one row a key, locked and written for the unit of work.

A step goes into a `Row` whole or not at all, and a row is written with everything that follows from it:
timers, the service's own records, and the outbox.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.codec import encode
from schemas.event import Event
from services.lib.kit.fold import Arrival, CancelTimers, Fold, Publish, Record, SetTimer, Step, Timer
from services.lib.kit.sql import Database, outbox, states, timers

S = TypeVar("S", bound=BaseModel)
C = TypeVar("C")


class Recorder(Protocol):
    """Writes a fold's `Record` rows to the service's own tables."""

    async def write(self, connection: AsyncConnection, key: str, rows: Sequence[BaseModel]) -> None: ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record for the outbox."""

    topic: str
    key: bytes | None
    value: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Row(Generic[S]):
    """One key's row while it is being folded."""

    state: S
    version: int
    sequences: dict[str, int]
    touched: bool = False
    outgoing: list[Outgoing] = field(default_factory=list)
    clock: list[tuple[SetTimer | CancelTimers, int]] = field(default_factory=list)
    """With the partition of the record that asked for it."""
    records: list[BaseModel] = field(default_factory=list)
    steps: list[tuple[S, Step[S]]] = field(default_factory=list)
    """What was folded, each step with the state before it."""

    def apply(self, service: str, arrival: Arrival | Timer, partition: int, step: Step[S], now: datetime) -> None:
        """Take a step over, all of it or, where an effect cannot be encoded, nothing."""
        sequences = dict(self.sequences)
        outgoing: list[Outgoing] = []
        traceparent = None if isinstance(arrival, Timer) else arrival.event.traceparent
        for effect in step.effects:
            if isinstance(effect, Publish):
                sequences[effect.topic.name] = sequences.get(effect.topic.name, 0) + 1
                event = Event.new(
                    effect.data,
                    source=f"baton/{service}",
                    subject=arrival.key,
                    time=now,
                    cause=arrival.identity,
                    ordinal=effect.ordinal,
                    sequence=sequences[effect.topic.name],
                    traceparent=traceparent,
                )
                outgoing.append(Outgoing(effect.topic.name, arrival.key.encode(), encode(effect.topic, event), {}))
        self.steps.append((self.state, step))
        self.state, self.sequences = step.state, sequences
        self.outgoing.extend(outgoing)
        self.clock.extend((e, partition) for e in step.effects if isinstance(e, SetTimer | CancelTimers))
        self.records.extend(e.row for e in step.effects if isinstance(e, Record))


class Rows(Generic[S, C]):
    """The rows of one fold. All methods run inside the caller's transaction."""

    def __init__(self, fold: Fold[S, C], database: Database, recorder: Recorder | None) -> None:
        self._fold, self._database, self._recorder = fold, database, recorder

    async def lock(self, connection: AsyncConnection, keys: Sequence[str], now: datetime) -> dict[str, Row[S]]:
        """The rows of these keys, locked in order so that two members cannot hold each other up."""
        blank = [
            {
                "key": key,
                "version": 0,
                "body": self._fold.initial(key).model_dump_json(),
                "sequences": {},
                "changed_at": now,
            }
            for key in keys
        ]
        await connection.execute(self._database.insert_missing(states), blank)
        found = await connection.execute(
            select(states).where(states.c.key.in_(keys)).order_by(states.c.key).with_for_update()
        )
        return {
            row.key: Row(self._fold.state_type.model_validate_json(row.body), row.version, dict(row.sequences))
            for row in found
        }

    async def write(self, connection: AsyncConnection, key: str, row: Row[S], now: datetime) -> None:
        changed = await connection.execute(
            update(states)
            .where(states.c.key == key, states.c.version == row.version)
            .values(
                version=row.version + 1,
                body=row.state.model_dump_json(),
                sequences=row.sequences,
                changed_at=now,
            )
        )
        if changed.rowcount != 1:
            raise RuntimeError(f"the state of {key} changed under its lock")
        for effect, partition in row.clock:
            await self._set_clock(connection, key, partition, effect)
        if row.records and self._recorder is not None:
            await self._recorder.write(connection, key, row.records)
        if row.outgoing:
            await connection.execute(
                insert(outbox),
                [
                    {
                        "key": key,
                        "topic": out.topic,
                        "record_key": out.key,
                        "value": out.value,
                        "headers": out.headers,
                        "created_at": now,
                    }
                    for out in row.outgoing
                ],
            )

    async def _set_clock(
        self, connection: AsyncConnection, key: str, partition: int, effect: SetTimer | CancelTimers
    ) -> None:
        if isinstance(effect, SetTimer):
            await connection.execute(
                self._database.insert_missing(timers),
                {
                    "key": key,
                    "kind": effect.kind,
                    "turn": effect.turn,
                    "epoch": effect.epoch,
                    "due": effect.due,
                    "partition": partition,
                },
            )
            return
        gone = delete(timers).where(timers.c.key == key, timers.c.kind.in_(effect.kinds))
        if effect.turn is not None:
            gone = gone.where(timers.c.turn == effect.turn)
        await connection.execute(gone)

    async def postpone(self, timer: Timer, due: datetime) -> None:
        """In a transaction of its own."""
        async with self._database.begin() as connection:
            await connection.execute(update(timers).where(_row_of(timer)).values(due=due))


def _row_of(timer: Timer) -> ColumnElement[bool]:
    return and_(
        timers.c.key == timer.key,
        timers.c.kind == timer.kind,
        timers.c.turn == timer.turn,
        timers.c.epoch == timer.epoch,
    )


async def take(connection: AsyncConnection, timer: Timer) -> bool:
    """Remove the timer's row; False where it was cancelled or another member fired it."""
    return (await connection.execute(delete(timers).where(_row_of(timer)))).rowcount == 1
