"""Babies of two families that become one: the same child, registered in both, is one child again.

The same is who was born, or is expected, on the same day, and is not told apart by a nickname or a sex; twins are two
of one day on each side. Of babies whose content was stopped nothing is said anyway: they are left as they are.
"""

from typing import Any
from uuid import UUID

import orjson

from domain.database import connection
from domain.people.guardians import HEALTH, guardian_word
from domain.people.provenance import NOT_SAID, of_baby

# $1 the family that stays, $2 the one that goes. The n-th of a day on one side is the n-th on the other.
PAIRS = """
WITH live AS (
    SELECT b.*, row_number() OVER (
        PARTITION BY b.household_id, b.born_on IS NULL, coalesce(b.born_on, b.due_on) ORDER BY b.created_at, b.id
    ) AS n
    FROM babies b
    WHERE b.household_id IN ($1, $2) AND b.stopped_at IS NULL AND coalesce(b.born_on, b.due_on) IS NOT NULL
)
SELECT DISTINCT ON (g.id) k.id AS kept, g.id AS gone
FROM live k JOIN live g ON k.household_id = $1 AND g.household_id = $2 AND k.n = g.n
    AND (k.born_on = g.born_on OR (k.born_on IS NULL AND g.born_on IS NULL AND k.due_on = g.due_on))
WHERE (k.nickname_key IS NULL OR g.nickname_key IS NULL OR k.nickname_key = g.nickname_key)
    AND (k.sex = g.sex OR 'UNKNOWN' IN (k.sex, g.sex))
ORDER BY g.id, k.id
"""
FILLED = {
    "nickname": ("nickname", "nickname_key"), "sex": ("sex",), "due_on": ("due_on", "due_source", "due_confidence"),
    "gestation_weeks": ("gestation_weeks",), "feeding": ("feeding", "feeding_since", "feeding_source"),
    "formula_brand": ("formula_brand",), "formula_stage": ("formula_stage", "formula_stage_since"),
    "packs_at_home": ("packs_at_home", "packs_counted_on"), "allergies": ("allergies",), "adopted_on": ("adopted_on",),
}  # fmt: skip
"""What the kept row takes over where it says nothing, with what belongs to it."""
TAKE = """
WITH old AS (SELECT * FROM babies WHERE id = $2), new AS (
    UPDATE babies b SET {columns}
    FROM jsonb_populate_record(NULL::babies, $3::text::jsonb) p WHERE b.id = $2 RETURNING b.*
)
INSERT INTO merge_changes (merge_id, table_name, row_id, kind, before, after)
SELECT $1::uuid, 'babies', old.id::text, 'CHANGED', changed_columns(to_jsonb(old), to_jsonb(new)),
       changed_columns(to_jsonb(new), to_jsonb(old))
FROM old, new WHERE to_jsonb(old) <> to_jsonb(new)
"""
GONE = """
WITH gone AS (DELETE FROM babies WHERE id = $3 RETURNING *)
INSERT INTO merge_changes (merge_id, table_name, row_id, kind, before, after)
SELECT $1::uuid, 'babies', id::text, 'DELETED', to_jsonb(gone), jsonb_build_object('became', $2::uuid) FROM gone
"""
# A loss of the time in between was a word about this child: it holds for both of her rows.
STOP = """
UPDATE babies b SET stopped_at = kept.stopped_at
FROM merge_changes c JOIN babies kept ON kept.id = (c.after ->> 'became')::uuid AND kept.stopped_at IS NOT NULL
WHERE c.merge_id = $1 AND c.table_name = 'babies' AND c.kind = 'DELETED' AND b.id = c.row_id::uuid
    AND b.stopped_at IS NULL
"""


async def unite(merge_id: UUID, moved: str, tags_both: str, stays: UUID, goes: UUID) -> None:
    """Make one of each child whom both families brought, before their babies live in one. `moved`: the statement that
    repoints all rows about one baby to another and keeps the changes; `tags_both`: the one that ends a tag which
    both have. Part of the merge's transaction.
    """
    for pair in await connection().execute_query_dict(PAIRS, [stays, goes]):
        kept, gone = pair["kept"], pair["gone"]
        await _take_over(merge_id, kept, gone)
        await connection().execute_query(tags_both, [merge_id, kept, gone])
        await connection().execute_query(moved, [merge_id, kept, gone])
        await connection().execute_query(GONE, [merge_id, kept, gone])


async def stop_again(merge_id: UUID) -> None:
    """After a merge was taken back: who was stopped as one child meanwhile is stopped in both families."""
    await connection().execute_query(STOP, [merge_id])


async def _is_forbidden(one: UUID, other: UUID) -> bool:
    """Whether a guardian on either side has withdrawn that health data of the child is kept."""
    rows = await connection().execute_query_dict(
        f"SELECT 'WITHDRAWN' IN ({guardian_word('$1')}, {guardian_word('$2')}) AS is_forbidden", [one, other]
    )
    return bool(rows[0]["is_forbidden"])


async def _take_over(merge_id: UUID, kept: UUID, gone: UUID) -> None:
    rows = {
        row["id"]: {**row, "provenance": orjson.loads(row["said"]) if row["said"] else None}
        for row in await connection().execute_query_dict(
            "SELECT b.*, to_jsonb(b) ->> 'provenance' AS said FROM babies b WHERE id IN ($1, $2)", [kept, gone]
        )
    }
    hers, others = rows[kept], rows[gone]
    taken = [name for name in FILLED if hers[name] in NOT_SAID and others[name] not in NOT_SAID]
    if await _is_forbidden(kept, gone):
        taken = [name for name in taken if name not in HEALTH]
    if not taken:
        return
    said: dict[str, Any] = {
        told.column: {"source": told.source.value, "confidence": told.confidence, "by": told.by, "at": told.at}
        for told in of_baby(others)
        if told.column in taken
    }
    values = {column: others[column] for name in taken for column in FILLED[name]}
    values["provenance"] = {**(hers["provenance"] or {}), **said}
    columns = ", ".join(f"{column} = p.{column}" for column in values)
    await connection().execute_query(TAKE.format(columns=columns), [merge_id, kept, orjson.dumps(values).decode()])
