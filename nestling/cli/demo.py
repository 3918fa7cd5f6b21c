"""nestling demo: the whole loop on real purchases, and what keeps, moves and removes it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from nestling.settings import Settings, settings
from nestling.words import this_command

app = typer.Typer(invoke_without_command=True, help="From nothing to a working day; stays up until Ctrl-C.")

Households = Annotated[int | None, typer.Option(min=20, help="Make it small: this many households (all: 2,469).")]


@app.callback()
def demo(
    context: typer.Context,
    *,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write one JSON object here when it serves: URLs, tokens, pids.")
    ] = None,
    households: Households = None,
) -> None:
    """Embedded servers, migrations, demo data, training, scoring, care run and dispatch; then it serves."""
    if context.invoked_subcommand is None:
        from nestling.demo.supervisor import run_demo

        run_demo(settings(), ready_file=ready_file.resolve() if ready_file else None, households=households)


@app.command(hidden=True)
def prepare(*, households: Households = None) -> None:
    """The steps of the first run, without serving: `nestling demo` runs this in a process of its own."""
    from nestling.demo.steps import prepare_demo

    asyncio.run(prepare_demo(settings(), households))


@app.command(context_settings={"ignore_unknown_options": True})  # or -7d would be an option that nobody knows
def advance(by: Annotated[str, typer.Argument(help="How far: 7d, 12h, 2w.")]) -> None:
    """Let time pass, day by day: bring in what was bought, have the worker score each day and plan its care and calls,
    and tell what came of it."""
    from nestling.demo.advance import span
    from nestling.demo.preflight import refuse_without_demo, refuse_without_extras
    from nestling.opening import services

    try:
        how_far = span(by)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    refuse_without_extras(settings())
    refuse_without_demo(settings())
    with services(settings()) as opened:
        is_done = asyncio.run(_advance(opened, how_far, by))
    raise typer.Exit(0 if is_done else 1)


async def _advance(opened: Settings, how_far: timedelta, typed: str) -> bool:
    """Whether the whole way was gone, each day with all its work. Nothing is moved where nobody would do that work."""
    from nestling.demo.advance import refuse_without_purchases
    from nestling.demo.days import live, missing
    from nestling.demo.new_day import has_worker, report
    from nestling.demo.place import Place
    from nestling.demo.progress import Progress
    from nestling.opening import NotReady, database
    from nestling.wiring import worker_config
    from workers.daily import daily_jobs

    progress, zone = Progress(), ZoneInfo(opened.TIME_ZONE)
    async with database(opened):
        jobs, place = daily_jobs(worker_config(opened)), Place(opened.DATA_DIR)
        await refuse_without_purchases()
        if place.serving() is None and not await has_worker():
            raise NotReady(
                "The demo is not running: nobody would score these days or plan their care and calls, so the clock "
                f"stays where it is. Start the demo in another terminal (make demo, or {this_command()} demo), wait "
                f"until it serves, then run: {this_command()} demo advance {typed}"
            )
        lived = await live(opened.DATABASE_URL, how_far, jobs, zone, progress, is_served=place.is_served)
        new = {"orders": lived.moved.orders, "members": lived.moved.members, "babies": lived.moved.babies}
        progress.console.print(await report(lived.day, lived.moved.before, new, zone))
    for line in missing(lived, f"{this_command()} demo"):
        progress.line(line)
    return lived.is_done


@app.command()
def reset(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove the demo's data for good; the next `nestling demo` starts from nothing."""
    from nestling.demo.place import Place
    from nestling.embedded.postgres import remove_postgres
    from nestling.embedded.redis import remove_redis
    from nestling.opening import NotReady

    place = Place(settings().DATA_DIR)
    if settings().DATABASE_URL:
        raise NotReady(
            "DATABASE_URL is set: the demo never removes the data of your own server. Drop the database there."
        )
    if place.serving() is not None:
        raise NotReady("The demo is running: stop it first (Ctrl-C there).")
    if not yes:
        typer.confirm(f"Remove the demo's data of {place.data_dir}?", abort=True)
    remove_redis(place.data_dir)
    remove_postgres(place.data_dir)
    place.clear()
    typer.echo("The demo's data is gone.")
