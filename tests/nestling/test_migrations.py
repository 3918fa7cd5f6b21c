"""Migrations on a database that people work with: its rows are all there afterwards, whoever made its tables."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from tortoise import Tortoise
from tortoise.migrations.api import migrate as migrate_to

from domain.database import APP, tortoise_config
from domain.platform.ids import new_id
from nestling.migrations import NOW, ONCE, AnotherVersion, migrate, pending
from tests.nestling.commands import nestling, together

FIRST = NOW[-1]  # with it the first release's tables are whole; whatever follows meets rows
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
            message="Not a phone.", row_data=f'{{"external_id": "M{number}"}}', row_hash=f"issue {number}",
        )  # fmt: skip


async def _rows(connection: asyncpg.Connection, columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these tables, in these columns."""
    return {
        table: sorted(tuple(map(str, row)) for row in await connection.fetch(f"SELECT {', '.join(names)} FROM {table}"))
        for table, names in columns.items()
    }


async def _call(connection: asyncpg.Connection, *names: str) -> None:
    """As if migrations of these names had made the tables."""
    await connection.execute("DELETE FROM tortoise_migrations")
    await connection.executemany(
        "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ($1, $2, now())",
        [(APP, name) for name in names],
    )


@pytest.mark.parametrize("made_by", [NOW, ONCE], ids=["these", "those before the first release"])
async def test_rows_of_the_first_tables_live_through_every_later_migration(
    old_database: str, made_by: tuple[str, ...]
) -> None:
    connection = await asyncpg.connect(old_database)
    try:
        await _fill(connection)
        await _call(connection, *made_by)
        found = await connection.fetch(
            "SELECT table_name, array_agg(column_name::text) AS names FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name NOT LIKE 'tortoise%' GROUP BY 1"
        )
        columns = {row["table_name"]: row["names"] for row in found}
        before = await _rows(connection, columns)
        assert sum(map(len, before.values())) >= 11

        later = [name for name in await pending(old_database) if name not in NOW]
        migrated = await migrate(old_database)
        assert (migrated.applied, migrated.adopted) == (later, [] if made_by == NOW else list(NOW))
        assert await pending(old_database) == []
        assert await _rows(connection, columns) == before
        names = await connection.fetch("SELECT name FROM tortoise_migrations ORDER BY name")
        assert [row["name"] for row in names] == [*NOW, *later]
        again = await migrate(old_database)
        assert (again.applied, again.adopted) == ([], [])
    finally:
        await connection.close()


STRANGERS = (ONCE[:10], (*ONCE, "0019_of_a_branch"), (*NOW[:2], "0003_another"))


async def test_tables_of_another_version_are_refused_in_words_and_left_alone(old_database: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(old_database)
    try:
        here = [*NOW, *(name for name in await pending(old_database) if name not in NOW)]
        for names in STRANGERS:
            await _call(connection, *names)
            for look in (migrate, pending):
                with pytest.raises(AnotherVersion, match=names[-1]):
                    await look(old_database)
            assert {row["name"] for row in await connection.fetch("SELECT name FROM tortoise_migrations")} == set(names)
        demo = await nestling(tmp_path, old_database, "demo", DATA_DIR=str(tmp_path / "new" / ".nestling"))
        assert not (tmp_path / "new").exists(), "a demo that was refused left something"
        for command in (demo, *await together(tmp_path, old_database, "migrate", "serve", "doctor")):
            said = command.stdout + command.stderr
            assert command.returncode == 1, command.args
            assert "nother version" in said
            assert "demo reset" in " ".join(said.split())

        # a newer one that has all of ours lacks nothing: while it is rolled out, processes of this one go on
        await _call(connection, *here, "9999_of_tomorrow")
        assert await pending(old_database) == []
    finally:
        await connection.close()
