"""`watch_size`: how much the search index holds, as a metric."""

import asyncio
from collections.abc import Sequence

from services.lib.index.port import Index, IndexUnavailable
from services.lib.kit import metrics


async def watch_size(index: Index, stores: Sequence[str], every_s: float = 30.0) -> None:
    """Keep the metric, for ever, from what the index itself says: it may be written by `baton index` as well."""
    while True:
        try:
            counts = [await index.count(store) for store in stores]
        except IndexUnavailable:
            pass  # who writes or reads it says so; this comes round again
        else:
            metrics.INDEXED.labels("product").set(sum(one.products for one in counts))
            metrics.INDEXED.labels("passage").set(sum(one.passages for one in counts))
        await asyncio.sleep(every_s)
