"""The fictional shop itself: large enough, consistent, and as old as the time says."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.lib.shop.sandbox.data import SandboxData, load
from services.lib.shop.sandbox.orders import Sales, expand_orders

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
STATES = {"new", "pending_payment", "processing", "complete", "closed", "canceled", "holded", "payment_review"}


@pytest.fixture(scope="module")
def sales(data: SandboxData) -> Sales:
    return expand_orders(data)


def test_there_is_enough_of_everything(data: SandboxData, sales: Sales) -> None:
    sellable = [item for item in data.items if item.parent is None and item.enabled]
    assert len(sellable) >= 150
    prices = [item.price["base"] for item in sellable]
    assert (min(prices), max(prices)) == (Decimal("4.00"), Decimal("899.00"))
    assert len(data.customers) == 40
    assert len(sales.orders) == 120
    assert {order["state"] for order in sales.orders} == STATES
    assert len({page.identifier for page in data.pages if page.store_id in (0, 1)}) >= 12
    assert {page.identifier for page in data.pages if page.store_id == 2} >= {"shipping", "returns", "payment"}
    gifts = [i for i in sellable if "gifts" in i.categories and i.price["base"] < 50]
    assert sum("Teenagers" in i.attributes.get("recommended_for", ()) for i in gifts) >= 20  # type: ignore[operator]


def test_stock_and_special_prices_come_in_all_kinds(data: SandboxData) -> None:
    sellable = [item for item in data.items if item.parent is None and item.enabled]
    children = [item for item in data.items if item.parent]
    assert sum(not item.in_stock(1) for item in sellable) >= 5
    assert sum(not item.in_stock(1) for item in children) >= 15
    assert sum(item.backorders for item in data.items) >= 3
    specials = [i.special for i in data.items if i.special]
    today = NOW.replace(hour=0)
    assert any(s.until and s.until < today for s in specials)
    assert any(s.since and s.since > today for s in specials)
    assert any(s.since and s.until and s.since <= today <= s.until for s in specials)


def test_names_ids_and_urls_are_unique(data: SandboxData) -> None:
    for values in (
        [item.id for item in data.items],
        [item.sku.lower() for item in data.items],
        [item.url_key for item in data.items],
        [customer.email for customer in data.customers],
        [attribute.id for attribute in data.attributes],
        [(page.identifier, page.store_id) for page in data.pages],
    ):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_texts_are_html_with_nothing_left_open(data: SandboxData) -> None:
    for text in [*(i.text for i in data.items), *(p.content for p in data.pages)]:
        assert text.startswith("<")
        for tag in ("p", "ul", "li", "h1", "h2", "table", "tr", "td"):
            assert text.count(f"<{tag}>") == text.count(f"</{tag}>")


def test_orders_add_up(sales: Sales) -> None:
    for order in sales.orders:
        money = [line for line in order["items"] if "parent_item_id" not in line]
        subtotal = sum(Decimal(str(line["row_total"])) for line in money)
        assert Decimal(str(order["subtotal"])) == subtotal
        parts = ("subtotal", "shipping_amount", "tax_amount", "discount_amount")
        assert sum(Decimal(str(order[part])) for part in parts) == Decimal(str(order["grand_total"]))
        assert order["total_item_count"] == len(money)
        assert order["total_qty_ordered"] == sum(line["qty_ordered"] for line in money)
        assert Decimal(str(order["total_due"])) >= 0


def test_a_configurable_is_a_parent_and_a_child(sales: Sales) -> None:
    order = next(o for o in sales.orders if o["customer_email"] == "walter.finch@example.net")
    parent, child = order["items"]
    assert (parent["product_type"], child["product_type"]) == ("configurable", "simple")
    assert parent["sku"] == child["sku"] == "SH-640-43-White"
    assert child["parent_item_id"] == parent["item_id"]
    assert (parent["price"], child["price"]) == (89, 0)
    assert parent["name"] == "Stanley Ruiz Classic Sneaker"
    assert "customer_id" not in order
    assert order["customer_is_guest"] == 1
    assignment = order["extension_attributes"]["shipping_assignments"][0]
    assert assignment["shipping"]["address"]["city"] == "Nashville"
    assert "shipping_address" not in order


def test_what_is_shipped_fits_the_state(sales: Sales) -> None:
    sent = {shipment["order_id"] for shipment in sales.shipments}
    for order in sales.orders:
        lines = [line for line in order["items"] if "parent_item_id" not in line]
        whole = all(line["qty_shipped"] == line["qty_ordered"] for line in lines)
        if order["state"] in ("complete", "closed"):
            assert whole
        if order["state"] in ("new", "pending_payment", "canceled", "holded", "payment_review"):
            assert order["entity_id"] not in sent
            assert all(line["qty_shipped"] == 0 for line in lines)
        if order["state"] == "processing":
            assert not whole
    assert Counter(s["order_id"] for s in sales.shipments).most_common(1)[0][1] >= 2
    carriers = {track["carrier_code"] for s in sales.shipments for track in s["tracks"]}
    assert carriers >= {"ups", "usps", "fedex", "dhl"}


def test_increment_ids_begin_with_the_store(sales: Sales) -> None:
    assert len({order["increment_id"] for order in sales.orders}) == len(sales.orders)
    for order in sales.orders:
        digits = f"{order['entity_id']:09d}"
        assert order["increment_id"] == (digits if order["store_id"] == 1 else f"2{digits}")


def test_dates_follow_the_time_of_loading() -> None:
    early, late = (expand_orders(load(NOW + timedelta(days=days))) for days in (0, 30))
    for one, other in zip(early.orders, late.orders, strict=True):
        gap = datetime.fromisoformat(other["created_at"]) - datetime.fromisoformat(one["created_at"])
        assert gap == timedelta(days=30)
        assert datetime.fromisoformat(one["created_at"]) < NOW.replace(tzinfo=None)
    for shipment in early.shipments:
        order = next(o for o in early.orders if o["entity_id"] == shipment["order_id"])
        assert order["created_at"] < shipment["created_at"] < "2026-03-10 12:00:00"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError):
        load(NOW.replace(tzinfo=None))
