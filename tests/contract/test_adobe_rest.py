"""The sandbox shop's REST answers against Adobe's own description of the Admin REST API (Swagger 2.0).

`BATON_MAGENTO_API` names a folder with `admin-schema-*.yaml`. The schemas are read strictly: a property
that Adobe does not name is an error. Where Magento is known to differ from the document, the document
is corrected in `corrected`, each with its reason.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from starlette.applications import Starlette

from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import load

FOLDER = os.environ.get("BATON_MAGENTO_API")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="BATON_MAGENTO_API does not name a folder with Adobe's OpenAPI document"
)
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
TOKEN = "sandbox-token"

ANSWERS = [
    ("/V1/products", "products?searchCriteria[pageSize]=60&searchCriteria[currentPage]=4"),
    ("/V1/products/{sku}", "products/TO-600"),
    ("/V1/products/{sku}", "products/TO-600-M-Red"),
    ("/V1/products/{sku}", "products/GI-850"),
    ("/V1/products/{sku}", "products/AU-101"),
    ("/V1/products/attributes", "products/attributes?searchCriteria"),
    ("/V1/products/attributes/{attributeCode}", "products/attributes/color"),
    ("/V1/products/attributes/{attributeCode}", "products/attributes/waterproof"),
    ("/V1/products/attributes/{attributeCode}/options", "products/attributes/size/options"),
    ("/V1/configurable-products/{sku}/children", "configurable-products/SH-640/children"),
    ("/V1/configurable-products/{sku}/options/all", "configurable-products/SH-640/options/all"),
    ("/V1/stockItems/{productSku}", "stockItems/TO-600-M-Red"),
    ("/V1/stockItems/{productSku}", "stockItems/KI-702-Black"),
    (
        "/V1/inventory/get-product-salable-quantity/{sku}/{stockId}",
        "inventory/get-product-salable-quantity/CA-503/2",
    ),
    ("/V1/inventory/is-product-salable/{sku}/{stockId}", "inventory/is-product-salable/TO-600/1"),
    ("/V1/inventory/stock-resolver/{type}/{code}", "inventory/stock-resolver/website/eu"),
    ("/V1/cmsPage/search", "cmsPage/search?searchCriteria"),
    ("/V1/cmsPage/{pageId}", "cmsPage/3"),
    ("/V1/cmsBlock/search", "cmsBlock/search?searchCriteria"),
    ("/V1/cmsBlock/{blockId}", "cmsBlock/1"),
    ("/V1/customers/search", "customers/search?searchCriteria"),
    ("/V1/customers/{customerId}", "customers/18"),
    ("/V1/orders", "orders?searchCriteria[sortOrders][0][field]=created_at"),
    ("/V1/orders/{id}", "orders/80"),
    ("/V1/shipments", "shipments?searchCriteria"),
    ("/V1/store/storeViews", "store/storeViews"),
    ("/V1/store/storeConfigs", "store/storeConfigs"),
    ("/V1/store/websites", "store/websites"),
    ("/V1/categories", "categories"),
]

ERRORS = [
    ("products/none-such", 404),
    ("orders/99999", 404),
    ("customers/abc", 400),
    ("products", 400),
    ("products?searchCriteria[filterGroups][0][filters][0][field]=nonsense", 400),
    ("nowhere", 404),
]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    path = next(Path(FOLDER or "").glob("admin-schema-*.yaml"))
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with path.open(encoding="utf-8") as file:
        read: dict[str, Any] = yaml.load(file, Loader=loader)  # noqa: S506  (both loaders are safe)
    return corrected(read)


@pytest.fixture(scope="module")
def app() -> Starlette:
    return create_app(load(NOW), token=TOKEN, signing_key="k" * 32, clock=lambda: NOW)


@pytest.fixture
async def client(app: Starlette) -> Any:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="https://shop.example",
        headers={"Authorization": f"Bearer {TOKEN}"},
    ) as opened:
        yield opened


def corrected(document: dict[str, Any]) -> dict[str, Any]:
    """The document made strict, and right where Magento itself is known to differ from it."""
    definitions = document["definitions"]
    # `category_ids` is an array of strings in every Magento 2; the document has text for all values.
    definitions["framework-attribute-interface"]["properties"]["value"] = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    }
    # ErrorProcessor writes a list (%1) or an object of names; the document has a list of objects.
    definitions["error-response"]["properties"]["parameters"] = {"type": ["array", "object"]}
    nullable = {
        # Columns that Magento writes as null although the document requires a text.
        ("catalog-inventory-data-stock-item-interface", "low_stock_date"),
        ("sales-data-order-payment-interface", "account_status"),
        ("sales-data-order-payment-interface", "cc_last4"),
        ("sales-data-shipment-track-interface", "description"),
    }
    for name, schema in definitions.items():
        if schema.get("type") != "object" or "properties" not in schema:
            continue
        schema["additionalProperties"] = False
        required = set(schema.get("required", []))
        for key, value in schema["properties"].items():
            if "type" in value and (key not in required or (name, key) in nullable):
                schema["properties"][key] = {"anyOf": [value, {"type": "null"}]}
    return document


def validator(document: dict[str, Any], path: str, status: str) -> jsonschema.Draft4Validator:
    responses = document["paths"][path]["get"]["responses"]
    schema = (responses.get(status) or responses["default"])["schema"]
    return jsonschema.Draft4Validator({**schema, "definitions": document["definitions"]})


def problems(found: Iterator[jsonschema.ValidationError]) -> list[str]:
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in found][:10]


@pytest.mark.parametrize("store", ["", "default/", "de/", "all/"])
@pytest.mark.parametrize(("path", "url"), ANSWERS, ids=[url.partition("?")[0] for _, url in ANSWERS])
async def test_answer_has_adobes_schema(
    document: dict[str, Any], client: httpx.AsyncClient, path: str, url: str, store: str
) -> None:
    response = await client.get(f"/rest/{store}V1/{url}")
    assert response.status_code == 200, response.text
    assert not problems(validator(document, path, "200").iter_errors(response.json()))


@pytest.mark.parametrize(("url", "status"), ERRORS)
async def test_error_has_adobes_schema(
    document: dict[str, Any], client: httpx.AsyncClient, url: str, status: int
) -> None:
    response = await client.get(f"/rest/V1/{url}")
    assert response.status_code == status
    assert not problems(validator(document, "/V1/products/{sku}", str(status)).iter_errors(response.json()))


async def test_error_of_authorization_has_adobes_schema(document: dict[str, Any], client: httpx.AsyncClient) -> None:
    response = await client.get("/rest/V1/orders?searchCriteria", headers={"Authorization": "Bearer wrong"})
    assert response.status_code == 401
    assert not problems(validator(document, "/V1/orders", "401").iter_errors(response.json()))


async def test_every_order_and_product_is_read(document: dict[str, Any], client: httpx.AsyncClient) -> None:
    """The whole catalogue and every order, once."""
    orders = (await client.get("/rest/V1/orders?searchCriteria")).json()
    assert len(orders["items"]) == orders["total_count"] >= 120
    products = (await client.get("/rest/de/V1/products?searchCriteria[pageSize]=1000")).json()
    assert len(products["items"]) == products["total_count"] >= 150
    assert not problems(validator(document, "/V1/products", "200").iter_errors(products))


async def test_the_check_can_fail(document: dict[str, Any], client: httpx.AsyncClient) -> None:
    body = (await client.get("/rest/V1/orders/80")).json()
    check = validator(document, "/V1/orders/{id}", "200")
    assert check.is_valid(body)
    assert not check.is_valid({**body, "grand_total": "12.00"})
    assert not check.is_valid({**body, "no_such_column": 1})
    assert not check.is_valid({key: value for key, value in body.items() if key != "customer_email"})
    broken = {**body, "items": [{**body["items"][0], "qty_ordered": "1"}]}
    assert not check.is_valid(broken)


def test_each_path_is_in_the_document(document: dict[str, Any]) -> None:
    for path, url in ANSWERS:
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", path)
        assert re.fullmatch(pattern, f"/V1/{url.partition('?')[0]}"), url
        assert "get" in document["paths"][path]
