"""How much the index holds, as a metric."""

import asyncio
from contextlib import suppress

from prometheus_client import REGISTRY

from services.catalog_indexer.indexing import index_store
from services.catalog_indexer.size import watch_size
from services.lib.index.port import IndexUnavailable
from tests.unit.catalog_indexer.conftest import clock


def value(kind: str) -> float | None:
    return REGISTRY.get_sample_value("baton_indexed_documents", {"kind": kind})


async def seen(index, products: int) -> None:
    """Watch until so many products are told, at most 5 s."""
    watching = asyncio.create_task(watch_size(index, ["default", "de"], every_s=0.01))
    try:
        async with asyncio.timeout(5):
            while value("product") != products:
                assert not watching.done()
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def test_it_is_what_the_index_says_of_all_store_views(shop, index) -> None:
    await seen(index, 0)
    done = [await index_store(shop, index, store, clock) for store in ("default", "de")]
    await seen(index, 3)
    assert sum(one.products for one in done) == 3
    assert value("passage") == sum(one.passages for one in done) > 0


async def test_an_index_that_is_away_is_asked_again(shop, index) -> None:
    class AwayAtFirst:
        asked = 0

        async def count(self, store):
            self.asked += 1
            if self.asked == 1:
                raise IndexUnavailable("away")
            return await index.count(store)

    await index_store(shop, index, "de", clock)
    away = AwayAtFirst()
    await seen(away, 1)
    assert away.asked > 1
