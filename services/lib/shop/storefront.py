"""Storefront: GraphQL queries for what a shopper sees, and their answers read into facts. Pure.

`final_price` is the price after catalogue rules and special prices, with tax as the store displays it;
it is the only price that may be claimed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.lib.shop.models import Live, PriceFact, StockFact
from services.lib.shop.wire import Malformed, Record, money, number, part, quantity, record, records, text

LIVE = """
query Live($skus: [String], $size: Int!) {
  products(filter: {sku: {in: $skus}}, pageSize: $size, currentPage: 1) {
    items {
      ...Facts
      ... on ConfigurableProduct { variants { product { ...Facts } } }
    }
  }
}
fragment Facts on ProductInterface {
  sku
  stock_status
  only_x_left_in_stock
  price_range {
    minimum_price { ...Price }
    maximum_price { ...Price }
  }
}
fragment Price on ProductPrice {
  final_price { value currency }
  regular_price { value currency }
}
"""

STORE_CONFIG = """
query StoreConfig {
  storeConfig { store_code base_link_url secure_base_link_url product_url_suffix weight_unit }
}
"""


@dataclass(frozen=True)
class Family:
    """Live facts of one product as the storefront shows it, and of its children, by SKU."""

    own: Live
    children: Mapping[str, Live]


@dataclass(frozen=True)
class StoreConfig:
    """How a store view builds addresses and what it weighs in."""

    base: str
    """Ends with a slash."""
    product_suffix: str
    weight_unit: str = ""
    """`kg` or `lb`, as a number on a product page is followed by; empty where the shop does not say."""

    def product(self, url_key: str) -> str:
        return f"{self.base}{url_key}{self.product_suffix}"

    def page(self, identifier: str) -> str:
        return self.base + ("" if identifier == "home" else identifier)


def parse_live(data: Record, store: str, read_at: datetime) -> dict[str, Family]:
    """Facts by SKU. A product that makes no sense is left out: no fact is better than a wrong one.

    Raises `Malformed` where the answer as a whole is none.
    """
    families: dict[str, Family] = {}
    for item in records(record(data.get("products")).get("items")):
        try:
            children = [part(variant, "product") for variant in records(item.get("variants"))]
            families[_sku(item)] = Family(
                own=_live(item, store, read_at),
                children=dict(_each(children, store, read_at)),
            )
        except Malformed:
            continue
    return families


def parse_store_config(data: Record) -> StoreConfig:
    config = part(data, "storeConfig")
    base = text(config.get("secure_base_link_url")) or text(config.get("base_link_url"))
    if not base.startswith(("https://", "http://")):
        raise Malformed("storeConfig has no base_link_url")
    return StoreConfig(
        base.rstrip("/") + "/",
        text(config.get("product_url_suffix")),
        text(config.get("weight_unit")).removesuffix("s"),
    )


def _each(children: Iterable[Record], store: str, read_at: datetime) -> Iterable[tuple[str, Live]]:
    for child in children:
        try:
            yield _sku(child), _live(child, store, read_at)
        except Malformed:
            continue


def _sku(item: Record) -> str:
    sku = text(item.get("sku"))
    if not sku:
        raise Malformed("a product without SKU")
    return sku


def _live(item: Record, store: str, read_at: datetime) -> Live:
    return Live(price=_price(item, store, read_at), stock=_stock(item, store, read_at))


def _price(item: Record, store: str, read_at: datetime) -> PriceFact | None:
    """None where the shop shows no price: before log-in, or 0 for a configurable without salable children."""
    prices = part(item, "price_range")
    lowest, highest = part(prices, "minimum_price"), part(prices, "maximum_price")
    final = part(lowest, "final_price")
    if number(final.get("value")) is None:
        return None
    regular = part(lowest, "regular_price")
    shown = money(final["value"], final.get("currency"))
    if not shown.amount and text(item.get("stock_status")) != "IN_STOCK":
        return None
    most = part(highest, "final_price")
    maximum = None if number(most.get("value")) is None else money(most["value"], most.get("currency"))
    before = None if number(regular.get("value")) is None else money(regular["value"], regular.get("currency"))
    if shown.amount < 0 or any(other and other.currency != shown.currency for other in (maximum, before)):
        raise Malformed("a price range that is none")
    return PriceFact(
        sku=_sku(item),
        store=store,
        final=shown,
        regular=before or shown,
        maximum=maximum if maximum and maximum.amount > shown.amount else None,
        read_at=read_at,
    )


def _stock(item: Record, store: str, read_at: datetime) -> StockFact | None:
    status = text(item.get("stock_status"))
    if status not in ("IN_STOCK", "OUT_OF_STOCK"):
        return None
    left = item.get("only_x_left_in_stock")
    in_stock = status == "IN_STOCK"
    shown = quantity(left) if left is not None and in_stock else None
    return StockFact(
        sku=_sku(item),
        store=store,
        in_stock=in_stock,
        quantity=shown if shown and shown > 0 else None,
        read_at=read_at,
    )
