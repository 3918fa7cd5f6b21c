"""Touches: what was heard and promised, questions until they are answered, and every kind of touch on the timeline."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from domain.care.interactions import Mood
from domain.platform.ids import new_id

QUESTIONS = [
    ops.CreateModel(
        name="Question",
        fields=[
            ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
            (
                "interaction",
                fields.ForeignKeyField(
                    "nestling.Interaction",
                    source_field="interaction_id",
                    db_constraint=True,
                    to_field="id",
                    related_name="questions",
                    on_delete=OnDelete.CASCADE,
                ),
            ),
            ("place", fields.SmallIntField()),
            ("text", fields.TextField(unique=False)),
            ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ("answer", fields.TextField(default="", unique=False)),
            ("answered_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            (
                "answered_by",
                fields.ForeignKeyField(
                    "nestling.Staff",
                    source_field="answered_by_id",
                    null=True,
                    db_constraint=True,
                    to_field="id",
                    related_name="answers",
                    on_delete=OnDelete.SET_NULL,
                ),
            ),
        ],
        options={
            "table": "questions",
            "app": "nestling",
            "unique_together": (("interaction_id", "place"),),
            "pk_attr": "id",
            "table_description": "Whose it is, its interaction says: it moves, and goes, with that.",
        },
        bases=["Model"],
    ),
    ops.AddConstraint(
        "Question",
        CheckConstraint(name="questions_an_answer_has_a_time", check="(answer <> '') = (answered_at IS NOT NULL)"),
    ),
]

HEARD = [
    ops.AddField("Interaction", "mood", fields.CharEnumField(null=True, enum_type=Mood, max_length=16)),
    ops.AddField("Interaction", "promise", fields.CharField(default="", db_default="", max_length=200)),
    ops.AddField("Interaction", "promised_for", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
    ops.AddField("Interaction", "promise_task_id", fields.UUIDField(null=True)),
    ops.AddConstraint(
        "Interaction",
        CheckConstraint(
            name="interactions_mood_known", check="mood IN ('PLEASED', 'CALM', 'WORRIED', 'TIRED', 'UPSET')"
        ),
    ),
    ops.AddConstraint(
        "Interaction",
        CheckConstraint(
            name="interactions_a_promise_is_a_call",
            check="num_nulls(promised_for, promise_task_id) IN (0, 2) AND (promise = '' OR promised_for IS NOT NULL)",
        ),
    ),
]


def _staff(column: str, related_name: str) -> tuple[str, fields.Field]:
    return column, fields.ForeignKeyField(
        "nestling.Staff",
        source_field=f"{column}_id",
        null=True,
        db_constraint=True,
        to_field="id",
        related_name=related_name,
        on_delete=OnDelete.SET_NULL,
    )


OWNERS = [
    ops.CreateModel(
        name="OwnerAssignment",
        fields=[
            ("id", fields.BigIntField(primary_key=True, generated=True, unique=True, db_index=True)),
            (
                "member",
                fields.ForeignKeyField(
                    "nestling.Member",
                    source_field="member_id",
                    db_constraint=True,
                    to_field="id",
                    related_name="owner_assignments",
                    on_delete=OnDelete.RESTRICT,
                ),
            ),
            _staff("staff", "assignments"),
            _staff("previous", "given_up"),
            _staff("assigned_by", "assigned"),
            ("reason", fields.CharField(default="", db_default="", max_length=200)),
            ("assigned_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
        ],
        options={
            "table": "owner_assignments",
            "app": "nestling",
            "pk_attr": "id",
            "table_description": "A change of the owner, and whose the member was before.",
        },
        bases=["Model"],
    ),
    ops.RunSQL(
        "CREATE INDEX owner_assignments_member_idx ON owner_assignments (member_id, assigned_at DESC, id DESC)",
        reverse_sql="DROP INDEX owner_assignments_member_idx",
    ),
]

TAGS = [
    ops.AlterField(
        "MemberTag",
        "member",
        fields.ForeignKeyField(
            "nestling.Member",
            source_field="member_id",
            null=True,
            db_constraint=True,
            to_field="id",
            related_name="tags",
            on_delete=OnDelete.RESTRICT,
        ),
    ),
    *(
        ops.AddField(
            "MemberTag",
            name.lower(),
            fields.ForeignKeyField(
                f"nestling.{name}",
                source_field=f"{name.lower()}_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="tags",
                on_delete=OnDelete.RESTRICT,
            ),
        )
        for name in ("Baby", "Household")
    ),
    *(
        ops.AddConstraint(
            "MemberTag",
            UniqueConstraint(
                name=f"member_tags_{of}_once_at_a_time", fields=(f"{of}_id", "tag_id"), condition="removed_at IS NULL"
            ),
        )
        for of in ("baby", "household")
    ),
    ops.AddConstraint(
        "MemberTag",
        CheckConstraint(name="member_tags_of_one", check="num_nonnulls(member_id, baby_id, household_id) = 1"),
    ),
    ops.AddField("Tag", *_staff("owner", "tags")),
    ops.AddField("Tag", "retired_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
    ops.AddField("Tag", "valid_days", fields.SmallIntField(null=True)),
    ops.AddConstraint("Tag", CheckConstraint(name="tags_valid_days_positive", check="valid_days > 0")),
    ops.RunSQL(
        "CREATE INDEX member_tags_baby_idx ON member_tags (baby_id); "
        "CREATE INDEX member_tags_household_idx ON member_tags (household_id); "
        "CREATE INDEX member_tags_history_idx ON member_tags (member_id, set_at DESC, id DESC)",
        reverse_sql="DROP INDEX member_tags_history_idx; DROP INDEX member_tags_household_idx; "
        "DROP INDEX member_tags_baby_idx",
    ),
]

TIMELINE_BEFORE = """
CREATE VIEW timeline AS
    SELECT member_id, occurred_at AS at, id, 'INTERACTION' AS entry FROM interactions
    UNION ALL
    SELECT member_id, ordered_at, id, 'ORDER' FROM orders WHERE member_id IS NOT NULL
    UNION ALL
    SELECT member_id, created_at, id, 'MESSAGE' FROM messages
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


class Migration(migrations.Migration):
    dependencies = [("nestling", "0015_guardian_consents")]

    operations = [
        *QUESTIONS,
        *HEARD,
        *OWNERS,
        *TAGS,
        ops.RunSQL(f"DROP VIEW timeline; {TIMELINE}", reverse_sql=f"DROP VIEW timeline; {TIMELINE_BEFORE}"),
    ]
