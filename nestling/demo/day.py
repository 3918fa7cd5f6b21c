"""The demo's day: the steps of the first run, in order. What a step does is in the room of what it makes."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from domain.database import connection
from domain.outreach import care_runs
from domain.platform.clock import business_day, business_now, business_offset, set_business_clock
from nestling.demo.example import choose_example
from nestling.demo.logins import open_logins
from nestling.demo.segments import make_segments
from nestling.demo.steps import EXAMPLE_STEP, LOGINS_STEP, SIZE_STEP, Step, Work
from nestling.words import counted

FIRST_MORNING = (2017, 12, 15, 10, 0)
"""When the demo's business clock starts, where its stores are: inside the purchases, which are never shifted."""


async def set_clock(work: Work) -> dict[str, Any]:
    if not await business_offset():
        await set_business_clock(datetime(*FIRST_MORNING, tzinfo=ZoneInfo(work.settings.TIME_ZONE)))
    work.say(f"it reads {(await business_now()).astimezone(ZoneInfo(work.settings.TIME_ZONE)):%Y-%m-%d %H:%M}")
    return {}


async def feed_purchases(work: Work) -> dict[str, Any]:
    from nestling.demo.purchases import import_purchases  # brings pandas, which a second run has no use for

    counts = await import_purchases(
        work.settings.DATABASE_URL, until=await business_now(), households=work.households, say=work.say
    )
    bought = f"{counted(counts.orders, 'order')} with {counted(counts.lines, 'line')}"
    work.say(f"{counted(counts.households, 'household')}, {bought}")
    return {"households": counts.households}


async def make_up_people(work: Work) -> dict[str, Any]:
    from nestling.demo.synthetic import add_people

    counts = await add_people(work.settings.DATABASE_URL, now=await business_now(), say=work.say)
    return {"members": counts.members}


async def find_babies(work: Work) -> dict[str, Any]:
    from nestling.demo.synthetic import add_babies

    found = await add_babies(work.settings.DATABASE_URL, now=await business_now(), say=work.say)
    await connection().execute_script("ANALYZE")  # the last of the bulk loads
    return found


async def train_and_score(work: Work) -> dict[str, Any]:
    """Models of the first morning, shown beside their baselines; their scores go live at once."""
    from nestling.cli.score import show as show_models
    from nestling.wiring import worker_config
    from workers.scoring import job as scoring

    today = await business_day(work.settings.TIME_ZONE)
    report = await scoring.run(worker_config(work.settings), today, say=work.say)
    show_models(report, work.show)
    work.say(f"{counted(report.members, 'member')} scored by {' and '.join(model.name for model in report.models)}")
    return {"versions": [model.version for model in report.models]}


async def make_up_families(work: Work) -> dict[str, Any]:
    from nestling.demo.families import make_families

    return await make_families(work)


async def record_a_loss(work: Work) -> dict[str, Any]:
    """After the care run: what was planned for the baby is withdrawn."""
    from nestling.demo.families import record_loss

    return await record_loss(work)


async def plan_care(work: Work) -> dict[str, Any]:
    today = await business_day(work.settings.TIME_ZONE)
    report = await care_runs.run(today)
    work.say(f"{report.eligible:,} = {report.sent:,} to send + {report.held:,} held + {report.suppressed:,} suppressed")
    return {"eligible": report.eligible, "sent": report.sent}


STEPS: tuple[Step, ...] = (
    Step("clock", "Business clock", set_clock),
    Step(SIZE_STEP, "Real purchases of 2017 (Complete Journey, CC0)", feed_purchases),
    Step("people", "Synthetic people around them", make_up_people),
    Step("babies", "Babies", find_babies),
    Step(LOGINS_STEP, "Demo logins", open_logins),
    Step("scores", "Training and scoring", train_and_score),
    Step("families", "Families to look at, made up", make_up_families),
    Step("care", "Care run: what each family should get today", plan_care),
    Step("loss", "A loss in one of them", record_a_loss),
    Step("segments", "Segments", make_segments),
    Step(EXAMPLE_STEP, "An example family", choose_example),
)
