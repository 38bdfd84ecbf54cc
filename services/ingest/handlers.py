"""`preparer`: the step before the transaction. The rest, the unit of work does with the fold."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from aiokafka import ConsumerRecord

from schemas.event import Event
from services.ingest.examine import Readers, examine
from services.lib.kit.fold import Arrival
from services.lib.kit.work import Prepare


def preparer(readers: Readers, clock: Callable[[], datetime]) -> Prepare:
    """Examines a batch in a thread: the rules and models of a large batch take longer than the event loop can
    be away from its heartbeats."""

    async def prepare(decoded: Sequence[tuple[Event[Any], ConsumerRecord]]) -> list[Arrival]:
        return await asyncio.to_thread(_examined, decoded, readers, clock())

    return prepare


def _examined(decoded: Sequence[tuple[Event[Any], ConsumerRecord]], readers: Readers, now: datetime) -> list[Arrival]:
    return [Arrival(event, examine(event.data, len(record.value or b""), readers, now)) for event, record in decoded]
