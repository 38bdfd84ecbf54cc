"""`index_store`: one store view of the shop into the search index, whole, in one step that readers see at once."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from services.lib.index.documents import (
    PassageDocument,
    ProductDocument,
    passage_documents,
    product_document,
)
from services.lib.index.port import Index
from services.lib.shop.models import Page
from services.lib.shop.port import Shop


class Indexed(NamedTuple):
    """What an indexing came to."""

    products: int
    passages: int
    changed: int
    """New, changed or gone; the rest was left alone."""


Progress = Callable[[str, int, int], None]
"""Told (stage, done, of): stage is `products`, `pages` or `writing`, each of which ends with done = of.
While writing it is called from the thread that writes."""


def silent(stage: str, done: int, of: int) -> None:
    """A progress that nobody watches."""


async def index_store(
    shop: Shop,
    index: Index,
    store: str,
    clock: Callable[[], datetime],
    progress: Progress = silent,
    *,
    anew: bool = False,
) -> Indexed:
    """Read the catalogue and the pages, then replace the store's content; with `anew` also what did not change.

    Raises `ShopUnavailable`, `ShopRefused` or `IndexUnavailable`; the index then stays as it was.
    """
    read_at = clock()
    total = await shop.product_count(store)
    products: dict[str, ProductDocument] = {}
    progress("products", 0, total)
    async for product in shop.products(store):
        document = product_document(product, read_at)
        products[document.id] = document
        progress("products", len(products), max(total, len(products)))
    progress("products", len(products), len(products))  # the shop's count is a guess
    pages = await shop.pages(store)
    passages = passages_of(pages, read_at)
    progress("pages", len(pages), len(pages))
    documents: list[ProductDocument | PassageDocument] = [*products.values(), *passages]
    progress("writing", 0, len(documents))
    changed = await index.replace(store, _watched(documents, progress), anew=anew)
    return Indexed(len(products), len(passages), changed)


def passages_of(pages: Iterable[Page], read_at: datetime) -> list[PassageDocument]:
    return [passage for page in pages for passage in passage_documents(page, read_at)]


def _watched(
    documents: list[ProductDocument | PassageDocument], progress: Progress
) -> Iterable[ProductDocument | PassageDocument]:
    for done, document in enumerate(documents, start=1):
        yield document
        progress("writing", done, len(documents))
