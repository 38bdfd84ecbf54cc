"""Magento's sales entities read into `Order`, `Shipment` and `Customer`. Pure.

Shapes are those of `sales-data-order-interface` and its parts in Adobe's REST schema; a field may be
absent wherever it may be null.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from services.lib.shop.carriers import tracking_url
from services.lib.shop.models import Customer, Order, OrderItem, Shipment, Track
from services.lib.shop.wire import (
    Record,
    integer,
    money,
    number,
    part,
    quantity,
    record,
    records,
    required,
    text,
    when,
)


def parse_order(raw: Record, shipments: Iterable[Record], read_at: datetime) -> Order:
    """An order with those of the shipments that are its own. Raises `Malformed`."""
    currency = required(raw.get("order_currency_code") or raw.get("base_currency_code"), "order_currency_code")
    entity_id = required(integer(raw.get("entity_id")), "entity_id")
    country, method = _shipping(raw)
    return Order(
        entity_id=entity_id,
        number=required(text(raw.get("increment_id")), "increment_id"),
        customer_id=integer(raw.get("customer_id")),
        email=text(raw.get("customer_email")),
        state=required(text(raw.get("state")), "state"),
        status=text(raw.get("status")) or text(raw.get("state")),
        created_at=required(when(raw.get("created_at")), "created_at"),
        total=money(raw.get("grand_total"), currency),
        items=_lines(records(raw.get("items")), text(currency)),
        shipments=tuple(parse_shipment(one) for one in shipments if integer(one.get("order_id")) == entity_id),
        shipping_country=country,
        shipping_method=text(raw.get("shipping_description")) or method,
        read_at=read_at,
    )


def parse_shipment(raw: Record) -> Shipment:
    return Shipment(
        increment_id=text(raw.get("increment_id")),
        created_at=required(when(raw.get("created_at")), "created_at"),
        tracks=tuple(_track(track) for track in records(raw.get("tracks")) if text(track.get("track_number"))),
    )


def parse_customer(raw: Record) -> Customer:
    website, group = integer(raw.get("website_id")), integer(raw.get("group_id"))
    return Customer(
        id=required(integer(raw.get("id")), "id"),
        email=text(raw.get("email")),
        first_name=text(raw.get("firstname")),
        last_name=text(raw.get("lastname")),
        group_id=0 if group is None else group,
        website_id=1 if website is None else website,
    )


def _track(raw: Record) -> Track:
    code, title, number_ = (text(raw.get(name)) for name in ("carrier_code", "title", "track_number"))
    return Track(carrier=code, title=title, number=number_, url=tracking_url(code, title, number_))


def _shipping(raw: Record) -> tuple[str | None, str | None]:
    """Country and method of the first assignment that has an address; a virtual order has none."""
    for assignment in records(part(raw, "extension_attributes").get("shipping_assignments")):
        shipping = part(assignment, "shipping")
        country = text(part(shipping, "address").get("country_id"))
        if country:
            return country.upper(), text(shipping.get("method")) or None
    return None, None


def _lines(items: Sequence[Record], currency: str) -> tuple[OrderItem, ...]:
    """One line per thing bought: children of a configurable or bundle are folded into their parent."""
    parents = {integer(item.get("item_id")) for item in items if not item.get("parent_item_id")}
    children: dict[int | None, list[Record]] = {}
    tops: list[Record] = []
    for item in items:
        parent = integer(item.get("parent_item_id"))
        if parent and parent in parents:
            children.setdefault(parent, []).append(item)
        else:
            tops.append(item)
    return tuple(_line(item, children.get(integer(item.get("item_id")), ()), currency) for item in tops)


def _line(item: Record, children: Sequence[Record], currency: str) -> OrderItem:
    child_sku = text(children[0].get("sku")) if len(children) == 1 else ""
    configurable = text(item.get("product_type")) == "configurable"
    ordered = quantity(item.get("qty_ordered"))
    total = _row_total(item)
    if not total and children:
        total = sum((_row_total(child) for child in children), Decimal(0))
    return OrderItem(
        sku=child_sku if configurable and child_sku else required(text(item.get("sku")), "sku"),
        name=text(item.get("name")),
        quantity_ordered=ordered,
        quantity_shipped=_done(item, children, "qty_shipped", ordered),
        quantity_refunded=_done(item, children, "qty_refunded", ordered),
        total=money(total, currency),
    )


def _row_total(item: Record) -> Decimal:
    """What the line costs on the storefront's order page: with tax, before discounts on the whole order."""
    with_tax = number(item.get("row_total_incl_tax"))
    if with_tax is not None:
        return with_tax
    return (number(item.get("row_total")) or Decimal(0)) + (number(item.get("tax_amount")) or Decimal(0))


def _done(item: Record, children: Sequence[Record], field: str, ordered: Decimal) -> Decimal:
    """How many of a line are shipped or refunded: the parent's count, or complete sets of its children.

    A bundle that ships in parts is counted on its children alone.
    """
    own = quantity(item.get(field))
    shares = [
        quantity(child.get(field)) / asked for child in children if (asked := quantity(child.get("qty_ordered")))
    ]
    sets = (min(shares) * ordered).to_integral_value(ROUND_FLOOR) if shares else Decimal(0)
    return max(own, min(sets, ordered))


def orders_of(raw: Mapping[str, object] | None, customer_id: int) -> tuple[Record, ...]:
    """The records of a search for orders that are this customer's, whatever the shop sent besides."""
    if raw is None:
        return ()
    return tuple(one for one in records(record(raw).get("items")) if integer(one.get("customer_id")) == customer_id)
