"""One import from file to report, a chunk a transaction; and the rehearsal, which writes nothing."""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import asyncpg
from tortoise.exceptions import IntegrityError

from domain.commerce import order_rows
from domain.commerce.order_imports import order_lander
from domain.database import connection
from domain.people import member_imports
from domain.people.member_landing import member_lander
from domain.platform.import_rows import Column, Issue, Row, RowOutcome
from domain.platform.imports import (
    Batch,
    Counts,
    Lander,
    count,
    finish_import,
    land_chunk,
    open_import,
    rehearse_chunk,
    waiting_rows,
)
from nestling.imports.csv_files import ISSUE_COLUMN, PROBLEM_COLUMN, REST_COLUMN, CsvFile
from nestling.imports.failures import FileRefused
from nestling.imports.parquet_files import ParquetFile
from nestling.settings import Settings
from nestling.words import counted, this_command

CHUNK_ROWS = 2_000
BULK_ROWS = 2_000
"""From so many new rows on the tables' statistics are taken anew."""
FIRST_FLAWED = 3
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be imported: its columns, what a row speaks of, and how a chunk lands."""

    name: str
    columns: tuple[Column, ...]
    key_of: Callable[[dict[str, str]], str]
    lander: Callable[[Settings], Lander]
    tables: tuple[str, ...]  # those that it fills


def _members(settings: Settings) -> Lander:
    return member_lander(phone_region=settings.PHONE_REGION, zone=ZoneInfo(settings.TIME_ZONE))


def _orders(settings: Settings) -> Lander:
    defaults = order_rows.Defaults(settings.PHONE_REGION, settings.CURRENCY, ZoneInfo(settings.TIME_ZONE))
    return order_lander(defaults)


KINDS = {
    "members": Kind(
        "members", member_imports.COLUMNS, lambda values: (values.get("external_id") or "").strip()[:200], _members,
        ("households", "members", "identities", "babies", "consents", "consents_in_force", "member_tags",
         "imported_rows", "import_issues"),
    ),
    "orders": Kind(
        "orders", order_rows.COLUMNS, order_rows.key_of, _orders,
        ("orders", "order_lines", "order_returns", "products", "stores", "import_issues"),
    ),
}  # fmt: skip


class RowsFile(Protocol):
    names: list[str]

    def rows(self) -> Iterator[Row]: ...


@dataclass
class Report:
    """What came of a file. `problems`: how many rows for each (column, code, message), and the first row's number;
    `first_flawed`: the first few rows that wait, each with its first issue."""

    counts: Counts = field(default_factory=Counts)
    problems: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    first_row: dict[tuple[str, str, str], int] = field(default_factory=dict)
    first_flawed: list[tuple[int, Issue]] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def note(self, chunk: Sequence[Row], outcomes: Sequence[RowOutcome]) -> None:
        """Take in what came of a chunk's rows."""
        for row, outcome in zip(chunk, outcomes, strict=True):
            issues = outcome if isinstance(outcome, tuple) else ()
            if issues and len(self.first_flawed) < FIRST_FLAWED:
                self.first_flawed.append((row.number, issues[0]))
            for issue in issues:
                problem = (issue.column, issue.code, issue.message)
                self.problems[problem] += 1
                self.first_row.setdefault(problem, row.number)


def open_file(kind: Kind, path: Path) -> RowsFile:
    """The file as rows, after its columns were found to make sense."""
    if not path.is_file():
        raise FileRefused(f"{path} is a folder: name one file in it." if path.is_dir() else f"There is no file {path}.")
    if not os.access(path, os.R_OK):
        raise FileRefused(f"{path} may not be read by this account: give it the right to, or copy the file.")
    file: RowsFile = (ParquetFile if _is_parquet(path) else CsvFile)(path, kind.key_of)
    twice = [name for name, times in Counter(file.names).items() if times > 1 and name]
    if twice:
        raise FileRefused(f"These columns stand twice: {', '.join(twice)}. Rename or remove one of each.")
    missing = [column.name for column in kind.columns if column.is_required and column.name not in file.names]
    if missing:
        raise FileRefused(
            f"The first line must name the columns; {', '.join(missing)} is missing. "
            f"Found: {', '.join(file.names[:30])}. All columns: {this_command()} import --columns"
        )
    return file


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def chunks(rows: Iterator[Row], after: int = 0) -> Iterator[list[Row]]:
    """About CHUNK_ROWS rows each; neighbours that speak of the same thing are never parted."""
    rest = (row for row in rows if row.number > after)
    held: list[Row] = []
    while chunk := [*held, *islice(rest, CHUNK_ROWS)]:
        held = []
        if len(chunk) >= CHUNK_ROWS:
            for row in rest:
                if row.key and row.key == chunk[-1].key:
                    chunk.append(row)
                else:
                    held = [row]
                    break
        yield chunk


async def import_file(
    kind: Kind, path: Path, source: str, settings: Settings, say: Callable[[str], None] = lambda _: None
) -> Report:
    """Import a file under a source's name. Needs the ORM open. What landed before lands no second time."""
    file, told = open_file(kind, path), _Told(kind.lander(settings))
    batch = await open_import(kind.name, source, path.name[:400], file_hash(path))
    report = Report(ignored=_ignored(kind, file))
    for chunk in chunks(file.rows(), batch.read):
        report.counts = report.counts.plus(await _land(batch, chunk, told))
        report.note(*told.last)
        say(counted(report.counts.read, "row"))
    await finish_import(batch)
    if report.counts.landed >= BULK_ROWS:
        # PostgreSQL still plans for the tables as they were: minutes instead of half a second for the first readers
        await connection().execute_script(f"ANALYZE {', '.join(kind.tables)}")
    return report


class _Told:
    """A lander that remembers what came of the rows which it saw last: nothing when it was not asked."""

    def __init__(self, land: Lander) -> None:
        self._land = land
        self.last: tuple[Sequence[Row], Sequence[RowOutcome]] = ((), ())

    async def __call__(self, source: str, rows: Sequence[Row]) -> list[RowOutcome]:
        outcomes = await self._land(source, rows)
        self.last = (rows, outcomes)
        return outcomes


async def _land(batch: Batch, chunk: list[Row], land: _Told) -> Counts:
    """A desk that registers the same card meanwhile makes the chunk fail as a whole: the next attempt sees it."""
    land.last = ((), ())
    for _ in range(ATTEMPTS - 1):
        try:
            return await land_chunk(batch, chunk, land)
        except (IntegrityError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            continue
    return await land_chunk(batch, chunk, land)


async def rehearse(
    kind: Kind, path: Path, source: str, settings: Settings, say: Callable[[str], None] = lambda _: None
) -> Report:
    """What an import would do; nothing is written. A chunk does not see what those before it would have brought."""
    file, land = open_file(kind, path), kind.lander(settings)
    report = Report(ignored=_ignored(kind, file))
    for chunk in chunks(file.rows()):
        outcomes = await rehearse_chunk(kind.name, source, chunk, land)
        report.counts = report.counts.plus(count(outcomes))
        report.note(chunk, outcomes)
        say(counted(report.counts.read, "row"))
    return report


def _ignored(kind: Kind, file: RowsFile) -> list[str]:
    known = {column.name for column in kind.columns} | {ISSUE_COLUMN, PROBLEM_COLUMN, REST_COLUMN, ""}
    return [name for name in file.names if name not in known]


def file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def write_waiting(kind: Kind, source: str, path: Path) -> int:
    """Every waiting row into a CSV file, as it came, with its number and what is wrong: to be mended and imported."""
    names = [column.name for column in kind.columns]
    written, after = 0, 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, [*names, REST_COLUMN, ISSUE_COLUMN, PROBLEM_COLUMN], extrasaction="ignore")
        writer.writeheader()
        while rows := await waiting_rows(kind.name, source, after):
            for row in rows:
                writer.writerow({**row.values, ISSUE_COLUMN: row.issue_id, PROBLEM_COLUMN: row.problems})
            written, after = written + len(rows), rows[-1].issue_id
    return written
