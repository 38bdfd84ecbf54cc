"""What is the one-file engine's own: bad files, other encoders, ties, several processes."""

import asyncio
from pathlib import Path

import apsw
import pytest

from services.lib.index.port import IndexUnavailable, ProductQuery
from services.lib.index.sqlite import SqliteIndex
from services.lib.index.sqlite_search import MAX_QUERY_WORDS, match_expression
from services.lib.language.encoder import HashEncoder
from tests.unit.index.conftest import CATALOGUE, product


class OtherEncoder(HashEncoder):
    version = "other"


def test_a_missing_file_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(IndexUnavailable, match="baton index"):
        SqliteIndex.open(tmp_path / "none.db", HashEncoder())
    assert not (tmp_path / "none.db").exists()


def test_a_corrupt_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.db"
    path.write_bytes(b"this is no database" * 500)
    for create in (False, True):
        with pytest.raises(IndexUnavailable, match="delete it"):
            SqliteIndex.open(path, HashEncoder(), create=create)
    assert path.read_bytes().startswith(b"this is no database")


def test_somebody_elses_database_is_not_written_into(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with apsw.Connection(str(path)) as db:
        db.execute("CREATE TABLE document (precious TEXT); INSERT INTO document VALUES ('x')")
    for create in (False, True):
        with pytest.raises(IndexUnavailable, match="not a search index"):
            SqliteIndex.open(path, HashEncoder(), create=create)
    assert apsw.Connection(str(path)).execute("SELECT precious FROM document").fetchall() == [("x",)]


async def test_a_file_that_breaks_while_open_is_said(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    index = SqliteIndex.open(path, HashEncoder(), create=True)
    await index.upsert(CATALOGUE)
    index.close()
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xff" * (len(raw) - 4096)
    path.write_bytes(raw)
    with pytest.raises(IndexUnavailable, match="cannot be used"):
        await index.search_products(ProductQuery(store="default", text="jacket"), 5)


async def test_another_encoder_needs_another_build(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    index = SqliteIndex.open(path, HashEncoder(), create=True)
    await index.upsert(CATALOGUE)
    with pytest.raises(IndexUnavailable, match="another version"):
        SqliteIndex.open(path, OtherEncoder())
    other = SqliteIndex.open(path, OtherEncoder(), create=True)
    assert (await other.count("default")).products == 0
    assert await other.upsert(CATALOGUE) == len(CATALOGUE)
    with pytest.raises(IndexUnavailable):
        await index.upsert([product("A", "Late writer of the old encoder")])


async def test_what_was_written_is_there_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "index.db"
    index = SqliteIndex.open(path, HashEncoder(), create=True)
    await index.upsert(CATALOGUE)
    index.close()
    again = SqliteIndex.open(path, HashEncoder(), create=True)
    assert (await again.count("default")).products == len(CATALOGUE)
    again.close()


async def test_two_writers_take_turns(tmp_path: Path) -> None:
    one = SqliteIndex.open(tmp_path / "index.db", HashEncoder(), create=True)
    two = SqliteIndex.open(tmp_path / "index.db", HashEncoder())
    batches = [[product(f"{letter}{n}", f"Thing {n}") for n in range(20)] for letter in "ab"]
    assert await asyncio.gather(one.upsert(batches[0]), two.upsert(batches[1])) == [20, 20]
    assert (await one.count("default")).products == 40


async def test_equals_are_ordered_by_id_whatever_the_order_of_writing(tmp_path: Path) -> None:
    twins = [product(f"T{n}", "Twin") for n in range(8)]
    for name, order in (("a", twins), ("b", twins[::-1])):
        index = SqliteIndex.open(tmp_path / f"{name}.db", HashEncoder(), create=True)
        await index.upsert(order)
        hits = await index.search_products(ProductQuery(store="default", text="twin"), 8)
        assert [hit.document.sku for hit in hits] == [f"T{n}" for n in range(8)]


def test_a_query_is_words_and_nothing_else() -> None:
    assert match_expression('Red "jacket" OR title:x*') == '"red" OR "jacket" OR "or" OR "title" OR "x"'
    assert match_expression("!?") == ""
    assert match_expression(" ".join(f"w{n}" for n in range(500))).count(" OR ") == MAX_QUERY_WORDS - 1
