"""`Changes`: what changed in the shop, read again and written into the search index."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from weakref import WeakValueDictionary

from schemas.catalog import CatalogChange, PageChanged, ProductChanged
from services.catalog_indexer.indexing import passages_of
from services.lib.index.documents import product_document, product_id
from services.lib.index.port import Index
from services.lib.shop.port import Shop


class Changes:
    """Applies changes of the catalogue to the index, any number at a time, those of one document one by one.

    Two that overlap would each read the shop and write in any order: the older reading could win and stay.
    """

    def __init__(self, shop: Shop, index: Index, stores: Iterable[str], clock: Callable[[], datetime]) -> None:
        """`stores` are the store views served; a change of another is none of ours."""
        self._shop, self._index, self._stores, self._clock = shop, index, tuple(stores), clock
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def apply(self, change: CatalogChange) -> int:
        """Read again what a change names and write what is there now; returns how many documents changed.

        Price and stock are facts and read live, so `PriceChanged` and `StockChanged` change no document. What is
        gone, disabled or no longer on its own is removed. Raises `ShopUnavailable`, `ShopRefused` or
        `IndexUnavailable`; applying it again is safe.
        """
        changed = 0
        for store in self._stores:
            if change.store is not None and change.store != store:
                continue
            if isinstance(change, ProductChanged):
                changed += await self._product(change.sku, store)
            elif isinstance(change, PageChanged):
                changed += await self._pages(store)
        return changed

    async def _product(self, sku: str, store: str) -> int:
        """A variant stands in its parent's document, now or until now, so that is read again as well."""
        before = await self._index.get(sku, store)
        changed = await self._document(sku, store)
        if before is not None and before.sku != sku:
            changed += await self._document(before.sku, store)
        return changed

    async def _document(self, sku: str, store: str) -> int:
        async with self._alone(store, sku):
            read_at = self._clock()
            product = await self._shop.product(sku, store)
            if product is not None:
                return await self._index.upsert([product_document(product, read_at)])
            return await self._index.delete([product_id(store, sku)])

    async def _pages(self, store: str) -> int:
        """All pages of the store: there are dozens, and a page's passages have no fixed number."""
        async with self._alone(store, ""):
            read_at = self._clock()
            passages = passages_of(await self._shop.pages(store), read_at)
            changed = await self._index.upsert(passages)
            present = {passage.id for passage in passages}
            known = await self._index.content_hashes(store)
            gone = [id_ for id_ in known if id_.startswith(f"passage/{store}/") and id_ not in present]
            return changed + await self._index.delete(gone)

    def _alone(self, store: str, sku: str) -> asyncio.Lock:
        return self._locks.setdefault((store, sku), asyncio.Lock())
