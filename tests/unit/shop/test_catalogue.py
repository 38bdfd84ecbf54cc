from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.lib.shop.catalogue import (
    Attribute,
    category_names,
    child_ids,
    parse_attribute,
    parse_page,
    parse_product,
    sold_in,
    visible,
)
from services.lib.shop.storefront import StoreConfig
from services.lib.shop.wire import Malformed

CONFIG = StoreConfig("https://shop.test/", ".html", "kg")


def attribute(ident: int, code: str, kind: str = "select", **changes: Any) -> Attribute:
    options = {"select": {"5": "Red", "6": "Blue"}, "multiselect": {"5": "Red", "6": "Blue"}}.get(kind, {})
    return Attribute(
        **{"id": ident, "code": code, "label": code.title(), "input": kind, "shown": True, "options": options}
        | changes
    )


def raw_product(**changes: Any) -> dict[str, Any]:
    return {
        "id": 3,
        "sku": "BAG",
        "name": "Bag &amp; Strap",
        "status": 1,
        "visibility": 4,
        "type_id": "simple",
        "weight": Decimal("0.4000"),
        "updated_at": "2026-01-02 03:04:05",
        "extension_attributes": {
            "website_ids": [1],
            "category_links": [{"category_id": "12"}, {"category_id": "99"}],
        },
        "custom_attributes": [
            {"attribute_code": "url_key", "value": "bag"},
            {"attribute_code": "short_description", "value": "<p>Small</p>"},
            {"attribute_code": "description", "value": "<ul><li>Light</li><li>Strong</li></ul>"},
            {"attribute_code": "color", "value": "5"},
            {"attribute_code": "category_ids", "value": ["12"]},
        ],
    } | changes


def product(raw: dict[str, Any], *children: dict[str, Any], **attributes: Attribute) -> Any:
    known = {"color": attribute(93, "color"), **attributes}
    return parse_product(raw, children, known, {12: "Women / Bags"}, CONFIG, "default")


def with_value(code: str, value: Any, **changes: Any) -> dict[str, Any]:
    raw = raw_product(**changes)
    return raw | {"custom_attributes": [*raw["custom_attributes"], {"attribute_code": code, "value": value}]}


def test_a_simple_product() -> None:
    read = product(raw_product())
    assert read.name == "Bag & Strap"
    assert read.url == "https://shop.test/bag.html"
    assert read.categories == ("Women / Bags",)
    assert read.attributes == {"Color": "Red", "Weight": "0.4 kg"}
    assert (read.short_description, read.description) == ("Small", "Light\nStrong")
    assert read.updated_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "stored", "shown"),
    [
        ("select", "5", "Red"),
        ("select", 6, "Blue"),
        ("select", "77", None),
        ("multiselect", "5,6", "Red, Blue"),
        ("multiselect", ["6", "5"], "Blue, Red"),
        ("multiselect", "77", None),
        ("boolean", "1", "Yes"),
        ("boolean", "0", "No"),
        ("boolean", "", None),
        ("text", "100 % wool", "100 % wool"),
        ("textarea", "<p>Wash cold</p><p>Dry flat</p>", "Wash cold; Dry flat"),
        ("date", "2026-05-01 00:00:00", "2026-05-01"),
        ("text", None, None),
        ("text", {"nested": 1}, None),
    ],
)
def test_values_are_what_a_shopper_reads(kind: str, stored: Any, shown: str | None) -> None:
    read = product(with_value("extra", stored), extra=attribute(200, "extra", kind))
    assert read.attributes.get("Extra") == shown


def test_what_shoppers_do_not_see_stays_out() -> None:
    read = product(with_value("margin", "30"), margin=attribute(201, "margin", "text", shown=False))
    assert "Margin" not in read.attributes
    assert "Unknown" not in product(with_value("unknown", "x")).attributes


def test_variants_have_the_labels_of_the_axes_in_the_shops_order() -> None:
    parent = raw_product(
        type_id="configurable",
        extension_attributes={
            "configurable_product_options": [
                {"attribute_id": "94", "position": 1},
                {"attribute_id": "93", "position": 0},
            ],
            "configurable_product_links": [11, "12"],
        },
    )
    child = with_value("size", "21", sku="BAG-S", name="Bag-S")
    size = attribute(94, "size", options={"21": "Small"})
    (variant,) = product(parent, child, size=size).variants
    assert (variant.sku, list(variant.options.items())) == ("BAG-S", [("Color", "Red"), ("Size", "Small")])
    assert child_ids(parent) == (11, 12)


@pytest.mark.parametrize(
    "changes",
    [
        {"sku": None},
        {"name": ""},
        {"name": 5.5},
        {"custom_attributes": "none"},
        {"extension_attributes": {"category_links": [{"category_id": "x"}]}},
        {"updated_at": "recently"},
        {"weight": "heavy"},
    ],
)
def test_a_product_without_sense_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        product(raw_product(**changes))


def test_a_type_of_an_extension_is_other() -> None:
    assert product(raw_product(type_id="subscription")).type_id == "other"


def test_a_product_without_url_key_has_its_plain_address() -> None:
    assert product(raw_product(custom_attributes=[])).url == "https://shop.test/catalog/product/view/id/3"


@pytest.mark.parametrize(
    ("changes", "website", "sold"),
    [
        ({}, 1, True),
        ({}, 2, False),
        ({"status": 2}, 1, False),
        ({"status": "1"}, 1, True),
        ({"status": None}, 1, False),
        ({"extension_attributes": {}}, 2, True),
        ({"extension_attributes": {"website_ids": []}}, 1, False),
        ({"extension_attributes": {"website_ids": ["1"]}}, 1, True),
    ],
)
def test_sold_in_a_website(changes: dict[str, Any], website: int, sold: bool) -> None:
    assert sold_in(raw_product(**changes), website) is sold


def test_visibility() -> None:
    assert [value for value in (None, 0, 1, 2, 3, "4", 5) if visible({"visibility": value})] == [2, 3, "4"]


def raw_attribute(**changes: Any) -> dict[str, Any]:
    return {
        "attribute_id": 93,
        "attribute_code": "color",
        "frontend_input": "select",
        "default_frontend_label": "Color",
        "frontend_labels": [{"store_id": 2, "label": "Farbe"}],
        "options": [{"label": " ", "value": ""}, {"label": "Red", "value": "5"}],
        "is_visible_on_front": "0",
        "is_filterable": False,
        "is_searchable": "0",
    } | changes


def test_an_attribute_speaks_the_stores_language() -> None:
    assert (parse_attribute(raw_attribute(), 2).label, parse_attribute(raw_attribute(), 1).label) == (
        "Farbe",
        "Color",
    )
    assert parse_attribute(raw_attribute(default_frontend_label=None), 1).label == "Color"
    assert parse_attribute(raw_attribute(), 1).options == {"5": "Red"}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, False),
        ({"is_visible_on_front": "1"}, True),
        ({"is_filterable": True}, True),
        ({"is_filterable": "2"}, True),
        ({"is_searchable": "1"}, True),
        ({"is_searchable": "1", "frontend_input": "price"}, False),
        ({"is_visible_on_front": None}, False),
    ],
)
def test_an_attribute_is_shown_where_the_shop_shows_it(changes: dict[str, Any], shown: bool) -> None:
    assert parse_attribute(raw_attribute(**changes), 1).shown is shown


def test_categories_are_paths_below_the_root() -> None:
    def node(ident: int, level: int, name: str, *children: Any, active: Any = True) -> dict[str, Any]:
        return {"id": ident, "level": level, "name": name, "is_active": active, "children_data": list(children)}

    tree = node(
        2, 1, "Default", node(3, 2, "Women", node(4, 3, "Bags")), node(5, 2, "Old", node(6, 3, "X"), active=False)
    )
    assert category_names(tree) == {3: "Women", 4: "Women / Bags"}


def test_a_page_keeps_its_headings_as_lines() -> None:
    raw = {
        "identifier": "returns",
        "title": "Returns",
        "content_heading": "Sending back",
        "content": "<h2>How long</h2><p>30 days</p>{{block class='x'}}",
        "active": True,
        "update_time": "2026-01-01 00:00:00",
    }
    page = parse_page(raw, CONFIG, "default")
    assert page is not None
    assert (page.text, page.url) == ("Sending back\nHow long\n30 days", "https://shop.test/returns")


@pytest.mark.parametrize(
    "changes", [{"active": False}, {"active": "0"}, {"content": "{{widget}}"}, {"identifier": "no-route"}]
)
def test_pages_that_say_nothing_are_none(changes: dict[str, Any]) -> None:
    assert (
        parse_page({"identifier": "x", "content": "<p>Text</p>", "active": True} | changes, CONFIG, "default") is None
    )
