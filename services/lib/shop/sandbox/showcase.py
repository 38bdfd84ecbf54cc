"""`shown_product`: a product as the storefront's GraphQL shows it to one visit."""

import base64
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from graphql import GraphQLResolveInfo

from services.lib.shop.sandbox.data import SandboxData, Store
from services.lib.shop.sandbox.items import Item
from services.lib.shop.sandbox.pricing import Price, number, price_range

URL_SUFFIX = ".html"
_TYPES = {
    "simple": "SimpleProduct",
    "virtual": "VirtualProduct",
    "configurable": "ConfigurableProduct",
}


@dataclass(frozen=True)
class Visit:
    """Who looks: the store view, the currency and the time, from the headers."""

    store: Store
    currency: str
    rate: Decimal
    now: datetime


def shown_product(data: SandboxData, visit: Visit, item: Item) -> dict[str, Any]:
    store = visit.store
    low, high = price_range(item, store.website, store.timezone, visit.rate, visit.now)
    special = item.special
    body: dict[str, Any] = {
        "__typename": _TYPES[item.type_id],
        "id": item.id,
        "uid": _uid(item.id),
        "sku": item.sku,
        "name": shown_name(item, store),
        "type_id": item.type_id,
        "url_key": item.url_key,
        "url_suffix": URL_SUFFIX,
        "stock_status": "IN_STOCK" if item.in_stock(store.stock_id) else "OUT_OF_STOCK",
        "only_x_left_in_stock": _only_left(data, item, store),
        "price_range": {
            "minimum_price": _price(low, visit),
            "maximum_price": _price(high, visit),
        },
        "short_description": {"html": item.german.get("short", item.short) if store.id == 2 else item.short},
        "description": {"html": item.german.get("text", item.text) if store.id == 2 else item.text},
        "image": {
            "disabled": False,
            "label": shown_name(item, store),
            "position": 1,
            "url": f"{store.url}media/catalog/product/{item.sku.lower()}.jpg",
        },
        "categories": [
            {
                "__typename": "CategoryTree",
                "id": category["id"],
                "uid": _uid(category["id"]),
                "name": category["de"] if store.id == 2 else category["name"],
                "level": 2 if category["parent"] == 2 else 3,
            }
            for category in data.shop["categories"]
            if category["key"] in item.categories
        ],
        "weight": None if item.weight is None else float(item.weight),
    }
    if special is not None:
        body |= {
            "special_price": float(special.price[store.website]),
            "special_from_date": special.since and special.since.strftime("%Y-%m-%d %H:%M:%S"),
            "special_to_date": special.until and special.until.strftime("%Y-%m-%d %H:%M:%S"),
        }
    if item.children:
        body |= _configurable(data, visit, item)
    return body


def _configurable(data: SandboxData, visit: Visit, item: Item) -> dict[str, Any]:
    """Variants and options; resolved lazily, since most queries want neither."""
    store = visit.store

    def variants(_info: GraphQLResolveInfo) -> list[dict[str, Any]]:
        return [
            {
                "product": shown_product(data, visit, child),
                "attributes": [
                    {
                        "code": code,
                        "label": data.label(str(child.attributes[code]), store.id),
                        "value_index": (index := data.option_ids[code, str(child.attributes[code])]),
                        "uid": _uid(f"configurable/{data.by_code[code].id}/{index}"),
                    }
                    for code in item.option_codes
                ],
            }
            for child in item.children
            if child.enabled
        ]

    def options(_info: GraphQLResolveInfo) -> list[dict[str, Any]]:
        out = []
        for position, code in enumerate(item.option_codes):
            attribute = data.by_code[code]
            used = {child.attributes[code] for child in item.children if child.enabled}
            out.append(
                {
                    "id": item.id * 10 + position,
                    "uid": _uid(f"configurable-option/{item.id * 10 + position}"),
                    "attribute_id": str(attribute.id),
                    "attribute_code": code,
                    "attribute_uid": _uid(attribute.id),
                    "label": attribute.labels[store.id],
                    "position": position,
                    "product_id": item.id,
                    "use_default": False,
                    "values": [
                        {
                            "uid": _uid(f"configurable/{attribute.id}/{index}"),
                            "label": data.label(label, store.id),
                            "store_label": data.label(label, store.id),
                            "default_label": label,
                            "use_default_value": True,
                            "value_index": index,
                        }
                        for index, label in attribute.options
                        if label in used
                    ],
                }
            )
        return out

    return {"variants": variants, "configurable_options": options}


def _price(price: Price, visit: Visit) -> dict[str, Any]:
    return {
        "regular_price": {"value": number(price.regular), "currency": visit.currency},
        "final_price": {"value": number(price.final), "currency": visit.currency},
        "discount": {"amount_off": number(price.amount_off), "percent_off": number(price.percent_off)},
    }


def _only_left(data: SandboxData, item: Item, store: Store) -> int | float | None:
    """The count, where it is at or below the shop's threshold; the shop does not show more."""
    if item.children or item.backorders:
        return None
    left = item.quantity.get(store.stock_id, Decimal(0))
    return number(left) if left <= data.shop["only_x_left_threshold"] else None


def shown_name(item: Item, store: Store) -> str:
    return item.german.get("name", item.name) if store.id == 2 else item.name


def _uid(value: object) -> str:
    return base64.b64encode(str(value).encode()).decode()
