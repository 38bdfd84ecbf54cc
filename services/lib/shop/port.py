"""Shop: what the services ask of a shop, whatever software runs it.

Every method is a read. It raises `ShopUnavailable` where the shop did not answer in time or
answered with a failure of its own, `ShopRefused` where it understood and said no, and returns None
(or leaves the key out of a mapping) for what does not exist. `within` is the longest wait in
seconds; without it the adapter's own limit holds.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from services.lib.shop.models import Customer, Live, Order, Page, PriceFact, Product, StockFact


class ShopError(Exception):
    """The shop gave no answer to work with. Messages carry no credentials and no personal data."""


class ShopUnavailable(ShopError):
    """Time-out, refused connection, 5xx or 429 after retries, open circuit, or an answer without sense."""


class ShopRefused(ShopError):
    """The shop understood and said no: wrong token, missing permission, request it does not take."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status; 200 where GraphQL refused inside a 200."""


class Shop(Protocol):
    """A shop's catalogue, live facts, customers and orders, read-only."""

    async def live(
        self,
        skus: Iterable[str],
        store: str,
        *,
        customer_token: str | None = None,
        within: float | None = None,
    ) -> dict[str, Live]:
        """Price and stock of these SKUs and, of the configurable ones, of all their children.

        Ask for a child together with its parent: Magento's storefront does not show a child by itself.
        """
        ...

    async def prices(
        self,
        skus: Iterable[str],
        store: str,
        *,
        customer_token: str | None = None,
        within: float | None = None,
    ) -> dict[str, PriceFact]:
        """What the storefront shows this customer (a guest without the token) as the price now."""
        ...

    async def stock(self, skus: Iterable[str], store: str, *, within: float | None = None) -> dict[str, StockFact]:
        """Whether these can be bought now, children of configurables included."""
        ...

    async def order_by_number(self, number: str, customer_id: int, *, within: float | None = None) -> Order | None:
        """That customer's order; None both where it does not exist and where it is somebody else's."""
        ...

    async def last_orders(
        self, customer_id: int, limit: int = 3, *, within: float | None = None
    ) -> tuple[Order, ...]:
        """That customer's orders, latest first."""
        ...

    async def customer(self, customer_id: int, *, within: float | None = None) -> Customer | None: ...

    def products(self, store: str, *, page_size: int = 100) -> AsyncIterator[Product]:
        """The whole catalogue of a store view: what can be bought, with variants, enabled and visible."""
        ...

    async def product_count(self, store: str, *, within: float | None = None) -> int:
        """About how many products `products` will yield: what a progress bar needs."""
        ...

    async def product(self, sku: str, store: str, *, within: float | None = None) -> Product | None: ...

    async def pages(self, store: str, *, within: float | None = None) -> tuple[Page, ...]: ...

    def order_admin_url(self, order: Order) -> str:
        """Where an agent opens the order."""
        ...

    def customer_admin_url(self, customer_id: int) -> str:
        """Where an agent opens the customer."""
        ...
