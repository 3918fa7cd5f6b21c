"""Migrations on a database that people work with: rows of the first tables are all there after the last migration."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from tortoise import Tortoise
from tortoise.migrations.api import migrate as migrate_to

from domain.database import APP, tortoise_config
from domain.platform.ids import new_id
from nestling.migrations import migrate, pending

FIRST = "0003_indexes"  # with it the first release's tables were whole; whatever follows meets rows
THEN = datetime(2017, 12, 15, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def old_database(postgres_url: str) -> AsyncIterator[str]:
    """A database of its own that stands at the migration FIRST."""
    name = f"nestling_old_{secrets.token_hex(4)}"
    server, url = (urlunsplit(urlsplit(postgres_url)._replace(path=f"/{one}")) for one in ("postgres", name))
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
        try:
            await migrate_to(config=tortoise_config(url), target=f"{APP}.{FIRST}")
        finally:
            await Tortoise.close_connections()
        yield url
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def _insert(connection: asyncpg.Connection, table: str, **values: Any) -> Any:
    marks = ", ".join(f"${n + 1}" for n in range(len(values)))
    return await connection.fetchval(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks}) RETURNING id", *values.values()
    )


async def _fill(connection: asyncpg.Connection) -> None:
    """A few rows of every table that a later migration changes, and of those that they stand on."""
    home = await _insert(connection, "households", id=new_id(), source="pos", external_id="H1", created_at=THEN)
    member = await _insert(
        connection, "members", id=new_id(), household_id=home, source="pos", external_id="M1", joined_on=THEN.date(),
        created_at=THEN, updated_at=THEN,
    )  # fmt: skip
    for code, baby_class in (("P1", "DIAPER"), ("P2", "NONE")):
        await _insert(
            connection, "products", id=new_id(), source="pos", external_id=code, name=code, category="C",
            baby_class=baby_class,
        )  # fmt: skip
    for key, state, closed_at in (("K1", "OPEN", None), ("K2", "DONE", THEN), ("K3", "EXPIRED", THEN)):
        await _insert(
            connection, "callback_tasks", id=new_id(), member_id=member, kind="CARE_VISIT", purpose="CARE",
            intent_key=key, reason_code="TEST", state=state, not_before=THEN, expires_at=THEN, created_at=THEN,
            closed_at=closed_at,
        )  # fmt: skip
    await _insert(
        connection, "messages", id=new_id(), member_id=member, channel="SMS", purpose="CARE", state="QUEUED",
        intent_key="I1", template_key="note.care", not_before=THEN, expires_at=THEN, created_at=THEN,
        provider_key=new_id(), template_version=1, language="en", decision_id=new_id(), state_at=THEN,
    )  # fmt: skip
    batch = await _insert(
        connection, "imports", id=new_id(), kind="members", source="pos", file_name="m.csv", file_hash="0" * 64,
        state="DONE", started_at=THEN,
    )  # fmt: skip
    for number in (2, 3):  # two rows that wait for the same reason
        await _insert(
            connection, "import_issues", batch_id=batch, row_no=number, column_name="phone", code="bad_phone",
            message="Not a phone.", row_data=f'{{"external_id": "M{number}"}}',
        )  # fmt: skip


async def _rows(connection: asyncpg.Connection, columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these tables, in these columns."""
    return {
        table: sorted(tuple(map(str, row)) for row in await connection.fetch(f"SELECT {', '.join(names)} FROM {table}"))
        for table, names in columns.items()
    }


@pytest.mark.long
async def test_rows_of_the_first_tables_live_through_every_later_migration(old_database: str) -> None:
    connection = await asyncpg.connect(old_database)
    try:
        await _fill(connection)
        found = await connection.fetch(
            "SELECT table_name, array_agg(column_name::text) AS names FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name NOT LIKE 'tortoise%' GROUP BY 1"
        )
        columns = {row["table_name"]: row["names"] for row in found}
        before = await _rows(connection, columns)
        assert sum(map(len, before.values())) >= 11

        await migrate(old_database)
        assert await pending(old_database) == []
        assert await _rows(connection, columns) == before

        assert await connection.fetch("SELECT DISTINCT is_merchandise FROM products") == [(True,)]
        assert await connection.fetch("SELECT DISTINCT release_reason, released_by FROM callback_tasks") == [
            (None, None)
        ]
        waiting = await connection.fetch("SELECT row_hash, record_key FROM import_issues")
        assert len({row["row_hash"] for row in waiting}) == 2, "each of them waits by itself"
        assert {row["record_key"] for row in waiting} == {""}
        await _insert(  # and a row as an older process still writes it has the new columns' defaults
            connection, "products", id=new_id(), source="pos", external_id="P3", name="P3", category="C"
        )
        assert await connection.fetchval("SELECT is_merchandise FROM products WHERE external_id = 'P3'")
    finally:
        await connection.close()
