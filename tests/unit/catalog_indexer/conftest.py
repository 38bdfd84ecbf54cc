"""A small shop of two store views, and a real index file with a fake encoder."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.lib.index.sqlite import SqliteIndex
from services.lib.language.encoder import HashEncoder
from services.lib.shop.fake import FakeShop
from services.lib.shop.models import Page, Product, Variant

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def product(sku: str, name: str, store: str = "default", variants: tuple[str, ...] = (), **more: str) -> Product:
    return Product(
        sku=sku,
        name=name,
        type_id="configurable" if variants else "simple",
        url=f"https://shop.example/{sku}",
        store=store,
        variants=tuple(Variant(sku=one, name=one, options={"Color": one.split("-")[-1]}) for one in variants),
        **more,  # type: ignore[arg-type]
    )


def page(identifier: str, text: str, store: str = "default") -> Page:
    return Page(identifier=identifier, title=identifier.title(), url="https://shop.example", store=store, text=text)


JACKET = product("J1", "Rain jacket", variants=("J1-Red", "J1-Blue"))
MUG = product("M1", "Enamel mug")
RETURNS = page("returns", "Returns\nWithin 30 days.\n\nRefunds\nWithin 14 days.")
SHIPPING = page("shipping", "Shipping\nCosts $5.")


@dataclass
class Faulty(FakeShop):
    """Breaks off after so many products, or at the pages; may count wrongly."""

    breaks_after: int | None = None
    no_pages: bool = False
    count: int | None = None

    async def products(self, store, *, page_size=100):
        number = 0
        async for one in FakeShop.products(self, store, page_size=page_size):
            if number == self.breaks_after:
                self.unavailable = True
                self._read("products")
            number += 1
            yield one

    async def product_count(self, store, *, within=None):
        found = await FakeShop.product_count(self, store, within=within)
        return found if self.count is None else self.count

    async def pages(self, store, *, within=None):
        self.unavailable = self.unavailable or self.no_pages
        return await FakeShop.pages(self, store, within=within)


@pytest.fixture
def shop() -> Faulty:
    german = product("M1", "Emaille-Becher", "de")
    return Faulty(catalogue=(JACKET, MUG, german), cms=(RETURNS, SHIPPING, page("versand", "Versand\n5 €.", "de")))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SqliteIndex]:
    made = SqliteIndex.open(tmp_path / "index.db", HashEncoder(), create=True)
    yield made
    made.close()
