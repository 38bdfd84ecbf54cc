"""`Outbox`: publishes what transactions left to publish, in order per key, and sweeps what stayed behind.

A row that Kafka does not take now holds back the later rows of its key. A row that Kafka will never take
is moved to `refused`, since it would hold them back for ever. Dead letters hold nothing back and go last.
"""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select

from schemas.topics import BY_NAME
from services.lib.kit import metrics
from services.lib.kit.broker import Publisher
from services.lib.kit.errors import Poison, Unavailable
from services.lib.kit.sql import Database, inbox, outbox, refused

RELAY_AFTER = timedelta(seconds=5)
"""A row this old was left behind: its batch's process is gone, or Kafka did not take it."""

INBOX_KEPT = timedelta(days=21)
"""Longer than any topic a fold reads (14 days) and its dead letters are kept, so that no copy comes later."""

_AT_ONCE = 200
"""Rows looked at, and rows of a key sent, at a time: bounds memory after an outage."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sent:
    """What became of the rows of one key."""

    gone: list[int] = field(default_factory=list)
    refused: list[tuple[Row[Any], str]] = field(default_factory=list)
    error: Exception | None = None


class Outbox:
    def __init__(self, service: str, database: Database, publisher: Publisher, clock: Callable[[], datetime]) -> None:
        self._service, self._database, self._publisher, self._clock = service, database, publisher, clock
        self._swept_to = 0
        self._under_way: Counter[str] = Counter()
        """Keys whose rows are being sent: the relay leaves them alone, or it would send each a second time."""

    async def flush(self, keys: Collection[str]) -> None:
        """Publish every unsent row of these keys. What Kafka does not take stays, with all that follows it."""
        query = select(outbox).where(outbox.c.key.in_(sorted(keys))).order_by(outbox.c.n)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        await self._publish(rows)

    async def relay(self) -> None:
        """Publish rows that stayed behind, with all unsent rows of their keys, page after page.

        A page that Kafka takes nothing of is passed over until the next round, so that one topic that is
        away holds no other up.
        """
        async with self._database.read() as connection:
            oldest = await connection.scalar(select(func.min(outbox.c.created_at)))
        age = (self._clock() - oldest).total_seconds() if oldest is not None else 0.0
        metrics.OUTBOX_AGE.labels(self._service).set(max(0.0, age))
        while await self._relay_page():
            pass

    async def _relay_page(self) -> bool:
        """Whether there is more that may go."""
        before = self._clock() - RELAY_AFTER
        old = (
            select(outbox.c.n, outbox.c.key)
            .where(outbox.c.created_at < before, outbox.c.n > self._swept_to)
            .order_by(outbox.c.n)
            .limit(_AT_ONCE)
        )
        place = func.row_number().over(partition_by=outbox.c.key, order_by=outbox.c.n).label("place")
        async with self._database.read() as connection:
            page = (await connection.execute(old)).all()
            if not page:
                self._swept_to = 0
                return False
            placed = select(outbox, place).where(outbox.c.key.in_(sorted({row.key for row in page}))).subquery()
            query = select(placed).where(placed.c.place <= _AT_ONCE).order_by(placed.c.n).limit(_AT_ONCE)
            rows = (await connection.execute(query)).all()
        sent = await self._publish([row for row in rows if row.key not in self._under_way])
        metrics.OUTBOX_RELAYED.labels(self._service).inc(sent)
        # Where all went, keys may have more rows than were read: look at the same place again.
        if sent < len(rows):
            self._swept_to = page[-1].n
        return sent > 0

    async def prune(self) -> None:
        """Forget ids of events that cannot come again."""
        async with self._database.begin() as connection:
            await connection.execute(delete(inbox).where(inbox.c.seen_at < self._clock() - INBOX_KEPT))

    async def _publish(self, rows: Collection[Row[Any]]) -> int:
        """How many left the outbox. Keys go side by side, the rows of one key one after the other."""
        by_key: dict[str, list[Row[Any]]] = defaultdict(list)
        for row in rows:
            by_key[row.key].append(row)
        self._under_way.update(by_key.keys())
        try:
            results = await asyncio.gather(*(self._publish_key(of_key) for of_key in by_key.values()))
        finally:
            self._under_way -= Counter(by_key.keys())
        gone = [n for sent in results for n in sent.gone]
        out = [refusal for sent in results for refusal in sent.refused]
        if gone or out:
            async with self._database.begin() as connection:
                if out:
                    values = [
                        {**{column.name: row._mapping[column.name] for column in outbox.columns}, "why": why}
                        for row, why in out
                    ]
                    await connection.execute(self._database.insert_missing(refused), values)
                numbers = [*gone, *(row.n for row, _ in out)]
                await connection.execute(delete(outbox).where(outbox.c.n.in_(numbers)))
        for sent in results:
            if sent.error is not None:
                raise sent.error
        return len(gone) + len(out)

    async def _publish_key(self, rows: list[Row[Any]]) -> _Sent:
        sent = _Sent()
        events = [row for row in rows if row.topic in BY_NAME]
        letters = [row for row in rows if row.topic not in BY_NAME]
        for row in [*events, *letters]:
            try:
                await self._publisher.send(row.topic, row.record_key, row.value, row.headers)
            except Unavailable:
                break  # the relay comes back; later rows of this key must not overtake
            except Poison as error:
                fields = {"service": self._service, "topic": row.topic, "n": row.n, "why": str(error)}
                _log.error("Kafka refuses a row of the outbox for good", extra={"fields": fields})
                metrics.OUTBOX_REFUSED.labels(self._service, row.topic).inc()
                sent.refused.append((row, str(error)))
            except Exception as error:  # the producer is broken: keep what was sent, then say so
                sent.error = error
                break
            else:
                sent.gone.append(row.n)
        return sent
