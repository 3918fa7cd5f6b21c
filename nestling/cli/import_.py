"""nestling import: members and orders out of CSV and Parquet files; what is wrong waits with a reason."""

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from nestling.settings import Settings, settings
from nestling.words import counted, this_command

if TYPE_CHECKING:
    from domain.platform.imports import Counts
    from nestling.imports.run import Report


class What(StrEnum):
    members = "members"
    orders = "orders"


def import_(
    what: Annotated[What | None, typer.Argument(help="members or orders.")] = None,
    file: Annotated[Path | None, typer.Argument(help="A CSV or Parquet file.")] = None,
    *,
    source: Annotated[
        str, typer.Option(help="Name of the system that the file comes from; ids count within it.", show_default=False)
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would come of it.")] = False,
    waiting: Annotated[
        Path | None, typer.Option(help="Write the rows of this source that wait into this CSV file, to be mended.")
    ] = None,
    columns: Annotated[bool, typer.Option("--columns", help="Show the columns that files may have.")] = False,
) -> None:
    """Import members or orders: good rows land, bad rows wait with a reason, and a second import repeats nothing."""
    if columns:
        _show_columns(what)
        return
    if what is None or not 0 < len(source) <= 64:
        raise typer.BadParameter("Say what, and --source NAME (up to 64 characters), as in: "
                                 "nestling import members FILE --source pos")  # fmt: skip
    if waiting is not None:
        asyncio.run(_with_database(lambda opened: _write_waiting(what, source, waiting, opened)))
    elif file is None:
        raise typer.BadParameter("Name a file.")
    else:
        left = asyncio.run(_with_database(lambda opened: _import(what, file, source, opened, dry_run=dry_run)))
        raise typer.Exit(3 if left else 0)


async def _with_database(work: Callable[[Settings], Awaitable[int]]) -> int:
    from nestling.imports.failures import FileRefused
    from nestling.opening import NotReady, database, services

    with services(settings()) as opened:
        try:
            async with database(opened):
                return await work(opened)
        except FileRefused as refused:
            raise NotReady(str(refused)) from refused


async def _write_waiting(what: What, source: str, path: Path, _: Settings) -> int:
    from nestling.imports.run import KINDS, write_waiting

    written = await write_waiting(KINDS[what.value], source, path)
    if not written:
        typer.echo(f"No row of {source} waits.")
        return written
    wait, they, them = ("waits", "it is", "it") if written == 1 else ("wait", "they are", "them")
    typer.echo(f"{counted(written, 'row')} {wait}; {they} in {path}. Mend {them} there, then:")
    typer.echo(f"  {this_command()} import {what.value} {shlex.quote(str(path))} --source {shlex.quote(source)}")
    return written


async def _import(what: What, file: Path, source: str, opened: Settings, *, dry_run: bool) -> int:
    from nestling.imports.run import KINDS, import_file, rehearse

    console = Console(soft_wrap=True)  # what is printed can be copied
    with console.status("Importing ...") as status:
        run = rehearse if dry_run else import_file
        report = await run(KINDS[what.value], file, source, opened, lambda said: status.update(f"Importing: {said}"))
    if report.ignored:
        console.print(f"Columns left alone: {', '.join(report.ignored)}", markup=False)
    _show_counts(console, report.counts, dry_run=dry_run)
    if dry_run and report.problems:
        console.print(_problems(report.problems.most_common(30), report.first_row))
    elif report.counts.waiting:
        _show_first(console, report)
        command = f"{this_command()} import {what.value} --source {shlex.quote(source)} --waiting waiting.csv"
        console.print(f"Every row that waits, each with what is wrong, to be mended: {command}", markup=False)
    return report.counts.waiting


def _show_counts(console: Console, c: "Counts", *, dry_run: bool) -> None:
    landed = f"{c.landed:,} would land" if dry_run else f"{c.landed:,} landed"
    wait = "would wait" if dry_run else "waits" if c.waiting == 1 else "wait"
    console.print(f"{counted(c.read, 'row')}: {landed}, {c.repeated:,} here already, {c.waiting:,} {wait}")


def _show_first(console: Console, report: "Report") -> None:
    """The first rows that wait, at once; numbers are those of the file, its first line being 1."""
    for number, issue in report.first_flawed:
        where = f"Row {number}, {issue.column}" if issue.column else f"Row {number}"
        console.print(f"  {where}: {issue.message} ({issue.code})", markup=False)
    if report.counts.waiting > len(report.first_flawed) > 0:
        console.print(f"  ... and {report.counts.waiting - len(report.first_flawed):,} more")


def _problems(found: list[tuple[tuple[str, str, str], int]], first: dict[tuple[str, str, str], int]) -> Table:
    table = Table("Rows", "First", "Column", "What is wrong", "How to mend it")
    for problem, rows in found:
        column, code, message = problem
        table.add_row(f"{rows:,}", str(first[problem]), column, code, message)
    return table


def _show_columns(what: What | None) -> None:
    from nestling.imports.run import KINDS

    for kind in KINDS.values():
        if what is None or kind.name == what.value:
            table = Table("Column", "Needed", "What it holds", title=kind.name)
            for column in kind.columns:
                table.add_row(column.name, "yes" if column.is_required else "", column.told)
            Console().print(table)
