"""Walk: the catalogue of one store view, read page by page, with what its records refer to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from services.lib.shop.catalogue import (
    VISIBLE,
    Attribute,
    category_names,
    child_ids,
    custom_values,
    parse_attribute,
    parse_product,
    sold_in,
    visible,
)
from services.lib.shop.client import Client
from services.lib.shop.criteria import Filter, any_of, criteria
from services.lib.shop.models import Product
from services.lib.shop.port import ShopRefused, ShopUnavailable
from services.lib.shop.storefront import StoreConfig
from services.lib.shop.wire import Malformed, Record, integer, record, records, text

log = logging.getLogger(__name__)

CHUNK = 50
"""Ids or SKUs in one filter: the address stays well below the 8 kB that web servers take."""

_SELLABLE: tuple[list[Filter], ...] = ([("status", "eq", "1")], any_of("visibility", VISIBLE))


@dataclass(frozen=True)
class View:
    """A store view as the shop knows it."""

    code: str
    id: int
    website_id: int
    config: StoreConfig


class Walk:
    """One run over a catalogue. Attributes and categories are read once in a run."""

    def __init__(self, client: Client, view: View) -> None:
        self._client = client
        self._view = view
        self._attributes: dict[str, Attribute] = {}
        self._unread: set[str] = set()
        self._categories: dict[int, str] | None = None

    async def products(self, page_size: int) -> AsyncIterator[Product]:
        """All products, by ascending entity id.

        Pages start after the last id seen, not at an offset: a product deleted meanwhile hides no
        other, and Magento's habit of answering a page past the end with the last one does no harm.
        """
        last = 0
        while True:
            items = await self._search([("entity_id", "gt", str(last))], *_SELLABLE, size=page_size)
            for product in await self._resolve(items):
                yield product
            if len(items) < page_size:
                return
            reached = max((_id(item) for item in items), default=last)
            if reached <= last:
                raise ShopUnavailable("GET V1/products: the shop repeats itself")
            last = reached

    async def count(self) -> int:
        found = record(await self._client.rest("products", criteria(*_SELLABLE, size=1), store=self._view.code) or {})
        return integer(found.get("total_count")) or 0

    async def product(self, sku: str) -> Product | None:
        """One product by SKU; by search, since a SKU with a slash cannot stand in a path."""
        items = await self._search([("sku", "eq", sku)], size=2)
        return next(iter(await self._resolve([item for item in items if visible(item)])), None)

    async def sold(self, skus: Iterable[str]) -> tuple[Record, ...]:
        """Raw records of those of the SKUs that are enabled in this website, visible or not."""
        items = await self._search(any_of("sku", skus), size=CHUNK)
        return tuple(item for item in items if sold_in(item, self._view.website_id))

    async def _search(self, *groups: Sequence[Filter], size: int) -> tuple[Record, ...]:
        found = await self._client.rest(
            "products", criteria(*groups, size=size, sort="entity_id"), store=self._view.code
        )
        return records(record(found or {}).get("items"))

    async def _resolve(self, items: Sequence[Record]) -> list[Product]:
        """Products of raw records. One that makes no sense is left out and logged, and stops no run."""
        sold = [item for item in items if _sold(item, self._view.website_id)]
        if not sold:
            return []
        children = await self._children(sold)
        await self._learn([*sold, *children.values()])
        categories = await self._category_names()
        products = []
        for item in sold:
            own = [children[ident] for ident in _children_of(item) if ident in children]
            try:
                product = parse_product(item, own, self._attributes, categories, self._view.config, self._view.code)
            except Malformed as error:
                log.warning("product %s left out: %s", item.get("id"), error)
                continue
            if product.type_id != "configurable" or product.variants:
                products.append(product)
        return products

    async def _children(self, items: Sequence[Record]) -> dict[int, Record]:
        wanted = sorted({ident for item in items for ident in _children_of(item)})
        chunks = [wanted[at : at + CHUNK] for at in range(0, len(wanted), CHUNK)]
        found = await asyncio.gather(
            *(self._search(any_of("entity_id", map(str, chunk)), size=CHUNK) for chunk in chunks)
        )
        return {_id(child): child for page in found for child in page if _sold(child, self._view.website_id)}

    async def _learn(self, items: Iterable[Record]) -> None:
        codes: set[str] = set()
        for item in items:
            try:
                codes |= custom_values(item).keys()
            except Malformed:
                continue
        unknown = sorted(codes - self._attributes.keys() - self._unread)
        await asyncio.gather(*(self._learn_one(code) for code in unknown))

    async def _learn_one(self, code: str) -> None:
        """Read an attribute with its options; of one that is gone or garbled the values stay out."""
        raw = await self._client.rest(f"products/attributes/{quote(code, safe='')}", store=self._view.code)
        try:
            self._attributes[code] = parse_attribute(record(raw), self._view.id)
        except Malformed:
            self._unread.add(code)
            log.warning("attribute %s left out: no such attribute, or not readable", code)

    async def _category_names(self) -> dict[int, str]:
        """Names of categories; none where the integration may not read them."""
        if self._categories is None:
            try:
                tree = await self._client.rest("categories", store=self._view.code)
                self._categories = category_names(record(tree)) if tree else {}
            except (ShopRefused, Malformed) as error:
                log.warning("categories left out: %s", error)
                self._categories = {}
        return self._categories


def _id(item: Record) -> int:
    try:
        return integer(item.get("id")) or 0
    except Malformed:
        return 0


def _children_of(item: Record) -> tuple[int, ...]:
    try:
        return child_ids(item) if text(item.get("type_id")) == "configurable" else ()
    except Malformed:
        return ()


def _sold(item: Record, website_id: int) -> bool:
    try:
        return sold_in(item, website_id)
    except Malformed:
        return False
