"""GraphQL: live prices and stock by store view and currency, Magento's errors, hostile queries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import load

PRICE = (
    "price_range { minimum_price "
    "{ final_price { value currency } regular_price { value } discount { percent_off } } }"
)


async def ask(shop: httpx.AsyncClient, query: str, status: int = 200, **headers: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await shop.post("/graphql", json={"query": query}, headers=named)
    assert response.status_code == status, response.text
    return response.json()


async def item(shop: httpx.AsyncClient, sku: str, fields: str = PRICE, **headers: str) -> Any:
    body = await ask(
        shop,
        f'{{ products(filter: {{sku: {{eq: "{sku}"}}}}) {{ items {{ __typename name {fields} }} }} }}',
        **headers,
    )
    return body["data"]["products"]["items"][0]


@pytest.mark.parametrize(
    ("headers", "value", "currency"),
    [
        ({}, 34, "USD"),
        ({"Content_Currency": "EUR"}, 31.28, "EUR"),
        ({"Store": "de"}, 35.95, "EUR"),
        ({"Store": "de", "Content_Currency": "usd"}, 39.19, "USD"),
        ({"Store": "default", "Content_Currency": "GBP"}, 26.86, "GBP"),
    ],
)
async def test_price_by_store_and_currency(
    shop: httpx.AsyncClient, headers: dict[str, str], value: float, currency: str
) -> None:
    found = (await item(shop, "KI-701", **headers))["price_range"]["minimum_price"]
    assert found["final_price"] == {"value": value, "currency": currency}
    assert found["discount"]["percent_off"] > 0


async def test_a_special_price_ends_with_its_day() -> None:
    now = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    times = [now]
    app = create_app(load(now), token="t", signing_key="k" * 32, clock=lambda: times[0])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://s") as shop:
        during = await item(shop, "AU-101")
        times[0] = now + timedelta(days=13)
        after = await item(shop, "AU-101")
    assert during["price_range"]["minimum_price"]["final_price"]["value"] == 159
    assert after["price_range"]["minimum_price"]["final_price"]["value"] == 189


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Store": "fr"}, "Requested store is not found"),
        ({"Store": "default", "Content_Currency": "CHF"}, "Please correct the target currency"),
        ({"Content_Currency": "💶".encode()}, "Please correct the target currency"),
    ],
)
async def test_wrong_headers(shop: httpx.AsyncClient, headers: dict[str, Any], message: str) -> None:
    body = await ask(shop, "{ storeConfig { store_code } }", 500, **headers)
    assert body == {"errors": [{"message": message, "extensions": {"category": "graphql-input"}}]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "'search' or 'filter' input argument is required."),
        ('search: "x", pageSize: 0', "pageSize value must be greater than 0."),
        ('search: "x", currentPage: 0', "currentPage value must be greater than 0."),
        (
            'search: "drift", currentPage: 9',
            "currentPage value 9 specified is greater than the 1 page(s) available.",
        ),
        ('filter: {price: {from: "cheap"}}', "Price bounds must be numbers."),
    ],
)
async def test_wrong_arguments(shop: httpx.AsyncClient, arguments: str, message: str) -> None:
    body = await ask(shop, f"{{ products{f'({arguments})' if arguments else ''} {{ total_count }} }}")
    assert body["data"] == {"products": None}
    assert [(e["message"], e["extensions"]["category"], e["path"]) for e in body["errors"]] == [
        (message, "graphql-input", ["products"])
    ]


async def test_variants_with_labels_and_stock(shop: httpx.AsyncClient) -> None:
    fields = (
        "... on ConfigurableProduct "
        "{ variants { product { sku stock_status } attributes { code label value_index } } }"
    )
    english = await item(shop, "AU-100", fields)
    assert english["__typename"] == "ConfigurableProduct"
    assert [(v["attributes"][0]["label"], v["product"]["stock_status"]) for v in english["variants"]] == [
        ("Black", "IN_STOCK"),
        ("Red", "IN_STOCK"),
        ("Teal", "OUT_OF_STOCK"),
    ]
    german = await item(shop, "AU-100", fields, Store="de")
    assert [v["attributes"][0]["label"] for v in german["variants"]] == ["Schwarz", "Rot", "Petrol"]


async def test_stock_counts_show_only_below_the_threshold(shop: httpx.AsyncClient) -> None:
    fields = "stock_status only_x_left_in_stock"
    assert (await item(shop, "GA-305", fields))["only_x_left_in_stock"] == 3
    assert (await item(shop, "GA-304", fields))["only_x_left_in_stock"] is None
    gone = await item(shop, "CO-224", fields)
    assert (gone["stock_status"], gone["only_x_left_in_stock"]) == ("OUT_OF_STOCK", 0)


@pytest.mark.parametrize(
    ("sku", "store", "found"),
    [
        ("ki-701", "default", 1),
        ("AU-100-Red", "default", 0),  # a child is not visible by itself
        ("SM-745", "default", 0),  # disabled
        ("SM-741", "default", 1),
        ("SM-741", "de", 0),  # of the American website only
    ],
)
async def test_what_the_storefront_shows(shop: httpx.AsyncClient, sku: str, store: str, found: int) -> None:
    query = f'{{ products(filter: {{sku: {{in: ["{sku}"]}}}}) {{ total_count }} }}'
    assert (await ask(shop, query, Store=store))["data"]["products"]["total_count"] == found


async def test_price_filter_and_sort_use_the_final_price(shop: httpx.AsyncClient) -> None:
    query = (
        '{ products(filter: {price: {from: "30", to: "40"}}, sort: {price: DESC}, pageSize: 200) '
        f"{{ total_count items {{ sku {PRICE} }} }} }}"
    )
    items = (await ask(shop, query))["data"]["products"]["items"]
    prices = [i["price_range"]["minimum_price"]["final_price"]["value"] for i in items]
    assert prices == sorted(prices, reverse=True)
    assert all(30 <= price <= 40 for price in prices)
    assert "AU-110" in [i["sku"] for i in items]  # 49, now 39


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        "{ nothing }",
        "mutation { createCart }",
        "{ products(filter: {sku: {eq: 5}}) { total_count } }",
        "query q { ...f } fragment f on Query { ...f }",
        "{" * 15000,
        "{ a: storeConfig { code } " * 3,
        '{ products(search: "' + "%_" * 3000 + '") { total_count } }',
    ],
)
async def test_hostile_queries_get_errors(shop: httpx.AsyncClient, query: str) -> None:
    response = await shop.post("/graphql", json={"query": query})
    assert response.status_code in {200, 500}
    assert response.json().get("errors") or response.json()["data"]["products"]["total_count"] >= 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"query": 5}',
        b'{"query": "{a}", "variables": []}',
        b"[" * 100000,
        b"x" * 1_100_000,
    ],
)
async def test_hostile_bodies_get_errors(shop: httpx.AsyncClient, body: bytes) -> None:
    response = await shop.post("/graphql", content=body)
    assert response.status_code == 500
    assert response.json()["errors"][0]["message"]


async def test_depth_is_limited(shop: httpx.AsyncClient) -> None:
    async def depth_of(levels: int) -> Any:
        nested = "__schema { types { " + "ofType { " * levels + "name" + " }" * levels + " } }"
        return await ask(shop, f"{{ {nested.replace('types { ofType', 'types { fields { type { ofType')} }} }} }}")

    assert "errors" not in await depth_of(5)
    assert "Max query depth should be 20" in (await depth_of(30))["errors"][0]["message"]


async def test_queries_by_get_with_variables(shop: httpx.AsyncClient) -> None:
    params = {
        "query": "query q($s: [String]) { products(filter: {sku: {in: $s}}) { items { sku } } }",
        "variables": '{"s": ["KI-701", "LI-722"]}',
        "operationName": "q",
    }
    body = (await shop.get("/graphql", params=params)).json()
    assert [one["sku"] for one in body["data"]["products"]["items"]] == ["KI-701", "LI-722"]
