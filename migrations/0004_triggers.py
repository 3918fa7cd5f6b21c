"""What the database does itself, whoever writes: the clock, the timeline, and triggers for merges, segments and consents."""

from tortoise import migrations
from tortoise.migrations import operations as ops

BUSINESS_NOW = """
CREATE FUNCTION business_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT clock_timestamp() + coalesce((SELECT offset_us FROM clock_offsets WHERE name = 'business'), 0) * interval '1 microsecond'
$$
"""

# One timeline of every touch. Interactions, orders and messages have an index on (member_id, time DESC, id DESC): a
# page merges these three with her few returns.
TIMELINE = """
CREATE VIEW timeline AS
    SELECT member_id, occurred_at AS at, id, 'INTERACTION' AS entry, kind::text, channel::text FROM interactions
    UNION ALL
    SELECT member_id, ordered_at, id, 'ORDER', 'ORDER', channel FROM orders WHERE member_id IS NOT NULL
    UNION ALL
    SELECT o.member_id, r.returned_at, r.id, 'RETURN', 'RETURN', o.channel
        FROM order_returns r JOIN orders o ON o.id = r.order_id WHERE o.member_id IS NOT NULL
    UNION ALL
    SELECT member_id, created_at, id, 'MESSAGE', 'MESSAGE', channel FROM messages
"""


def _follow(column: str, named: str) -> str:
    """A row that names somebody merged away is her survivor's, and goes back with her when the merge is undone.

    A statement trigger: one look at the few merged ones a statement. A foreign key's check waits for a merge that is on
    its way, and comes first, so nothing slips through between the two.
    """
    return f"""
CREATE FUNCTION follow_merged_{named}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM {named} x WHERE x.merged_into_id IS NOT NULL AND x.id IN (SELECT a.{column} FROM arrived a)
    ) THEN
        RETURN NULL;
    END IF;
    EXECUTE format($statement$
        WITH way AS (
            SELECT a.id, c.id AS step, c.merge_id, c.after ->> 'merged_into_id' AS target,
                   coalesce(c.before ->> 'merged_into_id', c.row_id) AS origin
            FROM arrived a
            JOIN merge_changes c ON c.table_name = '{named}' AND c.row_id = a.{column}::text
                AND c.after ->> 'merged_into_id' IS NOT NULL
            JOIN merges g ON g.id = c.merge_id AND g.unmerged_at IS NULL
        ), told AS (
            INSERT INTO merge_changes (merge_id, table_name, row_id, kind, before, after)
            SELECT merge_id, %1$L, id::text, 'CHANGED', jsonb_build_object('{column}', origin),
                   jsonb_build_object('{column}', target)
            FROM way ORDER BY step, id
        )
        UPDATE %1$I t SET {column} = x.merged_into_id
        FROM arrived a JOIN {named} x ON x.id = a.{column} AND x.merged_into_id IS NOT NULL
        WHERE t.id = a.id
    $statement$, TG_TABLE_NAME);
    RETURN NULL;
END $$;
"""


# tables whose rows may arrive under the id of somebody merged away: those that move by `domain.people.merge_rules`
FOLLOWING = {
    "members": ("member_id", ("orders", "interactions", "messages", "callback_tasks", "decisions", "suppressions",
                              "consents", "guardian_consents", "owner_assignments")),
    "households": ("household_id", ("members", "babies")),
}  # fmt: skip

QUARANTINE = """
CREATE FUNCTION keep_blocked_identities_apart() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    phone text;
BEGIN
    -- A second holder of a phone is not primary: only then can there be too many. One at a time for each phone, in one
    -- order, so that of several who bring it at once the last sees the others.
    FOR phone IN SELECT DISTINCT a.value FROM arrived a WHERE a.kind = 'PHONE' AND NOT a.is_primary ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended('identity:' || phone, 0));
        INSERT INTO identity_blocks (id, kind, value, reason, members, blocked_at)
        SELECT (array_agg(i.id ORDER BY i.first_seen_at DESC, i.id DESC))[1], 'PHONE', phone, 'SHARED',
               count(DISTINCT i.member_id), clock_timestamp()
        FROM identities i
        WHERE i.kind = 'PHONE' AND i.value = phone AND i.first_seen_at > (
            SELECT max(y.first_seen_at) - interval '30 days' FROM identities y WHERE y.kind = 'PHONE' AND y.value = phone
        )
        HAVING count(DISTINCT i.member_id) > 3
        ON CONFLICT DO NOTHING;
    END LOOP;
    UPDATE identities i SET is_primary = false
    FROM identity_blocks b
    WHERE b.lifted_at IS NULL AND i.kind = b.kind AND i.value = b.value AND i.is_primary
        AND (b.kind, b.value) IN (SELECT a.kind, a.value FROM arrived a);
    RETURN NULL;
END $$;
CREATE TRIGGER identities_blocked AFTER INSERT ON identities REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION keep_blocked_identities_apart();
"""

CHANGED_COLUMNS = """
CREATE FUNCTION changed_columns(of jsonb, other jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(of) e WHERE other -> e.key IS DISTINCT FROM e.value
$$;
"""


def _following() -> str:
    return "".join(
        _follow(column, named)
        + "".join(
            f"CREATE TRIGGER {table}_follow_merged_{named} AFTER INSERT ON {table} REFERENCING NEW TABLE AS arrived "
            f"FOR EACH STATEMENT EXECUTE FUNCTION follow_merged_{named}(); "
            for table in tables
        )
        for named, (column, tables) in FOLLOWING.items()
    )


# Segments ask facts of members: what changed is noted. Who is concerned by a row of the table, called `changed`.
CONCERNED = {
    "members": "SELECT c.id FROM {changed} c",
    "babies": "SELECT m.id FROM {changed} c JOIN members m ON m.household_id = c.household_id",
    "orders": "SELECT c.member_id FROM {changed} c WHERE c.member_id IS NOT NULL",
    "order_returns": "SELECT o.member_id FROM {changed} c JOIN orders o ON o.id = c.order_id WHERE o.member_id IS NOT NULL",
    "member_tags": "SELECT c.member_id FROM {changed} c WHERE c.member_id IS NOT NULL",
    "consents": "SELECT c.member_id FROM {changed} c",
    "interactions": "SELECT c.member_id FROM {changed} c",
}
EVENTS = {
    "INSERT": "NEW TABLE AS fresh",
    "UPDATE": "OLD TABLE AS stale NEW TABLE AS fresh",
    "DELETE": "OLD TABLE AS stale",
}
WAS = {"INSERT": ("fresh",), "UPDATE": ("stale", "fresh"), "DELETE": ("stale",)}


def _function(table: str, event: str) -> str:
    """No uniqueness: two transactions that change the same member never wait for each other here."""
    concerned = " UNION ".join(CONCERNED[table].format(changed=one) for one in WAS[event])
    return f"""CREATE FUNCTION note_{table}_{event.lower()}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO member_changes (member_id) SELECT DISTINCT found.id FROM ({concerned}) AS found(id);
    RETURN NULL;
END $$"""


# Scores are not among the facts, and new ones are put in for everybody at once. (Of an update only ranks change.)
NOTE_SCORES = """CREATE FUNCTION note_scores() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO member_changes (member_id, is_of_facts) VALUES (NULL, false);
    RETURN NULL;
END $$"""
NOTE_FEW_SCORES = """CREATE FUNCTION note_scores_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM (SELECT 1 FROM stale LIMIT 1000) few) < 1000 THEN
        INSERT INTO member_changes (member_id) SELECT DISTINCT member_id FROM stale;
    ELSE
        INSERT INTO member_changes (member_id, is_of_facts) VALUES (NULL, false);
    END IF;
    RETURN NULL;
END $$"""


def _noting() -> list[str]:
    """Functions and their triggers: once a statement, not once a row. Nothing is known of anybody yet."""
    return [
        *(_function(table, event) for table in CONCERNED for event in EVENTS),
        *(
            f"CREATE TRIGGER {table}_note_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION note_{table}_{event.lower()}()"
            for table in CONCERNED
            for event, rows in EVENTS.items()
        ),
        NOTE_SCORES,
        NOTE_FEW_SCORES,
        "CREATE TRIGGER scores_note AFTER INSERT ON scores FOR EACH STATEMENT EXECUTE FUNCTION note_scores()",
        "CREATE TRIGGER scores_note_delete AFTER DELETE ON scores REFERENCING OLD TABLE AS stale "
        "FOR EACH STATEMENT EXECUTE FUNCTION note_scores_delete()",
        "INSERT INTO member_changes (member_id) VALUES (NULL)",
    ]


# Consents in force are a table of their own, in step with the history whoever writes it.
KEY = "member_id, purpose, channel, baby_id"
COLUMNS = f"{KEY}, state, given_at, consent_id"
LATEST = "given_at DESC, id DESC"

# One statement for any number of rows, in the order of their keys, so that two that meet wait and never deadlock.
SAID = f"""
CREATE FUNCTION consents_said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO consents_in_force AS f ({COLUMNS})
    SELECT DISTINCT ON ({KEY}) {KEY}, state, given_at, id FROM consents
    WHERE id IN (SELECT s.id FROM said s)  -- as the rows are now: another trigger may have moved them
    ORDER BY {KEY}, {LATEST}
    ON CONFLICT ({KEY}) DO UPDATE
        SET state = excluded.state, given_at = excluded.given_at, consent_id = excluded.consent_id
        WHERE (excluded.given_at, excluded.consent_id) > (f.given_at, f.consent_id);
    RETURN NULL;
END $$;
CREATE TRIGGER consents_said AFTER INSERT ON consents REFERENCING NEW TABLE AS said
    FOR EACH STATEMENT EXECUTE FUNCTION consents_said()
"""

# What was said moves or goes (a merge, an undo, an erasure): the latest of what is left counts.
UNSAID = """
CREATE FUNCTION consents_{name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM consents_in_force f USING ({changed}) k
    WHERE f.member_id = k.member_id AND f.purpose = k.purpose AND f.channel = k.channel
        AND f.baby_id IS NOT DISTINCT FROM k.baby_id;
    INSERT INTO consents_in_force ({columns})
    SELECT DISTINCT ON (c.member_id, c.purpose, c.channel, c.baby_id)
        c.member_id, c.purpose, c.channel, c.baby_id, c.state, c.given_at, c.id
    FROM ({changed}) k
    JOIN consents c ON c.member_id = k.member_id AND c.purpose = k.purpose AND c.channel = k.channel
        AND c.baby_id IS NOT DISTINCT FROM k.baby_id
    ORDER BY c.member_id, c.purpose, c.channel, c.baby_id, c.given_at DESC, c.id DESC;
    RETURN NULL;
END $$;
CREATE TRIGGER consents_{name} AFTER {event} ON consents REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION consents_{name}()
"""
CHANGED = UNSAID.format(
    name="changed",
    event="UPDATE",
    tables="OLD TABLE AS was NEW TABLE AS said",
    changed=f"SELECT {KEY} FROM was UNION SELECT {KEY} FROM said",
    columns=COLUMNS,
)
REMOVED = UNSAID.format(
    name="removed",
    event="DELETE",
    tables="OLD TABLE AS was",
    changed=f"SELECT DISTINCT {KEY} FROM was",
    columns=COLUMNS,
)

FUNCTIONS = (
    "business_now()", "follow_merged_members()", "follow_merged_households()", "keep_blocked_identities_apart()",
    "changed_columns(jsonb, jsonb)",
    *(f"note_{table}_{event.lower()}()" for table in CONCERNED for event in EVENTS),
    "note_scores()", "note_scores_delete()", "consents_said()", "consents_changed()", "consents_removed()",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("nestling", "0003_lookups")]

    operations = [
        ops.RunSQL(
            [BUSINESS_NOW, TIMELINE, CHANGED_COLUMNS, QUARANTINE, _following(), ";\n".join(_noting()),
             f"{SAID}; {CHANGED}; {REMOVED}"],
            reverse_sql=["DROP VIEW timeline", *(f"DROP FUNCTION {name} CASCADE" for name in FUNCTIONS)],
        )
    ]  # fmt: skip
