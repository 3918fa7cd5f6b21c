"""Whom to look at for duplicates: noted by the database whenever a name, a contact or a child's day changes."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

# Whose look is due by a row of the table, called `c`; of an update only where one of these columns changed.
CONCERNED = {
    "members": ("SELECT c.id FROM {changed} c", ("id", "name_key", "store_id", "household_id", "status")),
    "identities": (
        "SELECT c.member_id FROM {changed} c WHERE c.kind IN ('EMAIL', 'PHONE')",
        ("id", "member_id", "value"),
    ),
    "babies": (
        "SELECT m.id FROM {changed} c JOIN members m ON m.household_id = c.household_id WHERE c.born_on IS NOT NULL",
        ("id", "household_id", "born_on", "born_source"),
    ),
}


def _note(table: str) -> str:
    """Once a statement; a line is not unique, so two writers of one member never wait for each other here."""
    concerned, columns = CONCERNED[table]
    changed = f"(SELECT * FROM fresh f WHERE NOT EXISTS (SELECT FROM stale s WHERE {_same(columns)}))"
    return f"""
CREATE FUNCTION look_for_duplicates_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO duplicate_looks (member_id) SELECT DISTINCT found.id FROM ({concerned.format(changed="fresh")}) found (id);
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_duplicates AFTER INSERT ON {table} REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION look_for_duplicates_{table}();
CREATE FUNCTION look_for_duplicates_{table}_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO duplicate_looks (member_id) SELECT DISTINCT found.id FROM ({concerned.format(changed=changed)}) found (id);
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_duplicates_again AFTER UPDATE ON {table} REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION look_for_duplicates_{table}_again();
"""


def _same(columns: tuple[str, ...]) -> str:
    return " AND ".join(
        f"s.{one} = f.{one}" if one == "id" else f"s.{one} IS NOT DISTINCT FROM f.{one}" for one in columns
    )


def _leave(table: str) -> str:
    return (
        f"DROP TRIGGER {table}_duplicates_again ON {table}; DROP FUNCTION look_for_duplicates_{table}_again(); "
        f"DROP TRIGGER {table}_duplicates ON {table}; DROP FUNCTION look_for_duplicates_{table}(); "
    )


class Migration(migrations.Migration):
    dependencies = [("nestling", "0006_care_ahead")]

    operations = [
        ops.CreateModel(
            name="DuplicateLook",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.UUIDField()),
            ],
            options={
                "table": "duplicate_looks",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "Somebody to look at. A line is not unique, so that two writers of one member never wait for each other.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(
            # A child says something only where both families name one store: found by both at once.
            "CREATE INDEX members_store_name_idx ON members (store_id, name_key) WHERE name_key IS NOT NULL; "
            "CREATE INDEX duplicate_looks_member_idx ON duplicate_looks (member_id); "
            "INSERT INTO duplicate_looks (member_id) SELECT id FROM members; " + "".join(map(_note, CONCERNED)),
            reverse_sql="".join(map(_leave, CONCERNED)) + "DROP INDEX members_store_name_idx",
        ),
    ]  # fmt: skip
