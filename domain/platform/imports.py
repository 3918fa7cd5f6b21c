"""Imports: what came in, what landed, and the rows that wait with a reason.

A chunk of rows lands in one transaction with its issues and with how far the file is read, so a run that is killed
goes on where it stood, and a second run repeats nothing.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.platform.clock import real_now
from domain.platform.ids import new_id
from domain.platform.import_rows import ERASED, REPEATED, Issue, Row, RowOutcome


class Import(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    kind = fields.CharField(max_length=32)  # members, orders, completejourney
    source = fields.CharField(max_length=64)
    file_name = fields.CharField(max_length=400)
    file_hash = fields.CharField(max_length=64)
    state = fields.CharField(max_length=16)  # RUNNING, DONE, FAILED
    counts: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)  # read, landed, repeated, waiting
    started_at = fields.DatetimeField(auto_now_add=True)  # real clock
    finished_at = fields.DatetimeField(null=True)  # real clock

    class Meta:
        table = "imports"


class ImportIssue(Model):
    """A row that waits: what is wrong, where, and how to mend it; the raw row is kept so that nothing is lost."""

    id = fields.BigIntField(primary_key=True, generated=True)
    batch: fields.ForeignKeyRelation["Import"] = fields.ForeignKeyField(
        "nestling.Import", related_name="issues", on_delete=fields.CASCADE
    )
    batch_id: UUID
    row_no = fields.IntField()
    record_key = fields.CharField(
        max_length=200, default="", db_default=""
    )  # the source's own id of what the row speaks of
    row_hash = fields.CharField(
        max_length=64, default="", db_default=""
    )  # SHA-256 of import, place and values: waits once
    column_name = fields.CharField(max_length=100, default="")
    code = fields.CharField(max_length=64)
    message = fields.CharField(max_length=400)
    row_data: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    resolved_at = fields.DatetimeField(null=True)  # real clock

    class Meta:
        table = "import_issues"


class ImportedRow(Model):
    """What landed under a source's own id, for tables that keep no payload hash of their own."""

    id = fields.BigIntField(primary_key=True, generated=True)
    kind = fields.CharField(max_length=32)
    source = fields.CharField(max_length=64)
    external_id = fields.CharField(max_length=200)
    payload_hash = fields.CharField(max_length=64)
    landed_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "imported_rows"
        unique_together = (("kind", "source", "external_id"),)


@dataclass(frozen=True, slots=True)
class Batch:
    """An import under way. Rows up to `read` are done."""

    id: UUID
    kind: str
    source: str
    read: int


@dataclass(frozen=True, slots=True)
class Counts:
    read: int = 0
    landed: int = 0
    repeated: int = 0
    waiting: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(
            self.read + other.read, self.landed + other.landed, self.repeated + other.repeated,
            self.waiting + other.waiting,
        )  # fmt: skip


Lander = Callable[[str, Sequence[Row]], Awaitable[list[RowOutcome]]]
"""Writes what is right of a chunk inside the caller's transaction: (source, rows) -> one outcome a row."""


class _Rehearsed(Exception):
    """Leaves the transaction of a dry run without a trace."""


async def open_import(kind: str, source: str, file_name: str, file_hash: str) -> Batch:
    """A new import, or the one of this very file that was cut short. A finished file is read again from its start."""
    rows = await connection().execute_query_dict(
        "SELECT id, coalesce((counts->>'read_to')::int, 0) AS read FROM imports "
        "WHERE kind = $1 AND source = $2 AND file_hash = $3 AND state = 'RUNNING' ORDER BY started_at DESC LIMIT 1",
        [kind, source, file_hash],
    )
    if rows:
        return Batch(rows[0]["id"], kind, source, rows[0]["read"])
    row = await Import.create(kind=kind, source=source, file_name=file_name, file_hash=file_hash, state="RUNNING")
    return Batch(row.id, kind, source, 0)


async def land_chunk(batch: Batch, rows: Sequence[Row], land: Lander) -> Counts:
    """Land one chunk: its rows, its issues and the mark of how far we are, in one transaction.

    Imports of one kind and source take turns. A chunk that another run of the file has done meanwhile is left alone.
    """
    async with in_transaction():
        await _take_turn(batch.kind, batch.source)
        current = await connection().execute_query_dict(
            "SELECT counts::text AS counts FROM imports WHERE id = $1 FOR UPDATE", [batch.id]
        )
        counts = orjson.loads(current[0]["counts"])
        if counts.get("read_to", 0) >= rows[-1].number:
            return Counts()
        outcomes = await land(batch.source, rows)
        await _resolve(batch, rows, outcomes, await _keep_issues(batch, rows, outcomes))
        added = count(outcomes)
        for name in ("read", "landed", "repeated", "waiting"):
            counts[name] = counts.get(name, 0) + getattr(added, name)
        counts["read_to"] = rows[-1].number
        await connection().execute_query(
            "UPDATE imports SET counts = $2::text::jsonb WHERE id = $1", [batch.id, orjson.dumps(counts).decode()]
        )
        return added


async def rehearse_chunk(kind: str, source: str, rows: Sequence[Row], land: Lander) -> list[RowOutcome]:
    """What would come of these rows; nothing is written."""
    outcomes: list[RowOutcome] = []
    try:
        async with in_transaction():
            await _take_turn(kind, source)
            outcomes = await land(source, rows)
            raise _Rehearsed
    except _Rehearsed:
        return outcomes


async def finish_import(batch: Batch) -> None:
    await connection().execute_query(
        "UPDATE imports SET state = 'DONE', finished_at = $2 WHERE id = $1", [batch.id, real_now()]
    )


def count(outcomes: Sequence[RowOutcome]) -> Counts:
    """Rows of erased people count as repeated: the house knows of them, and nothing is to be done."""
    waiting = sum(isinstance(outcome, tuple) for outcome in outcomes)
    repeated = sum(outcome in (REPEATED, ERASED) for outcome in outcomes)
    return Counts(len(outcomes), len(outcomes) - waiting - repeated, repeated, waiting)


async def _take_turn(kind: str, source: str) -> None:
    await connection().execute_query(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [f"import:{kind}:{source}"]
    )


async def _keep_issues(batch: Batch, rows: Sequence[Row], outcomes: Sequence[RowOutcome]) -> list[str]:
    """Keep the rows that wait, each issue once; answers the hashes of these rows."""
    found: list[tuple[Row, str, Issue]] = []
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, tuple):
            said = orjson.dumps([batch.kind, batch.source, row.number, row.values])
            found += [(row, hashlib.sha256(said).hexdigest(), issue) for issue in outcome]
    if not found:
        return []
    await connection().execute_query(
        "INSERT INTO import_issues (batch_id, row_no, record_key, row_hash, column_name, code, message, row_data) "
        "SELECT $1, g.row_no, g.record_key, g.row_hash, g.column_name, g.code, g.message, g.row_data::jsonb "
        "FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) "
        "AS g (row_no, record_key, row_hash, column_name, code, message, row_data) "
        "ON CONFLICT (row_hash, column_name, code) WHERE resolved_at IS NULL DO NOTHING",
        [
            batch.id,
            [row.number for row, _, _ in found],
            [row.key for row, _, _ in found],
            [digest for _, digest, _ in found],
            [issue.column for *_, issue in found],
            [issue.code for *_, issue in found],
            [issue.message for *_, issue in found],
            [orjson.dumps(row.values).decode() for row, _, _ in found],
        ],
    )
    return [digest for _, digest, _ in found]


async def _resolve(
    batch: Batch, rows: Sequence[Row], outcomes: Sequence[RowOutcome], still_waiting: Sequence[str]
) -> None:
    """What waited is settled when its record is in, or when its mended copy came back with the issue's number.

    The raw row goes then: it is in its table, or waits in its new form. What came just now and waits is not settled by
    another row of its record.
    """
    keys = {row.key for row, outcome in zip(rows, outcomes, strict=True) if not isinstance(outcome, tuple) and row.key}
    numbers = {row.issue for row in rows if row.issue is not None}
    if not keys and not numbers:
        return
    await connection().execute_query(
        "UPDATE import_issues i SET resolved_at = $5, row_data = '{}' FROM imports b "
        "WHERE b.id = i.batch_id AND b.kind = $1 AND b.source = $2 AND i.resolved_at IS NULL "
        "AND i.row_hash <> ALL($6::text[]) AND ((i.record_key = ANY($3::text[]) AND i.code <> 'payload_changed') "
        "OR (i.batch_id, i.row_no) IN "
        "(SELECT o.batch_id, o.row_no FROM import_issues o WHERE o.id = ANY($4::bigint[])))",
        [batch.kind, batch.source, sorted(keys), sorted(numbers), real_now(), still_waiting],
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A waiting row with all that is wrong with it."""

    issue_id: int
    row_no: int
    values: dict[str, str]
    problems: str  # column: message; ...


async def waiting_rows(kind: str, source: str, after: int = 0, limit: int = 1_000) -> list[Waiting]:
    """Up to `limit` rows that wait, oldest first, from the issue number `after` on. What is wrong stands in words."""
    rows = await connection().execute_query_dict(
        "SELECT min(i.id) AS issue_id, i.row_no, i.row_data::text AS row_data, "
        "string_agg(CASE WHEN i.column_name = '' THEN i.message ELSE i.column_name || ': ' || i.message END, '; ' "
        "ORDER BY i.id) AS problems "
        "FROM import_issues i JOIN imports b ON b.id = i.batch_id "
        "WHERE b.kind = $1 AND b.source = $2 AND i.resolved_at IS NULL "
        "GROUP BY i.batch_id, i.row_no, i.row_data::text HAVING min(i.id) > $3 ORDER BY min(i.id) LIMIT $4",
        [kind, source, after, limit],
    )
    return [Waiting(r["issue_id"], r["row_no"], orjson.loads(r["row_data"]), r["problems"]) for r in rows]
