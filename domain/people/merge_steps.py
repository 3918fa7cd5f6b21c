"""What a merge writes: a statement a table, each change kept with its columns before and after; and the way back.

Part of the caller's transaction, which holds the members and the families: nobody else merges or parts them meanwhile.
"""

from functools import cache
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson

from domain.database import connection
from domain.people import merge_babies
from domain.people.merge_rules import KEYS, Rule, tables
from domain.people.provenance import of_member
from domain.platform.ids import new_id

# $1 the merge, $2 who stays, $3 who goes. `before` and `after` of a changed row hold the columns that differ.
_TELL = "INSERT INTO merge_changes (merge_id, table_name, row_id, kind, before, after) SELECT $1::uuid, "

_IDENTITIES_BOTH = f"""
WITH gone AS (
    DELETE FROM identities i USING identities s
    WHERE i.member_id = $3 AND s.member_id = $2 AND (s.kind, s.namespace, s.value) = (i.kind, i.namespace, i.value)
    RETURNING i.*
)
{_TELL} 'identities', id::text, 'DELETED', to_jsonb(gone), NULL::jsonb FROM gone ORDER BY id
RETURNING before
"""
_IDENTITIES_KEPT = f"""
WITH gone AS (
    SELECT r.* FROM unnest($4::text[]) AS told, jsonb_populate_record(NULL::identities, told::jsonb) r
), old AS (
    SELECT s.* FROM identities s JOIN gone g ON (g.kind, g.namespace, g.value) = (s.kind, s.namespace, s.value)
    WHERE s.member_id = $2
), new AS (
    UPDATE identities s
    SET is_primary = s.is_primary OR g.is_primary, first_seen_at = least(s.first_seen_at, g.first_seen_at),
        last_seen_at = greatest(s.last_seen_at, g.last_seen_at), verified_at = coalesce(s.verified_at, g.verified_at),
        verified_by = coalesce(s.verified_by, g.verified_by)
    FROM gone g
    WHERE s.member_id = $2 AND (g.kind, g.namespace, g.value) = (s.kind, s.namespace, s.value) AND $3::uuid IS NOT NULL
    RETURNING s.*
)
{_TELL} 'identities', old.id::text, 'CHANGED', changed_columns(to_jsonb(old), to_jsonb(new)),
        changed_columns(to_jsonb(new), to_jsonb(old))
FROM old JOIN new ON new.id = old.id WHERE to_jsonb(old) <> to_jsonb(new) ORDER BY old.id
"""
_IDENTITIES_MOVED = f"""
WITH old AS (
    SELECT * FROM identities WHERE member_id = $3
), new AS (
    UPDATE identities SET member_id = $2, home_id = coalesce(home_id, $3) WHERE member_id = $3 RETURNING *
)
{_TELL} 'identities', old.id::text, 'CHANGED', changed_columns(to_jsonb(old), to_jsonb(new)),
        changed_columns(to_jsonb(new), to_jsonb(old))
FROM old JOIN new ON new.id = old.id ORDER BY old.id
"""


def tags_both(column: str) -> str:
    """Of one tag in force on both, the earlier ends: they become one member's, one baby's or one family's."""
    return f"""
WITH pair AS (
    SELECT h.id AS hers, s.id AS standing, h.set_at > s.set_at AS is_later
    FROM member_tags h JOIN member_tags s ON s.tag_id = h.tag_id AND s.{column} = $2 AND s.removed_at IS NULL
    WHERE h.{column} = $3 AND h.removed_at IS NULL
), new AS (
    UPDATE member_tags t SET removed_at = greatest(h.set_at, s.set_at)
    FROM pair p JOIN member_tags h ON h.id = p.hers JOIN member_tags s ON s.id = p.standing
    WHERE t.id = CASE WHEN p.is_later THEN p.standing ELSE p.hers END
    RETURNING t.id, t.removed_at
)
{_TELL} 'member_tags', id::text, 'CHANGED', '{{"removed_at": null}}', jsonb_build_object('removed_at', removed_at)
FROM new ORDER BY id
"""


_SLOTS_BOTH = f"""
WITH gone AS (
    DELETE FROM attention_slots h USING attention_slots s
    WHERE h.member_id = $3 AND s.member_id = $2 AND (s.window_kind, s.window_start) = (h.window_kind, h.window_start)
    RETURNING h.*
)
{_TELL} 'attention_slots', id::text, 'DELETED', to_jsonb(gone), NULL::jsonb FROM gone ORDER BY id
RETURNING before
"""
_SLOTS_ADDED_UP = f"""
WITH gone AS (
    SELECT r.* FROM unnest($4::text[]) AS told, jsonb_populate_record(NULL::attention_slots, told::jsonb) r
), new AS (
    UPDATE attention_slots s SET used = s.used + g.used
    FROM gone g
    WHERE s.member_id = $2 AND (s.window_kind, s.window_start) = (g.window_kind, g.window_start)
        AND $3::uuid IS NOT NULL
    RETURNING s.id, s.used, g.used AS more
)
{_TELL} 'attention_slots', id::text, 'CHANGED', jsonb_build_object('used', used - more),
        jsonb_build_object('used', used)
FROM new WHERE more <> 0 ORDER BY id
"""
_SCORES_BOTH = f"""
WITH gone AS (
    DELETE FROM scores h
    WHERE h.member_id = $3 AND EXISTS (SELECT FROM scores s WHERE s.member_id = $2 AND s.model_name = h.model_name)
    RETURNING h.*
)
{_TELL} 'scores', id::text, 'DELETED', to_jsonb(gone), NULL::jsonb FROM gone ORDER BY id
"""
# Each one's latest word for a purpose and channel; one of them says no, and the latest of all says yes.
_STRICTEST = """
SELECT purpose, channel, baby_id, max(given_at) AS at FROM (
    SELECT purpose, channel, baby_id, state, given_at, consent_id FROM consents_in_force WHERE member_id IN ($1, $2)
    UNION ALL
    -- a general no of the one is a no about each baby of whom the other allowed it
    SELECT b.purpose, b.channel, b.baby_id, g.state, g.given_at, g.consent_id
    FROM consents_in_force b JOIN consents_in_force g USING (purpose, channel)
    WHERE b.member_id IN ($1, $2) AND b.baby_id IS NOT NULL AND b.state = 'GRANTED'
        AND g.member_id IN ($1, $2) AND g.member_id <> b.member_id AND g.baby_id IS NULL AND g.state = 'WITHDRAWN'
) said
GROUP BY purpose, channel, baby_id
HAVING bool_or(state = 'WITHDRAWN') AND (array_agg(state ORDER BY given_at DESC, consent_id DESC))[1] = 'GRANTED'
ORDER BY purpose, channel, baby_id
"""
_SAY_NO = f"""
WITH new AS (
    INSERT INTO consents
        (id, member_id, purpose, channel, state, given_at, source, how, text_version, text_hash, baby_id)
    SELECT g.id, $2, g.purpose, g.channel, 'WITHDRAWN', greatest(g.at, business_now()), 'RULE', 'merge', '', '', g.baby
    FROM unnest($4::uuid[], $5::text[], $6::text[], $7::timestamptz[], $8::uuid[]) AS g (id, purpose, channel, at, baby)
    WHERE $3::uuid IS NOT NULL
    RETURNING *
)
{_TELL} 'consents', id::text, 'ADDED', NULL::jsonb, to_jsonb(new) FROM new ORDER BY id
"""
# Of two families that are one, a baby of one may be the stopped baby of the other: of those who may be the same nothing
# is said either, as in imports.
_LOSSES = f"""
WITH old AS (
    SELECT b.* FROM babies b
    WHERE b.household_id IN ($2, $3) AND b.stopped_at IS NULL AND EXISTS (
        SELECT FROM babies s WHERE s.household_id IN ($2, $3) AND s.household_id <> b.household_id
            AND s.stopped_at IS NOT NULL
            AND coalesce(abs(coalesce(s.born_on, s.due_on) - coalesce(b.born_on, b.due_on)) <= 182, true)
    )
), new AS (
    UPDATE babies b
    SET stopped_at = (SELECT max(s.stopped_at) FROM babies s WHERE s.household_id IN ($2, $3))
    FROM old WHERE b.id = old.id
    RETURNING b.id, b.stopped_at
)
{_TELL} 'babies', id::text, 'CHANGED', '{{"stopped_at": null}}', jsonb_build_object('stopped_at', stopped_at)
FROM new ORDER BY id
RETURNING row_id
"""
# What was empty is filled; a word that stands is nobody's to overwrite, so her version does not grow.
_PROFILE = f"""
WITH old AS (
    SELECT * FROM members WHERE id = $2
), new AS (
    UPDATE members m
    SET full_name = coalesce(m.full_name, h.full_name),
        name_source = CASE WHEN m.full_name IS NULL THEN h.name_source ELSE m.name_source END,
        name_key = CASE WHEN m.full_name IS NULL THEN h.name_key ELSE m.name_key END,
        name_initials = CASE WHEN m.full_name IS NULL THEN h.name_initials ELSE m.name_initials END,
        carer_role = CASE WHEN m.carer_role = 'UNKNOWN' THEN h.carer_role ELSE m.carer_role END,
        owner_id = coalesce(m.owner_id, h.owner_id), store_id = coalesce(m.store_id, h.store_id),
        handling_note = CASE
            WHEN m.handling_note IS NULL THEN h.handling_note
            WHEN h.handling_note IS NULL OR strpos(m.handling_note, h.handling_note) > 0 THEN m.handling_note
            ELSE m.handling_note || E'\\n' || h.handling_note
        END,
        provenance = nullif(coalesce(m.provenance, '{{}}') || $4::text::jsonb, '{{}}'),
        status = CASE WHEN h.status = 'BLOCKED' THEN h.status ELSE m.status END
    FROM (SELECT * FROM members WHERE id = $3) h WHERE m.id = $2
    RETURNING m.*
)
{_TELL} 'members', old.id::text, 'CHANGED', changed_columns(to_jsonb(old), to_jsonb(new)),
        changed_columns(to_jsonb(new), to_jsonb(old))
FROM old, new WHERE to_jsonb(old) <> to_jsonb(new)
"""


def _moved_at_once(column: str) -> tuple[str, ...]:
    """The tables whose rows go over by this column as they are, once what both sides have was combined."""
    combined = [table for table in tables(Rule.COMBINES, column) if table != "identities"]  # these keep whose they were
    return (*combined, *tables(Rule.MOVES, column))


@cache
def _all_moved(column: str) -> str:
    """One statement for the rows of many tables, in the tables' order: a merge is mostly moves of few rows or none."""
    names = _moved_at_once(column)
    moved = ", ".join(
        f"{table}_moved AS (UPDATE {table} SET {column} = $2 WHERE {column} = $3 RETURNING id)" for table in names
    )
    rows = " UNION ALL ".join(
        f"SELECT {place} AS place, '{table}' AS name, id::text AS row_id FROM {table}_moved"
        for place, table in enumerate(names)
    )
    return f"""
WITH {moved}
{_TELL} name, row_id, 'CHANGED', jsonb_build_object('{column}', $3::uuid), jsonb_build_object('{column}', $2::uuid)
FROM ({rows}) moved ORDER BY place, row_id
"""


def _led_on(table: str, status: str) -> str:
    """Who goes leads to who stays, and so do all who led to her: the way is always one step."""
    return f"""
WITH old AS (
    SELECT * FROM {table} WHERE id = $3 OR merged_into_id = $3
), new AS (
    UPDATE {table} SET merged_into_id = $2{status} WHERE id = $3 OR merged_into_id = $3 RETURNING *
)
{_TELL} '{table}', old.id::text, 'CHANGED', changed_columns(to_jsonb(old), to_jsonb(new)),
        changed_columns(to_jsonb(new), to_jsonb(old))
FROM old JOIN new ON new.id = old.id ORDER BY old.id
"""


async def apply(merge_id: UUID, survivor: UUID, absorbed: UUID, homes: tuple[UUID, UUID]) -> list[UUID]:
    """Everything of `absorbed` becomes the survivor's; two families become one. Answers the babies who were stopped."""
    both = [merge_id, survivor, absorbed]
    execute = connection().execute_query
    families = [merge_id, *homes]
    stopped: list[UUID] = []
    if homes[0] != homes[1]:
        rows = await connection().execute_query_dict(_LOSSES, families)
        stopped = [UUID(row["row_id"]) for row in rows]
        await merge_babies.unite(merge_id, _all_moved("baby_id"), tags_both("baby_id"), *homes)
        await execute(tags_both("household_id"), families)
        await execute(_all_moved("household_id"), families)
    await _combine_identities(both)
    await execute(tags_both("member_id"), both)
    stricter = await connection().execute_query_dict(_STRICTEST, both[1:])
    slots = await connection().execute_query_dict(_SLOTS_BOTH + "::text", both)
    await execute(_SCORES_BOTH, both)
    await execute(_all_moved("member_id"), both)
    await _say_no(both, stricter)
    if slots:
        await execute(_SLOTS_ADDED_UP, [*both, [row["before"] for row in slots]])
    for table in tables(Rule.DERIVED):
        await execute(_dropped(table), both)
    await execute(_PROFILE, [*both, await _taken_over(survivor, absorbed)])
    if homes[0] != homes[1]:
        await execute(_led_on("households", ""), families)
    await execute(_led_on("members", ", status = CASE WHEN id = $3 THEN 'MERGED' ELSE status END"), both)
    return stopped


async def _taken_over(survivor: UUID, absorbed: UUID) -> str:
    """Who said what she takes over, as JSON: it keeps its author and its day."""
    rows = await connection().execute_query_dict(
        "SELECT m.*, to_jsonb(m) ->> 'provenance' AS said FROM members m WHERE id IN ($1, $2) ORDER BY id = $1 DESC",
        [survivor, absorbed],
    )
    hers, others = ({**row, "provenance": orjson.loads(row["said"]) if row["said"] else None} for row in rows)
    has = {told.column for told in of_member(hers)}
    taken = {
        told.column: {"source": told.source.value, "confidence": told.confidence, "by": told.by, "at": told.at}
        for told in of_member(others)
        if told.column not in has
    }
    return orjson.dumps(taken).decode()


def _dropped(table: str) -> str:
    return f"""
WITH gone AS (DELETE FROM {table} WHERE member_id = $3 AND $2::uuid IS NOT NULL RETURNING *)
{_TELL} '{table}', id::text, 'DELETED', to_jsonb(gone), NULL::jsonb FROM gone
"""


async def _combine_identities(both: list[UUID]) -> None:
    gone = await connection().execute_query_dict(_IDENTITIES_BOTH + "::text", both)
    if gone:
        await connection().execute_query(_IDENTITIES_KEPT, [*both, [row["before"] for row in gone]])
    await connection().execute_query(_IDENTITIES_MOVED, both)


async def _say_no(both: list[UUID], stricter: list[dict[str, Any]]) -> None:
    if stricter:
        columns = [[row[name] for row in stricter] for name in ("purpose", "channel", "at", "baby_id")]
        await connection().execute_query(_SAY_NO, [*both, [new_id() for _ in stricter], *columns])


# The way back: runs of changes of one table, one kind and the same columns, the last first.
_RUNS = """
SELECT table_name, kind, keys, min(id) AS first, max(id) AS last FROM (
    SELECT id, table_name, kind, keys,
           row_number() OVER (ORDER BY id) - row_number() OVER (PARTITION BY table_name, kind, keys ORDER BY id) AS run
    FROM (
        SELECT id, table_name, kind,
               (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(coalesce(after, before)) k
                WHERE kind = 'CHANGED') AS keys
        FROM merge_changes WHERE merge_id = $1
    ) told
) runs
GROUP BY table_name, kind, keys, run ORDER BY last DESC
"""


def _moved_by(run: dict[str, Any]) -> str | None:
    """The column, of a run that `_all_moved` wrote: they go back together as they went."""
    if run["kind"] != "CHANGED" or len(run["keys"]) != 1:
        return None
    column: str = run["keys"][0]
    return column if run["table_name"] in _moved_at_once(column) else None


@cache
def _all_back(column: str) -> str:
    parts = ", ".join(
        f"{table}_back AS ({_put_back(table, [column], KEYS.get(table, 'uuid'))})".format(
            told="merge_changes c",
            these=f"c.merge_id = $1 AND c.id BETWEEN $2 AND $3 AND c.table_name = '{table}'",
        )
        for table in _moved_at_once(column)
    )
    return f"WITH {parts} SELECT"


def _undone(run: dict[str, Any]) -> str:
    table, keys = run["table_name"], run["keys"]
    key = KEYS.get(table, "uuid")
    told, these = "merge_changes c", "c.merge_id = $1 AND c.id BETWEEN $2 AND $3 AND c.table_name = $4"
    if run["kind"] == "ADDED":
        return f"DELETE FROM {table} t USING {told} WHERE {these} AND t.id = c.row_id::{key}"
    if run["kind"] == "CHANGED":
        return _put_back(table, keys, key).format(told=told, these=these)
    made_since = (
        "NOT EXISTS (SELECT FROM scores s WHERE s.model_name = p.model_name AND s.as_of > p.as_of)"
        if table == "scores" else "TRUE"
    )  # fmt: skip
    return (
        f"INSERT INTO {table} SELECT p.* FROM {told}, jsonb_populate_record(NULL::{table}, c.before) p "
        f"WHERE {these} AND {made_since} ON CONFLICT DO NOTHING"
    )


async def revert(merge_id: UUID) -> None:
    """Every row as it was, to the byte. A column that somebody changed since keeps her word.

    What arrived since under the old ids goes back with them. Scores that were made since stand.
    """
    runs = await connection().execute_query_dict(_RUNS, [merge_id])
    for column, several in groupby(runs, _moved_by):
        together = list(several)
        if column is not None:
            first, last = min(run["first"] for run in together), max(run["last"] for run in together)
            await connection().execute_query(_all_back(column), [merge_id, first, last])
            continue
        for run in together:
            await connection().execute_query(_undone(run), [merge_id, run["first"], run["last"], run["table_name"]])
    await merge_babies.stop_again(merge_id)


# Words of the time in between that stand.
SAID_SINCE = {
    ("babies", "stopped_at"): " AND NOT EXISTS (SELECT FROM losses l WHERE l.baby_id = t.id AND l.reopened_at IS NULL)",
    ("member_tags", "removed_at"): " AND NOT EXISTS (SELECT FROM member_tags f WHERE "
    "(f.member_id, f.baby_id, f.household_id) IS NOT DISTINCT FROM (t.member_id, t.baby_id, t.household_id) "
    "AND f.tag_id = t.tag_id AND f.removed_at IS NULL)",
}


def _put_back(table: str, keys: list[str], key: str) -> str:
    """Names of columns are those of a row that `to_jsonb` told: the catalogue's, never a caller's."""
    columns = ", ".join(
        f'"{one}" = CASE WHEN t."{one}" IS NOT DISTINCT FROM q."{one}" THEN p."{one}" ELSE t."{one}" END'
        for one in keys
    )
    unless = "".join(said for (of, column), said in SAID_SINCE.items() if of == table and column in keys)
    return (
        f"UPDATE {table} t SET {columns} FROM {{told}}, jsonb_populate_record(NULL::{table}, c.before) p, "
        f"jsonb_populate_record(NULL::{table}, c.after) q WHERE {{these}} AND t.id = c.row_id::{key}{unless}"
    )


async def counts(merge_id: UUID) -> dict[str, dict[str, Any]]:
    """How many rows of each table it changed, by kind."""
    rows = await connection().execute_query_dict(
        "SELECT table_name, kind, count(DISTINCT row_id)::int AS n FROM merge_changes WHERE merge_id = $1 "
        "GROUP BY table_name, kind ORDER BY table_name, kind",
        [merge_id],
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(row["table_name"], {})[row["kind"]] = row["n"]
    return found
