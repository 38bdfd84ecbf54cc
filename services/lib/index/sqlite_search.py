"""search: both legs of one query in the one-file index, fused. Runs inside one read of the file."""

from typing import Any, Literal, NamedTuple

import apsw
import numpy as np
from numpy.typing import NDArray

from services.lib.index.fusion import Legs, fuse
from services.lib.index.port import ProductQuery
from services.lib.index.sqlite_file import first
from services.lib.index.terms import fold, words
from services.lib.language.encoder import DIMENSIONS

DEPTH = 200
"""Candidates each leg gives. Beyond the first hundred a leg adds nothing that the other ranks high."""

MAX_QUERY_WORDS = 24
"""Words of a query that are matched: each costs a posting list, and no shopper's wish needs more."""


class Filters(NamedTuple):
    """A condition on the row `d` of `document`, and its values."""

    sql: str = ""
    values: tuple[Any, ...] = ()


class Found(NamedTuple):
    score: float
    lexical: float
    dense: float
    body: str
    """The document as JSON."""


def search(
    db: apsw.Connection,
    kind: Literal["product", "passage"],
    text: str,
    vector: NDArray[np.float32],
    store: str,
    filters: Filters,
    k: int,
) -> list[Found]:
    """Best first, the document's id settling ties. `vector` is that of the text."""
    where, bound = filters
    if k < 1:
        return []
    lexical: dict[int, tuple[float, float, float]] = {}
    if match := match_expression(text):
        rows = db.execute(
            f"SELECT rowid, -bm25({kind}_text, 1, 1, 1), -bm25({kind}_text, 1, 0, 0), "  # noqa: S608
            f"-bm25({kind}_text, 0, 1, 0) FROM {kind}_text WHERE {kind}_text MATCH ? AND rowid IN "
            f"(SELECT row FROM document d WHERE store = ? AND kind = ? {where}) ORDER BY 2 DESC "
            "LIMIT ?",
            (match, store, kind, *bound, DEPTH),
        )
        lexical = {row: (everything, title, attributes) for row, everything, title, attributes in rows}
    narrowed = f"AND row IN (SELECT row FROM document d WHERE store = ? {where})" if where else ""  # noqa: S608
    near = db.execute(
        f"SELECT row FROM {kind}_vector WHERE vector MATCH vec_int8(?) AND k = ? AND store = ? "  # noqa: S608
        f"{narrowed}",
        (int8(vector[None])[0].tobytes(), DEPTH, store, *([store, *bound] if where else [])),
    )
    rows_found = sorted(set(lexical) | {row for (row,) in near})
    marks = ",".join("?" * len(rows_found))
    stored = {
        row: (id_, blob)
        for row, id_, blob in db.execute(
            f"SELECT row, id, vectors FROM document WHERE row IN ({marks})",  # noqa: S608
            rows_found,
        )
    }
    if not rows_found:
        return []
    matrix = np.frombuffer(b"".join(stored[row][1] for row in rows_found), dtype=np.int8)
    cosines = _cosines(matrix.reshape(len(rows_found), 2, DIMENSIONS), vector)
    none = (0.0, 0.0, 0.0)
    legs = Legs(
        lexical=np.array([lexical.get(row, none) for row in rows_found], dtype=np.float64),
        dense=cosines,
    )
    scores = fuse(legs)
    best_lexical = legs.lexical[:, 0].max(initial=0.0) or 1.0
    # The id settles ties, so that the same question gives the same answer after a rebuild.
    order = sorted(range(len(rows_found)), key=lambda i: (-scores[i], stored[rows_found[i]][0]))[:k]
    return [
        Found(
            score=float(min(1.0, max(0.0, scores[i]))),
            lexical=float(legs.lexical[i, 0] / best_lexical),
            dense=float(cosines[i, 0]),
            body=str(first(db, "SELECT body FROM document WHERE row = ?", rows_found[i])),
        )
        for i in order
    ]


def match_expression(text: str) -> str:
    """An FTS5 query that means "any of these words", whatever the text says: each word is quoted, so that
    no operator, column name or quote of a shopper reaches the query language. Empty without any word."""
    unique = dict.fromkeys(word for word in words(text) if word.isalnum() or "." in word)
    return " OR ".join(f'"{word}"' for word in list(unique)[:MAX_QUERY_WORDS])


def filters_of(query: ProductQuery) -> Filters:
    sql: list[str] = []
    bound: list[Any] = []
    has = "EXISTS (SELECT 1 FROM facet f WHERE f.row = d.row AND ({}))"
    for group in query.any_of:
        sql.append("AND " + has.format(" OR ".join(["f.label = ? AND f.value = ?"] * len(group)) or "0"))
        bound += [fold(part) for pair in group for part in pair]
    for label, value in query.none_of:
        sql.append("AND NOT " + has.format("f.label = ? AND f.value = ?"))
        bound += [fold(label), fold(value)]
    for phrase in query.unwanted:
        if parts := words(phrase):
            sql.append("AND d.row NOT IN (SELECT rowid FROM product_text WHERE product_text MATCH ?)")
            bound.append('{title attributes} : "' + " ".join(parts) + '"')
    return Filters(" ".join(sql), tuple(bound))


def int8(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    rounded: NDArray[np.int8] = np.clip(np.rint(vectors * 127.0), -127, 127).astype(np.int8)
    return rounded


def _cosines(stored: NDArray[np.int8], vector: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 2, d) int8 against (d,): cosines of shape (n, 2)."""
    as_float = stored.astype(np.float32)
    norms = np.linalg.norm(as_float, axis=2) * float(np.linalg.norm(vector))
    cosines: NDArray[np.float64] = (as_float @ vector / np.maximum(norms, 1e-9)).astype(np.float64)
    return cosines
