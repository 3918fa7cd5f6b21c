"""Consents about one baby, and what is in force as a table of its own that triggers keep in step, whoever writes."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from domain.people.consents import ConsentState
from domain.platform.sources import Channel, Purpose

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


class Migration(migrations.Migration):
    dependencies = [("nestling", "0013_segments")]

    operations = [
        ops.AlterModelOptions(
            name="Consent",
            options={
                "table": "consents",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "What she said, row by row: nothing is overwritten. A row about a baby speaks of that baby alone.",
            },
        ),
        ops.AddField(
            model_name="Consent",
            name="baby",
            field=fields.ForeignKeyField(
                "nestling.Baby",
                source_field="baby_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="consents",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.CreateModel(
            name="ConsentInForce",
            fields=[
                ("consent_id", fields.UUIDField(primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
                ("purpose", fields.CharEnumField(enum_type=Purpose, max_length=16)),
                ("channel", fields.CharEnumField(enum_type=Channel, max_length=16)),
                ("baby_id", fields.UUIDField(null=True)),
                ("state", fields.CharEnumField(enum_type=ConsentState, max_length=16)),
                ("given_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "consents_in_force",
                "app": "nestling",
                "pk_attr": "consent_id",
                "table_description": "The latest consent of a member, purpose, channel and baby: kept by triggers on consents, whoever writes.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "ConsentInForce",
            CheckConstraint(name="consents_in_force_state_known", check="state IN ('GRANTED', 'WITHDRAWN')"),
        ),
        ops.RunSQL(
            f"CREATE UNIQUE INDEX consents_in_force_key ON consents_in_force ({KEY}) NULLS NOT DISTINCT; "
            "CREATE INDEX consents_history_idx ON consents (member_id, given_at DESC, id DESC); "
            "CREATE INDEX consents_baby_idx ON consents (baby_id) WHERE baby_id IS NOT NULL; "
            "DROP INDEX consents_in_force_idx; "
            f"INSERT INTO consents_in_force ({COLUMNS}) "
            f"SELECT DISTINCT ON ({KEY}) {KEY}, state, given_at, id FROM consents ORDER BY {KEY}, {LATEST}; "
            f"{SAID}; {CHANGED}; {REMOVED}",
            reverse_sql="DROP TRIGGER consents_said ON consents; DROP TRIGGER consents_changed ON consents; "
            "DROP TRIGGER consents_removed ON consents; DROP FUNCTION consents_said(); "
            "DROP FUNCTION consents_changed(); DROP FUNCTION consents_removed(); "
            "DROP INDEX consents_baby_idx; DROP INDEX consents_history_idx; DROP INDEX consents_in_force_key; "
            "CREATE INDEX consents_in_force_idx ON consents (member_id, purpose, channel, given_at DESC, id DESC)",
        ),
    ]
