"""`SandboxData`: all that the sandbox shop knows, read from the files beside it.

The source is compact and its dates are days before the time of loading, so that "arrives tomorrow" and
"ordered last week" stay true whenever it runs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from services.lib.shop.sandbox.items import Item, expand

FOLDER = Path(__file__).parent / "data"
FIRST_OPTION_ID = 49
FIRST_ATTRIBUTE_ID = 135
"""Above the ids of Magento's own attributes of a fresh installation."""


@dataclass(frozen=True)
class Store:
    """A store view with what it takes from its website."""

    id: int
    code: str
    name: str
    website: str
    website_id: int
    group: str
    group_id: int
    stock_id: int
    locale: str
    timezone: str
    weight_unit: str
    base_currency: str
    currency: str
    """Shown where the reader asks for none."""
    currencies: tuple[str, ...]
    url: str


@dataclass(frozen=True)
class Attribute:
    id: int
    code: str
    labels: Mapping[int, str]
    """By store id; 0 is the admin's."""
    input: str
    """text, select, multiselect or boolean."""
    options: tuple[tuple[int, str], ...]
    """Id and admin label, in order."""


@dataclass(frozen=True)
class CmsText:
    """A CMS page or block."""

    id: int
    identifier: str
    title: str
    store_id: int
    """0: shown in every store view that has none of its own."""
    content: str
    created: datetime
    updated: datetime


@dataclass(frozen=True)
class Address:
    first_name: str
    last_name: str
    street: str
    city: str
    postcode: str
    country: str
    region: str | None
    telephone: str


@dataclass(frozen=True)
class Shopper:
    """A registered customer."""

    id: int
    email: str
    first_name: str
    last_name: str
    group_id: int
    website_id: int
    store_id: int
    address: Address
    created: datetime


@dataclass(frozen=True)
class SandboxData:
    """Everything, ready to be looked up. Build it with `load`."""

    loaded_at: datetime
    shop: Mapping[str, Any]
    stores: tuple[Store, ...]
    items: tuple[Item, ...]
    attributes: tuple[Attribute, ...]
    pages: tuple[CmsText, ...]
    blocks: tuple[CmsText, ...]
    customers: tuple[Shopper, ...]
    order_records: tuple[Mapping[str, Any], ...]
    """As in the source; `orders.expand_orders` makes Magento's orders of them."""

    @cached_property
    def by_sku(self) -> Mapping[str, Item]:
        """By SKU in lower case: Magento finds SKUs without regard to case."""
        return {item.sku.lower(): item for item in self.items}

    @cached_property
    def by_code(self) -> Mapping[str, Attribute]:
        return {attribute.code: attribute for attribute in self.attributes}

    @cached_property
    def option_ids(self) -> Mapping[tuple[str, str], int]:
        """(attribute code, admin label) to option id."""
        return {(a.code, label): ident for a in self.attributes for ident, label in a.options}

    @cached_property
    def category_ids(self) -> Mapping[str, int]:
        return {category["key"]: category["id"] for category in self.shop["categories"]}

    def store(self, code: str) -> Store | None:
        return next((store for store in self.stores if store.code == code), None)

    def customer(self, ident: int) -> Shopper | None:
        return next((customer for customer in self.customers if customer.id == ident), None)

    def label(self, label: str, store_id: int) -> str:
        """An option's label in a store view."""
        translated: str = self.shop["labels_de"].get(label, label) if store_id == 2 else label
        return translated

    def rate(self, store: Store, currency: str) -> Decimal:
        return Decimal(self.shop["rates"][store.base_currency][currency])


def load(now: datetime, folder: Path = FOLDER) -> SandboxData:
    """Read the files of `folder` as of `now` (aware). Raises OSError, ValueError or KeyError on bad files."""
    if now.tzinfo is None:
        raise ValueError("the time of loading has no time zone")
    now = now.replace(microsecond=0)
    shop = _read(folder / "shop.json")
    items = _items(folder, now, Decimal(shop["eur_factor"]))
    texts = _read(folder / "cms.json")
    return SandboxData(
        loaded_at=now,
        shop=shop,
        stores=_stores(shop),
        items=items,
        attributes=_attributes(shop, items),
        pages=_texts(texts["pages"], folder, now),
        blocks=_texts(texts["blocks"], folder, now),
        customers=tuple(_customer(raw, now) for raw in _read(folder / "customers.json")),
        order_records=tuple(_read(folder / "orders.json")),
    )


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _stores(shop: Mapping[str, Any]) -> tuple[Store, ...]:
    websites = {website["code"]: website for website in shop["websites"]}
    return tuple(
        Store(
            **{**raw, "currencies": tuple(raw["currencies"])},
            website_id=websites[raw["website"]]["id"],
            group_id=websites[raw["website"]]["group_id"],
            stock_id=websites[raw["website"]]["stock_id"],
            base_currency=websites[raw["website"]]["currency"],
        )
        for raw in shop["stores"]
    )


def _items(folder: Path, now: datetime, eur_factor: Decimal) -> tuple[Item, ...]:
    items: list[Item] = []
    for path in sorted((folder / "products").glob("*.json")):
        for raw in _read(path):
            items.extend(expand(raw, len(items) + 1, now, eur_factor))
    skus = [item.sku.lower() for item in items]
    if len(set(skus)) != len(skus):
        raise ValueError(f"SKUs given twice: {sorted({sku for sku in skus if skus.count(sku) > 1})}")
    return tuple(items)


def _attributes(shop: Mapping[str, Any], items: tuple[Item, ...]) -> tuple[Attribute, ...]:
    """Options get their ids in the order in which the catalogue first uses them."""
    used: dict[str, dict[str, None]] = {raw["code"]: {} for raw in shop["attributes"]}
    for item in items:
        for code, value in item.attributes.items():
            labels = value if isinstance(value, tuple) else (value,)
            used[code].update({label: None for label in labels if isinstance(label, str)})
    attributes, next_id = [], FIRST_OPTION_ID
    for offset, raw in enumerate(shop["attributes"]):
        options: tuple[tuple[int, str], ...] = ()
        if raw["input"] in ("select", "multiselect"):
            options = tuple(enumerate(used[raw["code"]], start=next_id))
            next_id += len(options)
        elif raw["input"] == "boolean":
            options = ((1, "Yes"), (0, "No"))
        attributes.append(
            Attribute(
                id=FIRST_ATTRIBUTE_ID + offset,
                code=raw["code"],
                labels={0: raw["label"], 1: raw["label"], 2: raw["de"]},
                input=raw["input"],
                options=options,
            )
        )
    return tuple(attributes)


def _texts(records: list[dict[str, Any]], folder: Path, now: datetime) -> tuple[CmsText, ...]:
    return tuple(
        CmsText(
            id=ident,
            identifier=raw["identifier"],
            title=raw["title"],
            store_id=raw["store_id"],
            content=(folder / "cms" / raw["file"]).read_text("utf-8"),
            created=now - timedelta(days=400),
            updated=now - timedelta(days=raw["updated_days_ago"]),
        )
        for ident, raw in enumerate(records, start=1)
    )


def _customer(raw: dict[str, Any], now: datetime) -> Shopper:
    street, city, postcode, country, region, telephone = raw["address"]
    german = raw.get("store") == "de"
    return Shopper(
        id=raw["id"],
        email=raw["email"],
        first_name=raw["name"][0],
        last_name=raw["name"][1],
        group_id=raw.get("group", 1),
        website_id=2 if german else 1,
        store_id=2 if german else 1,
        address=Address(raw["name"][0], raw["name"][1], street, city, postcode, country, region, telephone),
        created=now - timedelta(days=raw["days_ago"]),
    )
