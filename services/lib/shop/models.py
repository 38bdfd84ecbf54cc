"""The shop's nouns, independent of the API they were read from.

What changes by the minute (price, stock) is never part of a product: it is a *fact*, a value with
the time it was read. Times are UTC and aware.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas.money import Money


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Variant(Frozen):
    """A child of a configurable product: what is bought, with its option labels ({"Color": "Red"})."""

    sku: str
    name: str
    options: dict[str, str]


class Product(Frozen):
    """One sellable parent of one store view, option ids already resolved to labels."""

    sku: str
    name: str
    type_id: Literal["simple", "configurable", "virtual", "downloadable", "bundle", "grouped", "other"]
    url: str
    store: str
    categories: tuple[str, ...] = ()
    attributes: dict[str, str] = {}
    """Label to value, e.g. {"Material": "Cotton", "Weight": "0.4 kg"}."""
    short_description: str = ""
    description: str = ""
    """Plain text, markup removed."""
    variants: tuple[Variant, ...] = ()
    updated_at: datetime | None = None


class PriceFact(Frozen):
    """The storefront's `final_price` of one SKU, tax as displayed, as read at `read_at`."""

    sku: str
    store: str
    final: Money
    regular: Money
    maximum: Money | None = None
    """Of a configurable whose children differ: the dearest child's final price."""
    read_at: datetime


class StockFact(Frozen):
    """Whether one SKU can be bought now; `quantity` only where the shop itself shows it."""

    sku: str
    store: str
    in_stock: bool
    quantity: Decimal | None = None
    read_at: datetime


class Live(Frozen):
    """What is known now of one SKU; a part is None where the shop did not say it."""

    price: PriceFact | None = None
    stock: StockFact | None = None


class Page(Frozen):
    """A CMS page or policy text, markup removed."""

    identifier: str
    title: str
    url: str
    store: str
    text: str
    updated_at: datetime | None = None


class Customer(Frozen):
    id: int
    email: str
    first_name: str
    last_name: str
    group_id: int = 0
    website_id: int = 1


class Track(Frozen):
    carrier: str
    title: str
    number: str
    url: str | None = None


class Shipment(Frozen):
    increment_id: str
    created_at: datetime
    tracks: tuple[Track, ...] = ()


class OrderItem(Frozen):
    """A line a customer would recognise: of a configurable and its child, one line."""

    sku: str
    name: str
    quantity_ordered: Decimal
    quantity_shipped: Decimal = Decimal(0)
    quantity_refunded: Decimal = Decimal(0)
    total: Money


class Order(Frozen):
    entity_id: int
    """In URLs of the admin panel."""
    number: str
    """`increment_id`: the zero-padded number that customers quote."""
    customer_id: int | None
    email: str
    state: str
    """Magento's: new, pending_payment, processing, complete, closed, canceled, holded, payment_review."""
    status: str
    created_at: datetime
    total: Money
    items: tuple[OrderItem, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    shipping_country: str | None = None
    shipping_method: str | None = None
    read_at: datetime
