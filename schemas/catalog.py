"""What changes in the shop: the data of `catalog.changes`, and of `privacy.erasures`."""

from typing import Annotated

from pydantic import Field

from schemas.event import Data, Name, Utc


class CatalogChange(Data):
    """A hint to read again, never the new value: what was read is what is indexed."""

    store: Name | None = None
    """None: every store view."""
    changed_at: Utc
    gone: bool = False
    """True where the entity was deleted or disabled."""


class ProductChanged(CatalogChange):
    sku: Annotated[str, Field(min_length=1, max_length=64)]


class StockChanged(CatalogChange):
    sku: Annotated[str, Field(min_length=1, max_length=64)]


class PriceChanged(CatalogChange):
    sku: Annotated[str, Field(min_length=1, max_length=64)]


class PageChanged(CatalogChange):
    identifier: Annotated[str, Field(min_length=1, max_length=100)]


class ErasureRequested(Data):
    """Erase this person: by customer, and by the conversations named."""

    customer_id: Annotated[int, Field(ge=1)] | None = None
    conversations: tuple[str, ...] = ()
    """Keys, `gateway:conversation`."""
    requested_at: Utc
