"""`nestling care run` in a process of its own, as a person calls it."""

from datetime import timedelta
from pathlib import Path

from domain.outreach.care_runs import CareRun
from domain.platform.clock import set_business_clock
from domain.platform.sources import Source
from tests.factories import NOON, make_baby, make_member, make_reachable
from tests.nestling.commands import together


async def test_a_day_is_planned_once_and_shown_again(db: str, tmp_path: Path) -> None:
    await set_business_clock(NOON)
    await make_baby(
        await make_reachable(await make_member()), born_on=NOON.date() - timedelta(days=3), born_source=Source.MEMBER
    )
    first, again = await together(tmp_path, db, "care run", "care run --on 2017-12-15")
    assert first.returncode == 0, first.stderr
    assert "1 eligible = 1 to send + 0 held + 0 suppressed" in first.stdout
    assert "2017-12-15" in first.stdout
    assert "planned before; nothing was repeated" in again.stdout.replace("\n", " ")


async def test_only_today_and_the_week_before_can_be_planned(db: str, tmp_path: Path) -> None:
    await set_business_clock(NOON)
    flaws = {"2017-12-16": "has not come yet", "2017-12-07": "is more than 7 days back"}
    *both, earliest = await together(tmp_path, db, *(f"care run --on {day}" for day in (*flaws, "2017-12-08")))
    for (wanted, flaw), refused in zip(flaws.items(), both, strict=True):
        said = " ".join(refused.stderr.replace("│", " ").split())
        assert refused.returncode == 2
        assert f"{wanted} {flaw}: on the business clock today is 2017-12-15." in said
        assert "Traceback" not in said
    assert earliest.returncode == 0, earliest.stderr
    assert [run.run_on.isoformat() for run in await CareRun.all()] == ["2017-12-08"]
