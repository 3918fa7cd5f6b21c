"""The stage of every test: a real PostgreSQL with a database of its own that is thrown away.

`database_url` (once a run) is a clone of a template that the migrations made; `db` opens it for one test and empties
whatever tables the test filled. TEST_DATABASE_URL runs the suite on any server; without it the embedded one serves.
"""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
from tortoise import Tortoise

from domain.database import connection, tortoise_config
from domain.gateway import suppressions

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE_LOCK = 0x6E65_7374  # "nest": one process builds the template, the others wait


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _schema_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "migrations").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


async def _make_template(server_url: str) -> str:
    from nestling.migrations import migrate

    name = f"nestling_template_{_schema_hash()}"
    admin = await asyncpg.connect(_named(server_url, "postgres"))
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        ready = await admin.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name)
        if not ready:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await admin.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
            await migrate(_named(server_url, name))
            await admin.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE true')
    finally:
        await admin.close()
    return name


async def _clone(server_url: str, template: str, name: str) -> None:
    admin = await asyncpg.connect(_named(server_url, "postgres"))
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await admin.close()


async def _drop(server_url: str, name: str) -> None:
    admin = await asyncpg.connect(_named(server_url, "postgres"))
    try:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server that the tests may make databases on."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    from nestling.embedded.postgres import start_postgres

    server = start_postgres(ROOT / ".nestling" / "test")
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """The name of a migrated, empty database that nobody is connected to."""
    return asyncio.run(_make_template(postgres_url))


@pytest.fixture(scope="session")
def database_url(postgres_url: str, template: str) -> Iterator[str]:
    """The run's own database, migrated and empty; dropped at the end. Processes of one run have one each."""
    name = f"nestling_test_{os.getpid()}_{secrets.token_hex(3)}"
    asyncio.run(_clone(postgres_url, template, name))
    yield _named(postgres_url, name)
    asyncio.run(_drop(postgres_url, name))


EMPTY_FILLED_TABLES = """
DO $$
DECLARE name text; filled boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'tortoise%' LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO filled;
        IF filled THEN EXECUTE format('DELETE FROM %I', name); END IF;
    END LOOP;
END $$
"""


@pytest_asyncio.fixture
async def db(database_url: str) -> AsyncIterator[str]:
    """The database, open for the ORM; yields its URL for what opens its own connections."""
    await Tortoise.init(config=tortoise_config(database_url), _enable_global_fallback=True)
    suppressions.use_key(b"a key for tests only, thirty-two characters")
    try:
        yield database_url
    finally:
        await connection().execute_script(EMPTY_FILLED_TABLES)
        await Tortoise.close_connections()
