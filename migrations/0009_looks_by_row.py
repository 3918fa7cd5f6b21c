"""Updates say row by row whom to look at for duplicates: a condition of the trigger passes over what matters nothing.

Comparing a statement's old rows with its new ones cost more than the update of when an identity was last seen.
"""

from tortoise import migrations
from tortoise.migrations import operations as ops

# Whose look is due when NEW came of a row; the columns of which one must have changed, and what else must hold.
CONCERNED = {
    "members": ("SELECT NEW.id", ("name_key", "store_id", "household_id", "status"), "TRUE"),
    "identities": ("SELECT NEW.member_id", ("member_id", "value"), "NEW.kind IN ('EMAIL', 'PHONE')"),
    "babies": (
        "SELECT m.id FROM members m WHERE m.household_id = NEW.household_id",
        ("household_id", "born_on", "born_source"),
        "NEW.born_on IS NOT NULL",
    ),
}
# As 0007 had them: whose look is due by a changed row `c`, and all columns that are compared.
BEFORE = {
    "members": ("SELECT c.id FROM {changed} c", ("name_key", "store_id", "household_id", "status")),
    "identities": (
        "SELECT c.member_id FROM {changed} c WHERE c.kind IN ('EMAIL', 'PHONE')",
        ("member_id", "value"),
    ),
    "babies": (
        "SELECT m.id FROM {changed} c JOIN members m ON m.household_id = c.household_id WHERE c.born_on IS NOT NULL",
        ("household_id", "born_on", "born_source"),
    ),
}


def _note(table: str) -> str:
    concerned, columns, condition = CONCERNED[table]
    was, now = (", ".join(f"{row}.{one}" for one in columns) for row in ("OLD", "NEW"))
    return f"""
DROP TRIGGER {table}_duplicates_again ON {table};
CREATE OR REPLACE FUNCTION look_for_duplicates_{table}_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO duplicate_looks (member_id) {concerned};
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_duplicates_again AFTER UPDATE ON {table} FOR EACH ROW
    WHEN ({condition} AND ({was}) IS DISTINCT FROM ({now}))
    EXECUTE FUNCTION look_for_duplicates_{table}_again();
"""


def _as_before(table: str) -> str:
    concerned, columns = BEFORE[table]
    same = " AND ".join(["s.id = f.id", *(f"s.{one} IS NOT DISTINCT FROM f.{one}" for one in columns)])
    changed = f"(SELECT * FROM fresh f WHERE NOT EXISTS (SELECT FROM stale s WHERE {same}))"
    return f"""
DROP TRIGGER {table}_duplicates_again ON {table};
CREATE OR REPLACE FUNCTION look_for_duplicates_{table}_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO duplicate_looks (member_id) SELECT DISTINCT found.id FROM ({concerned.format(changed=changed)}) found (id);
    RETURN NULL;
END $$;
CREATE TRIGGER {table}_duplicates_again AFTER UPDATE ON {table} REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION look_for_duplicates_{table}_again();
"""


class Migration(migrations.Migration):
    dependencies = [("nestling", "0008_memberships")]

    operations = [
        ops.RunSQL(
            "".join(map(_note, CONCERNED))
            # Room beside each identity: when she was last seen is written without a word in any index. Whose they are
            # the unique index of member, kind and value says.
            + "ALTER TABLE identities SET (fillfactor = 85); DROP INDEX identities_member_idx;",
            reverse_sql="".join(map(_as_before, CONCERNED))
            + "ALTER TABLE identities RESET (fillfactor); CREATE INDEX identities_member_idx ON identities (member_id);",
        )
    ]
