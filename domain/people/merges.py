"""Merges: that two members were one person. An edge with what it changed, so that it can be taken back to the byte."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.care.withdrawals import cancel_calls_about
from domain.database import connection
from domain.gateway.cancellations import cancel_about
from domain.outreach.reasons import Reason
from domain.people import merge_steps, merge_suggestions
from domain.people.failures import MemberNotFound
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.changes import MEMBER_TIMELINE, announce_all
from domain.platform.clock import business_now
from domain.platform.constraints import one_of
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from domain.people.members import Member

REASON_LENGTH = 400


class MergeHow(StrEnum):
    STAFF = "STAFF"  # a person looked at both
    AUTOMATIC = "AUTOMATIC"  # strong verified evidence said so


class ChangeKind(StrEnum):
    CHANGED = "CHANGED"
    DELETED = "DELETED"
    ADDED = "ADDED"


class Merge(Model):
    """One member became part of another. Undone ones stay as history."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    survivor: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="merges", on_delete=fields.RESTRICT
    )
    survivor_id: UUID
    absorbed: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="merged_by", on_delete=fields.RESTRICT
    )
    absorbed_id: UUID
    how = fields.CharEnumField(MergeHow, max_length=16)
    evidence: fields.JSONField[list[dict[str, Any]]] = fields.JSONField(default=list)  # codes and kinds, no values
    reason = fields.CharField(max_length=REASON_LENGTH, default="")
    actor_id = fields.UUIDField()
    actor_role = fields.CharField(max_length=16)
    moved: fields.JSONField[dict[str, int]] = fields.JSONField(default=dict)  # rows by table
    merged_at = fields.DatetimeField(auto_now_add=True)  # real clock
    unmerged_at = fields.DatetimeField(null=True)  # real clock
    unmerged_by = fields.UUIDField(null=True)
    unmerge_reason = fields.CharField(max_length=REASON_LENGTH, null=True)

    class Meta:
        table = "merges"
        constraints = [
            one_of("merges", "how", MergeHow),
            CheckConstraint(name="merges_join_two", check="survivor_id <> absorbed_id"),
            CheckConstraint(
                name="merges_are_undone_by_somebody_for_a_reason",
                check="num_nulls(unmerged_at, unmerged_by, unmerge_reason) IN (0, 3)",
            ),
            UniqueConstraint(name="merges_one_standing", fields=("absorbed_id",), condition="unmerged_at IS NULL"),
        ]


class MergeChange(Model):
    """A row that a merge changed, deleted or added: its columns before and after. In order; undone backwards."""

    id = fields.BigIntField(primary_key=True, generated=True)
    merge: fields.ForeignKeyRelation[Merge] = fields.ForeignKeyField(
        "nestling.Merge", related_name="changes", on_delete=fields.RESTRICT
    )
    merge_id: UUID
    table_name = fields.CharField(max_length=64)
    row_id = fields.CharField(max_length=64)
    kind = fields.CharEnumField(ChangeKind, max_length=16)
    before: fields.JSONField[dict[str, Any] | None] = fields.JSONField(null=True)
    after: fields.JSONField[dict[str, Any] | None] = fields.JSONField(null=True)

    class Meta:
        table = "merge_changes"
        constraints = [one_of("merge_changes", "kind", ChangeKind)]


@dataclass(frozen=True, slots=True)
class MembersMerged:
    merge_id: UUID
    member_id: UUID  # who stays
    absorbed_id: UUID


@dataclass(frozen=True, slots=True)
class MergePreviewed:
    """What a merge would do, tried and taken back: rows by table and kind of change. Nothing was written."""

    member_id: UUID
    absorbed_id: UUID
    rows: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class MembersUnmerged:
    merge_id: UUID
    member_id: UUID  # who stayed
    absorbed_id: UUID  # who is herself again


@dataclass(frozen=True, slots=True)
class KeptApart:
    """Somebody said that these are two people: take that back first."""

    suggestion_id: UUID


@dataclass(frozen=True, slots=True)
class MergeNotFound:
    """No such merge among members whom the actor may see, or it was undone."""


class _DryRun(Exception):
    """Leave the savepoint without a trace."""


class MovedOn(Exception):
    """Who belongs together changed while we waited for the rows: look again."""


async def merge(
    actor: Actor, survivor_id: UUID, absorbed_id: UUID, reason: str = ""
) -> MembersMerged | KeptApart | MemberNotFound | NotPermitted | ValidationError:
    """Make two members one: everything of `absorbed` is the survivor's from now on, and can be taken back.

    Never widens consent, never forgets a suppression or a loss. Two families become one. Of several who merge the same
    members at once, one does it and the others find her gone.
    """
    refused = _refusal(actor, survivor_id, absorbed_id, reason)
    if refused is not None:
        return refused
    async with locked([survivor_id, absorbed_id], leaving=[absorbed_id]):
        if not await is_in_scope(actor, survivor_id) or not await is_in_scope(actor, absorbed_id):
            return MemberNotFound()
        apart = await merge_suggestions.kept_apart(survivor_id, absorbed_id)
        if apart is not None:
            return KeptApart(apart)
        merge_id = await join(actor, survivor_id, absorbed_id, MergeHow.STAFF, reason=reason.strip())
    return MembersMerged(merge_id, survivor_id, absorbed_id)


async def preview(
    actor: Actor, survivor_id: UUID, absorbed_id: UUID
) -> MergePreviewed | KeptApart | MemberNotFound | NotPermitted | ValidationError:
    """The merge itself in a transaction that is rolled back: the numbers are what it would do, not a guess."""
    answer: MergePreviewed | KeptApart | MemberNotFound | NotPermitted | ValidationError
    try:
        async with in_transaction():
            merged = await merge(actor, survivor_id, absorbed_id)
            if not isinstance(merged, MembersMerged):
                return merged
            answer = MergePreviewed(survivor_id, absorbed_id, await merge_steps.counts(merged.merge_id))
            raise _DryRun
    except _DryRun:
        return answer


async def unmerge(
    actor: Actor, merge_id: UUID, reason: str
) -> MembersUnmerged | MergeNotFound | NotPermitted | ValidationError:
    """Take a merge back: every row as it was, and what came since under the old names goes with them.

    Merges of the same people since then are taken back and made again without this one. The two are kept apart from
    now on, or the next evidence would merge them again.
    """
    if not actor.may(Permission.MERGE_MEMBERS):
        return NotPermitted(Permission.MERGE_MEMBERS)
    if not 0 < len(reason.strip()) <= REASON_LENGTH:
        return ValidationError.of(
            "reason", f"Say why, in 1 to {REASON_LENGTH} characters.", f"请写明原因，1到{REASON_LENGTH}个字符。"
        )
    found = await connection().execute_query_dict(
        "SELECT survivor_id, absorbed_id FROM merges WHERE id = $1 AND unmerged_at IS NULL", [merge_id]
    )
    if not found:
        return MergeNotFound()
    survivor, absorbed = found[0]["survivor_id"], found[0]["absorbed_id"]
    async with locked([survivor, absorbed], leaving=[absorbed]):
        standing = await _standing_since(merge_id)
        final = await connection().execute_query_dict("SELECT merged_into_id FROM members WHERE id = $1", [absorbed])
        if not standing or not await is_in_scope(actor, final[0]["merged_into_id"]):
            return MergeNotFound()
        for one in reversed(standing):
            await merge_steps.revert(one["id"])
        await connection().execute_query(
            "UPDATE merges SET unmerged_at = clock_timestamp(), unmerged_by = $2, unmerge_reason = $3 WHERE id = $1",
            [merge_id, actor.id, reason.strip()],
        )
        await _forget_changes([one["id"] for one in standing])
        for one in standing[1:]:
            await _apply(one["id"], one["survivor_id"], one["absorbed_id"])
        await merge_suggestions.say_never(survivor, absorbed, actor.id)
        await _audit(actor, "unmerge_members", [survivor, absorbed], merge_id)
        await announce_all(MEMBER_TIMELINE, {survivor, absorbed, final[0]["merged_into_id"]})
    return MembersUnmerged(merge_id, survivor, absorbed)


async def forget(member_id: UUID) -> list[UUID]:
    """For an erasure of the member: drop the copies that her merges kept, for good, and answer who became part of her.

    Those rows hold what was hers too: whoever erases her empties them with hers. The edges stay, and cannot be undone.
    Part of the caller's transaction, which holds the lock on the member.
    """
    gone = await connection().execute_query_dict("SELECT id FROM members WHERE merged_into_id = $1", [member_id])
    await connection().execute_query(
        "DELETE FROM merge_changes WHERE merge_id IN (SELECT g.id FROM merges g JOIN members m ON m.id = g.absorbed_id "
        "WHERE m.merged_into_id = $1)",
        [member_id],
    )
    return [row["id"] for row in gone]


async def join(
    actor: Actor,
    survivor_id: UUID,
    absorbed_id: UUID,
    how: MergeHow,
    *,
    evidence: Sequence[dict[str, Any]] = (),
    reason: str = "",
) -> UUID:
    """The merge itself, inside the caller's transaction, who holds the locks and has asked whether it may be."""
    merge_id = new_id()
    await connection().execute_query(
        "INSERT INTO merges (id, survivor_id, absorbed_id, how, evidence, reason, actor_id, actor_role, moved, "
        "merged_at) VALUES ($1, $2, $3, $4, $5::text::jsonb, $6, $7, $8, '{}', clock_timestamp())",
        [
            merge_id, survivor_id, absorbed_id, how.value, orjson.dumps(list(evidence)).decode(), reason, actor.id,
            actor.role.value,
        ],
    )  # fmt: skip
    await _apply(merge_id, survivor_id, absorbed_id)
    await merge_suggestions.say_merged(survivor_id, absorbed_id, actor.id)
    await _audit(actor, "merge_members", [survivor_id, absorbed_id], merge_id)
    await announce_all(MEMBER_TIMELINE, {survivor_id, absorbed_id})
    return merge_id


@asynccontextmanager
async def locked(member_ids: Sequence[UUID], leaving: Sequence[UUID] = ()) -> AsyncIterator[None]:
    """A transaction that holds the members with all carers of their families in the order of ids, then the families.

    Each at once as strongly as it is needed, so that two merges wait for each other here and never deadlock below,
    where a merge takes tables in one order and its undoing goes backwards. A resolution that merges nobody takes the
    members alone, in the same order. Carers are held against changes; only whom a merge takes away or brings back
    (`leaving`, and who left before) is held against new rows that name her.
    """
    while True:
        try:
            async with in_transaction():
                await lock(sorted(member_ids), set(leaving))
                yield
                return
        except MovedOn:
            continue


_FAMILIES = (
    "SELECT m.id, m.household_id, m.merged_into_id FROM members m WHERE m.household_id IN "
    "(SELECT x.household_id FROM members x WHERE x.id = ANY($1::uuid[])) ORDER BY m.id"
)
_LOCK = """
SELECT coalesce(s.id, w.id) AS id FROM unnest($1::uuid[], $2::bool[]) AS g (id, is_leaving)
LEFT JOIN LATERAL (SELECT m.id FROM members m WHERE m.id = g.id AND g.is_leaving FOR UPDATE) s ON true
LEFT JOIN LATERAL (SELECT m.id FROM members m WHERE m.id = g.id AND NOT g.is_leaving FOR NO KEY UPDATE) w ON true
"""


async def lock(member_ids: Sequence[UUID], leaving: Collection[UUID]) -> None:
    """As `locked`, inside the caller's transaction; MovedOn when somebody else changed the families meanwhile."""
    held = await connection().execute_query_dict(_FAMILIES, [list(member_ids)])
    ids = [row["id"] for row in held]
    strong = [row["id"] in leaving or row["merged_into_id"] is not None for row in held]
    await connection().execute_query(_LOCK, [ids, strong])
    homes = sorted({row["household_id"] for row in held})
    await connection().execute_query(
        "SELECT 1 FROM households WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", [homes]
    )
    if await connection().execute_query_dict(_FAMILIES, [list(member_ids)]) != held:
        raise MovedOn


async def _apply(merge_id: UUID, survivor_id: UUID, absorbed_id: UUID) -> None:
    rows = await connection().execute_query_dict(
        "SELECT s.household_id AS hers, a.household_id AS others FROM members s, members a "
        "WHERE s.id = $1 AND a.id = $2",
        [survivor_id, absorbed_id],
    )
    home = rows[0]["hers"]
    for baby_id in await merge_steps.apply(merge_id, survivor_id, absorbed_id, (home, rows[0]["others"])):
        await cancel_about(home, baby_id, Reason.LOSS.value)
        await cancel_calls_about(home, baby_id, Reason.LOSS.value, await business_now())
    await connection().execute_query(
        "UPDATE merges SET moved = (SELECT coalesce(jsonb_object_agg(table_name, n), '{}') FROM (SELECT table_name, "
        "count(DISTINCT row_id) AS n FROM merge_changes WHERE merge_id = $1 GROUP BY 1) told) WHERE id = $1",
        [merge_id],
    )


async def _standing_since(merge_id: UUID) -> list[dict[str, Any]]:
    """This merge and those of the same family that came after it, in their order; none when it is undone."""
    return await connection().execute_query_dict(
        "SELECT g.id, g.survivor_id, g.absorbed_id FROM merges g JOIN merges this ON this.id = $1 "
        "JOIN members a ON a.id = g.absorbed_id JOIN members h ON h.id = this.absorbed_id "
        "WHERE g.unmerged_at IS NULL AND this.unmerged_at IS NULL AND a.household_id = h.household_id "
        "AND (g.merged_at, g.id) >= (this.merged_at, this.id) ORDER BY g.merged_at, g.id",
        [merge_id],
    )


async def _forget_changes(merge_ids: list[UUID]) -> None:
    """What was put back needs no copy: copies of people's data are kept no longer than the merge stands."""
    await connection().execute_query("DELETE FROM merge_changes WHERE merge_id = ANY($1::uuid[])", [merge_ids])


def _refusal(actor: Actor, survivor_id: UUID, absorbed_id: UUID, reason: str) -> NotPermitted | ValidationError | None:
    if not actor.may(Permission.MERGE_MEMBERS):
        return NotPermitted(Permission.MERGE_MEMBERS)
    if survivor_id == absorbed_id:
        return ValidationError.of("absorbedId", "The same member twice.", "两次选择了同一位会员。")
    if len(reason) > REASON_LENGTH:
        return ValidationError.of("reason", f"At most {REASON_LENGTH} characters.", f"最多{REASON_LENGTH}个字符。")
    return None


async def _audit(actor: Actor, action: str, member_ids: list[UUID], merge_id: UUID) -> None:
    await connection().execute_query(
        "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) "
        "VALUES ($1, $2, $3, $4, jsonb_build_object('merge', $5::text))",
        [actor.id, actor.role.value, action, member_ids, str(merge_id)],
    )
