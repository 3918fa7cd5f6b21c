"""Every column that names a member, a household or a baby has a merge rule, read from PostgreSQL's own catalogue."""

from domain.database import connection
from domain.people.merge_rules import KEYS, RULES, Rule

NAMING = """
SELECT c.conrelid::regclass::text AS table_name, a.attname AS column_name
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
WHERE c.contype = 'f' AND c.confrelid IN ('members'::regclass, 'households'::regclass, 'babies'::regclass)
UNION
SELECT c.table_name::text, c.column_name::text FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
  AND c.column_name ~ '(^|_)(member|household|baby)(_id|_ids|s_id)$'
"""


async def test_every_column_that_names_a_member_or_household_has_a_rule(db: str) -> None:
    rows = await connection().execute_query_dict(NAMING)
    named = {(row["table_name"], row["column_name"]) for row in rows}
    assert len(named) > 15
    assert named - set(RULES) == set(), "say in domain/people/merge_rules.py what a merge does with it"
    stale = {(table, column) for table, column in RULES if column in ("member_id", "household_id", "baby_id")} - named
    assert stale == set(), "rules for columns that are no more"


async def test_what_moves_is_followed_by_what_arrives_late(db: str) -> None:
    rows = await connection().execute_query_dict(
        "SELECT tgrelid::regclass::text AS table_name, p.proname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
        "WHERE p.proname LIKE 'follow_merged_%'"
    )
    followed = {
        (row["table_name"], {"follow_merged_members": "member_id"}.get(row["proname"], "household_id")) for row in rows
    }
    moves = {place for place, rule in RULES.items() if rule is Rule.MOVES and place[1] != "baby_id"}
    assert moves - followed == set(), "a table that moves needs a trigger as in migration 0004"
    assert followed - moves == {("consents", "member_id")}


async def test_keys_are_what_the_tables_have(db: str) -> None:
    rows = await connection().execute_query_dict(
        "SELECT c.table_name::text AS name, c.data_type::text AS type FROM information_schema.columns c "
        "WHERE c.table_schema = 'public' AND c.column_name = 'id'"
    )
    types = {row["name"]: row["type"] for row in rows}
    ruled = {table for (table, _), rule in RULES.items() if rule is not Rule.STAYS}
    assert {table: types[table] for table in ruled if types[table] != "uuid"} == KEYS
