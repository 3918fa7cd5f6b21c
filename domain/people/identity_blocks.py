"""Identity blocks: values that name nobody. Blocked ones are never kept; quarantined ones are kept as evidence only.

A phone that came with more than SHARED_BY members within SHARED_WITHIN is quarantined by the database itself, whoever
writes it: it resolves to nobody until a person lifts it.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.identities import IdentityKind
from domain.people.phones import normalised_email, normalised_phone
from domain.platform.actors import Actor
from domain.platform.constraints import one_of
from domain.platform.failures import FieldError, NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission

SHARED_BY = 3  # members; said again in the trigger of migration 0004
SHARED_WITHIN = timedelta(days=30)  # business clock, between first and last seen
NOTE_LENGTH = 400
FILE = Path(__file__).parent / "identity_rules.toml"


class BlockReason(StrEnum):
    """Why a value names nobody."""

    PLACEHOLDER = "PLACEHOLDER"  # zeros, null, one digit over and over
    TEST_NUMBER = "TEST_NUMBER"  # set aside for trials; only rows marked synthetic hold it
    STORE_PHONE = "STORE_PHONE"  # a store's own number
    KIOSK = "KIOSK"  # a device, card or number that serves everybody
    STAFF = "STAFF"  # somebody of ours looked into it
    SHARED = "SHARED"  # quarantine: it came with too many members


BLOCKING = tuple(reason for reason in BlockReason if reason is not BlockReason.SHARED)
BY_HAND = (BlockReason.KIOSK, BlockReason.STORE_PHONE, BlockReason.STAFF, BlockReason.PLACEHOLDER)


WHY_BLOCKED = {
    BlockReason.PLACEHOLDER: (
        "That stands for nobody: ask for hers, or leave it out.",
        "这不是真实的号码：请询问本人，或留空。",
    ),
    BlockReason.TEST_NUMBER: ("That is set aside for trials.", "这是测试号码。"),
    BlockReason.STORE_PHONE: ("That is a store's own number.", "这是门店自己的号码。"),
    BlockReason.KIOSK: ("That serves everybody who comes: a kiosk's or a till's.", "这是自助机或收银台的公用标识。"),
    BlockReason.STAFF: ("That was blocked: it names nobody.", "该标识已被停用，不代表任何人。"),
}
"""For people, in English and Chinese."""


class IdentityBlock(Model):
    """A value that names nobody, since when and why; lifted ones stay as history. SHARED is the quarantine."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    kind = fields.CharEnumField(IdentityKind, max_length=32)
    value = fields.CharField(max_length=320)  # normalised, as identities hold it
    reason = fields.CharEnumField(BlockReason, max_length=16)
    members = fields.IntField(default=0)  # how many held it when it was blocked
    note = fields.CharField(max_length=NOTE_LENGTH, default="")
    blocked_by = fields.UUIDField(null=True)  # account; null: the rule of shared phones
    blocked_at = fields.DatetimeField()  # real clock
    lifted_at = fields.DatetimeField(null=True)  # real clock
    lifted_by = fields.UUIDField(null=True)  # account

    class Meta:
        table = "identity_blocks"
        constraints = [
            one_of("identity_blocks", "kind", IdentityKind),
            one_of("identity_blocks", "reason", BlockReason),
            CheckConstraint(name="identity_blocks_value_not_empty", check="value <> ''"),
            CheckConstraint(
                name="identity_blocks_are_lifted_by_somebody", check="num_nulls(lifted_at, lifted_by) <> 1"
            ),
            UniqueConstraint(
                name="identity_blocks_one_in_force", fields=("kind", "value"), condition="lifted_at IS NULL"
            ),
        ]


@dataclass(frozen=True, slots=True)
class IdentityBlocked:
    """From now on the value names nobody; `members` held it and keep it as evidence."""

    block_id: UUID
    members: int


@dataclass(frozen=True, slots=True)
class BlockLifted:
    """The value names people again: the member who is known by it longest."""

    block_id: UUID
    member_id: UUID | None


@dataclass(frozen=True, slots=True)
class BlockNotFound:
    """No such block, or it was lifted before."""


@cache
def _rules() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


@cache
def limit(kind: IdentityKind) -> int:
    """How many identities of the kind one member may hold."""
    return int(_rules()["limits"][kind.value])


@cache
def _patterns(rule: str, kind: IdentityKind) -> tuple[re.Pattern[str], ...]:
    """One pattern for all; those with back references by themselves, as they count groups from the whole's first."""
    found = [*_rules()[rule].get("ANY", ()), *_rules()[rule].get(kind.value, ())]
    plain = "|".join(f"(?:{one})" for one in found if "\\1" not in one)
    return tuple(re.compile(one, re.IGNORECASE) for one in (plain, *(one for one in found if "\\1" in one)) if one)


def _matches(rule: str, kind: IdentityKind, value: str) -> bool:
    for pattern in _patterns(rule, kind):  # noqa: SIM110 - of many thousands a call, where any() costs as much again
        if pattern.fullmatch(value) is not None:
            return True
    return False


def flaw_of(kind: IdentityKind, value: str, *, is_synthetic: bool) -> BlockReason | None:
    """Why nobody can be called this, from the value alone. Pure."""
    if _matches("placeholder", kind, value):
        return BlockReason.PLACEHOLDER
    if not is_synthetic and _matches("test_number", kind, value):
        return BlockReason.TEST_NUMBER
    return None


def is_test_value(kind: IdentityKind, value: str) -> bool:
    """Whether only a row that is marked synthetic may hold it. Pure."""
    return _matches("test_number", kind, value)


async def standing_blocks(values: Iterable[tuple[IdentityKind, str]]) -> dict[tuple[IdentityKind, str], BlockReason]:
    """Which of the values name nobody by the tables: blocked by hand, quarantined, or a store's own phone."""
    asked = {value for _, value in values}
    if not asked:
        return {}
    rows = await connection().execute_query_dict(
        "SELECT kind, value, reason FROM identity_blocks WHERE lifted_at IS NULL AND value = ANY($1::text[]) UNION ALL "
        "SELECT 'PHONE', phone, 'STORE_PHONE' FROM stores WHERE phone = ANY($1::text[])",
        [list(asked)],
    )
    return {(IdentityKind(row["kind"]), row["value"]): BlockReason(row["reason"]) for row in rows}


async def block(
    actor: Actor, kind: IdentityKind, value: str, reason: BlockReason, note: str = "", *, phone_region: str = "US"
) -> IdentityBlocked | NotPermitted | ValidationError:
    """A kiosk's card, a store's phone, a number that turned out to be everybody's: it names nobody from now on.

    Idempotent. Who holds it keeps it as evidence; look-ups by it answer nobody.
    """
    if not actor.may(Permission.MERGE_MEMBERS):
        return NotPermitted(Permission.MERGE_MEMBERS)
    kept = _normalised(kind, value, phone_region)
    flaws = [] if kept else [FieldError("value", "Not a value of this kind.", "不是该类型的有效值。")]
    if reason not in BY_HAND:
        flaws.append(FieldError("reason", f"One of {', '.join(BY_HAND)}.", "请选择人工可用的原因。"))
    if len(note) > NOTE_LENGTH:
        flaws.append(FieldError("note", f"At most {NOTE_LENGTH} characters.", f"最多{NOTE_LENGTH}个字符。"))
    if flaws or kept is None:
        return ValidationError(tuple(flaws))
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "INSERT INTO identity_blocks AS b (id, kind, value, reason, note, blocked_by, blocked_at, members) "
            "SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::uuid, clock_timestamp(), "
            "count(DISTINCT member_id)::int FROM identities WHERE kind = $2::text AND value = $3::text "
            "ON CONFLICT (kind, value) WHERE lifted_at IS NULL DO UPDATE "
            "SET reason = excluded.reason, note = excluded.note, blocked_by = excluded.blocked_by "
            "RETURNING b.id, b.members",
            [new_id(), kind.value, kept, reason.value, note.strip(), actor.account_id],
        )
        await connection().execute_query(
            "UPDATE identities SET is_primary = false WHERE kind = $1 AND value = $2 AND is_primary",
            [kind.value, kept],
        )
        await _audit(actor, "block_identity", rows[0]["id"])
        return IdentityBlocked(rows[0]["id"], rows[0]["members"])


async def lift(actor: Actor, block_id: UUID) -> BlockLifted | BlockNotFound | NotPermitted:
    """The value names people again: of its holders the verified one, else the one who is known by it longest."""
    if not actor.may(Permission.MERGE_MEMBERS):
        return NotPermitted(Permission.MERGE_MEMBERS)
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "UPDATE identity_blocks SET lifted_at = clock_timestamp(), lifted_by = $2 "
            "WHERE id = $1 AND lifted_at IS NULL RETURNING kind, value",
            [block_id, actor.id],
        )
        if not rows:
            return BlockNotFound()
        holders = await connection().execute_query_dict(
            "UPDATE identities SET is_primary = true WHERE id = (SELECT i.id FROM identities i "
            "JOIN members m ON m.id = i.member_id AND m.status NOT IN ('ERASED', 'MERGED') "
            "WHERE i.kind = $1 AND i.value = $2 AND NOT EXISTS (SELECT FROM identities p "
            "WHERE p.kind = $1 AND p.namespace = i.namespace AND p.value = $2 AND p.is_primary) "
            "ORDER BY i.verified_at IS NULL, i.first_seen_at, i.id LIMIT 1) RETURNING member_id",
            [rows[0]["kind"], rows[0]["value"]],
        )
        await _audit(actor, "lift_identity_block", block_id)
        return BlockLifted(block_id, holders[0]["member_id"] if holders else None)


def _normalised(kind: IdentityKind, value: str, phone_region: str) -> str | None:
    if kind is IdentityKind.PHONE:
        return normalised_phone(value, phone_region)
    if kind is IdentityKind.EMAIL:
        return normalised_email(value)
    code = value.strip()
    return code if 0 < len(code) <= 320 and code.isprintable() else None


async def _audit(actor: Actor, action: str, block_id: UUID) -> None:
    await connection().execute_query(
        "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) "
        "VALUES ($1, $2, $3, '{}', jsonb_build_object('block', $4::text))",
        [actor.id, actor.role.value, action, str(block_id)],
    )
