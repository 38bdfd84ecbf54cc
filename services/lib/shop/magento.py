"""Magento: the `Shop` that is a Magento 2, read through REST and GraphQL."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from hashlib import sha256
from typing import TypeVar

import httpx

from services.lib.shop.catalogue import parse_page
from services.lib.shop.client import Client, Clock, sense
from services.lib.shop.criteria import Filter, any_of, criteria
from services.lib.shop.facts import LIFETIME, Facts
from services.lib.shop.live import LiveReader
from services.lib.shop.models import Customer, Live, Order, Page, PriceFact, Product, StockFact
from services.lib.shop.orders import orders_of, parse_customer, parse_order
from services.lib.shop.port import Shop, ShopUnavailable
from services.lib.shop.settings import ShopSettings
from services.lib.shop.storefront import STORE_CONFIG, Family, parse_store_config
from services.lib.shop.walk import View, Walk
from services.lib.shop.wire import Malformed, Record, integer, record, records, text

T = TypeVar("T")

MAX_ORDERS = 20
PAGE_SIZE = 100
"""CMS pages in one answer: with 30 kB of Page Builder each it stays below the limit of a body."""

_LiveKey = tuple[str, str, str]
"""Store, SKU, and the hash of the customer's token (empty for guests): a group price is nobody else's."""


class Magento(Shop):
    """A Magento 2 shop as `Shop`. Live facts are cached by SKU, store and customer; see `Facts`."""

    def __init__(
        self,
        settings: ShopSettings,
        http: httpx.AsyncClient,
        *,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._clock = clock or Clock()
        self._client = Client(settings, http, clock=self._clock, jitter=jitter)
        monotonic = self._clock.monotonic
        self._live: Facts[_LiveKey, Family] = Facts(settings.facts_s, monotonic, kind="live")
        self._orders: Facts[tuple[str | int, int], tuple[Order, ...]] = Facts(
            settings.orders_s, monotonic, kind="orders"
        )
        self._customers: Facts[int, Customer] = Facts(settings.orders_s, monotonic, kind="customer")
        self._walks: Facts[str, Walk] = Facts(settings.facts_s, monotonic)
        """Kept for single products, so that each does not read all attributes again."""
        self._live_reader = LiveReader(self._client, self._view)
        self._views: Facts[str, View] = Facts(LIFETIME.total_seconds(), monotonic)

    async def live(
        self,
        skus: Iterable[str],
        store: str,
        *,
        customer_token: str | None = None,
        within: float | None = None,
    ) -> dict[str, Live]:
        self._settings.currency(store)
        who = sha256(customer_token.encode()).hexdigest() if customer_token else ""
        keys = [(store, sku, who) for sku in skus if sku]

        async def read(unknown: tuple[_LiveKey, ...]) -> Mapping[_LiveKey, Family]:
            families = await self._live_reader.read([sku for _, sku, _ in unknown], store, customer_token)
            return {(store, sku, who): family for sku, family in families.items()}

        found: dict[str, Live] = {}
        for (_, sku, _), family in (await _within(self._patience(within), self._live.many(keys, read))).items():
            found[sku] = family.own
            for child, live in family.children.items():
                found.setdefault(child, live)
        return found

    async def prices(
        self,
        skus: Iterable[str],
        store: str,
        *,
        customer_token: str | None = None,
        within: float | None = None,
    ) -> dict[str, PriceFact]:
        live = await self.live(skus, store, customer_token=customer_token, within=within)
        return {sku: one.price for sku, one in live.items() if one.price is not None}

    async def stock(self, skus: Iterable[str], store: str, *, within: float | None = None) -> dict[str, StockFact]:
        live = await self.live(skus, store, within=within)
        return {sku: one.stock for sku, one in live.items() if one.stock is not None}

    async def order_by_number(self, number: str, customer_id: int, *, within: float | None = None) -> Order | None:
        wanted = number.strip().lstrip("#").strip()
        if not wanted.isascii() or not wanted.replace("-", "").replace("_", "").isalnum() or len(wanted) > 50:
            return None
        found = await _within(
            self._patience(within),
            self._orders.one(
                (wanted, customer_id),
                lambda: self._read_orders(customer_id, 1, ("increment_id", "eq", wanted)),
            ),
        )
        return next((order for order in found or () if order.number == wanted), None)

    async def last_orders(
        self, customer_id: int, limit: int = 3, *, within: float | None = None
    ) -> tuple[Order, ...]:
        limit = min(limit, MAX_ORDERS)
        if limit < 1:
            return ()
        read = self._orders.one((limit, customer_id), lambda: self._read_orders(customer_id, limit))
        return await _within(self._patience(within), read) or ()

    async def customer(self, customer_id: int, *, within: float | None = None) -> Customer | None:
        return await _within(
            self._patience(within), self._customers.one(customer_id, lambda: self._read_customer(customer_id))
        )

    async def products(self, store: str, *, page_size: int = 100) -> AsyncIterator[Product]:
        with sense("catalogue"):
            async for product in Walk(self._client, await self._view(store)).products(page_size):
                yield product

    async def product_count(self, store: str, *, within: float | None = None) -> int:
        async def read() -> int:
            with sense("catalogue"):
                return await Walk(self._client, await self._view(store)).count()

        return await _within(self._patience(within), read())

    async def product(self, sku: str, store: str, *, within: float | None = None) -> Product | None:
        async def read() -> Product | None:
            with sense("catalogue"):
                walk = await self._walks.one(store, lambda: self._new_walk(store))
                return None if walk is None else await walk.product(sku)

        return await _within(self._patience(within), read())

    async def pages(self, store: str, *, within: float | None = None) -> tuple[Page, ...]:
        return await _within(self._patience(within), self._read_pages(store))

    def order_admin_url(self, order: Order) -> str:
        path = f"{self._settings.admin_path}/sales/order/view/order_id/{order.entity_id}/"
        return f"{self._settings.base_url}/{path}"

    def customer_admin_url(self, customer_id: int) -> str:
        return f"{self._settings.base_url}/{self._settings.admin_path}/customer/index/edit/id/{customer_id}/"

    def _patience(self, within: float | None) -> float:
        return self._settings.limit_s if within is None else within

    async def _read_orders(self, customer_id: int, limit: int, *more: tuple[str, str, str]) -> tuple[Order, ...]:
        read_at = self._clock.now()
        mine = [("customer_id", "eq", str(customer_id))]
        found = await self._client.rest(
            "orders", criteria(mine, *([one] for one in more), size=limit, sort="created_at", descending=True)
        )
        with sense("orders"):
            raws = orders_of(found, customer_id)
            shipments: tuple[Record, ...] = ()
            if raws:
                ids = [str(integer(raw.get("entity_id"))) for raw in raws]
                sent = await self._client.rest(
                    "shipments", criteria(any_of("order_id", ids), size=500, sort="entity_id")
                )
                shipments = records(record(sent or {}).get("items"))
            return tuple(parse_order(raw, shipments, read_at) for raw in raws)

    async def _read_customer(self, customer_id: int) -> Customer | None:
        raw = await self._client.rest(f"customers/{customer_id}")
        if raw is None:
            return None
        with sense("customer"):
            customer = parse_customer(record(raw))
            if customer.id != customer_id:
                raise Malformed("another customer than asked for")
            return customer

    async def _read_pages(self, store: str) -> tuple[Page, ...]:
        """Active pages; a store view's own page takes the place of the one for all store views.

        A page does not say where it shows, and whether a filter on a store view takes in the pages of
        all views has changed between versions, so both are asked for and compared by id.
        """
        with sense("pages"):
            view = await self._view(store)
            everywhere, seen = [await self._search_pages(store, scope) for scope in (0, view.id)]
            ids = {integer(raw.get("id")) for raw in everywhere}
            own = [raw for raw in seen if integer(raw.get("id")) not in ids]
            pages: dict[str, Page] = {}
            for raw in (*everywhere, *own):
                page = parse_page(raw, view.config, store)
                if page is not None:
                    pages[page.identifier] = page
            return tuple(pages.values())

    async def _search_pages(self, store: str, store_id: int) -> tuple[Record, ...]:
        groups: list[list[Filter]] = [[("is_active", "eq", "1")], [("store_id", "eq", str(store_id))]]
        pages: list[Record] = []
        last = 0
        while True:
            after = [("page_id", "gt", str(last))]
            found = await self._client.rest(
                "cmsPage/search", criteria(*groups, after, size=PAGE_SIZE, sort="page_id"), store=store
            )
            items = records(record(found or {}).get("items"))
            pages += items
            reached = max((integer(item.get("id")) or 0 for item in items), default=last)
            if len(items) < PAGE_SIZE or reached <= last:
                return tuple(pages)
            last = reached

    async def _new_walk(self, store: str) -> Walk:
        return Walk(self._client, await self._view(store))

    async def _view(self, store: str) -> View:
        self._settings.currency(store)
        view = await self._views.one(store, lambda: self._read_view(store))
        if view is None:
            raise ShopUnavailable(f"the shop has no store view {store!r}")
        return view

    async def _read_view(self, store: str) -> View | None:
        config, views = await asyncio.gather(
            self._client.graphql(STORE_CONFIG, {}, store=store), self._client.rest("store/storeViews")
        )
        with sense("store views"):
            for raw in records(views):
                if text(raw.get("code")) == store:
                    ident, website = integer(raw.get("id")), integer(raw.get("website_id"))
                    return View(store, ident or 0, website or 0, parse_store_config(config))
        return None


async def _within(seconds: float, answer: Awaitable[T]) -> T:
    """The answer, or `ShopUnavailable` after so many seconds; a shared reading goes on for the others."""
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError as error:
        raise ShopUnavailable(f"no answer within {seconds:g} s") from error
