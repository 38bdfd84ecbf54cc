"""REST: authorization, errors, store views, traps kept, and what strangers send."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import SandboxData


def where(field: str, value: str, condition: str = "eq", **more: str) -> dict[str, str]:
    at = "searchCriteria[filterGroups][0][filters][0]"
    return {f"{at}[field]": field, f"{at}[value]": value, f"{at}[conditionType]": condition, **more}


async def get(shop: httpx.AsyncClient, path: str, **params: Any) -> Any:
    response = await shop.get(f"/rest/V1/{path}", params=params or None)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic right", "right", "Bearer right2", "Bearer ü"]
)
async def test_without_the_token_there_is_nothing(shop: httpx.AsyncClient, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    async with httpx.AsyncClient(transport=shop._transport, base_url="https://shop.example") as stranger:
        response = await stranger.get("/rest/V1/orders/1", headers=headers)
    assert response.status_code == 401
    assert response.json() == {
        "message": "The consumer isn't authorized to access %resources.",
        "parameters": {"resources": "Magento_Sales::actions_view"},
    }


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (
            "products/nope",
            404,
            {"message": "The product that was requested doesn't exist. Verify the product and try again."},
        ),
        (
            "stockItems/nope",
            404,
            {"message": 'The Product with the "%1" SKU doesn\'t exist.', "parameters": ["nope"]},
        ),
        (
            "customers/999",
            404,
            {
                "message": "No such entity with %fieldName = %fieldValue",
                "parameters": {"fieldName": "customerId", "fieldValue": 999},
            },
        ),
        (
            "orders/999999",
            404,
            {"message": "The entity that was requested doesn't exist. Verify the entity and try again."},
        ),
        ("cmsPage/77", 404, {"message": 'The CMS page with the "%1" ID doesn\'t exist.', "parameters": [77]}),
        ("inventory/stock-resolver/website/mars", 404, {"message": "No linked stock found"}),
        ("inventory/stock-resolver/store/base", 404, {"message": "No linked stock found"}),
        (
            "inventory/get-product-salable-quantity/TO-600/1",
            400,
            {"message": "Can't check requested quantity for products without Source Items support."},
        ),
        (
            "products/attributes/nope",
            404,
            {
                "message": 'The attribute with a "%1" attributeCode doesn\'t exist. '
                "Verify the attribute and try again.",
                "parameters": ["nope"],
            },
        ),
        ("nothing/here", 404, {"message": "Request does not match any route."}),
        (
            "orders",
            400,
            {
                "message": '"%fieldName" is required. Enter and try again.',
                "parameters": {"fieldName": "searchCriteria"},
            },
        ),
        (
            "orders/one",
            400,
            {
                "message": 'The "%value" value\'s type is invalid. The "%type" type was expected. '
                "Verify and try again.",
                "parameters": {"value": "one", "type": "int"},
            },
        ),
    ],
)
async def test_errors(shop: httpx.AsyncClient, path: str, status: int, body: object) -> None:
    response = await shop.get(f"/rest/V1/{path}")
    assert (response.status_code, response.json()) == (status, body)


async def test_an_unknown_store_matches_no_route(shop: httpx.AsyncClient) -> None:
    response = await shop.get("/rest/fr/V1/products/TO-600")
    assert (response.status_code, response.json()) == (404, {"message": "Request does not match any route."})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_can_be_written(shop: httpx.AsyncClient, method: str) -> None:
    response = await shop.request(method, "/rest/V1/products/TO-600")
    assert response.status_code == 404


async def test_unknown_fields_fail_as_in_magento(shop: httpx.AsyncClient) -> None:
    product = await shop.get("/rest/V1/products", params=where("nonsense", "1"))
    assert (product.status_code, product.json()["message"]) == (400, "Invalid attribute name: %1")
    order = await shop.get("/rest/V1/orders", params=where("nonsense", "1"))
    assert order.status_code == 500
    assert "nonsense" not in order.text


async def test_a_list_has_no_stock_and_one_product_has(shop: httpx.AsyncClient) -> None:
    listed = (await get(shop, "products", **where("sku", "TO-600-M-Red")))["items"][0]
    single = await get(shop, "products/TO-600-M-Red")
    assert "stock_item" not in listed["extension_attributes"]
    assert single["extension_attributes"].pop("stock_item")["is_in_stock"] is False
    assert single == listed


async def test_options_are_ids_that_the_attribute_names(shop: httpx.AsyncClient) -> None:
    product = await get(shop, "products/TO-600-M-Red")
    values = {entry["attribute_code"]: entry["value"] for entry in product["custom_attributes"]}
    assert values["color"].isdigit()
    for store, label in (("default", "Red"), ("de", "Rot"), ("all", "Red")):
        options = (await shop.get(f"/rest/{store}/V1/products/attributes/color/options")).json()
        assert options[0] == {"label": " ", "value": ""}
        assert {option["value"]: option["label"] for option in options}[values["color"]] == label


async def test_a_store_view_has_its_own_words_and_price(shop: httpx.AsyncClient) -> None:
    english = (await shop.get("/rest/default/V1/products/KI-701")).json()
    german = (await shop.get("/rest/de/V1/products/TO-600")).json()
    assert german["name"] == "Everyday T-Shirt aus Biobaumwolle"
    assert english["price"] == 42
    assert (await shop.get("/rest/de/V1/products/KI-701")).json()["price"] == 43.95


async def test_a_configurable_costs_nothing_and_has_children(shop: httpx.AsyncClient) -> None:
    parent = await get(shop, "products/AU-100")
    children = await get(shop, "configurable-products/AU-100/children")
    assert parent["price"] == 0
    assert [child["sku"] for child in children] == ["AU-100-Black", "AU-100-Red", "AU-100-Teal"]
    assert sorted(parent["extension_attributes"]["configurable_product_links"]) == [c["id"] for c in children]
    assert {child["visibility"] for child in children} == {1}
    salable = [await get(shop, f"inventory/is-product-salable/{child['sku']}/1") for child in children]
    assert salable == [True, True, False]


async def test_a_backordered_variant_is_salable_at_zero(shop: httpx.AsyncClient) -> None:
    assert await get(shop, "inventory/get-product-salable-quantity/KI-702-Black/1") == 0
    assert await get(shop, "inventory/is-product-salable/KI-702-Black/1") is True
    assert (await get(shop, "stockItems/KI-702-Black"))["backorders"] == 2


async def test_stocks_differ_by_website(shop: httpx.AsyncClient) -> None:
    stock = [(await get(shop, f"inventory/stock-resolver/website/{code}"))["stock_id"] for code in ("base", "eu")]
    assert [await get(shop, f"inventory/get-product-salable-quantity/AU-111-Navy/{i}") for i in stock] == [0, 9]


async def test_paging_reads_each_product_once(shop: httpx.AsyncClient, data: SandboxData) -> None:
    seen = []
    for page in range(1, 8):
        params = {"searchCriteria[pageSize]": "100", "searchCriteria[currentPage]": str(page)}
        body = await get(shop, "products", **params)
        seen += [item["sku"] for item in body["items"]]
        assert body["total_count"] == len(data.items)
    assert sorted(seen) == sorted(item.sku for item in data.items)
    beyond = await get(shop, "products", **{"searchCriteria[pageSize]": "100", "searchCriteria[currentPage]": "4000"})
    assert [item["sku"] for item in beyond["items"]] == seen[600:]


async def test_policy_pages_by_store(shop: httpx.AsyncClient) -> None:
    german = await get(shop, "cmsPage/search", **where("store_id", "2"))
    english = await get(shop, "cmsPage/search", **where("store_id", "1"))
    titles = {page["identifier"]: page["title"] for page in german["items"]}
    assert titles["returns"] == "Rückgabe und Widerruf"
    assert titles["warranty"] == "Warranty"
    assert {page["identifier"]: page["title"] for page in english["items"]}["returns"] == "Returns"
    assert len({page["identifier"] for page in english["items"]}) == len(english["items"]) >= 12


async def test_customers_are_found_by_mail_without_case(shop: httpx.AsyncClient) -> None:
    found = await get(shop, "customers/search", **where("email", "AVA.THORNBURY@EXAMPLE.ORG"))
    assert [customer["id"] for customer in found["items"]] == [1]
    assert await get(shop, "customers/1") == found["items"][0]


async def test_sku_case_and_spaces_and_slashes(shop: httpx.AsyncClient) -> None:
    assert (await get(shop, "products/to-600-m-red"))["sku"] == "TO-600-M-Red"
    assert (await shop.get("/rest/V1/products/a%2Fb%20c")).json()["message"].startswith("The product that")


@pytest.mark.parametrize(
    "query",
    [
        "searchCriteria" + "[a]" * 3000 + "=1",
        "&".join(f"searchCriteria[filterGroups][{n}][filters][0][field]=sku" for n in range(1020)),
        "searchCriteria[filterGroups][0][filters][0][field]=sku'%3B DROP TABLE orders%3B--",
        "searchCriteria[filterGroups][0][filters][0][field]=__class__",
        "searchCriteria[pageSize]=999999999999999999",
        "searchCriteria[pageSize]=-1&searchCriteria[currentPage]=-999999999999999999",
        "searchCriteria%5Bfoo%00bar%5D=%ff%fe",
        "searchCriteria=%F0%9F%98%80",
        "a=1&" * 3000,
    ],
)
@pytest.mark.parametrize("path", ["products", "orders", "customers/search", "cmsPage/search", "shipments"])
async def test_hostile_queries_are_answered(shop: httpx.AsyncClient, path: str, query: str) -> None:
    response = await shop.get(f"/rest/V1/{path}?{query}")
    assert response.status_code in {200, 400, 500}
    body = response.json()
    assert "items" in body or "message" in body


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(path=st.text(max_size=40), query=st.text(max_size=60))
async def test_any_path_is_answered_in_json(shop: httpx.AsyncClient, path: str, query: str) -> None:
    response = await shop.get(httpx.URL("https://shop.example/rest/V1/", params={"searchCriteria": query}))
    assert response.status_code == 404
    response = await shop.get("/rest/V1/products/" + "".join(f"%{byte:02x}" for byte in path.encode()))
    assert "message" in response.json() or "sku" in response.json() or "items" in response.json()


def test_weak_secrets_are_refused(data: SandboxData) -> None:
    with pytest.raises(ValueError, match="token"):
        create_app(data, token="", signing_key="k" * 32)
    with pytest.raises(ValueError, match="signing key"):
        create_app(data, token="t", signing_key="short")
