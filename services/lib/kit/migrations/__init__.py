"""`migrate`: a service's database brought to the schema that its code needs, by Alembic.

The fold's tables have their revisions here, each service's own tables have theirs beside it: two branches that grow
apart from each other, in one database. A service migrates at its start. Several that start at once wait for one
another; where nothing is to be done, no right to change tables is needed.
"""

import asyncio
import os
from pathlib import Path
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from services.lib.kit.errors import UnknownRevision
from services.lib.kit.sql import Database

FOLDER = Path(__file__).parent
FOLD = FOLDER / "versions"

_LOCK = 0x6261746F6E
"""Any number will do that is the same everywhere: "baton" in ASCII."""

_alone: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""Alembic works through globals, so that two migrations in one process must not interleave."""


async def migrate(url: str, *folders: Path) -> None:
    """Apply what is missing of the fold's revisions and of those in `folders`, all of it or nothing.

    Raises `Unavailable` where the database is away and `UnknownRevision` where it is ahead of this code.
    """
    database = Database(url, "baton-migrate", limited=False)  # an index on a large table takes its time
    config = configuration(*folders)
    try:
        async with database.read() as connection:
            if await connection.run_sync(_is_current, config):
                return
        lock = _alone.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock, database.begin() as connection:
            if not database.is_sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_upgrade, config)
    finally:
        await database.close()


def configuration(*folders: Path) -> Config:
    """Alembic's, for the revisions of the fold and those in `folders`."""
    config = Config()
    options = {
        "script_location": str(FOLDER),
        "version_locations": os.pathsep.join(str(folder) for folder in (FOLD, *folders)),
        "path_separator": "os",
    }
    for name, value in options.items():
        config.set_main_option(name, value.replace("%", "%%"))  # of a path that has one
    return config


def _is_current(connection: Connection, config: Config) -> bool:
    there = set(MigrationContext.configure(connection).get_current_heads())
    return there == set(ScriptDirectory.from_config(config).get_heads())


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "heads")
    except CommandError as error:
        raise UnknownRevision(f"the database belongs to another version of Baton: {error}") from error
