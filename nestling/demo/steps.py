"""The demo's first run as named steps. A finished one is a row in `demo_steps`, so none is done twice; one that was cut
short is done again, and each is written so that this does no harm.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from domain.people.members import Member
from domain.platform.demo_steps import DemoStep
from nestling.demo.place import Place
from nestling.demo.progress import Progress
from nestling.migrations import migrate, pending
from nestling.opening import NotReady, database
from nestling.settings import Settings
from nestling.words import this_command

SIZE_STEP = "purchases"
"""The step that knows how many households the demo was made with."""

FOREIGN = "The database has members that no demo made. Use an empty database for the demo, or no DATABASE_URL."

LOGINS_STEP, EXAMPLE_STEP = "logins", "example"
"""The steps whose result is a file too: done again when the file is gone."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a step may use. `say` shows a line of detail while it works, `show` what stays on the screen."""

    settings: Settings
    households: int | None  # None: all there are
    say: Callable[[str], None]
    show: Console


@dataclass(frozen=True, slots=True)
class Step:
    """`run` is idempotent and returns a few numbers, kept with the row; `told` turns them into the line people read."""

    name: str
    title: str
    run: Callable[[Work], Awaitable[dict[str, Any]]]


async def finished_steps() -> dict[str, dict[str, Any]]:
    return {row.name: row.detail for row in await DemoStep.all()}


async def take_steps(steps: tuple[Step, ...], settings: Settings, households: int | None, progress: Progress) -> None:
    """Run what is not finished, in order. Stops at the first failure; the next run goes on from there."""
    done = await finished_steps()
    for step in steps:
        if step.name in done:
            continue
        started = time.monotonic()
        with progress.step(step.title) as say:
            detail = await step.run(Work(settings, households, say, progress.console))
        detail = {**detail, "seconds": round(time.monotonic() - started, 1)}
        await DemoStep.update_or_create({"detail": detail}, name=step.name)


async def prepare_demo(settings: Settings, households: int | None) -> None:
    """Migrations, then every step of the demo's day that is not finished. Refuses a database with other data in it."""
    from nestling.demo.day import STEPS

    progress = Progress()
    missing = await pending(settings.DATABASE_URL)
    if missing:
        with progress.step("Migrations") as say:
            migrated = await migrate(settings.DATABASE_URL)
            say(f"{len(migrated.applied)} applied")
    async with database(settings):
        done = await finished_steps()
        if not done and await Member.exists():
            raise NotReady(FOREIGN)
        if done and households not in (None, done.get(SIZE_STEP, {}).get("households", households)):
            progress.line(f"--households {households} is for the first run; `{this_command()} demo reset` starts anew.")
        if LOGINS_STEP in done and not Place(settings.DATA_DIR).secrets().get("tokens"):
            await DemoStep.filter(name__in=[LOGINS_STEP, EXAMPLE_STEP]).delete()
        await take_steps(STEPS, settings, households, progress)
