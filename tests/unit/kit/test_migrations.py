"""Every service's revisions make the tables that its code uses, from nothing and side by side."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, inspect, text

from services.escalation_router import store as router
from services.ingest import store as ingest
from services.lib.kit.errors import Unavailable, UnknownRevision
from services.lib.kit.migrations import configuration, migrate
from services.lib.kit.sql import Database, metadata

CASES = [
    pytest.param((), metadata, id="fold"),
    pytest.param((ingest.MIGRATIONS,), ingest.tables, id="ingest"),
    pytest.param((router.MIGRATIONS,), router.tables, id="escalation-router"),
]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def differences(database: Database, tables: MetaData) -> list[Any]:
    def compare(connection: Any) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, tables))

    async with database.read() as connection:
        return await connection.run_sync(compare)


@pytest.mark.parametrize(("folders", "tables"), CASES)
async def test_what_is_migrated_is_what_the_code_uses(
    database_url: str, database: Database, folders: tuple[Path, ...], tables: MetaData
) -> None:
    assert await differences(database, tables) != []
    await migrate(database_url, *folders)
    assert await differences(database, tables) == []


@pytest.mark.parametrize(("folders", "tables"), CASES)
async def test_every_revision_can_be_taken_back(
    database_url: str, database: Database, folders: tuple[Path, ...], tables: MetaData
) -> None:
    await migrate(database_url, *folders)
    config = configuration(*folders)

    def down(connection: Any) -> list[str]:
        config.attributes["connection"] = connection
        for branch in ("fold", "ingest", "router"):
            if branch == "fold" or any(branch in str(folder) for folder in folders):
                command.downgrade(config, f"{branch}@base")
        return list(inspect(connection).get_table_names())

    async with database.begin() as connection:
        assert await connection.run_sync(down) == ["alembic_version"]


async def test_many_that_start_at_once_migrate_once(database_url: str, database: Database) -> None:
    await asyncio.gather(*(migrate(database_url, ingest.MIGRATIONS) for _ in range(5)))
    assert await differences(database, ingest.tables) == []


async def test_two_services_of_one_process_do_not_mix_their_migrations(tmp_path: Path) -> None:
    urls = [f"sqlite+aiosqlite:///{tmp_path}/{n}.db" for n in range(4)]
    await asyncio.gather(*(migrate(url, (ingest.MIGRATIONS, router.MIGRATIONS)[n % 2]) for n, url in enumerate(urls)))
    for n, url in enumerate(urls):
        database = Database(url)
        assert await differences(database, (ingest.tables, router.tables)[n % 2]) == []
        await database.close()


async def test_a_database_that_is_ahead_is_left_alone(database_url: str, database: Database) -> None:
    await migrate(database_url, ingest.MIGRATIONS)
    async with database.begin() as connection:
        await connection.execute(
            text("UPDATE alembic_version SET version_num = 'fold_9999' WHERE version_num LIKE 'fold%'")
        )
    with pytest.raises(UnknownRevision, match="fold_9999"):
        await migrate(database_url, ingest.MIGRATIONS)


async def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await migrate(f"sqlite+aiosqlite:///{tmp_path}/no/such/folder/x.db")
    with pytest.raises(Unavailable):
        await migrate("postgresql+asyncpg://baton@127.0.0.1:1/baton")
