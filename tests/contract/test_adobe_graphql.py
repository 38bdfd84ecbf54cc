"""The sandbox shop's GraphQL schema and answers against the introspection dump of Magento's own schema.

`BATON_MAGENTO_API` names a folder with `graphql-introspection-*.json`.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_client_schema,
    build_schema,
    parse,
    validate,
)

from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import load
from services.lib.shop.sandbox.schema import SDL

FOLDER = os.environ.get("BATON_MAGENTO_API")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="BATON_MAGENTO_API does not name a folder with Magento's GraphQL introspection"
)
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

QUERY = """
query ($skus: [String]) {
  products(filter: {sku: {in: $skus}}, pageSize: 50, currentPage: 1) {
    total_count
    page_info { current_page page_size total_pages }
    items {
      __typename uid id sku name type_id url_key url_suffix stock_status only_x_left_in_stock
      special_price special_to_date
      short_description { html } description { html } image { url label } categories { uid name }
      price_range {
        minimum_price { ...price }
        maximum_price { ...price }
      }
      ... on ConfigurableProduct {
        weight
        variants {
          product { sku name stock_status only_x_left_in_stock price_range { minimum_price { ...price } } }
          attributes { code label uid value_index }
        }
        configurable_options { id attribute_code label position values { uid label value_index } }
      }
    }
  }
  storeConfig { store_code store_name locale base_currency_code default_display_currency_code product_url_suffix
    website_code timezone weight_unit base_url }
  currency { available_currency_codes exchange_rates { currency_to rate } }
}
fragment price on ProductPrice {
  final_price { value currency } regular_price { value currency } discount { amount_off percent_off }
}
"""


@pytest.fixture(scope="module")
def adobe() -> GraphQLSchema:
    path = next(Path(FOLDER or "").glob("graphql-introspection-*.json"))
    read = json.loads(path.read_text("utf-8"))
    return build_client_schema(read.get("data", read))


def differences(ours: GraphQLSchema, adobe: GraphQLSchema) -> list[str]:
    """What our schema has that Adobe's has not, or has as another type."""
    found = []
    for name, mine in ours.type_map.items():
        if name.startswith("__"):
            continue
        theirs = adobe.type_map.get(name)
        if type(theirs) is not type(mine):
            found.append(f"{name}: {type(theirs).__name__}")
            continue
        if isinstance(mine, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
            found += [f"{name}.{value}" for value in mine.values if value not in theirs.values]
        if isinstance(mine, GraphQLInputObjectType) and isinstance(theirs, GraphQLInputObjectType):
            found += _fields(name, mine.fields, theirs.fields)
        if isinstance(mine, GraphQLObjectType | GraphQLInterfaceType) and isinstance(
            theirs, GraphQLObjectType | GraphQLInterfaceType
        ):
            found += _fields(name, mine.fields, theirs.fields)
            missing = {i.name for i in mine.interfaces} - {i.name for i in theirs.interfaces}
            found += [f"{name} implements {one}" for one in missing]
            for field, definition in mine.fields.items():
                if field in theirs.fields:
                    found += _fields(f"{name}.{field}", definition.args, theirs.fields[field].args)
    return found


def _fields(owner: str, mine: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [
        f"{owner}.{name}: {definition.type}"
        for name, definition in mine.items()
        if name not in theirs or str(theirs[name].type) != str(definition.type)
    ]


def test_every_type_and_field_is_adobes(adobe: GraphQLSchema) -> None:
    assert differences(build_schema(SDL), adobe) == []


def test_the_check_can_fail(adobe: GraphQLSchema) -> None:
    changed = SDL.replace("stock_status: ProductStockStatus", "stock_status: String").replace(
        "enum SortEnum { ASC", "enum SortEnum { UP ASC"
    )
    found = differences(build_schema(changed), adobe)
    assert "ProductInterface.stock_status: String" in found
    assert "SortEnum.UP" in found


def test_the_query_is_valid_in_adobes_schema(adobe: GraphQLSchema) -> None:
    assert validate(adobe, parse(QUERY)) == []


@pytest.mark.parametrize("headers", [{}, {"Store": "de"}, {"Store": "de", "Content-Currency": "CHF"}])
async def test_the_answer_fits_adobes_types(adobe: GraphQLSchema, headers: dict[str, str]) -> None:
    """Every value of the answer is one that Adobe's type of its field can have."""
    data = load(NOW)
    skus = [item.sku for item in data.items if item.parent is None]
    app = create_app(data, token="t", signing_key="k" * 32, clock=lambda: NOW)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="https://shop.example", headers=headers
    ) as client:
        for start in range(0, len(skus), 50):
            body = {"query": QUERY, "variables": {"skus": skus[start : start + 50]}}
            answer = (await client.post("/graphql", json=body)).json()
            assert "errors" not in answer
            items = answer["data"]["products"]["items"]
            assert len(items) == answer["data"]["products"]["total_count"] > 0
            for item in items:
                fitting(adobe, item["__typename"], item)
            fitting(adobe, "StoreConfig", answer["data"]["storeConfig"])
            fitting(adobe, "Currency", answer["data"]["currency"])


def fitting(adobe: GraphQLSchema, type_name: str, value: dict[str, Any]) -> None:
    kind = adobe.type_map[type_name]
    assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
    for name, one in value.items():
        if name == "__typename":
            continue
        wanted = str(kind.fields[name].type)
        if one is None:
            assert not wanted.endswith("!"), f"{type_name}.{name} is null"
            continue
        inner = wanted.replace("[", "").replace("]", "").replace("!", "")
        assert isinstance(one, list) == ("[" in wanted), f"{type_name}.{name}"
        for member in one if isinstance(one, list) else [one]:
            _scalar_or_object(adobe, f"{type_name}.{name}", inner, member)


def _scalar_or_object(adobe: GraphQLSchema, where: str, type_name: str, value: Any) -> None:
    python: dict[str, Any] = {"String": str, "ID": str, "Int": int, "Float": (int, float), "Boolean": bool}
    kind = adobe.type_map[type_name]
    if type_name in python:
        assert isinstance(value, python[type_name]), f"{where}: {value!r}"
    elif isinstance(kind, GraphQLEnumType):
        assert value in kind.values, f"{where}: {value!r}"
    else:
        fitting(adobe, type_name, value)
