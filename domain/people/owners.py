"""Owners: who serves a member owns the contact, until it is handed over; every change is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.commerce.staff import RowScope
from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.scopes import is_in_scope, sees_member
from domain.platform.actors import Actor
from domain.platform.changes import CALLBACK_LIST, MEMBER_TIMELINE, announce_all
from domain.platform.clock import business_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from domain.commerce.staff import Staff
    from domain.people.members import Member

REASON_LENGTH = 200


class OwnerAssignment(Model):
    """A change of the owner, and whose the member was before."""

    id = fields.BigIntField(primary_key=True, generated=True)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="owner_assignments", on_delete=fields.RESTRICT
    )
    member_id: UUID
    staff: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="assignments", null=True, on_delete=fields.SET_NULL
    )
    staff_id: UUID | None  # null: her store's and the pool's
    previous: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="given_up", null=True, on_delete=fields.SET_NULL
    )
    previous_id: UUID | None
    assigned_by: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="assigned", null=True, on_delete=fields.SET_NULL
    )
    assigned_by_id: UUID | None
    reason = fields.CharField(max_length=REASON_LENGTH, default="", db_default="")
    assigned_at = fields.DatetimeField()  # business clock

    class Meta:
        table = "owner_assignments"


@dataclass(frozen=True, slots=True)
class OwnerAssigned:
    member_id: UUID
    calls: int  # open calls that went along


@dataclass(frozen=True, slots=True)
class OwnerShare:
    staff_id: UUID
    members: int


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Also the answer to whoever says it again: then nothing was left."""

    members: int
    calls: int  # open calls that went along
    shares: list[OwnerShare]


@dataclass(frozen=True, slots=True)
class StaffNotFound:
    """Nobody of that id works where the actor may assign."""

    staff_id: UUID


@dataclass(frozen=True, slots=True)
class NobodyToTakeOver:
    """The store has nobody else who can sign in and serve."""

    store_id: UUID


# $1 whose they are, $2 who gets them, $3 who says so, $4 why, $5 now (business clock), $6 the only member or null.
# A family stays together: its carers go to the same person. Whoever has least gets the first family.
MOVE = """
WITH leaving AS (
    SELECT m.id, m.household_id FROM members m
    WHERE m.owner_id IS NOT DISTINCT FROM $1::uuid AND m.status <> 'ERASED' AND ($6::uuid IS NULL OR m.id = $6)
        AND {sees}
    ORDER BY m.id FOR NO KEY UPDATE OF m
), takers AS (
    SELECT s.id, row_number() OVER (ORDER BY (SELECT count(*) FROM members m WHERE m.owner_id = s.id), s.id) - 1
        AS place
    FROM unnest($2::uuid[]) AS s (id)
), homes AS (
    SELECT household_id,
        (row_number() OVER (ORDER BY count(*) DESC, household_id) - 1) % greatest(cardinality($2::uuid[]), 1) AS place
    FROM leaving GROUP BY household_id
), moved AS (
    UPDATE members m SET owner_id = t.id, version = m.version + 1, updated_at = clock_timestamp()
    FROM leaving l JOIN homes h ON h.household_id = l.household_id LEFT JOIN takers t ON t.place = h.place
    WHERE m.id = l.id
    RETURNING m.id, m.owner_id
), noted AS (
    INSERT INTO owner_assignments (member_id, staff_id, previous_id, assigned_by_id, reason, assigned_at)
    SELECT id, owner_id, $1::uuid, $3::uuid, $4::text, $5::timestamptz FROM moved
), calls AS (
    UPDATE callback_tasks c SET owner_id = moved.owner_id, version = c.version + 1
    FROM moved
    WHERE c.member_id = moved.id AND c.owner_id IS NOT DISTINCT FROM $1::uuid AND c.state IN ('OPEN', 'LEASED')
    RETURNING c.id
)
SELECT
    (SELECT coalesce(array_agg(id), '{{}}') FROM moved) AS members,
    (SELECT coalesce(array_agg(id), '{{}}') FROM calls) AS calls,
    (SELECT coalesce(jsonb_object_agg(owner_id, n), '{{}}')::text FROM (
        SELECT owner_id, count(*) AS n FROM moved WHERE owner_id IS NOT NULL GROUP BY owner_id) s) AS shares
"""

# What she had promised to members who are not hers goes to these members' owners, or to her store and the pool.
LOOSE_CALLS = """
UPDATE callback_tasks c SET owner_id = nullif(m.owner_id, $1::uuid), version = c.version + 1
FROM members m
WHERE c.member_id = m.id AND c.owner_id = $1 AND c.state IN ('OPEN', 'LEASED') AND m.owner_id IS DISTINCT FROM $1
    AND {sees}
RETURNING c.id
"""


async def assign_owner(
    actor: Actor, member_id: UUID, staff_id: UUID | None, reason: str = ""
) -> OwnerAssigned | MemberNotFound | StaffNotFound | NotPermitted | ValidationError:
    """Make somebody the member's owner, or nobody; her open calls that were the old owner's go along. Idempotent."""
    if not actor.may(Permission.ASSIGN_OWNERS):
        return NotPermitted(Permission.ASSIGN_OWNERS)
    if len(reason) > REASON_LENGTH:
        return _too_long()
    async with in_transaction():
        if not await is_in_scope(actor, member_id, for_update=True):
            return MemberNotFound()
        if staff_id is not None and not await _reachable(actor, staff_id, must_work=True):
            return StaffNotFound(staff_id)
        rows = await connection().execute_query_dict("SELECT owner_id FROM members WHERE id = $1", [member_id])
        if rows[0]["owner_id"] == staff_id:
            return OwnerAssigned(member_id, 0)
        takers = [] if staff_id is None else [staff_id]
        moved = await _move(actor, rows[0]["owner_id"], takers, reason, await business_now(), member_id)
        return OwnerAssigned(member_id, moved.calls)


async def hand_over(
    actor: Actor, from_id: UUID, *, to_id: UUID | None = None, over_store_id: UUID | None = None, reason: str = ""
) -> HandedOver | StaffNotFound | NobodyToTakeOver | NotPermitted | ValidationError:
    """Give all members of somebody who leaves, whom the actor may see, to one person or spread them over a store.

    One transaction, a fixed number of statements, families together and open calls along. Idempotent.
    """
    if not actor.may(Permission.ASSIGN_OWNERS):
        return NotPermitted(Permission.ASSIGN_OWNERS)
    if len(reason) > REASON_LENGTH:
        return _too_long()
    if (to_id is None) == (over_store_id is None):
        return ValidationError.of(
            "toStaffId", "Say one of toStaffId and overStoreId.", "请在接手员工与门店中选择一项。"
        )
    if to_id == from_id:
        return ValidationError.of("toStaffId", "She cannot hand over to herself.", "不能移交给本人。")
    async with in_transaction():
        if not await _reachable(actor, from_id, must_work=False):
            return StaffNotFound(from_id)
        if to_id is not None:
            if not await _reachable(actor, to_id, must_work=True):
                return StaffNotFound(to_id)
            takers = [to_id]
        else:
            assert over_store_id is not None
            takers = await _servers_of(actor, over_store_id, but=from_id)
            if not takers:
                return NobodyToTakeOver(over_store_id)
        handed = await _move(actor, from_id, takers, reason, await business_now(), None)
        return HandedOver(handed.members, handed.calls + await _move_loose_calls(actor, from_id), handed.shares)


async def note_first_owner(member_id: UUID, staff_id: UUID | None, now: datetime) -> None:
    """The first line of a new member's history, in the caller's transaction. `now` is on the business clock."""
    if staff_id is not None:
        await connection().execute_query(
            "INSERT INTO owner_assignments (member_id, staff_id, assigned_by_id, assigned_at) VALUES ($1, $2, $2, $3)",
            [member_id, staff_id, now],
        )


async def _move(
    actor: Actor, from_id: UUID | None, takers: Sequence[UUID], reason: str, now: datetime, only: UUID | None
) -> HandedOver:
    parameters = Parameters([from_id, list(takers), actor.staff_id, reason.strip(), now, only])
    rows = await connection().execute_query_dict(MOVE.format(sees=sees_member(actor, parameters)), parameters)
    found = rows[0]
    await announce_all(MEMBER_TIMELINE, found["members"])
    await announce_all(CALLBACK_LIST, found["calls"])
    shares = orjson.loads(found["shares"])
    return HandedOver(
        len(found["members"]), len(found["calls"]), [OwnerShare(UUID(key), shares[key]) for key in sorted(shares)]
    )


async def _move_loose_calls(actor: Actor, from_id: UUID) -> int:
    parameters = Parameters([from_id])
    rows = await connection().execute_query_dict(LOOSE_CALLS.format(sees=sees_member(actor, parameters)), parameters)
    await announce_all(CALLBACK_LIST, [row["id"] for row in rows])
    return len(rows)


def _of_ones_own(actor: Actor, parameters: Parameters) -> str:
    """The condition on `staff s` for those whom the actor may give members to, or take them from."""
    match actor.scope:
        case RowScope.ALL:
            return "TRUE"
        case RowScope.DISTRIBUTOR:
            distributor = parameters(actor.distributor_id)
            return f"s.store_id IN (SELECT o.id FROM stores o WHERE o.distributor_id = {distributor})"
        case RowScope.STORE:
            return f"s.store_id = {parameters(actor.store_id)}"
        case RowScope.OWN:
            return f"s.id = {parameters(actor.staff_id)}"


async def _reachable(actor: Actor, staff_id: UUID, *, must_work: bool) -> bool:
    """She who leaves may be inactive already; she who takes over may not."""
    parameters = Parameters([staff_id, must_work])
    return bool(
        await connection().execute_query_dict(
            f"SELECT 1 FROM staff s WHERE s.id = $1 AND (s.is_active OR NOT $2) AND {_of_ones_own(actor, parameters)}",
            parameters,
        )
    )


async def _servers_of(actor: Actor, store_id: UUID, *, but: UUID) -> list[UUID]:
    """Who works at the store and can sign in to serve."""
    parameters = Parameters([store_id, but])
    rows = await connection().execute_query_dict(
        "SELECT s.id FROM staff s WHERE s.store_id = $1 AND s.id <> $2 AND s.is_active "
        "AND EXISTS (SELECT FROM accounts a WHERE a.staff_id = s.id AND a.is_active "
        "AND a.role IN ('CONSULTANT', 'ADVISOR', 'STORE_MANAGER')) "
        f"AND {_of_ones_own(actor, parameters)} ORDER BY s.id",
        parameters,
    )
    return [row["id"] for row in rows]


def _too_long() -> ValidationError:
    return ValidationError.of("reason", f"At most {REASON_LENGTH} characters.", f"最多{REASON_LENGTH}个字符。")
