"""The stage of every test: a real PostgreSQL with a database of its own that is thrown away.

`database_url` (once a run) is a clone of a template that the migrations made; `db` opens it for one test and empties
whatever tables the test filled. TEST_DATABASE_URL runs the suite on any server; without it the embedded one serves.
"""

import asyncio
import gc
import hashlib
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio
import uvloop
from tortoise import Tortoise
from xdist.scheduler import LoadFileScheduling

from domain.database import connection, tortoise_config
from domain.gateway import suppressions

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE_LOCK = 0x6E65_7374  # "nest": one process builds the template, the others wait

SCORING = "tests/workers/scoring/"
LONG = (
    "tests/nestling/demo/test_demo.py",
    "tests/browser/test_pages.py",
    SCORING,
    "tests/nestling/embedded/test_postgres.py",
    "tests/workers/test_worker.py",
    "tests/nestling/test_purchases.py",
    "tests/domain/people/test_merge_scripts.py",
    "tests/domain/people/test_merges.py",
    "tests/api/differential/test_differential.py",
    "tests/workers/test_kill.py",
    "tests/api/test_abuse.py",
    "tests/nestling/test_users.py",
    "tests/domain/gateway/test_hearing.py",
    "tests/domain/stages/test_asof.py",
    "tests/nestling/test_score_command.py",
    "tests/nestling/test_migrations.py",
    "tests/nestling/imports/test_imports.py",
)
"""What takes longest, the longest first: where it began last, one process would work while the others have nothing."""


class WholeFiles(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file stays in one process, and so do all tests of the scoring, which read one history and learn from it."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid)


def _scope(nodeid: str) -> str:
    return SCORING if nodeid.startswith(SCORING) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles | None:
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # not by the number of tests alone: the order of the items is that below
    return WholeFiles(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests: the LONG ones first, then the others by how many are in a file."""
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(_scope(item.nodeid) for item in items)
    places = {scope: place for place, scope in enumerate(LONG)}
    items.sort(key=lambda item: (places.get(_scope(item.nodeid), len(LONG)), -tests[_scope(item.nodeid)]))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector of garbage need not walk through it again and again."""
    gc.collect()
    gc.freeze()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop on which the web process and the worker run."""
    return {"uvloop": uvloop.new_event_loop}


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
        # It is thrown away: no commit waits for the disk. What survives a crash is tested on servers of their own.
        await admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
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
    from nestling.embedded.failures import EmbeddedFailed
    from nestling.embedded.postgres import remove_postgres, start_postgres

    folder = ROOT / ".nestling" / "test"
    server = start_postgres(folder)
    yield server.url
    server.stop()
    with suppress(EmbeddedFailed):  # another process or run still uses it: the last one removes it
        remove_postgres(folder)


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """The name of a migrated, empty database that nobody is connected to."""
    return asyncio.run(_make_template(postgres_url))


@pytest.fixture(scope="session")
def new_database(postgres_url: str, template: str) -> Iterator[Callable[[], str]]:
    """Makes databases, each migrated and empty; says the URL. They are dropped at the end."""
    made: list[str] = []

    def make() -> str:
        made.append(f"nestling_test_{os.getpid()}_{secrets.token_hex(3)}")
        asyncio.run(_clone(postgres_url, template, made[-1]))
        return _named(postgres_url, made[-1])

    yield make
    for name in made:
        asyncio.run(_drop(postgres_url, name))


@pytest.fixture(scope="session")
def database_url(new_database: Callable[[], str]) -> str:
    """The run's own database, migrated and empty. Processes of one run have one each."""
    return new_database()


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
