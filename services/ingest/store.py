"""`ConversationLog`: what was said, in ingest's own SQL, for the people who must read it whole.

One row a line, written in the same transaction as the state that numbers it. The originals are here alone
(beside topics kept 72 hours), so they are deleted after a time of the shop's choosing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import JSON, Column, Integer, String, Table, Text, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.topics import TRANSCRIPT_LIMIT
from services.ingest.rows import LogLine
from services.lib.kit.sql import Database, Moment, fold_tables

tables = fold_tables()
"""The fold's tables and ours: what ingest's database holds."""

MIGRATIONS = Path(__file__).parent / "migrations"

log = Table(
    "log",
    tables,
    Column("key", String(400), primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("role", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("masked", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("event", String(450), nullable=False),
    Column("position", Integer),
    Column("attachments", JSON, nullable=False),
    Column("received_at", Moment, nullable=False, index=True),
)

_PAGE = 200
"""Lines read at a time, newest first: more than nearly every conversation has."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """The last lines of a conversation, oldest first."""

    lines: tuple[LogLine, ...]
    cut: bool
    """Whether older lines are in the log that did not fit."""
    begins: bool
    """Whether the first line said is among `lines`; False where it was cut, or deleted for its age."""

    @property
    def reaches_back_to(self) -> datetime | None:
        """When the first of `lines` was said; None where there is none."""
        return self.lines[0].at if self.lines else None


class ConversationLog:
    """A `Recorder` of log lines. Raises `Unavailable` where SQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def write(self, connection: AsyncConnection, key: str, rows: Sequence[BaseModel]) -> None:
        lines = [row for row in rows if isinstance(row, LogLine)]
        if lines:
            await connection.execute(insert(log), [{"key": key, **_columns(line)} for line in lines])

    async def transcript(self, key: str, limit: int = TRANSCRIPT_LIMIT) -> Transcript:
        """What was said last, as much as fits into `limit` bytes of JSON."""
        lines: list[LogLine] = []
        size = 0
        cut = False
        async with self._database.read() as connection:
            while not cut:
                page = select(log).where(log.c.key == key).order_by(log.c.n.desc()).limit(_PAGE)
                if lines:
                    page = page.where(log.c.n < lines[-1].n)
                rows = (await connection.execute(page)).all()
                for row in rows:
                    line = LogLine.model_validate({name: row._mapping[name] for name in LogLine.model_fields})
                    size += len(line.model_dump_json().encode()) + 1
                    if size > limit:
                        cut = True
                        break
                    lines.append(line)
                if len(rows) < _PAGE:
                    break
        return Transcript(tuple(reversed(lines)), cut, begins=bool(lines) and lines[-1].n == 1)

    async def delete_before(self, moment: datetime) -> int:
        """Delete lines received before `moment`. Returns how many."""
        async with self._database.begin() as connection:
            gone = await connection.execute(delete(log).where(log.c.received_at < moment))
        return gone.rowcount


def _columns(line: LogLine) -> dict[str, object]:
    """PostgreSQL takes no NUL in a text, and a shopper's must not stop the batch."""
    columns = line.model_dump(exclude={"attachments"})
    told = {name: value.replace("\0", "\ufffd") for name, value in columns.items() if isinstance(value, str)}
    attachments = [
        {name: value.replace("\0", "\ufffd") for name, value in attachment.items() if isinstance(value, str)}
        for attachment in line.model_dump(mode="json")["attachments"]
    ]
    return {**columns, **told, "attachments": attachments}
