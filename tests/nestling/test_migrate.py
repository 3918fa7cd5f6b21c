"""`nestling migrate` on a database that has nothing yet, and on code that says more than its migrations."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from tests.nestling.commands import ROOT, nestling, several

NAMES = sorted(path.stem for path in (ROOT / "migrations").glob("[0-9]*.py"))


@pytest_asyncio.fixture
async def empty_url(postgres_url: str) -> AsyncIterator[str]:
    """A database of its own without a table."""
    name = f"nestling_empty_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8'")
        yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.mark.long  # every migration from nothing, and two who want it
async def test_two_at_once_apply_each_migration_once(empty_url: str, tmp_path: Path) -> None:
    both = await asyncio.gather(*(nestling(tmp_path, empty_url, "migrate") for _ in range(2)))
    assert [one.returncode for one in both] == [0, 0], [one.stderr for one in both]
    told = sorted(one.stdout.strip() for one in both)
    assert told == [f"migrations: applied {', '.join(NAMES)}", "migrations: nothing to do"]
    reader = await asyncpg.connect(empty_url)
    try:
        done = [row["name"] for row in await reader.fetch("SELECT name FROM tortoise_migrations ORDER BY name")]
    finally:
        await reader.close()
    assert done == NAMES


@pytest.mark.long
async def test_a_column_that_no_migration_makes_is_found_and_drafted(empty_url: str, tmp_path: Path) -> None:
    for room in ("nestling", "domain", "migrations"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    stores = tmp_path / "domain" / "commerce" / "stores.py"
    words = stores.read_text()
    at = words.index("    class Meta:", words.index("class Store("))
    stores.write_text(f"{words[:at]}    nick = fields.CharField(max_length=40, null=True)\n\n{words[at:]}")
    here = {"PYTHONPATH": str(tmp_path)}
    (failed, found), (ended, told) = await several(
        tmp_path, empty_url, ("migrate --check", ""), ("migrate --draft store_nicks", ""), **here
    )
    (drafted,) = (tmp_path / "migrations").glob("*_store_nicks.py")
    assert (failed, ended, told) == (1, 0, f"review {drafted} and add its constraints\n")
    undone, *pending, verdict = found.splitlines()
    assert undone.startswith("no migration says: AddField")
    assert pending == [f"pending: {name}" for name in NAMES]
    assert verdict == "migrations: not in step"
    assert "nick" in drafted.read_text()
    assert await several(tmp_path, "", ("migrate --check", ""), ("migrate --draft more", ""), **here) == [
        (0, "migrations: in step\n"),
        (0, "migrations: in step, nothing to write\n"),
    ]
