"""Tags: a catalogue in families, and what was said of whom, by whom, until when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.failures import BabyNotFound, MemberNotFound
from domain.people.provenance import said_by
from domain.people.scopes import GONE, is_in_scope, sees_member
from domain.people.tag_catalogue import TagFamily, TagNotFound, catalogued
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce, announce_all
from domain.platform.clock import business_now
from domain.platform.constraints import one_of
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission
from domain.platform.sources import Source

if TYPE_CHECKING:
    from domain.commerce.staff import Staff
    from domain.people.babies import Baby
    from domain.people.households import Household
    from domain.people.members import Member

__all__ = [
    "About", "MemberTag", "MemberTagged", "MemberUntagged", "MembersTagged", "Tag", "TagFamily", "TagNotFound",
    "TagNotSet", "tag_member", "tag_members", "untag_member",
]  # fmt: skip


class Tag(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    key = fields.CharField(max_length=100, unique=True)  # lower-case, dotted: income.under_15k
    family = fields.CharEnumField(TagFamily, max_length=16)
    label_en = fields.CharField(max_length=100)
    label_zh = fields.CharField(max_length=100)
    description = fields.TextField(default="")
    valid_days = fields.SmallIntField(null=True)  # so long it holds when nobody says otherwise; null: for good
    owner: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="tags", null=True, on_delete=fields.SET_NULL
    )
    owner_id: UUID | None  # who answers for what it means
    retired_at = fields.DatetimeField(null=True)  # business clock; nobody carries it from then on

    class Meta:
        table = "tags"
        constraints = [
            one_of("tags", "family", TagFamily),
            CheckConstraint(name="tags_valid_days_positive", check="valid_days > 0"),
        ]


class MemberTag(Model):
    # Of a member, of a baby or of a whole household. Never changed: it ends, and is said anew.
    id = fields.UUIDField(primary_key=True, default=new_id)
    tag: fields.ForeignKeyRelation["Tag"] = fields.ForeignKeyField(
        "nestling.Tag", related_name="uses", on_delete=fields.RESTRICT
    )
    tag_id: UUID
    member: fields.ForeignKeyNullableRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="tags", null=True, on_delete=fields.RESTRICT
    )
    member_id: UUID | None
    baby: fields.ForeignKeyNullableRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="tags", null=True, on_delete=fields.RESTRICT
    )
    baby_id: UUID | None
    household: fields.ForeignKeyNullableRelation["Household"] = fields.ForeignKeyField(
        "nestling.Household", related_name="tags", null=True, on_delete=fields.RESTRICT
    )
    household_id: UUID | None
    source = fields.CharEnumField(Source, max_length=16)
    evidence = fields.CharField(max_length=400, default="")
    set_at = fields.DatetimeField()  # business clock
    set_by = fields.UUIDField(null=True)  # account
    expires_at = fields.DatetimeField(null=True)  # business clock
    removed_at = fields.DatetimeField(null=True)  # business clock

    class Meta:
        table = "member_tags"
        constraints = [
            one_of("member_tags", "source", Source),
            UniqueConstraint(
                name="member_tags_once_at_a_time", fields=("member_id", "tag_id"), condition="removed_at IS NULL"
            ),
            UniqueConstraint(
                name="member_tags_baby_once_at_a_time", fields=("baby_id", "tag_id"), condition="removed_at IS NULL"
            ),
            UniqueConstraint(
                name="member_tags_household_once_at_a_time",
                fields=("household_id", "tag_id"),
                condition="removed_at IS NULL",
            ),
            CheckConstraint(name="member_tags_of_one", check="num_nonnulls(member_id, baby_id, household_id) = 1"),
        ]


EVIDENCE_LENGTH = 400
MOST_AT_ONCE = 10_000  # members of one bulk tagging by ids or a search
MOST_OF_A_SEGMENT = 100_000  # who is in it is known: nothing is searched
Chosen = Callable[[Parameters], str]


@dataclass(frozen=True, slots=True)
class About:
    """Of whom a tag speaks: of one of her babies, of her whole family, or else of herself."""

    baby_id: UUID | None = None
    is_family: bool = False


HERSELF = About()


@dataclass(frozen=True, slots=True)
class MemberTagged:
    member_id: UUID
    tag_key: str


@dataclass(frozen=True, slots=True)
class MemberUntagged:
    member_id: UUID
    tag_key: str


@dataclass(frozen=True, slots=True)
class MembersTagged:
    """`tagged` counts those for whom something changed: said again, nobody."""

    chosen: int
    tagged: int


@dataclass(frozen=True, slots=True)
class TagNotSet:
    """She does not carry this tag now."""

    key: str


async def tag_member(
    actor: Actor,
    member_id: UUID,
    key: str,
    evidence: str = "",
    expires_at: datetime | None = None,
    about: About = HERSELF,
) -> MemberTagged | MemberNotFound | BabyNotFound | TagNotFound | NotPermitted | ValidationError:
    """Set a tag of the catalogue, until `expires_at` (business clock), the tag's own term, or for good.

    Idempotent; said in other words the old row ends and stays as history. Tags of the family MODEL are the scores' to
    set, never a person's.
    """
    if not actor.may(Permission.WRITE_TAGS):
        return NotPermitted(Permission.WRITE_TAGS)
    async with in_transaction():
        if not await is_in_scope(actor, member_id):
            return MemberNotFound()
        subject = await _subject(member_id, about)
        if subject is None:
            return BabyNotFound()
        now = await business_now()
        tag = await _settable(key, evidence, expires_at, now)
        if not isinstance(tag, dict):
            return tag
        await _set(actor, tag, subject[0], [subject[1]], evidence, expires_at, now)
        await announce(MEMBER_TIMELINE, member_id)
        return MemberTagged(member_id, key)


async def untag_member(
    actor: Actor, member_id: UUID, key: str, about: About = HERSELF
) -> MemberUntagged | MemberNotFound | BabyNotFound | TagNotFound | TagNotSet | NotPermitted:
    """Take a tag off; the row stays as history."""
    if not actor.may(Permission.WRITE_TAGS):
        return NotPermitted(Permission.WRITE_TAGS)
    async with in_transaction():
        if not await is_in_scope(actor, member_id):
            return MemberNotFound()
        subject = await _subject(member_id, about)
        if subject is None:
            return BabyNotFound()
        found = await catalogued(key)
        if found is None:
            return TagNotFound(key)
        column, subject_id = subject
        now = await business_now()
        rows = await connection().execute_query_dict(
            f"UPDATE member_tags SET removed_at = least($3, coalesce(expires_at, $3)) WHERE {column} = $1 "
            "AND tag_id = $2 AND removed_at IS NULL RETURNING expires_at",
            [subject_id, found["id"], now],
        )
        if not rows or (rows[0]["expires_at"] is not None and rows[0]["expires_at"] <= now):
            return TagNotSet(key)
        await announce(MEMBER_TIMELINE, member_id)
        return MemberUntagged(member_id, key)


async def tag_members(
    actor: Actor,
    chosen: Chosen | None,
    key: str,
    evidence: str = "",
    expires_at: datetime | None = None,
    *,
    segment_id: UUID | None = None,
) -> MembersTagged | TagNotFound | NotPermitted | ValidationError:
    """Set a tag on all members of the actor's scope for whom the condition on `members m` holds, MOST_AT_ONCE at most.

    One transaction, a fixed number of statements, audited; beyond the bound nothing is written. Idempotent. Where the
    condition is a segment's, the audit names it, and the bound is MOST_OF_A_SEGMENT.
    """
    if not actor.may(Permission.MANAGE_TAGS):
        return NotPermitted(Permission.MANAGE_TAGS)
    if chosen is None:
        return ValidationError.of(
            "memberIds", "Say whom: one of memberIds, search and segmentId.", "请选择会员、搜索条件或人群之一。"
        )
    most = MOST_OF_A_SEGMENT if segment_id else MOST_AT_ONCE
    async with in_transaction():
        now = await business_now()
        tag = await _settable(key, evidence, expires_at, now)
        if not isinstance(tag, dict):
            return tag
        parameters = Parameters()
        rows = await connection().execute_query_dict(
            f"SELECT m.id FROM members m WHERE m.status NOT IN {GONE} AND {sees_member(actor, parameters)} "
            f"AND ({chosen(parameters)}) ORDER BY m.id LIMIT {most + 1}",
            parameters,
        )
        if len(rows) > most:
            place, what = ("segmentId", "rule") if segment_id else ("search", "search")
            return ValidationError.of(
                place,
                f"More than {most:,} members: narrow the {what} and tag them in parts.",
                f"超过{most:,}位会员：请缩小范围，分批打标。",
            )
        changed = await _set(actor, tag, "member_id", [row["id"] for row in rows], evidence, expires_at, now)
        if changed:
            await _audit(actor, key, changed, segment_id)
            await announce_all(MEMBER_TIMELINE, changed)
        return MembersTagged(len(rows), len(changed))


async def _subject(member_id: UUID, about: About) -> tuple[str, UUID] | None:
    """The column that names whom the tag is on, and who it is; none when the baby is not hers or was stopped."""
    if about.baby_id is None and not about.is_family:
        return "member_id", member_id
    rows = await connection().execute_query_dict(
        "SELECT m.household_id, b.id AS baby_id FROM members m LEFT JOIN babies b ON b.household_id = m.household_id "
        "AND b.id = $2 AND b.stopped_at IS NULL WHERE m.id = $1",
        [member_id, about.baby_id],
    )
    if about.baby_id is None:
        return "household_id", rows[0]["household_id"]
    return ("baby_id", about.baby_id) if rows[0]["baby_id"] is not None else None


async def _settable(
    key: str, evidence: str, expires_at: datetime | None, now: datetime
) -> dict[str, Any] | TagNotFound | ValidationError:
    """The tag, if it may be set so; `now` and `expires_at` are on the business clock."""
    if len(evidence) > EVIDENCE_LENGTH:
        return ValidationError.of(
            "evidence", f"At most {EVIDENCE_LENGTH} characters.", f"最多{EVIDENCE_LENGTH}个字符。"
        )
    found = await catalogued(key)
    if found is None:
        return TagNotFound(key)
    if found["family"] == TagFamily.MODEL:
        return ValidationError.of("key", "Tags of models are set by models.", "模型标签只能由模型设置。")
    if expires_at is not None and expires_at <= now:
        return ValidationError.of("expiresAt", "It has passed.", "到期时间已过。")
    return found


async def _set(
    actor: Actor,
    tag: dict[str, Any],
    column: str,
    subjects: Sequence[UUID],
    evidence: str,
    expires_at: datetime | None,
    now: datetime,
) -> list[UUID]:
    """Set the tag on all of them; answers those for whom something changed. What it said before ends, and stays.

    Where nobody said until when, the tag's own term begins anew when it is renewed on another day.
    """
    until = expires_at or (now + timedelta(days=tag["valid_days"]) if tag["valid_days"] else None)
    said = [said_by(actor), evidence.strip(), until]
    same = (
        "source = $4 AND evidence = $5 AND (expires_at IS NULL OR expires_at > $3) "
        "AND (expires_at IS NOT DISTINCT FROM $6 OR $7 AND expires_at::date = $6::timestamptz::date)"
    )
    await connection().execute_query(
        "UPDATE member_tags SET removed_at = least($3, coalesce(expires_at, $3)) WHERE tag_id = $1 "
        f"AND {column} = ANY($2::uuid[]) AND removed_at IS NULL AND NOT ({same})",
        [tag["id"], list(subjects), now, *said, expires_at is None],
    )
    rows = await connection().execute_query_dict(
        f"INSERT INTO member_tags (id, {column}, tag_id, source, evidence, set_at, set_by, expires_at) "
        "SELECT s.id, s.subject, $3, $4, $5, $6, $7, $8 FROM unnest($1::uuid[], $2::uuid[]) AS s (id, subject) "
        f"ON CONFLICT ({column}, tag_id) WHERE removed_at IS NULL DO NOTHING RETURNING {column} AS id",
        [[new_id() for _ in subjects], list(subjects), tag["id"], *said[:2], now, actor.account_id, until],
    )
    return [row["id"] for row in rows]


async def _audit(actor: Actor, key: str, member_ids: Sequence[UUID], segment_id: UUID | None) -> None:
    detail = {"tag": key, **({"segment": str(segment_id)} if segment_id else {})}
    await connection().execute_query(
        "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) VALUES ($1, $2, $3, $4, $5)",
        [actor.id, actor.role.value, "tag_members", list(member_ids), orjson.dumps(detail).decode()],
    )
