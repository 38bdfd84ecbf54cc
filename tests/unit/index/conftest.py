"""The engines that the suite of the `Index` Protocol runs on, and documents to put into them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.lib.index.documents import PassageDocument, ProductDocument, product_document
from services.lib.index.port import Index
from services.lib.index.sqlite import SqliteIndex
from services.lib.language.encoder import HashEncoder
from services.lib.shop.models import Product, Variant

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def product(sku: str, name: str, *, store: str = "default", **more: object) -> ProductDocument:
    values = {"sku": sku, "name": name, "store": store, "type_id": "simple", "url": f"https://shop.example/{sku}"}
    return product_document(Product.model_validate(values | more), NOW)


def passage(number: int, text: str, *, title: str = "Shipping", store: str = "default") -> PassageDocument:
    return PassageDocument(
        store=store,
        read_at=NOW,
        source=title.lower(),
        number=number,
        title=title,
        text=text,
        url="https://shop.example",
    )


CATALOGUE = (
    product("J1", "Rain jacket", attributes={"Material": "Nylon"}, categories=("Clothing / Jackets & Coats",),
            variants=(Variant(sku="J1-R", name="Red", options={"Color": "Red"}),
                      Variant(sku="J1-B", name="Blue", options={"Color": "Blue"}))),
    product("J2", "Leather jacket", attributes={"Material": "Leather"}, categories=("Clothing / Jackets & Coats",)),
    product("B1", "Leather belt", attributes={"Material": "Leather, Brass"}, description="A belt that lasts."),
    product("M1", "Enamel mug", attributes={"Water column": "10,000 mm"}, description="For the jacket pocket."),
)  # fmt: skip


@pytest.fixture(params=["sqlite"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Index]:
    made = SqliteIndex.open(tmp_path / "index.db", HashEncoder(), create=True)
    yield made
    made.close()
