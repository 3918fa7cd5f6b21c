"""Segments, and the facts of members that they ask: what changed is noted by the database, whoever writes."""

from uuid import uuid4

from orjson import loads
from tortoise import fields, migrations
from tortoise.contrib.postgres.fields import ArrayField
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint

from domain.platform.ids import new_id

# Who is concerned by a row of the table, called `changed`.
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

INDEXES = """
ALTER TABLE member_facts ALTER COLUMN member_id DROP DEFAULT, ALTER COLUMN segment_bits SET DEFAULT '{}';
CREATE INDEX member_facts_expiry_idx ON member_facts (next_expiry) WHERE next_expiry IS NOT NULL;
CREATE UNIQUE INDEX segments_name_idx ON segments (name) WHERE archived_at IS NULL;
CREATE UNIQUE INDEX segments_place_idx ON segments (place) WHERE place IS NOT NULL;
CREATE INDEX segment_members_member_idx ON segment_members (member_id);
INSERT INTO member_changes (member_id) VALUES (NULL)
"""


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
FUNCTIONS = ";\n".join(
    [*(_function(table, event) for table in CONCERNED for event in EVENTS), NOTE_SCORES, NOTE_FEW_SCORES]
)
NO_FUNCTIONS = ";\n".join(
    [
        *(f"DROP FUNCTION note_{table}_{event.lower()}()" for table in CONCERNED for event in EVENTS),
        "DROP FUNCTION note_scores()", "DROP FUNCTION note_scores_delete()",
    ]
)  # fmt: skip


def _triggers() -> list[str]:
    """Once a statement, not once a row."""
    noting = [
        f"CREATE TRIGGER {table}_note_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION note_{table}_{event.lower()}()"
        for table in CONCERNED
        for event, rows in EVENTS.items()
    ]
    return [
        *noting,
        "CREATE TRIGGER scores_note AFTER INSERT ON scores FOR EACH STATEMENT EXECUTE FUNCTION note_scores()",
        "CREATE TRIGGER scores_note_delete AFTER DELETE ON scores REFERENCING OLD TABLE AS stale "
        "FOR EACH STATEMENT EXECUTE FUNCTION note_scores_delete()",
    ]


NO_TRIGGERS = ";\n".join(
    [
        *(f"DROP TRIGGER {table}_note_{event.lower()} ON {table}" for table in CONCERNED for event in EVENTS),
        "DROP TRIGGER scores_note ON scores", "DROP TRIGGER scores_note_delete ON scores",
    ]
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("nestling", "0012_member_erasures")]

    operations = [
        ops.CreateModel(
            name="MemberChange",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("member_id", fields.UUIDField(null=True)),
                ("is_of_facts", fields.BooleanField(default=True, db_default=True)),
            ],
            options={
                "table": "member_changes",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "That something about a member changed. A line without a member says it of everybody.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MemberFacts",
            fields=[
                ("member_id", fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ("order_cents", fields.BigIntField()),
                ("consents", fields.BigIntField()),
                ("order_count", fields.IntField()),
                ("interaction_count", fields.IntField()),
                ("baby_count", fields.IntField()),
                ("joined_on", fields.DateField()),
                ("last_order_on", fields.DateField(null=True)),
                ("oldest_born", fields.DateField(null=True)),
                ("youngest_born", fields.DateField(null=True)),
                ("tin_ends_on", fields.DateField(null=True)),
                ("last_interaction_on", fields.DateField(null=True)),
                ("carer_role", fields.CharField(max_length=16)),
                ("time_zone", fields.CharField(max_length=64)),
                ("segment_bits", ArrayField(default=list, element_type="BIGINT")),
                ("tags", ArrayField(default=list, element_type="UUID")),
                ("order_days", ArrayField(default=list, element_type="DATE")),
                ("order_sums", ArrayField(default=list, element_type="BIGINT")),
                ("baby_due", ArrayField(default=list, element_type="DATE")),
                ("baby_born", ArrayField(default=list, element_type="DATE")),
                ("first_order_on", fields.DateField(null=True)),
                ("next_expiry", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("household_id", fields.UUIDField()),
                ("store_id", fields.UUIDField(null=True)),
                ("owner_id", fields.UUIDField(null=True)),
                ("status", fields.CharField(max_length=16)),
                ("language", fields.CharField(max_length=16)),
                ("jurisdiction", fields.CharField(max_length=8)),
                ("joined_channel", fields.CharField(null=True, max_length=16)),
                ("joined_campaign", fields.CharField(null=True, max_length=100)),
            ],
            options={
                "table": "member_facts",
                "app": "nestling",
                "pk_attr": "member_id",
                "table_description": "Derived, and made again at any time: no references that a rebuild would have to check a million times over.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MemberZone",
            fields=[
                ("time_zone", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("day", fields.DateField(null=True)),
            ],
            options={
                "table": "member_zones",
                "app": "nestling",
                "pk_attr": "time_zone",
                "table_description": "A time zone that members live in, and the local day for which their segments were last worked out.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Segment",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ("name", fields.CharField(max_length=100)),
                ("description", fields.CharField(default="", db_default="", max_length=400)),
                ("rule", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("needs", ArrayField(default=list, element_type="TEXT")),
                ("place", fields.IntField(null=True)),
                ("member_count", fields.IntField(default=0, db_default=0)),
                ("is_stale", fields.BooleanField(default=True, db_default=True)),
                ("refreshed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("version", fields.IntField(default=1, db_default=1)),
                ("created_by", fields.UUIDField(null=True)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("archived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "segments", "app": "nestling", "pk_attr": "id"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SegmentMember",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "segment",
                    fields.ForeignKeyField(
                        "nestling.Segment",
                        source_field="segment_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="members",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("member_id", fields.UUIDField()),
                ("since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "segment_members",
                "app": "nestling",
                "unique_together": (("segment", "member_id"),),
                "pk_attr": "id",
                "table_description": "Who is in a segment now. Derived, by set: a row's key is (segment, member).",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "MemberChange",
            CheckConstraint(name="member_changes_of_one_are_of_facts", check="is_of_facts OR member_id IS NULL"),
        ),
        ops.AddConstraint("Segment", CheckConstraint(name="segments_place_is_counted", check="place >= 0")),
        ops.AddConstraint(
            "Segment",
            CheckConstraint(name="segments_archived_have_no_place", check="(place IS NULL) <> (archived_at IS NULL)"),
        ),
        ops.AddConstraint("Segment", CheckConstraint(name="segments_have_a_name", check="name <> ''")),
        ops.RunSQL(
            INDEXES,
            reverse_sql="DROP INDEX segment_members_member_idx; DROP INDEX member_facts_expiry_idx; DROP INDEX segments_name_idx; DROP INDEX segments_place_idx",
        ),
        ops.RunSQL(FUNCTIONS, reverse_sql=NO_FUNCTIONS),
        ops.RunSQL(";\n".join(_triggers()), reverse_sql=NO_TRIGGERS),
    ]
