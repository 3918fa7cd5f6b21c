"""nestling care: the day's care by hand. The worker runs it every morning; this is for a first look and for repairs."""

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from nestling.cli.dates import day
from nestling.settings import Settings, settings

if TYPE_CHECKING:
    from domain.outreach.care_runs import CareReport

LATEST_REPAIR = timedelta(days=7)
"""How far back a missed date may be made up for; what was due before is no news to anybody."""

app = typer.Typer(no_args_is_help=True, help="Stage care, offers and call-backs: what each member should get.")


@app.callback()
def care() -> None:
    """A group with one command; more will follow."""


@app.command("run")
def run_care(
    *,
    on: Annotated[
        date | None,
        typer.Option(
            "--on", parser=day, metavar="DATE", help="Business date: today's (the default) or one of the week before."
        ),
    ] = None,
) -> None:
    """Plan one business date's care. A date is done once: again it only shows what was planned."""
    from nestling.opening import services

    with services(settings()) as opened:
        report = asyncio.run(_run(opened, on))
    show(report, Console())


async def _run(opened: Settings, on: date | None) -> "CareReport":
    from domain.outreach.care_runs import run
    from domain.platform.clock import business_day
    from nestling.opening import database

    async with database(opened):
        today = await business_day(opened.TIME_ZONE)
        return await run(_checked(on, today) if on else today)


def _checked(wanted: date, today: date) -> date:
    """The date, when its care can still be given; a refusal plans nothing."""
    if today - LATEST_REPAIR <= wanted <= today:
        return wanted
    flaw = "has not come yet" if wanted > today else f"is more than {LATEST_REPAIR.days} days back"
    raise typer.BadParameter(
        f"{wanted} {flaw}: on the business clock today is {today}. "
        f"Give a date from {today - LATEST_REPAIR} to {today}.",
        param_hint="--on",
    )


def show(report: "CareReport", console: Console) -> None:
    """Counts by channel, purpose and reason; eligible = sent + held + suppressed."""
    table = Table("Channel", "Purpose", "Decision", "Reason", title=f"Care of {report.run_on}")
    table.add_column("Members", justify="right")
    for row in report.by:
        table.add_row(row["channel"], row["purpose"], row["verdict"], row["reason"], f"{row['n']:,}")
    console.print(table)
    parts = f"{report.sent:,} to send + {report.held:,} held + {report.suppressed:,} suppressed"
    repeat = " (planned before; nothing was repeated)" if report.is_repeat else ""
    console.print(f"{report.eligible:,} eligible = {parts}{repeat}", markup=False)
