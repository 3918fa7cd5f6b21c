"""Erasure: the person goes, for good. What stays is a row that nobody is in, sales to nobody, and keyed hashes.

Two steps: whoever asks gets a key and sees what would go; with the key it is done, in one transaction.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.care.withdrawals import cancel_calls
from domain.database import connection
from domain.gateway.cancellations import cancel_to
from domain.outreach.reasons import Reason
from domain.people.erasure_rules import apply_rules
from domain.people.failures import MemberNotFound
from domain.people.identities import IdentityKind
from domain.people.scopes import is_in_scope
from domain.people.tombstones import Named, bury
from domain.people.traces import SHORTEST_NAME, TAIL, Traces, babies_of_nobody_else, names_of, traces_of, with_merged
from domain.platform.actors import Actor
from domain.platform.changes import CREDENTIALS, MEMBER_TIMELINE, announce, announce_all
from domain.platform.clock import business_now, real_now
from domain.platform.constraints import one_of
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission, Role
from domain.platform.sources import Purpose

if TYPE_CHECKING:
    from domain.people.members import Member

KEY_TTL = timedelta(minutes=15)  # real clock
LAST_LOOK_AFTER = timedelta(minutes=10)  # real clock: whatever was under way when she went has ended by then
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}")


class ErasureReason(StrEnum):
    """Why an operator erases somebody. Her own wish needs none."""

    MEMBER_ASKED = "MEMBER_ASKED"
    GUARDIAN_ASKED = "GUARDIAN_ASKED"
    RETENTION_OVER = "RETENTION_OVER"
    NOT_A_PERSON = "NOT_A_PERSON"
    LAW = "LAW"


class Erasure(Model):
    """That somebody was to be erased, who asked for it, and what went. Who she was it does not say."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="erasures", on_delete=fields.RESTRICT
    )
    member_id: UUID
    actor_id = fields.UUIDField()
    actor_role = fields.CharField(max_length=16)
    reason = fields.CharEnumField(ErasureReason, max_length=16)
    reference = fields.CharField(max_length=40, default="")  # of the letter or ticket; never a name
    key_hash = fields.CharField(max_length=64)  # SHA-256 of the key that confirms it
    asked_at = fields.DatetimeField(auto_now_add=True)  # real clock
    expires_at = fields.DatetimeField()  # real clock: until when the key confirms
    erased_at = fields.DatetimeField(null=True)  # real clock
    looked_again_at = fields.DatetimeField(null=True)  # real clock: what was under way meanwhile has been erased too
    counts: fields.JSONField[dict[str, int]] = fields.JSONField(default=dict)  # rows by table

    class Meta:
        table = "erasures"
        constraints = [
            one_of("erasures", "reason", ErasureReason),
            CheckConstraint(
                name="erasures_look_again_after", check="looked_again_at IS NULL OR looked_again_at >= erased_at"
            ),
        ]


@dataclass(frozen=True, slots=True)
class ErasureAsked:
    """The key confirms the erasure once, until then. The numbers say what would go."""

    key: str
    expires_at: datetime  # real clock
    babies: int
    orders: int
    messages: int


@dataclass(frozen=True, slots=True)
class MemberErased:
    """Nobody is in her row any more. `orders` stay, without her."""

    erasure_id: UUID
    messages: int  # that were waiting to leave
    calls: int
    babies: int
    orders: int


@dataclass(frozen=True, slots=True)
class KeyNotValid:
    """The key is not this member's, was used, or is older than KEY_TTL: ask for a new one."""


async def ask(
    actor: Actor, member_id: UUID, reason: ErasureReason | None = None, reference: str = ""
) -> ErasureAsked | MemberNotFound | NotPermitted | ValidationError:
    """The first of two steps: nothing is erased yet. An operator says why; a member asks for herself alone."""
    if not actor.may(Permission.ERASE_MEMBERS):
        return NotPermitted(Permission.ERASE_MEMBERS)
    if actor.role is Role.MEMBER:
        reason = ErasureReason.MEMBER_ASKED
    if reason is None:
        return ValidationError.of("reason", "Say why she is to be erased.", "请说明删除原因。")
    if reference and not REFERENCE.fullmatch(reference):
        return ValidationError.of(
            "reference", "1 to 40 letters, digits, dots, dashes or slashes.", "1到40个字母、数字、点、横线或斜线。"
        )
    async with in_transaction():
        if actor.member_id not in (None, member_id) or not await is_in_scope(actor, member_id):
            return MemberNotFound()
        if reference and _holds(reference, await names_of(member_id)):
            return ValidationError.of(
                "reference", "It names her, and would outlive her: give the ticket's own number.",
                "该编号包含会员信息，请填写工单号。",
            )  # fmt: skip
        key = secrets.token_urlsafe(16)
        asked = await Erasure.create(
            member_id=member_id, actor_id=actor.id, actor_role=actor.role.value, reason=reason, reference=reference,
            key_hash=_digest(key), expires_at=real_now() + KEY_TTL,
        )  # fmt: skip
        rows = await connection().execute_query_dict(
            "SELECT (SELECT count(*) FROM orders WHERE member_id = $1) AS orders, (SELECT count(*) FROM messages "
            "WHERE member_id = $1 AND state IN ('PLANNED', 'HELD', 'QUEUED')) AS messages",
            [member_id],
        )
        babies = await babies_of_nobody_else([member_id])
        return ErasureAsked(key, asked.expires_at, len(babies), rows[0]["orders"], rows[0]["messages"])


async def erase(
    actor: Actor, member_id: UUID, key: str
) -> MemberErased | KeyNotValid | MemberNotFound | NotPermitted | ValidationError:
    """Erase her: one transaction, or nothing. The rules of `erasure_rules` say what becomes of every table.

    Babies go when no other carer is left. Imports, replays and merges meet the keyed hashes of her names and leave her
    be; she herself may join again, as somebody new.
    """
    if not actor.may(Permission.ERASE_MEMBERS):
        return NotPermitted(Permission.ERASE_MEMBERS)
    async with in_transaction():
        if actor.member_id not in (None, member_id) or not await is_in_scope(actor, member_id):
            return MemberNotFound()
        # FOR UPDATE: whoever is about to hang a row on her or her family waits, and then finds nobody.
        await connection().execute_query("SELECT 1 FROM members WHERE id = $1 FOR UPDATE", [member_id])
        await connection().execute_query(
            "SELECT 1 FROM members WHERE merged_into_id = $1 ORDER BY id FOR UPDATE", [member_id]
        )
        await connection().execute_query(
            "SELECT 1 FROM households WHERE id = (SELECT household_id FROM members WHERE id = $1) FOR UPDATE",
            [member_id],
        )
        asked = await connection().execute_query_dict(
            "SELECT e.id FROM erasures e JOIN members m ON m.id = e.member_id AND m.status <> 'ERASED' "
            "WHERE e.member_id = $1 AND e.key_hash = $2 AND e.expires_at > $3 AND e.erased_at IS NULL FOR UPDATE OF e",
            [member_id, _digest(key), real_now()],
        )
        if not asked:
            return KeyNotValid()
        erasure_id = asked[0]["id"]
        messages = await cancel_to([member_id], Reason.MEMBER_ERASED.value)
        calls = await _end(erasure_id, member_id)
        traces = await traces_of(member_id)
        await _leave_the_family(erasure_id, member_id)
        done = await apply_rules(traces)
        await connection().execute_query(
            "UPDATE members SET version = version + 1, updated_at = $2 WHERE id = $1", [member_id, real_now()]
        )
        await connection().execute_query(
            "UPDATE erasures SET erased_at = $2, counts = $3::text::jsonb WHERE id = $1",
            [erasure_id, real_now(), orjson.dumps({t: n for t, n in done.items() if n}).decode()],
        )
        await connection().execute_query(
            "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) "
            "VALUES ($1, $2, 'erase_member', $3, jsonb_build_object('erasure', $4::text))",
            [actor.id, actor.role.value, [member_id], str(erasure_id)],
        )
        await announce(MEMBER_TIMELINE, member_id)
    return MemberErased(erasure_id, messages, calls, done["babies"], done["orders"])


async def look_again(limit: int = 20) -> int:
    """Erase what was under way when somebody went and landed behind her: a care run, an import. Once each; a worker's.

    Safe beside everything; answers how many erasures were looked at.
    """
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "SELECT id, member_id FROM erasures WHERE erased_at < $1 AND looked_again_at IS NULL "
            "ORDER BY erased_at LIMIT $2 FOR UPDATE SKIP LOCKED",
            [real_now() - LAST_LOOK_AFTER, limit],
        )
        if rows:
            members = await with_merged([row["member_id"] for row in rows])
            await cancel_to(members, Reason.MEMBER_ERASED.value)
            await apply_rules(Traces(members, await babies_of_nobody_else(members)))
            await connection().execute_query(
                "UPDATE erasures SET looked_again_at = $2 WHERE id = ANY($1::uuid[])",
                [[row["id"] for row in rows], real_now()],
            )
    return len(rows)


async def _end(erasure_id: UUID, member_id: UUID) -> int:
    """Her calls leave the lists, her tokens end, her names become hashes; answers how many calls."""
    at = await business_now()
    calls = await cancel_calls(member_id, tuple(Purpose), at)
    tokens = await connection().execute_query_dict("SELECT id FROM api_tokens WHERE member_id = $1", [member_id])
    await announce_all(CREDENTIALS, [row["id"] for row in tokens])
    await bury(erasure_id, await names_of(member_id), at)
    return len(calls)


async def _leave_the_family(erasure_id: UUID, member_id: UUID) -> None:
    """When others are left, they keep the household, by a name that is not hers; she gets an empty one."""
    others = await connection().execute_query_dict(
        "SELECT m.household_id FROM members m WHERE m.id = $1 AND EXISTS (SELECT FROM members o "
        "WHERE o.household_id = m.household_id AND o.id <> m.id AND o.status NOT IN ('ERASED', 'MERGED'))",
        [member_id],
    )
    if not others:
        return
    await connection().execute_query(
        "UPDATE households h SET external_id = 'carers:' || h.id FROM members m "
        "WHERE $1 IN (m.id, m.merged_into_id) AND h.id = m.household_id "
        "AND h.external_id IN ('member:' || m.external_id, m.external_id)",
        [member_id],
    )
    await connection().execute_query(
        "INSERT INTO households (id, source, external_id) VALUES ($1, 'erased', $2)", [erasure_id, str(erasure_id)]
    )
    await connection().execute_query(
        "UPDATE members SET household_id = $2 WHERE $1 IN (id, merged_into_id)", [member_id, erasure_id]
    )


def _holds(text: str, names: Sequence[Named]) -> bool:
    digits = re.sub(r"\D", "", text)
    return any(
        (len(n.value) >= SHORTEST_NAME and n.value.lower() in text.lower())
        or (n.kind is IdentityKind.PHONE and n.value[-TAIL:] in digits)
        for n in names
    )


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
