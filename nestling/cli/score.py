"""nestling score: train and judge, score everybody, and hand predictions out as files."""

import asyncio
import os
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from nestling.cli.dates import day
from nestling.settings import Settings, settings
from nestling.words import counted, sentence, this_command

if TYPE_CHECKING:
    from workers.scoring.job import ModelReport, ScoringReport


def score(
    *,
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of", parser=day, metavar="DATE", help="See nothing from 00:00 of this date on; default: today."
        ),
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the scores as Parquet files into this folder.")
    ] = None,
) -> None:
    """Train or reuse the models of a date and print how good they are beside their baselines.

    Today's scores go live at once; those of a date in the past only go into the export.
    """
    from nestling.opening import services

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # a file has no edge, tables want one
    folder = export.absolute() if export else None
    if folder is not None:
        _refuse_unwritable(folder)
    with services(settings(), say=lambda text: console.print(text, markup=False)) as opened:
        report = asyncio.run(_run(opened, as_of, folder, console))
    show(report, console)
    if export is not None:
        total = sum(model.exported for model in report.models)
        console.print(f"{counted(total, 'prediction')} in {export}", markup=False)


async def _run(opened: Settings, as_of: date | None, export: Path | None, console: Console) -> "ScoringReport":
    from domain.platform.clock import business_day
    from nestling.opening import NotReady, database
    from nestling.wiring import worker_config
    from workers.scoring.job import ScoringFailed, run

    async with database(opened):
        today = await business_day(opened.TIME_ZONE)
        cut_off = as_of or today
        if cut_off > today:
            raise NotReady(
                f"--as-of {as_of} is after today ({today} on the business clock): what came after is not known."
            )
        await _refuse_without_buyers(cut_off, ZoneInfo(opened.TIME_ZONE))
    with console.status("Scoring ..."):

        def say(text: str) -> None:
            console.print(f"  {text}", markup=False)

        try:
            return await run(worker_config(opened), cut_off, is_live=cut_off == today, export=export, say=say)
        except ScoringFailed as failed:
            raise NotReady(f"Scoring failed, and live scores stay as they were. What it said last:\n{failed}") from None


def _refuse_unwritable(folder: Path) -> None:
    """Raise NotReady where the export could not be written: minutes of work would have nowhere to go."""
    from nestling.opening import NotReady

    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise NotReady(f"--export {folder}: {there} is no folder that you may write into. Name another.")


async def _refuse_without_buyers(cut_off: date, zone: ZoneInfo) -> None:
    """Raise NotReady where nobody was active before the date: nothing could be learned, and nobody scored."""
    from domain.commerce.orders import Order
    from nestling.opening import NotReady
    from workers.scoring import ACTIVE_DAYS

    end = datetime.combine(cut_off, time(), zone)
    known = Order.filter(member_id__isnull=False).order_by("ordered_at")
    if await known.filter(ordered_at__gte=end - timedelta(days=ACTIVE_DAYS), ordered_at__lt=end).exists():
        return
    first, last = await known.first(), await known.order_by("-ordered_at").first()
    if first is None or last is None:
        raise NotReady(f"There are no purchases to learn from: {this_command()} import orders brings them in.")
    days = [order.ordered_at.astimezone(zone) for order in (first, last)]
    raise NotReady(
        f"Nobody bought anything in the {ACTIVE_DAYS} days before {cut_off}, so there is nobody to score. "
        f"The purchases go from {days[0]:%Y-%m-%d} to {days[1]:%Y-%m-%d}: give --as-of a date among them."
    )


def show(report: "ScoringReport", console: Console) -> None:
    """Each model with its baselines, and what happened to its scores."""
    console.print(
        f"As of {report.as_of}: {counted(report.members, 'member')}, {counted(report.orders, 'order')}. Seconds: "
        + ", ".join(f"{name} {seconds:.1f}" for name, seconds in report.seconds.items()),
        markup=False,
    )
    for model in report.models:
        console.print(judged(model))
        prose = [line for line in model.metrics["card"].splitlines() if line and line[0] not in "#|"]
        console.print(" ".join(prose), markup=False, style="dim")
        parts = [f"{model.name} {model.version}", model.metrics["why"]]
        parts += ["reused"] if model.is_reused else []
        parts += [counted(model.written, "live score") if model.written else "live scores stay as they were"]
        console.print(". ".join([parts[0], *(sentence(part) for part in parts[1:])]) + ".", markup=False)


def judged(model: "ModelReport") -> Table | str:
    """The judged models side by side; a line where the history is too short to judge."""
    from workers.scoring.cards import COMPARED, NAMES, figure

    metrics = model.metrics
    if "models" not in metrics:
        return f"{model.name}: not judged"
    shown = [name for name in NAMES if any(name in figures for figures in metrics["models"].values())]
    difference = f"{COMPARED[model.name]}: {figure(metrics['difference_to_baseline'])}"
    table = Table(
        "Model",
        title=f"{model.name}, judged on {metrics['judged_on']}: {metrics['rows']:,} rows, {metrics['positives']:,} yes",
        caption=f"{difference}. 95% bootstrap intervals over members.",
    )
    for name in shown:
        table.add_column(NAMES[name], justify="right")
    for name, figures in metrics["models"].items():
        cells = [figure(figures.get(column)) for column in shown]
        table.add_row(*([name, *cells] if name != model.family else [f"[bold]{name}[/]", *cells]))
    return table
