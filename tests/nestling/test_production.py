"""What production refuses: processes of their own on a database that is not fit for it."""

import asyncio
from datetime import timedelta
from pathlib import Path

from domain.outreach.care_runs import CareRun
from domain.people.members import Member
from domain.platform.clock import advance_business_clock
from nestling.embedded.processes import free_port
from nestling.settings import DEFAULT_KEY
from tests.nestling.commands import PRODUCTION, run, together


async def test_it_never_works_on_a_moved_clock(db: str, tmp_path: Path) -> None:
    await advance_business_clock(timedelta(days=-3000))
    asgi = ("-m", "uvicorn", "nestling.asgi:app", "--port", str(free_port()))
    commands, web = await asyncio.gather(
        together(tmp_path, db, "serve", "worker", **PRODUCTION),
        run(tmp_path, *asgi, DATABASE_URL=db, **PRODUCTION),
    )
    for refused in (*commands, web):
        assert refused.returncode != 0
        assert "Production refuses to start" in refused.stderr
        assert "The business clock reads 20" in refused.stderr
        assert 'psql "$DATABASE_URL" -c "DELETE FROM clock_offsets"' in refused.stderr
        assert "demo account" not in refused.stderr


async def test_no_command_works_with_a_key_that_was_forgotten(db: str, tmp_path: Path) -> None:
    forgotten = {**PRODUCTION, "ADDRESS_HASH_KEY": DEFAULT_KEY}
    file = tmp_path / "members.csv"
    file.write_text("external_id\n1\n")
    commands, unset = await asyncio.gather(
        together(tmp_path, db, f"import members '{file}' --source pos", "care run", "user list", "score", **forgotten),
        together(tmp_path, "", "user list", **PRODUCTION),
    )
    assert len(commands) == 4
    for refused in (*commands, *unset):
        assert refused.returncode == 1, refused.args
        assert "Traceback" not in refused.stderr
        assert "Warning" not in refused.stderr
        assert ("ADDRESS_HASH_KEY is the default." in refused.stderr) != ("DATABASE_URL is not set" in refused.stderr)
        assert refused.stdout == ""
    assert not (tmp_path / ".nestling").exists(), "an embedded server was started"
    assert [await table.all().count() for table in (Member, CareRun)] == [0, 0]


async def test_the_doctor_and_the_migrations_work_with_any_key(db: str, tmp_path: Path) -> None:
    forgotten = {**PRODUCTION, "ADDRESS_HASH_KEY": DEFAULT_KEY}
    looked, migrated = await together(tmp_path, db, "doctor", "migrate", **forgotten)
    assert looked.returncode == 1
    assert "ADDRESS_HASH_KEY is the default." in looked.stdout
    assert "the business clock is the real one" in looked.stdout
    assert migrated.returncode == 0, migrated.stderr
