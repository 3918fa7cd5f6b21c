"""Merges: an edge with what it changed, suggestions, values that name nobody, and triggers by which late rows follow."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint

from domain.people.identities import IdentityKind
from domain.people.identity_blocks import BlockReason
from domain.people.merge_suggestions import SuggestionState
from domain.people.merges import ChangeKind, MergeHow
from domain.platform.ids import new_id


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
                              "consents")),
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

INDEXES = (
    "CREATE INDEX members_merged_idx ON members (merged_into_id); "
    "CREATE INDEX members_merged_away_idx ON members (id) WHERE merged_into_id IS NOT NULL; "
    "CREATE INDEX households_merged_idx ON households (merged_into_id) WHERE merged_into_id IS NOT NULL; "
    "CREATE INDEX households_merged_away_idx ON households (id) WHERE merged_into_id IS NOT NULL; "
    "CREATE INDEX merges_survivor_idx ON merges (survivor_id, merged_at DESC, id DESC); "
    "CREATE INDEX merges_absorbed_idx ON merges (absorbed_id); "
    "CREATE INDEX merge_changes_merge_idx ON merge_changes (merge_id, id); "
    "CREATE INDEX merge_changes_row_idx ON merge_changes (row_id, table_name); "
    "CREATE INDEX merge_suggestions_other_idx ON merge_suggestions (other_id); "
    "CREATE INDEX merge_suggestions_open_idx ON merge_suggestions (state, confidence DESC, id); "
    "CREATE INDEX identity_blocks_time_idx ON identity_blocks (blocked_at DESC, id DESC); "
)
DEFAULTS = "ALTER TABLE identity_blocks ALTER COLUMN members SET DEFAULT 0, ALTER COLUMN note SET DEFAULT ''; "


def _made() -> str:
    follows = [
        _follow(column, named)
        + "".join(
            f"CREATE TRIGGER {table}_follow_merged_{named} AFTER INSERT ON {table} REFERENCING NEW TABLE AS arrived "
            f"FOR EACH STATEMENT EXECUTE FUNCTION follow_merged_{named}(); "
            for table in tables
        )
        for named, (column, tables) in FOLLOWING.items()
    ]
    return INDEXES + DEFAULTS + CHANGED_COLUMNS + QUARANTINE + "".join(follows)


GONE = (
    "DROP FUNCTION follow_merged_members() CASCADE; DROP FUNCTION follow_merged_households() CASCADE; "
    "DROP FUNCTION keep_blocked_identities_apart() CASCADE; DROP FUNCTION changed_columns(jsonb, jsonb); "
    "DROP INDEX households_merged_away_idx; DROP INDEX households_merged_idx; "
    "DROP INDEX members_merged_away_idx; DROP INDEX members_merged_idx"
)


class Migration(migrations.Migration):
    dependencies = [("nestling", "0010_losses")]

    operations = [
        ops.CreateModel(
            name="IdentityBlock",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                ("kind", fields.CharEnumField(enum_type=IdentityKind, max_length=32)),
                ("value", fields.CharField(max_length=320)),
                ("reason", fields.CharEnumField(enum_type=BlockReason, max_length=16)),
                ("members", fields.IntField(default=0)),
                ("note", fields.CharField(default="", max_length=400)),
                ("blocked_by", fields.UUIDField(null=True)),
                ("blocked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("lifted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("lifted_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "identity_blocks",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "A value that names nobody, since when and why; lifted ones stay as history. SHARED is the quarantine.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "IdentityBlock",
            CheckConstraint(
                check="kind IN ('WECHAT_UNIONID', 'WECOM_EXTERNAL_ID', 'WECHAT_OPENID', 'CARD', 'MALL_ACCOUNT', 'POS_ID', 'PAYMENT_CARD_TOKEN', 'EXTERNAL_ID', 'PHONE', 'EMAIL', 'DEVICE')",
                name="identity_blocks_kind_known",
            ),
        ),
        ops.AddConstraint(
            "IdentityBlock",
            CheckConstraint(
                check="reason IN ('PLACEHOLDER', 'TEST_NUMBER', 'STORE_PHONE', 'KIOSK', 'STAFF', 'SHARED')",
                name="identity_blocks_reason_known",
            ),
        ),
        ops.AddConstraint(
            "IdentityBlock", CheckConstraint(check="value <> ''", name="identity_blocks_value_not_empty")
        ),
        ops.AddConstraint(
            "IdentityBlock",
            CheckConstraint(
                check="num_nulls(lifted_at, lifted_by) <> 1", name="identity_blocks_are_lifted_by_somebody"
            ),
        ),
        ops.AddConstraint(
            "IdentityBlock",
            UniqueConstraint(
                fields=("kind", "value"), name="identity_blocks_one_in_force", condition="lifted_at IS NULL"
            ),
        ),
        ops.CreateModel(
            name="Merge",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "survivor",
                    fields.ForeignKeyField(
                        "nestling.Member",
                        source_field="survivor_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="merges",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "absorbed",
                    fields.ForeignKeyField(
                        "nestling.Member",
                        source_field="absorbed_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="merged_by",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("how", fields.CharEnumField(enum_type=MergeHow, max_length=16)),
                ("evidence", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("reason", fields.CharField(default="", max_length=400)),
                ("actor_id", fields.UUIDField()),
                ("actor_role", fields.CharField(max_length=16)),
                ("moved", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("merged_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("unmerged_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("unmerged_by", fields.UUIDField(null=True)),
                ("unmerge_reason", fields.CharField(null=True, max_length=400)),
            ],
            options={
                "table": "merges",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "One member became part of another. Undone ones stay as history.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint("Merge", CheckConstraint(check="how IN ('STAFF', 'AUTOMATIC')", name="merges_how_known")),
        ops.AddConstraint("Merge", CheckConstraint(check="survivor_id <> absorbed_id", name="merges_join_two")),
        ops.AddConstraint(
            "Merge",
            CheckConstraint(
                check="num_nulls(unmerged_at, unmerged_by, unmerge_reason) IN (0, 3)",
                name="merges_are_undone_by_somebody_for_a_reason",
            ),
        ),
        ops.AddConstraint(
            "Merge",
            UniqueConstraint(fields=("absorbed_id",), name="merges_one_standing", condition="unmerged_at IS NULL"),
        ),
        ops.CreateModel(
            name="MergeChange",
            fields=[
                ("id", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                (
                    "merge",
                    fields.ForeignKeyField(
                        "nestling.Merge",
                        source_field="merge_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="changes",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("table_name", fields.CharField(max_length=64)),
                ("row_id", fields.CharField(max_length=64)),
                ("kind", fields.CharEnumField(enum_type=ChangeKind, max_length=16)),
                ("before", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ("after", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "merge_changes",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "A row that a merge changed, deleted or added: its columns before and after. In order; undone backwards.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "MergeChange",
            CheckConstraint(check="kind IN ('CHANGED', 'DELETED', 'ADDED')", name="merge_changes_kind_known"),
        ),
        ops.CreateModel(
            name="MergeSuggestion",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=new_id, unique=True, db_index=True)),
                (
                    "one",
                    fields.ForeignKeyField(
                        "nestling.Member",
                        source_field="one_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="suggested_as_one",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "other",
                    fields.ForeignKeyField(
                        "nestling.Member",
                        source_field="other_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="suggested_as_other",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("state", fields.CharEnumField(default=SuggestionState.OPEN, enum_type=SuggestionState, max_length=16)),
                ("evidence", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("confidence", fields.FloatField(default=0.5)),
                ("suggested_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("decided_by", fields.UUIDField(null=True)),
            ],
            options={
                "table": "merge_suggestions",
                "app": "nestling",
                "pk_attr": "id",
                "table_description": "A pair, once, the older id first. NEVER is binding, whatever evidence comes.",
            },
            bases=["Model"],
        ),
        ops.AddConstraint(
            "MergeSuggestion",
            CheckConstraint(check="state IN ('OPEN', 'MERGED', 'NEVER')", name="merge_suggestions_state_known"),
        ),
        ops.AddConstraint(
            "MergeSuggestion",
            CheckConstraint(check="confidence BETWEEN 0 AND 1", name="merge_suggestions_confidence_probability"),
        ),
        ops.AddConstraint(
            "MergeSuggestion", CheckConstraint(check="one_id < other_id", name="merge_suggestions_name_a_pair_once")
        ),
        ops.AddConstraint(
            "MergeSuggestion", UniqueConstraint(fields=("one_id", "other_id"), name="merge_suggestions_pair")
        ),
        ops.AddField(
            model_name="Household",
            name="merged_into",
            field=fields.ForeignKeyField(
                "nestling.Household",
                source_field="merged_into_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="absorbed",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.RemoveConstraint(
            model_name="Identity",
            name="identities_strong_kinds_are_primary",
            fields=None,
        ),
        ops.AddField(
            model_name="Identity",
            name="home_id",
            field=fields.UUIDField(null=True),
        ),
        ops.RemoveConstraint(
            model_name="Member",
            name="members_status_known",
            fields=None,
        ),
        ops.AddField(
            model_name="Member",
            name="merged_into",
            field=fields.ForeignKeyField(
                "nestling.Member",
                source_field="merged_into_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="absorbed",
                on_delete=OnDelete.RESTRICT,
            ),
        ),
        ops.AddConstraint(
            model_name="Member",
            constraint=CheckConstraint(
                check="status IN ('ACTIVE', 'BLOCKED', 'ERASED', 'MERGED')", name="members_status_known"
            ),
        ),
        ops.AddConstraint(
            model_name="Member",
            constraint=CheckConstraint(
                check="(status = 'MERGED') = (merged_into_id IS NOT NULL)", name="members_merged_away_lead_on"
            ),
        ),
        ops.AddField(
            model_name="Member",
            name="provenance",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name="Baby",
            name="provenance",
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.RunSQL(_made(), reverse_sql=GONE),
    ]
