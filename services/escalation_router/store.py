"""`Decisions`: one row a decided turn, written with the state. A second decision on a turn cannot be stored."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel
from sqlalchemy import Column, Integer, String, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.support import DecisionMade
from services.lib.kit.sql import Moment, fold_tables

tables = fold_tables()

MIGRATIONS = Path(__file__).parent / "migrations"

decisions = Table(
    "decisions",
    tables,
    Column("key", String(400), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("decision", String(40), nullable=False),
    Column("reason", String(40)),
    Column("decided_at", Moment, nullable=False, index=True),
)


class Decisions:
    """The router's `Recorder`."""

    async def write(self, connection: AsyncConnection, key: str, rows: Sequence[BaseModel]) -> None:
        made = [row for row in rows if isinstance(row, DecisionMade)]
        if not made:
            return
        await connection.execute(
            insert(decisions),
            [
                {
                    "key": key,
                    "position": row.position,
                    "decision": row.decision,
                    "reason": row.reason,
                    "decided_at": row.decided_at,
                }
                for row in made
            ],
        )
