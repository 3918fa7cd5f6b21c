"""Temporary tables that records are copied into, so that one statement can do the rest."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg


async def stage(to: asyncpg.Connection, table: str, columns: str, records: Iterable[tuple[object, ...]]) -> None:
    """Make a temporary table for the current transaction and copy the records in (binary COPY)."""
    await to.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")
    await to.execute(f"CREATE TEMP TABLE {table} ({columns}) ON COMMIT DROP")
    await to.copy_records_to_table(table, records=records, schema_name="pg_temp")
    await to.execute(f"ANALYZE pg_temp.{table}")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection for a bulk load, closed at the end."""
    to = await asyncpg.connect(url, server_settings={"timezone": "UTC", "application_name": "nestling import"})
    try:
        yield to
    finally:
        await to.close()


def added_rows(tag: str) -> int:
    """The number of rows in a command tag such as INSERT 0 5."""
    return int(tag.rsplit(" ", 1)[1])
