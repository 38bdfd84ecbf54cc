"""`Decisions`: one row a decided turn, written with the state. A second decision on a turn cannot be stored."""

import logging
from collections.abc import Sequence

from pydantic import BaseModel
from sqlalchemy import Column, Integer, String, Table, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.support import DecisionMade
from services.lib.kit import metrics
from services.lib.kit.sql import Moment, fold_tables

tables = fold_tables()

decisions = Table(
    "decisions",
    tables,
    Column("key", String(400), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("decision", String(40), nullable=False),
    Column("reason", String(40)),
    Column("decided_at", Moment, nullable=False, index=True),
)

_log = logging.getLogger(__name__)


class Decisions:
    """The router's `Recorder`; also counts and logs each decision."""

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
        for row in made:
            _tell(key, row)


def _tell(key: str, row: DecisionMade) -> None:
    seconds = (row.decided_at - row.accepted_at).total_seconds()
    metrics.DECISIONS.labels(row.decision, row.reason or "none", row.arm).inc()
    metrics.DECISION_SECONDS.labels(row.decision).observe(max(0.0, seconds))
    fields = {
        "key": key,
        "position": row.position,
        "decision": row.decision,
        "reason": row.reason,
        "because": row.because,
        "intent": row.intent,
        "confidence": row.confidence,
        "seconds": round(seconds, 3),
        "policy": row.versions.policy[:12],
    }
    _log.info("decided", extra={"fields": fields})
