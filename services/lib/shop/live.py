"""LiveReader: price and stock of SKUs read from the storefront, and by REST what it does not show."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from services.lib.shop.client import Client, sense
from services.lib.shop.facts import LIFETIME, Facts
from services.lib.shop.models import Live, StockFact
from services.lib.shop.port import ShopRefused
from services.lib.shop.storefront import LIVE, Family, parse_live
from services.lib.shop.walk import CHUNK, View, Walk
from services.lib.shop.wire import flag, integer, number, record, records, text

log = logging.getLogger(__name__)


class LiveReader:
    """One round trip for what the storefront shows; a few more for the rest."""

    def __init__(self, client: Client, view: Callable[[str], Awaitable[View]]) -> None:
        self._client = client
        self._view = view
        self._stocks: Facts[int, int] = Facts(LIFETIME.total_seconds(), client.clock.monotonic)

    async def read(self, skus: list[str], store: str, customer_token: str | None) -> dict[str, Family]:
        """Families by the SKU as asked for; Magento compares SKUs without regard to case."""
        read_at = self._client.clock.now()
        chunks = [skus[at : at + CHUNK] for at in range(0, len(skus), CHUNK)]
        answers = await asyncio.gather(
            *(
                self._client.graphql(
                    LIVE, {"skus": chunk, "size": len(chunk)}, store=store, customer_token=customer_token
                )
                for chunk in chunks
            )
        )
        shown: dict[str, Family] = {}
        with sense("storefront"):
            for answer in answers:
                for sku, family in parse_live(answer, store, read_at).items():
                    shown[sku.lower()] = family
                    for child, live in family.children.items():
                        shown.setdefault(child.lower(), Family(live, {}))
        families = {sku: shown[sku.lower()] for sku in skus if sku.lower() in shown}
        silent = [sku for sku in skus if sku.lower() not in shown or shown[sku.lower()].own.stock is None]
        if silent:
            for sku, fact in (await self._stock_if_allowed(silent, store)).items():
                before = families.get(sku, Family(Live(), {}))
                families[sku] = Family(Live(price=before.own.price, stock=fact), before.children)
        return families

    async def _stock_if_allowed(self, skus: list[str], store: str) -> dict[str, StockFact]:
        """Nothing where the integration may not read stock: what the storefront showed still stands."""
        try:
            return await self._read_stock(skus, store)
        except ShopRefused as error:
            log.warning("stock not read: %s", error)
            return {}

    async def _read_stock(self, skus: list[str], store: str) -> dict[str, StockFact]:
        """Stock by REST of what the storefront does not show.

        That is a child asked for without its parent, or something sold out in a shop that hides what is
        sold out. So of a product that the storefront would show if it could be bought, only "not in
        stock" is believed; of what is disabled or of another website, nothing.
        """
        read_at = self._client.clock.now()
        with sense("stock"):
            walk = Walk(self._client, await self._view(store))
            chunks = [skus[at : at + CHUNK] for at in range(0, len(skus), CHUNK)]
            sold = [one for chunk in chunks for one in await walk.sold(chunk)]
            asked = {sku.lower(): sku for sku in skus}
            known = [(asked[key], one) for one in sold if (key := text(one.get("sku")).lower()) in asked]
            stock_id = await self._stock_id(await self._view(store))
            salable = await asyncio.gather(*(self._salable(sku, stock_id, store) for sku, _ in known))
            facts: dict[str, StockFact] = {}
            for (sku, product), in_stock in zip(known, salable, strict=True):
                if in_stock is None or (in_stock and integer(product.get("visibility")) != 1):
                    continue
                facts[sku] = StockFact(sku=sku, store=store, in_stock=in_stock, read_at=read_at)
            return facts

    async def _salable(self, sku: str, stock_id: int | None, store: str) -> bool | None:
        name = quote(sku, safe="")
        if stock_id is None:
            return _in_stock(await self._client.rest(f"stockItems/{name}", store=store))
        answer = await self._client.rest(f"inventory/is-product-salable/{name}/{stock_id}", store=store)
        return answer if isinstance(answer, bool) else None

    async def _stock_id(self, view: View) -> int | None:
        """The website's stock; None in a shop without multi-source inventory, which has one stock."""
        return await self._stocks.one(view.website_id, lambda: self._read_stock_id(view.website_id))

    async def _read_stock_id(self, website_id: int) -> int | None:
        for raw in records(await self._client.rest("store/websites")):
            if integer(raw.get("id")) == website_id:
                code = quote(text(raw.get("code")), safe="")
                stock = await self._client.rest(f"inventory/stock-resolver/website/{code}")
                return None if stock is None else integer(record(stock).get("stock_id"))
        return None


def _in_stock(item: Any) -> bool | None:
    """Whether a stock item can be bought; None without one. Stock that is not managed never runs out."""
    if item is None:
        return None
    raw = record(item)
    if not flag(raw.get("manage_stock", True)):
        return True
    left = number(raw.get("qty"))
    backorders = integer(raw.get("backorders")) or 0
    return flag(raw.get("is_in_stock")) and (backorders > 0 or left is None or left > 0)
