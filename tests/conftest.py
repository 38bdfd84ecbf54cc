"""What tests of all kinds share: a database of one's own, on SQLite or, with `--postgresql`, on a real PostgreSQL."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import MetaData, text

from services.lib.kit.sql import Database

OpenDatabase = Callable[[MetaData], Awaitable[Database]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgresql", action="store_true", help="run the tests that need a database, and those alone, on PostgreSQL"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("postgresql"):
        return
    kept = [item for item in items if "database_url" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """URL of a database on a server of this run's own."""
    from tests.real.rig.postgres import postgres

    with postgres() as server:
        server.create("test")
        yield server.url("test")


@pytest.fixture
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if not request.config.getoption("postgresql"):
        return f"sqlite+aiosqlite:///{tmp_path}/test.db"
    url = str(request.getfixturevalue("postgresql"))
    database = Database(url)
    async with database.begin() as connection:
        await connection.execute(text("DROP SCHEMA public CASCADE"))
        await connection.execute(text("CREATE SCHEMA public"))
    await database.close()
    return url


@pytest.fixture
async def open_database(database_url: str) -> AsyncIterator[OpenDatabase]:
    """Opens it, with these tables in it; what was opened is closed at the end."""
    opened: list[Database] = []

    async def open_(tables: MetaData) -> Database:
        database = Database(database_url)
        opened.append(database)
        async with database.begin() as connection:
            await connection.run_sync(tables.create_all)
        return database

    yield open_
    for database in opened:
        await database.close()
