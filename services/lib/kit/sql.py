"""`Database`: one service's own SQL, SQLite or PostgreSQL, with the tables every fold needs.

inbox     ids of events that were folded, so that a second copy changes nothing
states    one row a key: the fold's state as JSON, and the last sequence per topic
outbox    what must still be published, in order; a row is deleted once Kafka has it
refused   rows of the outbox that Kafka will never take (too large for the topic), kept for a human
timers    events to come from the clock
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import TypeDecorator

from services.lib.kit.errors import Unavailable


class Moment(TypeDecorator[datetime]):
    """A UTC moment. SQLite keeps no zone: it goes in as UTC and comes out aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


metadata = MetaData()

_AUTO = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself only in a column of type INTEGER."""

inbox = Table(
    "inbox",
    metadata,
    Column("id", String(450), primary_key=True),
    Column("seen_at", Moment, nullable=False, index=True),
)
states = Table(
    "states",
    metadata,
    Column("key", String(400), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("sequences", JSON, nullable=False),
    Column("changed_at", Moment, nullable=False, index=True),
)
outbox = Table(
    "outbox",
    metadata,
    Column("n", _AUTO, primary_key=True, autoincrement=True),
    Column("key", String(400), nullable=False),
    Column("topic", String(200), nullable=False),
    Column("record_key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Index("outbox_key_n", "key", "n"),
)
refused = Table(
    "refused",
    metadata,
    Column("n", _AUTO, primary_key=True, autoincrement=False),
    Column("key", String(400), nullable=False),
    Column("topic", String(200), nullable=False),
    Column("record_key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("created_at", Moment, nullable=False, index=True),
    Column("why", Text, nullable=False),
)
timers = Table(
    "timers",
    metadata,
    Column("key", String(400), primary_key=True),
    Column("kind", String(50), primary_key=True),
    Column("turn", Integer, primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("due", Moment, nullable=False, index=True),
    Column("partition", Integer, nullable=False),
)


_AWAY_SQLSTATES = ("08", "25006", "25P03", "40", "53", "55P03", "57")
"""SQLSTATEs, or their classes, that pass by themselves: connection, read-only after a failover, a transaction that
idled too long, serialization and deadlock, resources, lock not available, operator intervention, which a statement
that took too long counts as (PostgreSQL documentation, appendix A)."""

_REFUSED_SQLSTATES = ("22", "23")
"""Data exceptions and integrity constraints."""

_AWAY_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""A missing table is an OperationalError in SQLite too, but nothing to wait for."""


CONNECT_S = 5.0
"""Seconds to connect to PostgreSQL."""

LOCK_S = 10.0
"""Seconds to wait for a row that another member holds: its transaction takes milliseconds, or its process is gone."""

STATEMENT_S = 15.0
"""Seconds a statement may take in PostgreSQL: more than a wait for a lock, so that this one is named."""

IDLE_S = 10.0
"""Seconds a transaction may do nothing: a process that is paused within one would hold its rows for ever."""

_GONE_S = 30.0
"""Seconds without an answer after which the server is taken for gone: it would have given up before."""


class Database:
    """An engine whose transactions begin with the write lock taken, and whose absence is `Unavailable`."""

    def __init__(self, url: str, name: str = "baton", *, limited: bool = True) -> None:
        """`url` is SQLAlchemy's. `name` is what PostgreSQL's `pg_stat_activity` shows. Without `limited` a statement
        may take as long as it takes."""
        self.is_sqlite = url.startswith("sqlite")
        # The text of an error would repeat the values of the statement, which are what shoppers wrote.
        options: dict[str, Any] = {"hide_parameters": True}
        if not self.is_sqlite:
            options |= _postgresql_options(name, limited=limited)
        self.engine: AsyncEngine = create_async_engine(url, **options)
        self._reader = self.engine.execution_options(baton_reading=True)
        # SQLite has one writer: waiting for it here is fair and has no time-out, waiting in SQLite is neither.
        self._writer = asyncio.Lock() if self.is_sqlite else None
        if self.is_sqlite:
            _sqlite_pragmas(self.engine.sync_engine)

    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that commits at the end, or rolls back where the body raises.

        Raises `Unavailable` where the database is away or locked. Other errors are bugs and stay themselves.
        """
        with _saying_unavailable():
            if self._writer is None:
                async with self.engine.begin() as connection:
                    yield connection
            else:
                async with self._writer, self.engine.begin() as connection:
                    yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with, which waits for no writer. Raises `Unavailable` as `begin` does."""
        with _saying_unavailable():
            async with self._reader.connect() as connection:
                yield connection

    def insert_missing(self, table: Table) -> Any:
        """An INSERT that leaves rows alone that are there already."""
        dialect = sqlite if self.is_sqlite else postgresql
        return dialect.insert(table).on_conflict_do_nothing()

    async def answering(self) -> bool:
        """Whether a query comes back within 2 s."""
        try:
            async with asyncio.timeout(2), self.read() as connection:
                await connection.execute(text("SELECT 1"))
        except (Unavailable, TimeoutError):
            return False
        return True


def is_refused(error: Exception) -> bool:
    """Whether the database refuses the values of a statement, not the statement: PostgreSQL, say, takes no NUL
    in a text. Other values would do."""
    if isinstance(error, DataError | IntegrityError) or type(error) is StatementError:
        return True
    return isinstance(error, DBAPIError) and _sqlstate(error).startswith(_REFUSED_SQLSTATES)


def _is_away(error: Exception) -> bool:
    """Whether the same statement may work in a moment."""
    if isinstance(error, OSError | InterfaceError | PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if sqlstate := _sqlstate(error):
        return sqlstate.startswith(_AWAY_SQLSTATES)
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _AWAY_SQLITE
    return isinstance(error, OperationalError)


def _sqlstate(error: Exception) -> str:
    """asyncpg's own errors have it, and so do SQLAlchemy's around them."""
    return str(getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None) or "")


@contextmanager
def _saying_unavailable() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if _is_away(error):
            raise Unavailable(f"database: {type(error).__name__}: {_first_line(error)}") from error
        raise


def _first_line(error: Exception) -> str:
    """Of a database error: later lines repeat the statement."""
    return (str(getattr(error, "orig", error)).splitlines() or [""])[0][:200]


def _postgresql_options(name: str, *, limited: bool) -> dict[str, Any]:
    """A fold needs one connection to write and a few to read; ten a process leave room for many processes."""
    connecting: dict[str, Any] = {"timeout": CONNECT_S, "server_settings": {"application_name": name}}
    if limited:
        limits = {
            "lock_timeout": LOCK_S,
            "statement_timeout": STATEMENT_S,
            "idle_in_transaction_session_timeout": IDLE_S,
        }
        connecting["server_settings"] |= {limit: str(round(seconds * 1000)) for limit, seconds in limits.items()}
        connecting["command_timeout"] = _GONE_S
    return {
        "pool_size": 5,
        "max_overflow": 5,
        "pool_timeout": 10,
        "pool_pre_ping": True,
        "connect_args": connecting,
    }


def _sqlite_pragmas(engine: Engine) -> None:
    """Write-ahead log, and transactions that begin with the write lock: with the driver's own BEGIN two
    writers of one row both commit and one update is lost. Every commit reaches the disk (FULL): the offsets
    that Kafka gets after it must not outlive it."""

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions by itself
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA busy_timeout=5000")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        reading = connection.get_execution_options().get("baton_reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def fold_tables() -> MetaData:
    """A copy of the fold's tables, for a service to add its own to: several may share one process."""
    own = MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(own)
    return own
