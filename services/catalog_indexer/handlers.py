"""Applies one change of the catalogue to the index."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.catalog import PageChanged, PriceChanged, ProductChanged, StockChanged
from schemas.event import Event
from services.catalog_indexer.changes import Changes
from services.lib.index.port import IndexUnavailable
from services.lib.kit.errors import Transient, Unavailable
from services.lib.shop.port import ShopRefused, ShopUnavailable

HANDLED = (ProductChanged, PageChanged, PriceChanged, StockChanged)


def apply_with(changes: Changes) -> Callable[[Event[Any]], Awaitable[None]]:
    """The window's handler. A shop or an index file that is away pauses it: a change that is dropped would never
    come again."""

    async def handle(event: Event[Any]) -> None:
        try:
            await changes.apply(event.data)
        except ShopUnavailable as error:
            raise Unavailable(f"shop: {error}") from error
        except IndexUnavailable as error:
            raise Unavailable(f"index: {error}") from error
        except ShopRefused as error:
            raise Transient(f"shop: {error}") from error

    return handle
