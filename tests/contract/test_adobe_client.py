"""What the Magento client asks for against Adobe's documents.

`BATON_MAGENTO_API` names a folder with `graphql-introspection-*.json` and `admin-schema-*.yaml`.
"""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import build_client_schema, parse, validate

from services.lib.shop.magento import Magento
from services.lib.shop.sandbox.app import create_app
from services.lib.shop.sandbox.data import load
from services.lib.shop.settings import ShopSettings
from services.lib.shop.storefront import LIVE, STORE_CONFIG

FOLDER = os.environ.get("BATON_MAGENTO_API")
pytestmark = pytest.mark.skipif(
    not FOLDER, reason="BATON_MAGENTO_API does not name a folder with Adobe's API documents"
)


def only(pattern: str) -> Path:
    (path,) = Path(FOLDER or "").glob(pattern)
    return path


def test_the_queries_are_valid_in_magentos_own_schema() -> None:
    document = json.loads(only("graphql-introspection-*.json").read_text("utf-8"))
    schema = build_client_schema(document.get("data", document))
    for query in (LIVE, STORE_CONFIG):
        assert validate(schema, parse(query)) == []


async def test_every_path_that_is_read_is_one_of_magentos() -> None:
    templates = re.findall(
        r"^  [\"']?(/V1/[^\"':]+)[\"']?:", only("admin-schema-*.yaml").read_text("utf-8"), re.MULTILINE
    )
    known = [re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template))) for template in templates]
    assert len(known) > 400
    paths: set[str] = set()
    app = create_app(load(datetime(2026, 3, 1, tzinfo=UTC)), token="t", signing_key="k" * 32)

    async def watched(scope: dict[str, Any], receive: Any, send: Any) -> None:
        raw = scope["raw_path"].decode()
        if raw.startswith("/rest/"):
            paths.add(raw[raw.index("/V1/") :].partition("?")[0])
        await app(scope, receive, send)

    settings = ShopSettings.model_validate({"base_url": "https://shop.test", "token": "t"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=watched)) as http:
        shop = Magento(settings, http)
        products = [product async for product in shop.products("default")]
        children = [variant.sku for product in products for variant in product.variants]
        await shop.stock(children[:3], "default")
        await shop.pages("default")
        await shop.customer(1)
        await shop.last_orders(1)
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not any(one.fullmatch(path) for one in known)] == []
