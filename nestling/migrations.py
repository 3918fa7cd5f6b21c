"""Migrations by tortoise's built-in runner, one process at a time."""

from pathlib import Path

import asyncpg
from tortoise import Tortoise
from tortoise.migrations.api import migrate as tortoise_migrate
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.writer import MigrationWriter

from domain.database import APP, tortoise_config
from nestling import LAYERS

MIGRATION_LOCK = 0x6E65_7373  # tortoise takes no lock of its own


async def migrate(database_url: str) -> list[str]:
    """Bring the database to the newest migration; which ones it took, none where others were faster.

    Idempotent; safe to call from several processes at once.
    """
    holder = await asyncpg.connect(database_url)
    try:
        await holder.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        missing = await pending(database_url)
        if missing:
            await tortoise_migrate(config=tortoise_config(database_url))
        return missing
    finally:
        await Tortoise.close_connections()  # tortoise's runner leaves its pool open
        await holder.close()


async def pending(database_url: str) -> list[str]:
    """The migrations this code has and the database has not, in order."""
    here = sorted(path.stem for path in (LAYERS / "migrations").glob("[0-9]*.py"))
    reader = await asyncpg.connect(database_url)
    try:
        if await reader.fetchval("SELECT to_regclass('tortoise_migrations')") is None:
            return here
        done = {row["name"] for row in await reader.fetch("SELECT name FROM tortoise_migrations WHERE app = $1", APP)}
    finally:
        await reader.close()
    return [name for name in here if name not in done]


async def drift() -> list[str]:
    """What the tables in the code say and no migration does. Needs no database. Constraints are a test's business."""
    return [
        f"{type(operation).__name__}: {operation}" for writer in await _changes() for operation in writer.operations
    ]


async def draft(name: str) -> Path | None:
    """Write what the tables say and no migration does as a new one, to be reviewed; None when there is nothing.

    Constraints of new tables are not in it: tortoise drops them. Add them by `ops.AddConstraint`.
    """
    for writer in await _changes():
        writer.name = f"{writer.name.split('_')[0]}_{name}"
        return Path(writer.write())
    return None


async def _changes() -> list[MigrationWriter]:
    config = tortoise_config("postgresql://nobody@127.0.0.1/none")
    await Tortoise.init(config=config, init_connections=False)
    assert Tortoise.apps is not None
    try:
        return await MigrationAutodetector(Tortoise.apps, config["apps"]).changes()
    finally:
        await Tortoise.close_connections()
