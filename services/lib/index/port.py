"""Index: what answering asks of a search engine, and what an indexer gives it.

An engine raises `IndexUnavailable` where it cannot answer: file missing, corrupt, built by another
encoder, server away. A store it does not know is empty, which is no error.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from services.lib.index.documents import PassageDocument, ProductDocument


class IndexUnavailable(Exception):
    """The index gave no answer to work with. One sentence that says what to do about it."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProductQuery(Frozen):
    """What to look for. Everything but `text` is a hard filter."""

    store: str
    text: str
    any_of: tuple[tuple[tuple[str, str], ...], ...] = ()
    """Groups of (label, value): a product has at least one of every group. Values compare without case."""
    none_of: tuple[tuple[str, str], ...] = ()
    """(label, value) no product may have."""
    unwanted: tuple[str, ...] = ()
    """Words or phrases no product may contain in its title or attributes."""


class Hit(Frozen):
    """A document with its scores. `score` orders; `lexical` and `dense` say why."""

    score: float = Field(ge=0, le=1)
    lexical: float
    """BM25 over all fields, as a share of the best of this query, 0 to 1."""
    dense: float
    """Cosine between query and full text."""


class ProductHit(Hit):
    document: ProductDocument


class PassageHit(Hit):
    document: PassageDocument


class Vocabulary(Frozen):
    """The words a catalogue itself uses, so that no list of colours or sizes is written in code."""

    values: Mapping[str, frozenset[str]] = {}
    """Attribute label to its values, as the storefront shows them."""
    options: Mapping[str, frozenset[str]] = {}
    """The same of what a variant is chosen by."""
    categories: frozenset[str] = frozenset()
    names: Mapping[str, str] = {}
    """Parent SKU to product name."""
    parents: Mapping[str, str] = {}
    """Variant SKU to the SKU of its parent."""
    words: frozenset[str] = frozenset()
    """Every word of any product or passage, casefolded, accents removed."""


class Counts(Frozen):
    products: int
    passages: int


class Index(Protocol):
    """Products and passages of any number of store views."""

    async def upsert(self, documents: Iterable[ProductDocument | PassageDocument]) -> int:
        """Write these; returns how many had changed (equal content hashes are left alone)."""
        ...

    async def replace(
        self, store: str, documents: Iterable[ProductDocument | PassageDocument], *, anew: bool = False
    ) -> int:
        """Make these the whole content of a store view, in one step that readers see entirely or not at
        all; returns how many were new, changed or gone. With `anew` all of them count as changed."""
        ...

    async def delete(self, ids: Iterable[str]) -> int:
        """Returns how many were there."""
        ...

    async def content_hashes(self, store: str) -> dict[str, str]:
        """Id to content hash: what a reconciliation compares."""
        ...

    async def search_products(self, query: ProductQuery, k: int) -> tuple[ProductHit, ...]:
        """Best first; every hit passes every filter."""
        ...

    async def search_passages(self, text: str, store: str, k: int) -> tuple[PassageHit, ...]: ...

    async def get(self, sku: str, store: str) -> ProductDocument | None:
        """By its own SKU or by a variant's."""
        ...

    async def count(self, store: str) -> Counts: ...

    async def vocabulary(self, store: str) -> Vocabulary: ...
