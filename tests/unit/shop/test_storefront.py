from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from graphql import parse

from services.lib.shop.storefront import LIVE, STORE_CONFIG, StoreConfig, parse_live, parse_store_config
from services.lib.shop.wire import Malformed

READ = datetime(2026, 3, 1, 12, tzinfo=UTC)


def price(final: Any, regular: Any, currency: str = "USD") -> dict[str, Any]:
    return {
        "final_price": {"value": final, "currency": currency},
        "regular_price": {"value": regular, "currency": currency},
    }


def item(sku: str = "BAG", **changes: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "stock_status": "IN_STOCK",
        "only_x_left_in_stock": None,
        "price_range": {
            "minimum_price": price(Decimal("39.9"), 49),
            "maximum_price": price(Decimal("39.9"), 49),
        },
    } | changes


def read(*items: Any) -> dict[str, Any]:
    return parse_live({"products": {"items": list(items)}}, "default", READ)


def test_the_queries_are_graphql() -> None:
    assert parse(LIVE)
    assert parse(STORE_CONFIG)


def test_price_and_stock_of_a_simple_product() -> None:
    own = read(item())["BAG"].own
    assert own.price is not None
    assert own.stock is not None
    assert (str(own.price.final.amount), str(own.price.regular.amount), own.price.maximum) == ("39.90", "49.00", None)
    assert (own.stock.in_stock, own.stock.quantity, own.stock.read_at) == (True, None, READ)


def test_a_configurable_has_a_span_and_its_childrens_facts() -> None:
    parent = item(
        "SHIRT",
        price_range={"minimum_price": price(20, 20), "maximum_price": price(Decimal("24.5"), 30)},
        variants=[
            {"product": item("SHIRT-S")},
            {"product": item("SHIRT-M", stock_status="OUT_OF_STOCK")},
            {"product": None},
            {"product": {"sku": None}},
            {"product": item("SHIRT-L", price_range={"minimum_price": price("much", 1)})},
        ],
    )
    family = read(parent)["SHIRT"]
    assert family.own.price is not None
    assert family.own.price.maximum is not None
    assert str(family.own.price.maximum.amount) == "24.50"
    assert {sku: live.stock and live.stock.in_stock for sku, live in family.children.items()} == {
        "SHIRT-S": True,
        "SHIRT-M": False,
    }


@pytest.mark.parametrize(
    ("changes", "in_stock", "shown"),
    [
        ({"only_x_left_in_stock": 3}, True, Decimal(3)),
        ({"only_x_left_in_stock": "2.0000"}, True, Decimal(2)),
        ({"only_x_left_in_stock": 0}, True, None),
        ({"only_x_left_in_stock": -1}, True, None),
        ({"only_x_left_in_stock": 3, "stock_status": "OUT_OF_STOCK"}, False, None),
        ({}, True, None),
    ],
)
def test_a_quantity_only_where_the_shop_shows_it(changes: dict[str, Any], in_stock: bool, shown: Any) -> None:
    fact = read(item(**changes))["BAG"].own.stock
    assert fact is not None
    assert (fact.in_stock, fact.quantity) == (in_stock, shown)


@pytest.mark.parametrize("status", [None, "", "MAYBE"])
def test_an_unknown_stock_status_is_no_fact(status: str | None) -> None:
    assert read(item(stock_status=status))["BAG"].own.stock is None


def test_no_price_is_no_fact() -> None:
    for prices in (None, {}, {"minimum_price": price(None, None)}):
        assert read(item(price_range=prices))["BAG"].own.price is None


def test_magentos_zero_for_a_sold_out_configurable_is_no_price() -> None:
    free = {"minimum_price": price(0, 0)}
    assert read(item(stock_status="OUT_OF_STOCK", price_range=free))["BAG"].own.price is None
    given_away = read(item(price_range=free))["BAG"].own.price
    assert given_away is not None
    assert given_away.final.amount == 0


@pytest.mark.parametrize(
    "bad",
    [
        item(price_range={"minimum_price": price("cheap", 1)}),
        item(price_range={"minimum_price": price(-5, 1)}),
        item(price_range={"minimum_price": price(True, 1)}),
        item(price_range={"minimum_price": price(5, 6, "dollars")}),
        item(price_range={"minimum_price": price(5, 6), "maximum_price": price(5, 6, "EUR")}),
        item(price_range={"minimum_price": {"final_price": {"value": 5, "currency": None}}}),
        item(sku=None),
        item(sku=["BAG"]),
        item(variants="none"),
    ],
)
def test_one_product_without_sense_is_left_out_alone(bad: dict[str, Any]) -> None:
    assert list(read(bad, item("OTHER"))) == ["OTHER"]


@pytest.mark.parametrize("data", [{}, {"products": None}, {"products": []}, {"products": {"items": "none"}}])
def test_an_answer_without_products_is_malformed(data: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        parse_live(data, "default", READ)


def test_links_come_from_the_stores_configuration() -> None:
    config = parse_store_config(
        {
            "storeConfig": {
                "secure_base_link_url": "https://shop.test/de",
                "product_url_suffix": ".html",
                "weight_unit": "kgs",
            }
        }
    )
    assert config == StoreConfig("https://shop.test/de/", ".html", "kg")
    assert config.product("red-bag") == "https://shop.test/de/red-bag.html"
    assert (config.page("home"), config.page("returns")) == ("https://shop.test/de/", "https://shop.test/de/returns")
    for config in (None, {}, {"base_link_url": "javascript:alert(1)"}):
        with pytest.raises(Malformed):
            parse_store_config({"storeConfig": config})
