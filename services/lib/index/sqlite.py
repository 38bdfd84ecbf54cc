"""SqliteIndex: the index in one file, by apsw, FTS5 (BM25) and sqlite-vec (vectors).

One writer, many readers (WAL): a reader sees the file as it was before or after a write, never between.
All work happens in threads. Vectors are int8: 127 steps of a unit vector's components change a cosine by
less than 0.01, which no ranking here depends on, and take a quarter of the memory.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

import apsw

from services.lib.index.documents import PassageDocument, ProductDocument
from services.lib.index.port import Counts, PassageHit, ProductHit, ProductQuery, Vocabulary
from services.lib.index.sqlite_file import IndexFile, first, transaction
from services.lib.index.sqlite_search import Filters, filters_of, int8, search
from services.lib.index.terms import fold, words
from services.lib.index.vocabulary import vocabulary_of
from services.lib.language.encoder import DIMENSIONS, TextEncoder

T = TypeVar("T")
AnyDocument = ProductDocument | PassageDocument

BATCH = 32
"""Texts encoded at once."""


class SqliteIndex:
    """See `Index`. Open it once per process; close it at the end."""

    def __init__(self, file: IndexFile, encoder: TextEncoder) -> None:
        self._file = file
        self._encoder = encoder
        self._write_lock = threading.Lock()
        self._vocabularies: dict[str, tuple[str, Vocabulary]] = {}

    @classmethod
    def open(cls, path: Path, encoder: TextEncoder, *, create: bool = False) -> "SqliteIndex":
        """Open an index, or with `create` make an empty one where there is none, or one of another
        encoder or layout: what it held is derived from the shop and cannot be searched any more.

        Raises `IndexUnavailable`: missing, corrupt, someone else's, or (without `create`) of another encoder.
        """
        file = IndexFile(path, encoder.version)
        if create:
            file.create()
        with file.reader():
            pass
        return cls(file, encoder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    # --- writing

    async def upsert(self, documents: Iterable[AnyDocument]) -> int:
        return await asyncio.to_thread(self._write, documents, None)

    async def replace(self, store: str, documents: Iterable[AnyDocument], *, anew: bool = False) -> int:
        """`documents` are taken as they are worked on, so that a progress bar can wrap them."""
        return await asyncio.to_thread(self._write, documents, store, anew)

    async def delete(self, ids: Iterable[str]) -> int:
        wanted = list(ids)

        def work() -> int:
            with self._write_lock, self._file.writer() as db, transaction(db):
                gone = self._delete(db, wanted)
                if gone:
                    _bump(db)
                return gone

        return await asyncio.to_thread(work)

    def _write(self, documents: Iterable[AnyDocument], replaced: str | None, anew: bool = False) -> int:
        with self._write_lock, self._file.writer() as db:
            known = {} if anew else dict(db.execute("SELECT id, hash FROM document"))
            seen: set[str] = set()
            changed: dict[str, tuple[AnyDocument, bytes]] = {}
            for batch in _batches(documents):
                fresh: dict[str, AnyDocument] = {}
                for document in batch:
                    if replaced is not None and document.store != replaced:
                        raise ValueError(f"{document.id} is not of store {replaced!r}")
                    seen.add(document.id)
                    if known.get(document.id) != document.content_hash:
                        fresh[document.id] = document
                    else:  # twice in one run: the last one counts
                        changed.pop(document.id, None)
                        fresh.pop(document.id, None)
                for id_, vectors in zip(fresh, self._vectors(list(fresh.values())), strict=True):
                    changed[id_] = (fresh[id_], vectors)
            with transaction(db):
                gone = 0
                if replaced is not None:
                    rows = db.execute("SELECT id FROM document WHERE store = ?", (replaced,))
                    gone = self._delete(db, [id_ for (id_,) in rows if id_ not in seen])
                self._delete(db, changed)
                for document, vectors in changed.values():
                    self._insert(db, document, vectors)
                if changed or gone:
                    _bump(db)
            return len(changed) + gone

    def _vectors(self, documents: Sequence[AnyDocument]) -> list[bytes]:
        """Of each document the int8 vectors of full text and title, one behind the other."""
        if not documents:
            return []
        full = int8(self._encoder.encode([document.full_text for document in documents]))
        title = int8(self._encoder.encode([document.title_text for document in documents]))
        return [a.tobytes() + b.tobytes() for a, b in zip(full, title, strict=True)]

    def _insert(self, db: apsw.Connection, document: AnyDocument, vectors: bytes) -> None:
        kind = document.kind
        db.execute(
            "INSERT INTO document (id, kind, store, hash, body, vectors) VALUES (?,?,?,?,?,?)",
            (document.id, kind, document.store, document.content_hash, document.model_dump_json(), vectors),
        )
        row = db.last_insert_rowid()
        if isinstance(document, ProductDocument):
            attributes, body = document.attribute_text, document.body_text
            skus = {document.sku: 1} | {v.sku: 0 for v in document.variants if v.sku != document.sku}
            db.executemany(
                "INSERT INTO sku VALUES (?,?,?,?)", [(document.store, s, row, own) for s, own in skus.items()]
            )
            facets = {(fold(label), fold(value)) for label, value in document.facets()}
            db.executemany("INSERT INTO facet VALUES (?,?,?)", [(*facet, row) for facet in facets])
        else:
            attributes, body = "", document.text
        db.execute(
            f"INSERT INTO {kind}_text (rowid, title, attributes, body) VALUES (?,?,?,?)",  # noqa: S608
            (row, *(" ".join(words_of_any_length(t)) for t in (document.title_text, attributes, body))),
        )
        db.execute(
            f"INSERT INTO {kind}_vector (row, store, vector) VALUES (?,?,vec_int8(?))",  # noqa: S608
            (row, document.store, vectors[:DIMENSIONS]),
        )

    def _delete(self, db: apsw.Connection, ids: Iterable[str]) -> int:
        gone = 0
        for id_ in ids:
            found = db.execute("SELECT row, kind FROM document WHERE id = ?", (id_,)).fetchone()
            if found is None:
                continue
            row, kind = found
            for sql in (
                f"DELETE FROM {kind}_text WHERE rowid = ?",  # noqa: S608
                f"DELETE FROM {kind}_vector WHERE row = ?",  # noqa: S608
                "DELETE FROM facet WHERE row = ?",
                "DELETE FROM sku WHERE row = ?",
                "DELETE FROM document WHERE row = ?",
            ):
                db.execute(sql, (row,))
            gone += 1
        return gone

    # --- reading

    async def content_hashes(self, store: str) -> dict[str, str]:
        return await self._read(
            lambda db: dict(db.execute("SELECT id, hash FROM document WHERE store = ?", (store,)))
        )

    async def get(self, sku: str, store: str) -> ProductDocument | None:
        def work(db: apsw.Connection) -> ProductDocument | None:
            found = db.execute(
                "SELECT body FROM sku JOIN document USING (row) WHERE sku.store = ? AND sku = ? "
                "ORDER BY own DESC LIMIT 1",
                (store, sku),
            ).fetchone()
            return ProductDocument.model_validate_json(found[0]) if found else None

        return await self._read(work)

    async def count(self, store: str) -> Counts:
        def work(db: apsw.Connection) -> Counts:
            rows = dict(db.execute("SELECT kind, count(*) FROM document WHERE store = ? GROUP BY kind", (store,)))
            return Counts(products=rows.get("product", 0), passages=rows.get("passage", 0))

        return await self._read(work)

    async def vocabulary(self, store: str) -> Vocabulary:
        def work(db: apsw.Connection) -> Vocabulary:
            revision = str(first(db, "SELECT value FROM meta WHERE key = 'revision'"))
            cached = self._vocabularies.get(store)
            if cached and cached[0] == revision:
                return cached[1]
            rows = db.execute("SELECT kind, body FROM document WHERE store = ?", (store,))
            found = vocabulary_of(_document(kind, body) for kind, body in rows)
            self._vocabularies[store] = (revision, found)
            return found

        return await self._read(work)

    async def search_products(self, query: ProductQuery, k: int) -> tuple[ProductHit, ...]:
        def work(db: apsw.Connection) -> tuple[ProductHit, ...]:
            vector = self._encoder.encode([query.text])[0]
            found = search(db, "product", query.text, vector, query.store, filters_of(query), k)
            return tuple(
                ProductHit(
                    score=one.score,
                    lexical=one.lexical,
                    dense=one.dense,
                    document=ProductDocument.model_validate_json(one.body),
                )
                for one in found
            )

        return await self._read(work)

    async def search_passages(self, text: str, store: str, k: int) -> tuple[PassageHit, ...]:
        def work(db: apsw.Connection) -> tuple[PassageHit, ...]:
            vector = self._encoder.encode([text])[0]
            return tuple(
                PassageHit(
                    score=one.score,
                    lexical=one.lexical,
                    dense=one.dense,
                    document=PassageDocument.model_validate_json(one.body),
                )
                for one in search(db, "passage", text, vector, store, Filters(), k)
            )

        return await self._read(work)

    async def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        def borrowed() -> T:
            with self._file.reader() as db:
                return work(db)

        return await asyncio.to_thread(borrowed)


def words_of_any_length(text: str) -> list[str]:
    """`words` of texts longer than a message: a description is indexed whole."""
    return [word for line in text.split("\n") for word in words(line)]


def _batches(documents: Iterable[AnyDocument]) -> Iterator[list[AnyDocument]]:
    waiting = iter(documents)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def _document(kind: str, body: str) -> AnyDocument:
    model = ProductDocument if kind == "product" else PassageDocument
    return model.model_validate_json(body)


def _bump(db: apsw.Connection) -> None:
    db.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'revision'")
