from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.lib.shop.orders import orders_of, parse_customer, parse_order
from services.lib.shop.wire import Malformed

READ = datetime(2026, 3, 1, 12, tzinfo=UTC)


def raw_order(**changes: Any) -> dict[str, Any]:
    return {
        "entity_id": 41,
        "increment_id": "000000041",
        "customer_id": 7,
        "customer_email": "ada@example.org",
        "state": "processing",
        "status": "packing",
        "created_at": "2026-02-27 09:15:00",
        "order_currency_code": "EUR",
        "base_currency_code": "USD",
        "grand_total": Decimal("64.9"),
        "shipping_description": "Parcel - Standard",
        "items": [line(1)],
        "extension_attributes": {
            "shipping_assignments": [
                {"shipping": {"method": "dhl_standard", "address": {"country_id": "de"}}, "items": []}
            ]
        },
    } | changes


def line(item_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "item_id": item_id,
        "sku": f"SKU-{item_id}",
        "name": f"Thing {item_id}",
        "product_type": "simple",
        "qty_ordered": 1,
        "qty_shipped": 0,
        "qty_refunded": 0,
        "row_total": 50,
        "row_total_incl_tax": Decimal("59.5"),
    } | changes


def shipment(**changes: Any) -> dict[str, Any]:
    return {
        "increment_id": "000000009",
        "order_id": 41,
        "created_at": "2026-02-28 10:00:00",
        "tracks": [{"track_number": "1Z999AA10123456784", "title": "UPS", "carrier_code": "ups"}],
    } | changes


def test_an_order_in_full() -> None:
    order = parse_order(raw_order(), [shipment(), shipment(order_id=42)], READ)
    assert (order.entity_id, order.number, order.customer_id, order.email) == (41, "000000041", 7, "ada@example.org")
    assert (order.state, order.status, order.read_at) == ("processing", "packing", READ)
    assert order.created_at == datetime(2026, 2, 27, 9, 15, tzinfo=UTC)
    assert (str(order.total.amount), order.total.currency) == ("64.90", "EUR")
    assert (order.shipping_country, order.shipping_method) == ("DE", "Parcel - Standard")
    assert [one.increment_id for one in order.shipments] == ["000000009"]
    assert order.shipments[0].tracks[0].url == "https://www.ups.com/track?tracknum=1Z999AA10123456784"
    assert [(item.sku, str(item.total.amount)) for item in order.items] == [("SKU-1", "59.50")]


def test_a_configurable_and_its_child_are_one_line() -> None:
    items = [
        line(1, product_type="configurable", sku="SHIRT-M-Red", name="Shirt", qty_ordered=2, qty_shipped=1),
        line(2, parent_item_id=1, sku="SHIRT-M-Red", name="Shirt-M-Red", qty_ordered=2, row_total_incl_tax=0),
        line(3),
    ]
    merged = parse_order(raw_order(items=items), [], READ).items
    assert [(item.sku, item.name, item.quantity_ordered, item.quantity_shipped) for item in merged] == [
        ("SHIRT-M-Red", "Shirt", 2, 1),
        ("SKU-3", "Thing 3", 1, 0),
    ]
    assert str(merged[0].total.amount) == "59.50"


def test_the_child_may_come_before_its_parent() -> None:
    items = [line(2, parent_item_id=1, qty_shipped=1), line(1, product_type="configurable", sku="PARENT")]
    merged = parse_order(raw_order(items=items), [], READ).items
    assert [(item.sku, item.quantity_shipped) for item in merged] == [("SKU-2", 1)]


def test_a_bundle_is_shipped_when_all_its_parts_are() -> None:
    def parts(first: int, second: int) -> list[dict[str, Any]]:
        return [
            line(1, product_type="bundle", sku="KIT", qty_ordered=2, row_total=None, row_total_incl_tax=None),
            line(2, parent_item_id=1, qty_ordered=2, qty_shipped=first, row_total_incl_tax=10),
            line(3, parent_item_id=1, qty_ordered=4, qty_shipped=second, row_total_incl_tax=20),
        ]

    for first, second, complete in ((2, 4, 2), (2, 0, 0), (1, 3, 1), (2, 3, 1)):
        (item,) = parse_order(raw_order(items=parts(first, second)), [], READ).items
        assert (item.sku, item.quantity_shipped) == ("KIT", complete)
        assert str(item.total.amount) == "30.00"


def test_a_child_whose_parent_is_missing_stands_alone() -> None:
    items = [line(2, parent_item_id=99)]
    assert [item.sku for item in parse_order(raw_order(items=items), [], READ).items] == ["SKU-2"]


@pytest.mark.parametrize("nothing", [None, "absent"])
def test_null_and_absent_are_the_same(nothing: str | None) -> None:
    optional = ("customer_id", "customer_email", "status", "shipping_description", "extension_attributes", "items")
    raw = raw_order(**dict.fromkeys(optional))
    if nothing == "absent":
        for name in optional:
            del raw[name]
    order = parse_order(raw, [shipment(tracks=None)], READ)
    assert (order.customer_id, order.email, order.status, order.items) == (None, "", "processing", ())
    assert (order.shipping_country, order.shipping_method, order.shipments[0].tracks) == (None, None, ())


def test_a_virtual_order_has_no_address() -> None:
    assignments = {"shipping_assignments": [{"shipping": {"total": {}}, "items": []}]}
    assert parse_order(raw_order(extension_attributes=assignments), [], READ).shipping_country is None


def test_numbers_may_be_text() -> None:
    order = parse_order(
        raw_order(entity_id="41", grand_total="64.9000", customer_id="7"), [shipment(order_id="41")], READ
    )
    assert (order.entity_id, order.customer_id, str(order.total.amount)) == (41, 7, "64.90")
    assert len(order.shipments) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"entity_id": None},
        {"increment_id": ""},
        {"grand_total": None},
        {"grand_total": "a lot"},
        {"grand_total": Decimal("NaN")},
        {"order_currency_code": None, "base_currency_code": None},
        {"order_currency_code": "Euro"},
        {"created_at": None},
        {"created_at": "last week"},
        {"state": None},
        {"items": "none"},
        {"items": [{"item_id": 1}]},
        {"items": [line(1, qty_ordered="many")]},
        {"extension_attributes": "none"},
    ],
)
def test_an_order_without_sense_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_order(raw_order(**changes), [], READ)


def test_only_this_customers_orders_are_taken() -> None:
    found = {
        "items": [raw_order(), raw_order(customer_id=8), raw_order(customer_id=None), raw_order(customer_id="7")]
    }
    assert len(orders_of(found, 7)) == 2
    assert orders_of(None, 7) == orders_of({"items": None}, 7) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.decimals(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(raw_order())), JSON, max_size=4))
def test_whatever_the_shop_sends_is_an_order_or_malformed(changes: dict[str, Any]) -> None:
    try:
        order = parse_order(raw_order(**changes), [shipment()], READ)
    except Malformed:
        return
    assert order.number
    assert order.total.amount.is_finite()


def test_a_customer() -> None:
    customer = parse_customer(
        {"id": 7, "email": "ada@example.org", "firstname": "Ada", "lastname": "Lark", "group_id": 0, "website_id": 2}
    )
    assert (customer.id, customer.group_id, customer.website_id) == (7, 0, 2)
    with pytest.raises(Malformed):
        parse_customer({"email": "ada@example.org"})
