"""IndexFile: the file of the one-file index: its tables, its connections, and what is said when it is no good."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import sqlite_vec

from services.lib.index.port import IndexUnavailable
from services.lib.language.encoder import DIMENSIONS

_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE document (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, store TEXT NOT NULL,
    hash TEXT NOT NULL, body TEXT NOT NULL, vectors BLOB NOT NULL
);
CREATE INDEX document_of_store ON document (store, kind);
CREATE TABLE sku (store TEXT NOT NULL, sku TEXT NOT NULL, row INTEGER NOT NULL, own INTEGER NOT NULL);
CREATE INDEX sku_of_store ON sku (store, sku);
CREATE INDEX sku_of_row ON sku (row);
CREATE TABLE facet (label TEXT NOT NULL, value TEXT NOT NULL, row INTEGER NOT NULL,
    PRIMARY KEY (label, value, row)) WITHOUT ROWID;
CREATE INDEX facet_of_row ON facet (row);
CREATE VIRTUAL TABLE product_text USING fts5(title, attributes, body, content='', contentless_delete=1,
    tokenize='porter unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE passage_text USING fts5(title, attributes, body, content='', contentless_delete=1,
    tokenize='porter unicode61 remove_diacritics 2');
CREATE VIRTUAL TABLE product_vector USING vec0(row INTEGER PRIMARY KEY, store TEXT PARTITION KEY,
    vector INT8[{DIMENSIONS}] distance_metric=cosine);
CREATE VIRTUAL TABLE passage_vector USING vec0(row INTEGER PRIMARY KEY, store TEXT PARTITION KEY,
    vector INT8[{DIMENSIONS}] distance_metric=cosine);
"""

_APPLICATION = 0x4261746F
"""PRAGMA application_id: a file that is some other program's is refused, not written into."""
_VERSION = 1
"""PRAGMA user_version: layout of the tables above."""


class IndexFile:
    """Readers are kept and reused, each by one thread at a time; a writer is opened for each write.

    Every method raises `IndexUnavailable` for a file that is missing, corrupt, someone else's or built for
    other vectors.
    """

    def __init__(self, path: Path, encoder_version: str) -> None:
        self._path = path
        self._encoder_version = encoder_version
        self._readers: queue.LifoQueue[apsw.Connection] = queue.LifoQueue()

    def create(self) -> None:
        """Make an empty index where there is none, or one of another encoder or layout."""
        with self.failing_clearly():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = self._connect(apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
            try:
                self._create(db)
            finally:
                db.close()

    @contextmanager
    def reader(self) -> Iterator[apsw.Connection]:
        """A connection in one state of the file."""
        with self.failing_clearly():
            try:
                db = self._readers.get_nowait()
            except queue.Empty:
                db = self._connect()
            try:
                db.execute("BEGIN")
                self._check(db)
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.close()
                raise
            self._readers.put(db)

    @contextmanager
    def writer(self) -> Iterator[apsw.Connection]:
        with self.failing_clearly():
            db = self._connect()
            try:
                self._check(db)
                yield db
            finally:
                db.close()

    def close(self) -> None:
        while True:
            try:
                self._readers.get_nowait().close()
            except queue.Empty:
                return

    def _connect(self, flags: int = apsw.SQLITE_OPEN_READWRITE) -> apsw.Connection:
        if not flags & apsw.SQLITE_OPEN_CREATE and not self._path.is_file():
            raise IndexUnavailable(f"there is no index at {self._path}: build one with `baton index`")
        db = apsw.Connection(str(self._path), flags=flags)
        db.set_busy_timeout(5_000)
        db.enable_load_extension(True)
        db.load_extension(sqlite_vec.loadable_path())
        db.enable_load_extension(False)
        return db

    def _create(self, db: apsw.Connection) -> None:
        empty = first(db, "SELECT count(*) FROM sqlite_schema") == 0
        if not empty:
            self._check_ours(db)
            if self._is_current(db):
                return
        db.execute("PRAGMA journal_mode = WAL")
        with transaction(db):
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            virtual = [name for name in names if name.endswith(("_text", "_vector"))]
            for name in (*virtual, "meta", "document", "sku", "facet"):
                db.execute(f"DROP TABLE IF EXISTS {name}")
            db.execute(_SCHEMA)
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {_VERSION}")
            values = [("encoder", self._encoder_version), ("revision", "0")]
            db.executemany("INSERT INTO meta VALUES (?,?)", values)

    def _is_current(self, db: apsw.Connection) -> bool:
        if first(db, "PRAGMA user_version") != _VERSION:
            return False
        return bool(first(db, "SELECT value FROM meta WHERE key = 'encoder'") == self._encoder_version)

    def _check_ours(self, db: apsw.Connection) -> None:
        if first(db, "PRAGMA application_id") != _APPLICATION:
            raise IndexUnavailable(f"{self._path} is not a search index: give another path")

    def _check(self, db: apsw.Connection) -> None:
        self._check_ours(db)
        if not self._is_current(db):
            raise IndexUnavailable(f"{self._path} was built by another version: build it again with `baton index`")

    @contextmanager
    def failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, OSError) as error:
            raise IndexUnavailable(
                f"the index file {self._path} cannot be used ({error}): "
                "if it stays so, delete it and build it again with `baton index`"
            ) from error


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def first(db: apsw.Connection, sql: str, *bound: Any) -> Any:
    """First column of the first row, or None."""
    row = db.execute(sql, bound).fetchone()
    return None if row is None else row[0]
