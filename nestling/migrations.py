"""Migrations by tortoise's built-in runner, one process at a time."""

from dataclasses import dataclass
from pathlib import Path

import asyncpg
from tortoise import Tortoise
from tortoise.migrations.api import migrate as tortoise_migrate
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.writer import MigrationWriter

from domain.database import APP, tortoise_config
from nestling import LAYERS
from nestling.words import this_command

MIGRATION_LOCK = 0x6E65_7373  # tortoise takes no lock of its own

ONCE = (
    "0001_initial", "0002_constraints", "0003_indexes", "0004_callback_release", "0005_gateway_indexes", "0006_imports",
    "0007_merchandise", "0008_closed_calls", "0009_erasures", "0010_losses", "0011_merges", "0012_member_erasures",
    "0013_segments", "0014_consents_in_force", "0015_guardian_consents", "0016_touches", "0017_feeding",
    "0018_followers",
)  # fmt: skip
"""The migrations until the first release, which NOW says in fewer. All of them made the same tables as all of these."""
NOW = ("0001_tables", "0002_rules", "0003_lookups", "0004_triggers")
ADOPT = (
    "COMMENT ON TABLE consents IS 'What she said, row by row: nothing is overwritten. "
    "A row about a baby speaks of that baby alone.'; "
    r"COMMENT ON COLUMN babies.feeding_source IS 'MEMBER: MEMBER\nSTAFF: STAFF\nRULE: RULE\nMODEL: MODEL\n"
    r"IMPORT: IMPORT\nINFERRED: INFERRED\nSYNTHETIC: SYNTHETIC'"
)
"""What ONCE left unsaid."""


class AnotherVersion(Exception):
    """The tables are those of a version that we do not know how to go on from. The text is for the person to read."""


@dataclass(frozen=True)
class Migrated:
    """`applied` were run; `adopted` were recorded without a change, for a database that ONCE made."""

    applied: list[str]
    adopted: list[str]


async def migrate(database_url: str) -> Migrated:
    """Bring the database to the newest migration; nothing is left to do where others were faster.

    Idempotent; safe to call from several processes at once. Raises AnotherVersion before it changes anything.
    """
    holder = await asyncpg.connect(database_url)
    try:
        await holder.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        missing = await pending(database_url)
        adopted = list(NOW) if missing and await _recorded(holder) == set(ONCE) else []
        if adopted:
            await _adopt(holder)
        applied = [name for name in missing if name not in adopted]
        if applied:
            await tortoise_migrate(config=tortoise_config(database_url))
        return Migrated(applied, adopted)
    finally:
        await Tortoise.close_connections()  # tortoise's runner leaves its pool open
        await holder.close()


async def pending(database_url: str) -> list[str]:
    """The migrations this code has and the database has not, in order.

    None for the database of a newer version, which has all of ours. Raises AnotherVersion where ours cannot follow.
    """
    here = sorted(path.stem for path in (LAYERS / "migrations").glob("[0-9]*.py"))
    reader = await asyncpg.connect(database_url)
    try:
        done = await _recorded(reader)
    finally:
        await reader.close()
    missing = [name for name in here if name not in done]
    unknown = sorted(done.difference(here))
    if missing and unknown and done != set(ONCE):
        raise AnotherVersion(
            f"Another version made this database: its last migration, {unknown[-1]}, is not among ours, and it lacks "
            f"{missing[0]}. Nothing was changed. Use the version that made it, or another database (DATABASE_URL); "
            f"a demo is made anew after: {this_command()} demo reset"
        )
    return missing


async def _recorded(reader: asyncpg.Connection) -> set[str]:
    if await reader.fetchval("SELECT to_regclass('tortoise_migrations')") is None:
        return set()
    return {row["name"] for row in await reader.fetch("SELECT name FROM tortoise_migrations WHERE app = $1", APP)}


async def _adopt(holder: asyncpg.Connection) -> None:
    """Record NOW instead of ONCE, all at once. No row of anybody's is touched."""
    async with holder.transaction():
        await holder.execute(ADOPT)
        await holder.execute("DELETE FROM tortoise_migrations WHERE app = $1", APP)
        await holder.executemany(
            "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ($1, $2, now())",
            [(APP, name) for name in NOW],
        )


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
