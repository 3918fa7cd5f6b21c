"""`nestling care run` in a process of its own, as a person calls it."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from domain.outreach.care_runs import CareRun
from domain.platform.clock import set_business_clock
from domain.platform.sources import Source
from tests.factories import NOON, make_baby, make_member, make_reachable

ROOT = Path(__file__).resolve().parents[2]


async def _command(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": url, "REDIS_URL": "none", "COLUMNS": "100"}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "nestling", "care", "run", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_a_day_is_planned_once_and_shown_again(db: str) -> None:
    await set_business_clock(NOON)
    await make_baby(
        await make_reachable(await make_member()), born_on=NOON.date() - timedelta(days=3), born_source=Source.MEMBER
    )
    first = await _command(db)
    assert first.returncode == 0, first.stderr
    assert "1 eligible = 1 to send + 0 held + 0 suppressed" in first.stdout
    assert "2017-12-15" in first.stdout
    again = await _command(db, "--on", "2017-12-15")
    assert "planned before; nothing was repeated" in again.stdout.replace("\n", " ")


async def test_only_today_and_the_week_before_can_be_planned(db: str) -> None:
    await set_business_clock(NOON)
    for wanted, flaw in (("2017-12-16", "has not come yet"), ("2017-12-07", "is more than 7 days back")):
        refused = await _command(db, "--on", wanted)
        said = " ".join(refused.stderr.replace("│", " ").split())
        assert refused.returncode == 2
        assert f"{wanted} {flaw}: on the business clock today is 2017-12-15." in said
        assert "Traceback" not in said
    assert await CareRun.all().count() == 0
    earliest = await _command(db, "--on", "2017-12-08")
    assert earliest.returncode == 0, earliest.stderr
    assert [run.run_on.isoformat() for run in await CareRun.all()] == ["2017-12-08"]
