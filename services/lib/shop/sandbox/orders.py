"""`expand_orders`: Magento's orders and shipments from the compact records of the source.

A record names a customer (or a guest), what was bought, in which state the order is and what was sent
when. Here it gets its ids, its lines (a configurable's line is a parent that carries the money and a
child that carries the SKU bought), its totals, addresses and dates. An order's prices are those of the
day it was placed: the regular ones, or the record's own.

In Europe prices contain the tax, in America it is added. Pure, apart from reading `data`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.lib.shop.sandbox.catalog import stamp
from services.lib.shop.sandbox.data import Address, SandboxData, Shopper, Store
from services.lib.shop.sandbox.items import Item
from services.lib.shop.sandbox.order_totals import PAID, ZERO, Line, Totals, read_lines
from services.lib.shop.sandbox.pricing import number
from services.lib.shop.sandbox.shipments import increment_id, shipment

STATUS = {"new": "pending", "pending_payment": "pending_payment", "holded": "holded"}


@dataclass(frozen=True)
class Sales:
    orders: tuple[dict[str, Any], ...]
    shipments: tuple[dict[str, Any], ...]


def expand_orders(data: SandboxData) -> Sales:
    orders: list[dict[str, Any]] = []
    shipments: list[dict[str, Any]] = []
    next_item = 1
    for entity_id, record in enumerate(data.order_records, start=1):
        order, sent, next_item = _expand(data, record, entity_id, next_item, len(shipments) + 1)
        orders.append(order)
        shipments.extend(sent)
    return Sales(tuple(orders), tuple(shipments))


def _expand(
    data: SandboxData, record: Mapping[str, Any], entity_id: int, next_item: int, next_shipment: int
) -> tuple[dict[str, Any], list[dict[str, Any]], int]:
    customer = data.customer(record["customer"]) if "customer" in record else None
    store = data.store(record.get("store", "default"))
    if store is None or ("customer" in record and customer is None):
        raise ValueError(f"order {entity_id} names a store or customer that is not there")
    email, address = _who(record, customer)
    percent = Decimal(data.shop["tax_percent"].get(_tax_key(address), "0"))
    created = data.loaded_at - timedelta(days=record["days_ago"])
    lines, next_item = read_lines(data, record, store, percent, next_item)
    method = record.get("ship", "flatrate_standard")
    total = Totals.of(data, lines, store, percent, method, Decimal(record.get("discount", "0")))
    state = record["state"]
    sent = record.get("shipments", [])
    context = _Context(entity_id, store, state, created, percent, record)
    address_body = _address(data, address, email, entity_id, customer)
    items = [body for line in lines for body in context.item_bodies(data, line)]
    updated = created + timedelta(hours=2)
    if sent:
        updated = data.loaded_at - timedelta(days=min(one["days_ago"] for one in sent))
    order: dict[str, Any] = {
        "entity_id": entity_id,
        "increment_id": increment_id(store, entity_id),
        "state": state,
        "status": record.get("status", STATUS.get(state, state)),
        "store_id": store.id,
        "store_name": f"{_website_name(data, store)}\n{_website_name(data, store)} Store\n{store.name}",
        "protect_code": f"{entity_id * 2654435761 % 2**32:08x}",
        "created_at": stamp(created),
        "updated_at": stamp(updated),
        "customer_email": email,
        "customer_firstname": address.first_name,
        "customer_lastname": address.last_name,
        "customer_group_id": customer.group_id if customer else 0,
        "customer_is_guest": 0 if customer else 1,
        "is_virtual": int(all(line.item.type_id == "virtual" for line in lines)),
        "total_item_count": len(lines),
        "billing_address_id": entity_id * 2,
        "quote_id": entity_id + 4000,
        "shipping_description": data.shop["shipping"][method]["title"],
        "weight": number(sum(((line.item.weight or ZERO) * line.quantity for line in lines), ZERO)),
        "items": items,
        "billing_address": {**address_body, "address_type": "billing", "entity_id": entity_id * 2},
        "payment": _payment(data, record, total, entity_id),
        "status_histories": [
            {
                "comment": text,
                "created_at": stamp(created + timedelta(hours=1 + hour)),
                "entity_id": entity_id * 10 + hour,
                "entity_name": "order",
                "is_customer_notified": 1,
                "is_visible_on_front": 1,
                "parent_id": entity_id,
                "status": record.get("status", STATUS.get(state, state)),
            }
            for hour, text in enumerate(record.get("comments", []))
        ],
        **total.fields(data, store, state, record),
    }
    if customer:
        order["customer_id"] = customer.id
    if state == "holded":
        order["hold_before_state"], order["hold_before_status"] = "processing", "processing"
    if "coupon" in record:
        order["coupon_code"] = record["coupon"]
    shipping: dict[str, Any] = {
        "total": {
            "base_shipping_amount": number(total.shipping),
            "shipping_amount": number(total.shipping),
            "shipping_incl_tax": number(total.shipping_gross),
        }
    }
    if not order["is_virtual"]:
        shipping |= {
            "address": {**address_body, "address_type": "shipping", "entity_id": entity_id * 2 + 1},
            "method": method,
        }
    order["extension_attributes"] = {"shipping_assignments": [{"shipping": shipping, "items": items}]}
    bodies = [
        shipment(data, store, entity_id, one, next_shipment + at, lines, customer) for at, one in enumerate(sent)
    ]
    return order, bodies, next_item


def _who(record: Mapping[str, Any], customer: Shopper | None) -> tuple[str, Address]:
    if customer is not None:
        return customer.email, customer.address
    guest = record["guest"]
    return guest["email"], Address(*guest["name"], *guest["address"])


def _tax_key(address: Address) -> str:
    return f"US-{address.region}" if address.country == "US" else address.country


def _website_name(data: SandboxData, store: Store) -> str:
    return next(str(w["name"]) for w in data.shop["websites"] if w["code"] == store.website)


@dataclass(frozen=True)
class _Context:
    entity_id: int
    store: Store
    state: str
    created: datetime
    percent: Decimal
    record: Mapping[str, Any]

    def shipped(self, line: Line) -> int:
        sent = self.record.get("shipments", [])
        return sum(
            quantity
            for one in sent
            for sku, quantity in one.get("items") or [[line.item.sku, line.quantity]]
            if sku == line.item.sku
        )

    def item_bodies(self, data: SandboxData, line: Line) -> list[dict[str, Any]]:
        refunded = dict(self.record.get("refunded_items", {})).get(line.item.sku, 0)
        if self.state == "closed":
            refunded = line.quantity
        quantities = {
            "qty_ordered": line.quantity,
            "qty_invoiced": line.quantity if self.state in PAID else 0,
            "qty_shipped": self.shipped(line),
            "qty_canceled": line.quantity if self.state == "canceled" else 0,
            "qty_refunded": refunded,
        }
        common = {
            "order_id": self.entity_id,
            "store_id": self.store.id,
            "sku": line.item.sku,
            "created_at": stamp(self.created),
            "updated_at": stamp(self.created),
            "is_qty_decimal": 0,
            "is_virtual": int(line.item.type_id == "virtual"),
            "free_shipping": 0,
            "weight": number(line.item.weight or ZERO),
            **quantities,
        }
        if line.parent is None:
            return [common | self._money(line, line.item) | {"item_id": line.item_id}]
        chosen = [
            {
                "option_id": str(data.by_code[code].id),
                "option_value": data.option_ids[code, str(line.item.attributes[code])],
            }
            for code in line.parent.option_codes
        ]
        parent = (
            common
            | self._money(line, line.parent)
            | {
                "item_id": line.item_id,
                "product_option": {"extension_attributes": {"configurable_item_options": chosen}},
            }
        )
        child = common | {
            "item_id": line.item_id + 1,
            "parent_item_id": line.item_id,
            "name": line.item.name,
            "product_id": line.item.id,
            "product_type": line.item.type_id,
            "price": 0,
            "base_price": 0,
            "original_price": 0,
            "row_total": 0,
            "base_row_total": 0,
            "tax_amount": 0,
            "tax_percent": 0,
            "discount_amount": 0,
        }
        return [parent, child | {"parent_item": parent}]

    def _money(self, line: Line, item: Item) -> dict[str, Any]:
        amounts = {
            "price": line.price,
            "price_incl_tax": line.gross,
            "original_price": line.price,
            "row_total": line.price * line.quantity,
            "row_total_incl_tax": line.gross * line.quantity,
            "tax_amount": (line.gross - line.price) * line.quantity,
            "discount_amount": ZERO,
        }
        body: dict[str, Any] = {}
        for name, amount in amounts.items():
            body[name] = body[f"base_{name}"] = number(amount)
        return body | {
            "name": item.name,
            "product_id": item.id,
            "product_type": item.type_id,
            "tax_percent": number(self.percent),
        }


def _address(
    data: SandboxData, address: Address, email: str, entity_id: int, customer: Shopper | None
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "parent_id": entity_id,
        "firstname": address.first_name,
        "lastname": address.last_name,
        "street": [address.street],
        "city": address.city,
        "postcode": address.postcode,
        "country_id": address.country,
        "telephone": address.telephone,
        "email": email,
    }
    if address.region:
        body["region_code"] = address.region
        body["region_id"], body["region"] = data.shop["regions"][address.region]
    if customer is not None:
        body["customer_address_id"] = customer.id
    return body


def _payment(data: SandboxData, record: Mapping[str, Any], total: Totals, entity_id: int) -> dict[str, Any]:
    method = record.get("pay", "braintree")
    body: dict[str, Any] = {
        "entity_id": entity_id,
        "parent_id": entity_id,
        "method": method,
        "account_status": None,
        "additional_information": [data.shop["payments"][method]],
        "amount_ordered": number(total.grand),
        "base_amount_ordered": number(total.grand),
        "shipping_amount": number(total.shipping),
        "cc_last4": record.get("last4"),
    }
    if record["state"] in PAID:
        body["amount_paid"] = body["base_amount_paid"] = number(total.grand)
    return body
