"""Migrations by tortoise's built-in runner, one process at a time."""

import asyncpg
from tortoise import Tortoise
from tortoise.migrations.api import migrate as tortoise_migrate

from domain.database import tortoise_config

MIGRATION_LOCK = 0x6E65_7373  # tortoise takes no lock of its own


async def migrate(database_url: str) -> None:
    """Bring the database to the newest migration. Idempotent; safe to call from several processes at once."""
    holder = await asyncpg.connect(database_url)
    try:
        await holder.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await tortoise_migrate(config=tortoise_config(database_url))
    finally:
        await Tortoise.close_connections()  # tortoise's runner leaves its pool open
        await holder.close()
