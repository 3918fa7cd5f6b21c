"""When to look at each baby next, by the care calendar; the database sets it back whenever she or her family changes."""

from uuid import uuid4

from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.migrations import operations as ops

AT_ONCE = "DATE '1900-01-01'"

# In the order of babies: two transactions that change the same ones never wait for each other crosswise.
LOOK_AGAIN = f"""
CREATE FUNCTION care_ahead_arrived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO care_ahead (baby_id, look_on) SELECT a.id, {AT_ONCE} FROM arrived a ORDER BY a.id;
    RETURN NULL;
END $$;
CREATE TRIGGER babies_care_ahead AFTER INSERT ON babies REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION care_ahead_arrived();

CREATE FUNCTION care_ahead_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE care_ahead SET look_on = {AT_ONCE}, turn = turn + 1 WHERE baby_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER babies_care_ahead_changed AFTER UPDATE ON babies FOR EACH ROW
    WHEN ((OLD.born_on, OLD.born_source, OLD.due_on, OLD.due_source, OLD.gestation_weeks, OLD.stopped_at, OLD.household_id)
        IS DISTINCT FROM
        (NEW.born_on, NEW.born_source, NEW.due_on, NEW.due_source, NEW.gestation_weeks, NEW.stopped_at, NEW.household_id))
    EXECUTE FUNCTION care_ahead_changed();

-- A carer who comes, moves or may be written to again: where the family lives decides the schedule and the day.
CREATE FUNCTION care_ahead_family_arrived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE care_ahead c SET look_on = {AT_ONCE}, turn = turn + 1
    FROM (
        SELECT a.baby_id FROM care_ahead a JOIN babies b ON b.id = a.baby_id
        WHERE b.household_id IN (SELECT m.household_id FROM arrived m) ORDER BY a.baby_id FOR UPDATE OF a
    ) theirs
    WHERE c.baby_id = theirs.baby_id;
    RETURN NULL;
END $$;
CREATE TRIGGER members_care_ahead AFTER INSERT ON members REFERENCING NEW TABLE AS arrived
    FOR EACH STATEMENT EXECUTE FUNCTION care_ahead_family_arrived();

CREATE FUNCTION care_ahead_family_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE care_ahead c SET look_on = {AT_ONCE}, turn = turn + 1
    FROM (
        SELECT a.baby_id FROM care_ahead a JOIN babies b ON b.id = a.baby_id
        WHERE b.household_id IN (OLD.household_id, NEW.household_id) ORDER BY a.baby_id FOR UPDATE OF a
    ) theirs
    WHERE c.baby_id = theirs.baby_id;
    RETURN NULL;
END $$;
CREATE TRIGGER members_care_ahead_changed AFTER UPDATE ON members FOR EACH ROW
    WHEN ((OLD.household_id, OLD.jurisdiction, OLD.time_zone, OLD.status)
        IS DISTINCT FROM (NEW.household_id, NEW.jurisdiction, NEW.time_zone, NEW.status))
    EXECUTE FUNCTION care_ahead_family_changed();
"""
LEAVE = """
DROP TRIGGER members_care_ahead_changed ON members; DROP FUNCTION care_ahead_family_changed();
DROP TRIGGER members_care_ahead ON members; DROP FUNCTION care_ahead_family_arrived();
DROP TRIGGER babies_care_ahead_changed ON babies; DROP FUNCTION care_ahead_changed();
DROP TRIGGER babies_care_ahead ON babies; DROP FUNCTION care_ahead_arrived();
"""


class Migration(migrations.Migration):
    dependencies = [("nestling", "0005_segment_lookups")]

    operations = [
        ops.CreateModel(
            name="CareAhead",
            fields=[
                ("baby_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("look_on", fields.DateField(null=True)),
                ("turn", fields.IntField(default=0)),
                ("told", ArrayField(default=list, element_type="TEXT")),
            ],
            options={
                "table": "care_ahead",
                "app": "nestling",
                "pk_attr": "baby_id",
                "table_description": "When to look at a baby next, by the care calendar. Derived; what she had stays, whoever is merged or erased.",
            },
            bases=["Model"],
        ),
        ops.RunSQL(
            "ALTER TABLE care_ahead ADD FOREIGN KEY (baby_id) REFERENCES babies (id) ON DELETE CASCADE, "
            "ALTER COLUMN baby_id DROP DEFAULT, ALTER COLUMN turn SET DEFAULT 0, ALTER COLUMN told SET DEFAULT '{}'; "
            "CREATE INDEX care_ahead_look_idx ON care_ahead (look_on, baby_id) WHERE look_on IS NOT NULL; "
            f"INSERT INTO care_ahead (baby_id, look_on) SELECT id, {AT_ONCE} FROM babies; " + LOOK_AGAIN,
            reverse_sql=LEAVE + "DROP INDEX care_ahead_look_idx",
        ),
    ]  # fmt: skip
