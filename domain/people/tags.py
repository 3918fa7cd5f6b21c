"""Tags: a catalogue in families, and what was said of whom, by whom, until when."""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import UniqueConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.provenance import said_by
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce
from domain.platform.clock import business_now
from domain.platform.constraints import one_of
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission
from domain.platform.sources import Source

if TYPE_CHECKING:
    from domain.people.members import Member


class TagFamily(StrEnum):
    ATTRIBUTE = "ATTRIBUTE"
    CONSUMPTION = "CONSUMPTION"
    TRANSACTION = "TRANSACTION"
    INTERACTION = "INTERACTION"
    MODEL = "MODEL"


class Tag(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    key = fields.CharField(max_length=100, unique=True)  # lower-case, dotted: income.under_15k
    family = fields.CharEnumField(TagFamily, max_length=16)
    label_en = fields.CharField(max_length=100)
    label_zh = fields.CharField(max_length=100)
    description = fields.TextField(default="")

    class Meta:
        table = "tags"
        constraints = [one_of("tags", "family", TagFamily)]


class MemberTag(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    tag: fields.ForeignKeyRelation["Tag"] = fields.ForeignKeyField(
        "nestling.Tag", related_name="uses", on_delete=fields.RESTRICT
    )
    tag_id: UUID
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="tags", on_delete=fields.RESTRICT
    )
    member_id: UUID
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
        ]


EVIDENCE_LENGTH = 400
FILE = Path(__file__).parent / "tags.toml"


@dataclass(frozen=True, slots=True)
class MemberTagged:
    member_id: UUID
    tag_key: str


@dataclass(frozen=True, slots=True)
class MemberUntagged:
    member_id: UUID
    tag_key: str


@dataclass(frozen=True, slots=True)
class TagNotFound:
    """The catalogue has no such tag."""

    key: str


@dataclass(frozen=True, slots=True)
class TagNotSet:
    """She does not carry this tag now."""

    key: str


async def tag_member(
    actor: Actor, member_id: UUID, key: str, evidence: str = "", expires_at: datetime | None = None
) -> MemberTagged | MemberNotFound | TagNotFound | NotPermitted | ValidationError:
    """Set a tag of the catalogue, until `expires_at` (business clock) or for good. Set again, it is renewed.

    Tags of the family MODEL are the scores' to set, never a person's.
    """
    if not actor.may(Permission.WRITE_TAGS):
        return NotPermitted(Permission.WRITE_TAGS)
    if len(evidence) > EVIDENCE_LENGTH:
        return ValidationError.of("evidence", f"At most {EVIDENCE_LENGTH} characters.")
    async with in_transaction():
        if not await is_in_scope(actor, member_id):
            return MemberNotFound()
        found = await _catalogued(key)
        if found is None:
            return TagNotFound(key)
        if found["family"] == TagFamily.MODEL:
            return ValidationError.of("key", "Tags of models are set by models.")
        now = await business_now()
        if expires_at is not None and expires_at <= now:
            return ValidationError.of("expiresAt", "It has passed.")
        await connection().execute_query(
            "INSERT INTO member_tags (id, tag_id, member_id, source, evidence, set_at, set_by, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (member_id, tag_id) WHERE removed_at IS NULL "
            "DO UPDATE SET source = excluded.source, evidence = excluded.evidence, set_at = excluded.set_at, "
            "set_by = excluded.set_by, expires_at = excluded.expires_at",
            [new_id(), found["id"], member_id, said_by(actor), evidence.strip(), now, actor.account_id, expires_at],
        )
        await announce(MEMBER_TIMELINE, member_id)
        return MemberTagged(member_id, key)


async def untag_member(
    actor: Actor, member_id: UUID, key: str
) -> MemberUntagged | MemberNotFound | TagNotFound | TagNotSet | NotPermitted:
    """Take a tag off; the row stays as history."""
    if not actor.may(Permission.WRITE_TAGS):
        return NotPermitted(Permission.WRITE_TAGS)
    async with in_transaction():
        if not await is_in_scope(actor, member_id):
            return MemberNotFound()
        found = await _catalogued(key)
        if found is None:
            return TagNotFound(key)
        rows = await connection().execute_query_dict(
            "UPDATE member_tags SET removed_at = $3 WHERE member_id = $1 AND tag_id = $2 AND removed_at IS NULL "
            "RETURNING id",
            [member_id, found["id"], await business_now()],
        )
        if not rows:
            return TagNotSet(key)
        await announce(MEMBER_TIMELINE, member_id)
        return MemberUntagged(member_id, key)


async def _catalogued(key: str) -> dict[str, Any] | None:
    """The tag of the catalogue; one of the file enters the table when it is first used."""
    find = "SELECT id, family FROM tags WHERE key = $1"
    rows = await connection().execute_query_dict(find, [key])
    if not rows and key in _filed():
        await seed_tags()
        rows = await connection().execute_query_dict(find, [key])
    return rows[0] if rows else None


async def seed_tags() -> None:
    """Put the file's tags into the catalogue. Idempotent; what is there already is left alone."""
    columns = [list(column) for column in zip(*((new_id(), *row) for row in _filed().values()), strict=True)]
    await connection().execute_query(
        "INSERT INTO tags (id, key, family, label_en, label_zh, description) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) "
        "ON CONFLICT (key) DO NOTHING",
        columns,
    )


@lru_cache(maxsize=1)
def _filed() -> dict[str, tuple[str, str, str, str, str]]:
    """Key -> (key, family, English label, Chinese label, description)."""
    families = tomllib.loads(FILE.read_text("utf-8"))
    return {
        key: (key, TagFamily(family).value, *words)
        for family, tags in families.items()
        for key, words in sorted(tags.items())
    }
