"""`shipment`: one parcel or more that left together, as Magento's REST API writes it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.lib.shop.sandbox.catalog import stamp
from services.lib.shop.sandbox.data import SandboxData, Shopper, Store
from services.lib.shop.sandbox.order_totals import ZERO, Line
from services.lib.shop.sandbox.pricing import number


def increment_id(store: Store, ident: int) -> str:
    """Nine digits, after the store view's id except in the first."""
    return f"{'' if store.id == 1 else store.id}{ident:09d}"


def shipment(
    data: SandboxData,
    store: Store,
    order_id: int,
    sent: Mapping[str, Any],
    entity_id: int,
    lines: list[Line],
    customer: Shopper | None,
) -> dict[str, Any]:
    quantities = dict(sent["items"]) if "items" in sent else {line.item.sku: line.quantity for line in lines}
    shipped = [(line, quantities[line.item.sku]) for line in lines if line.item.sku in quantities]
    when = stamp(data.loaded_at - timedelta(days=sent["days_ago"]))
    weight = sum(((line.item.weight or ZERO) * quantity for line, quantity in shipped), ZERO)
    body: dict[str, Any] = {
        "entity_id": entity_id,
        "increment_id": increment_id(store, entity_id),
        "order_id": order_id,
        "store_id": store.id,
        "billing_address_id": order_id * 2,
        "shipping_address_id": order_id * 2 + 1,
        "created_at": when,
        "updated_at": when,
        "email_sent": 1,
        "shipping_label": None,
        "total_qty": sum(quantity for _, quantity in shipped),
        "total_weight": number(weight),
        "packages": [],
        "items": [
            {
                "entity_id": entity_id * 100 + position,
                "parent_id": entity_id,
                "name": (line.parent or line.item).name,
                "sku": line.item.sku,
                "price": number(line.price),
                "product_id": (line.parent or line.item).id,
                "order_item_id": line.item_id,
                "qty": quantity,
                "weight": number(line.item.weight or ZERO),
            }
            for position, (line, quantity) in enumerate(shipped)
        ],
        "tracks": [
            {
                "entity_id": entity_id * 10 + position,
                "order_id": order_id,
                "parent_id": entity_id,
                "created_at": when,
                "updated_at": when,
                "weight": number(weight),
                "qty": sum(quantity for _, quantity in shipped),
                "description": None,
                "track_number": tracking,
                "title": data.shop["carriers"][carrier],
                "carrier_code": carrier,
            }
            for position, (carrier, tracking) in enumerate(sent.get("tracks", []))
        ],
        "comments": [],
        "extension_attributes": {"source_code": "memphis" if store.stock_id == 1 else "kassel"},
    }
    if customer is not None:
        body["customer_id"] = customer.id
    return body
