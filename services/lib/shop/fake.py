"""FakeShop: a `Shop` in memory, made of models, for tests of what reads a shop."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field

from services.lib.shop.models import (
    Customer,
    Live,
    Order,
    Page,
    PriceFact,
    Product,
    StockFact,
)
from services.lib.shop.port import Shop, ShopUnavailable


@dataclass
class FakeShop(Shop):
    """Holds what it is given. `unavailable` makes every read raise; `reads` counts them by method."""

    catalogue: tuple[Product, ...] = ()
    facts: Mapping[tuple[str, str], Live] = field(default_factory=dict)
    """By (store, SKU), children of configurables included."""
    customers: tuple[Customer, ...] = ()
    orders: tuple[Order, ...] = ()
    cms: tuple[Page, ...] = ()
    unavailable: bool = False
    reads: Counter[str] = field(default_factory=Counter)

    async def live(
        self,
        skus: Iterable[str],
        store: str,
        *,
        customer_token: str | None = None,
        within: float | None = None,
    ) -> dict[str, Live]:
        self._read("live")
        wanted = list(dict.fromkeys(skus))
        family = [
            variant.sku
            for product in self.catalogue
            if product.store == store and product.sku in wanted
            for variant in product.variants
        ]
        return {sku: self.facts[store, sku] for sku in (*wanted, *family) if (store, sku) in self.facts}

    async def prices(
        self,
        skus: Iterable[str],
        store: str,
        *,
        customer_token: str | None = None,
        within: float | None = None,
    ) -> dict[str, PriceFact]:
        live = await self.live(skus, store)
        return {sku: one.price for sku, one in live.items() if one.price is not None}

    async def stock(self, skus: Iterable[str], store: str, *, within: float | None = None) -> dict[str, StockFact]:
        live = await self.live(skus, store)
        return {sku: one.stock for sku, one in live.items() if one.stock is not None}

    async def order_by_number(self, number: str, customer_id: int, *, within: float | None = None) -> Order | None:
        self._read("order_by_number")
        wanted = number.strip().lstrip("#").strip()
        return next((one for one in self._orders_of(customer_id) if one.number == wanted), None)

    async def last_orders(
        self, customer_id: int, limit: int = 3, *, within: float | None = None
    ) -> tuple[Order, ...]:
        self._read("last_orders")
        return self._orders_of(customer_id)[: max(limit, 0)]

    async def customer(self, customer_id: int, *, within: float | None = None) -> Customer | None:
        self._read("customer")
        return next((one for one in self.customers if one.id == customer_id), None)

    async def products(self, store: str, *, page_size: int = 100) -> AsyncIterator[Product]:
        self._read("products")
        for product in self.catalogue:
            if product.store == store:
                yield product

    async def product_count(self, store: str, *, within: float | None = None) -> int:
        self._read("product_count")
        return sum(product.store == store for product in self.catalogue)

    async def product(self, sku: str, store: str, *, within: float | None = None) -> Product | None:
        self._read("product")
        return next((one for one in self.catalogue if (one.sku, one.store) == (sku, store)), None)

    async def pages(self, store: str, *, within: float | None = None) -> tuple[Page, ...]:
        self._read("pages")
        return tuple(page for page in self.cms if page.store == store)

    def order_admin_url(self, order: Order) -> str:
        return f"https://shop.example/admin/sales/order/view/order_id/{order.entity_id}/"

    def customer_admin_url(self, customer_id: int) -> str:
        return f"https://shop.example/admin/customer/index/edit/id/{customer_id}/"

    def _read(self, what: str) -> None:
        self.reads[what] += 1
        if self.unavailable:
            raise ShopUnavailable("the shop is not there")

    def _orders_of(self, customer_id: int) -> tuple[Order, ...]:
        own = [order for order in self.orders if order.customer_id == customer_id]
        return tuple(sorted(own, key=lambda order: order.created_at, reverse=True))
