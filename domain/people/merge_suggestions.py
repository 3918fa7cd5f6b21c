"""Merge suggestions: two members who may be one person, with why; and pairs of whom a person said that they are not."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint, UniqueConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.constraints import one_of, probability
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from domain.people.members import Member


class SuggestionState(StrEnum):
    OPEN = "OPEN"
    MERGED = "MERGED"
    NEVER = "NEVER"  # they are two people: no rule and nobody merges them until this is taken back


class MergeSuggestion(Model):
    """A pair, once, the older id first. NEVER is binding, whatever evidence comes."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    one: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="suggested_as_one", on_delete=fields.RESTRICT
    )
    one_id: UUID
    other: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="suggested_as_other", on_delete=fields.RESTRICT
    )
    other_id: UUID
    state = fields.CharEnumField(SuggestionState, max_length=16, default=SuggestionState.OPEN)
    evidence: fields.JSONField[list[dict[str, Any]]] = fields.JSONField(default=list)  # codes and kinds, no values
    confidence = fields.FloatField(default=0.5)
    suggested_at = fields.DatetimeField(auto_now_add=True)  # real clock
    decided_at = fields.DatetimeField(null=True)  # real clock
    decided_by = fields.UUIDField(null=True)

    class Meta:
        table = "merge_suggestions"
        constraints = [
            one_of("merge_suggestions", "state", SuggestionState),
            probability("merge_suggestions", "confidence"),
            CheckConstraint(name="merge_suggestions_name_a_pair_once", check="one_id < other_id"),
            UniqueConstraint(name="merge_suggestions_pair", fields=("one_id", "other_id")),
        ]


@dataclass(frozen=True, slots=True)
class PairDecided:
    """`is_apart`: they are two people, whatever evidence comes; else whoever looks next may decide."""

    suggestion_id: UUID
    is_apart: bool


async def decide(
    actor: Actor, member_id: UUID, other_id: UUID, *, is_apart: bool
) -> PairDecided | MemberNotFound | NotPermitted | ValidationError:
    """Say that two members are two people, or take it back. Idempotent; binds automatic merges and people alike."""
    if not actor.may(Permission.MERGE_MEMBERS):
        return NotPermitted(Permission.MERGE_MEMBERS)
    if member_id == other_id:
        return ValidationError.of("otherId", "The same member twice.", "两次选择了同一位会员。")
    async with in_transaction():
        if not await is_in_scope(actor, member_id) or not await is_in_scope(actor, other_id):
            return MemberNotFound()
        if is_apart:
            return PairDecided(await say_never(member_id, other_id, actor.id), True)
        rows = await connection().execute_query_dict(
            "UPDATE merge_suggestions SET state = 'OPEN', decided_at = NULL, decided_by = NULL "
            "WHERE id = $1 RETURNING id",
            [await _pair(member_id, other_id)],
        )
        return PairDecided(rows[0]["id"], False)


async def suggest(one: UUID, other: UUID, evidence: Sequence[dict[str, Any]], confidence: float) -> None:
    """Put a pair before people, or add what is new to a pair that waits. A pair that was decided stays decided.

    Carers of one family share phones and addresses: they are nobody's suggestion.
    """
    await connection().execute_query(
        "INSERT INTO merge_suggestions AS s (id, one_id, other_id, state, evidence, confidence, suggested_at) "
        "SELECT $1, least(a.id, b.id), greatest(a.id, b.id), 'OPEN', $4::text::jsonb, $5::float8, clock_timestamp() "
        "FROM members a JOIN members b ON b.id = $3 AND b.household_id <> a.household_id WHERE a.id = $2 "
        "ON CONFLICT (one_id, other_id) DO UPDATE SET "
        "evidence = CASE WHEN s.evidence @> excluded.evidence THEN s.evidence "
        "ELSE s.evidence || excluded.evidence END, "
        "confidence = greatest(s.confidence, excluded.confidence) WHERE s.state = 'OPEN'",
        [new_id(), one, other, orjson.dumps(list(evidence)).decode(), confidence],
    )


async def kept_apart(one: UUID, other: UUID) -> UUID | None:
    """The word that forbids the merge: about these two, or about anybody who became part of either."""
    rows = await connection().execute_query_dict(
        "SELECT s.id FROM merge_suggestions s WHERE s.state = 'NEVER' "
        "AND EXISTS (SELECT FROM members x WHERE x.id = s.one_id AND coalesce(x.merged_into_id, x.id) IN ($1, $2)) "
        "AND EXISTS (SELECT FROM members y WHERE y.id = s.other_id AND coalesce(y.merged_into_id, y.id) IN ($1, $2)) "
        "AND (SELECT coalesce(merged_into_id, id) FROM members WHERE id = s.one_id) "
        "<> (SELECT coalesce(merged_into_id, id) FROM members WHERE id = s.other_id) "
        "AND (s.one_id = ANY($3::uuid[]) OR s.other_id = ANY($3::uuid[])) LIMIT 1",
        [one, other, await _parts(one, other)],
    )
    return rows[0]["id"] if rows else None


async def say_never(one: UUID, other: UUID, who: UUID) -> UUID:
    """They are two people. Part of the caller's transaction."""
    suggestion_id = await _pair(one, other)
    await connection().execute_query(
        "UPDATE merge_suggestions SET state = 'NEVER', decided_at = clock_timestamp(), decided_by = $2 WHERE id = $1",
        [suggestion_id, who],
    )
    return suggestion_id


async def say_merged(one: UUID, other: UUID, who: UUID) -> None:
    """The pair was merged: nobody needs to look at it any more. Part of the caller's transaction."""
    await connection().execute_query(
        "UPDATE merge_suggestions SET state = 'MERGED', decided_at = clock_timestamp(), decided_by = $3 "
        "WHERE one_id = least($1::uuid, $2::uuid) AND other_id = greatest($1::uuid, $2::uuid) AND state = 'OPEN'",
        [one, other, who],
    )


async def _pair(one: UUID, other: UUID) -> UUID:
    rows = await connection().execute_query_dict(
        "INSERT INTO merge_suggestions AS s (id, one_id, other_id, state, evidence, confidence, suggested_at) "
        "VALUES ($1, least($2::uuid, $3::uuid), greatest($2::uuid, $3::uuid), 'OPEN', '[]', 0, clock_timestamp()) "
        "ON CONFLICT (one_id, other_id) DO UPDATE SET one_id = excluded.one_id RETURNING id",
        [new_id(), one, other],
    )
    found: UUID = rows[0]["id"]
    return found


async def _parts(one: UUID, other: UUID) -> list[UUID]:
    rows = await connection().execute_query_dict(
        "SELECT id FROM members WHERE id IN ($1, $2) OR merged_into_id IN ($1, $2)", [one, other]
    )
    return [row["id"] for row in rows]
