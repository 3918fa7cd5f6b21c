"""Losses: at one word nothing about a baby is said, sent, called, or scored any more.

Absorbing: reports, imports, inference and replays leave a stopped baby as she is. Only a supervisor takes it back,
within a day and with a reason, when it was a mistake.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.care.withdrawals import cancel_calls_about
from domain.database import connection
from domain.gateway.cancellations import cancel_about
from domain.outreach.reasons import Reason
from domain.people.babies import announce_family, lock_baby
from domain.people.failures import BabyNotFound
from domain.people.provenance import said_by
from domain.platform.actors import Actor
from domain.platform.clock import business_now, real_now
from domain.platform.constraints import one_of
from domain.platform.failures import FieldError, NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission
from domain.platform.sources import Source

if TYPE_CHECKING:
    from domain.people.babies import Baby

REOPEN_WINDOW = timedelta(hours=24)  # real clock
REASON_LENGTH = 400


class Loss(Model):
    """That content about a baby was stopped, by whom, and what was withdrawn. Why is never asked."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    baby: fields.ForeignKeyRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="losses", on_delete=fields.RESTRICT
    )
    baby_id: UUID
    said_by = fields.CharEnumField(Source, max_length=16)
    actor_id = fields.UUIDField()
    actor_role = fields.CharField(max_length=16)
    stopped_at = fields.DatetimeField(auto_now_add=True)  # real clock; babies.stopped_at has the business moment
    withdrawn: fields.JSONField[dict[str, int]] = fields.JSONField(default=dict)  # how many messages, calls, scores
    reopened_at = fields.DatetimeField(null=True)  # real clock
    reopened_by = fields.UUIDField(null=True)
    reopen_reason = fields.CharField(max_length=REASON_LENGTH, null=True)

    class Meta:
        table = "losses"
        constraints = [
            one_of("losses", "said_by", Source),
            CheckConstraint(
                name="losses_are_reopened_by_somebody_for_a_reason",
                check="num_nulls(reopened_at, reopened_by, reopen_reason) IN (0, 3)",
            ),
        ]


@dataclass(frozen=True, slots=True)
class BabyContentStopped:
    """Also the answer to whoever says it again: then nothing was withdrawn by it."""

    baby_id: UUID
    household_id: UUID
    messages: int
    calls: int
    scores: int
    reopen_until: datetime  # real clock


@dataclass(frozen=True, slots=True)
class BabyContentReopened:
    """What was withdrawn does not come back; the next care run and the next scores know the baby again."""

    baby_id: UUID
    household_id: UUID


@dataclass(frozen=True, slots=True)
class ReopenTooLate:
    """It was not stopped, or the day in which a mistake can be corrected is over."""

    baby_id: UUID
    until: datetime | None  # real clock; none: nothing is stopped


SCORES = """
WITH gone AS (
    DELETE FROM scores s
    USING members m
    WHERE m.household_id = $1 AND s.member_id = m.id
        AND s.category IN (SELECT p.category FROM products p WHERE p.baby_class <> 'NONE')
    RETURNING s.id, s.member_id, s.model_name
), closed AS (
    UPDATE scores s
    SET rank = r.rank
    FROM (
        SELECT s.id, row_number() OVER (PARTITION BY s.member_id, s.model_name ORDER BY s.rank, s.id) AS rank
        FROM scores s
        WHERE (s.member_id, s.model_name) IN (SELECT member_id, model_name FROM gone)
            AND s.id NOT IN (SELECT id FROM gone)
    ) r
    WHERE r.id = s.id AND s.rank <> r.rank
)
SELECT count(*)::int AS n FROM gone
"""


async def stop(
    actor: Actor, baby_id: UUID, source: Source | None = None
) -> BabyContentStopped | BabyNotFound | NotPermitted | ValidationError:
    """Withdraw everything about the baby in one transaction: what waits to be sent, calls, scores, and her stages.

    Idempotent. `source` is the mother when staff only write down what she says.
    """
    if not actor.may(Permission.WRITE_BABIES):
        return NotPermitted(Permission.WRITE_BABIES)
    if source not in (None, Source.MEMBER, said_by(actor)):
        return ValidationError.of("saidBy", "The member, or yourself.", "只能是会员本人或您自己。")
    async with in_transaction():
        baby = await lock_baby(actor, baby_id)
        if baby is None:
            return BabyNotFound()
        household_id = baby["household_id"]
        if baby["stopped_at"] is not None:
            standing = await _standing(baby_id)
            since = standing["stopped_at"] if standing else baby["stopped_at"]
            return BabyContentStopped(baby_id, household_id, 0, 0, 0, since + REOPEN_WINDOW)
        now = await business_now()
        await connection().execute_query(
            "UPDATE babies SET stopped_at = $2, version = version + 1, updated_at = clock_timestamp() WHERE id = $1",
            [baby_id, now],
        )
        messages = await cancel_about(household_id, baby_id, Reason.LOSS.value)
        calls = await cancel_calls_about(household_id, baby_id, Reason.LOSS.value, now)
        scores = (await connection().execute_query_dict(SCORES, [household_id]))[0]["n"]
        loss = await Loss.create(
            baby_id=baby_id,
            said_by=source or said_by(actor),
            actor_id=actor.id,
            actor_role=actor.role.value,
            withdrawn={"messages": messages, "calls": calls, "scores": scores},
        )
        await _audit(actor, "stop_baby_content", household_id)
        await announce_family(household_id)
    return BabyContentStopped(baby_id, household_id, messages, calls, scores, loss.stopped_at + REOPEN_WINDOW)


async def reopen(
    actor: Actor, baby_id: UUID, reason: str
) -> BabyContentReopened | ReopenTooLate | BabyNotFound | NotPermitted | ValidationError:
    """Take a mistaken stop back: a supervisor, with a reason, within 24 hours."""
    if not actor.may(Permission.REOPEN_BABIES):
        return NotPermitted(Permission.REOPEN_BABIES)
    if not 0 < len(reason.strip()) <= REASON_LENGTH:
        words = f"Say why, in 1 to {REASON_LENGTH} characters."
        return ValidationError((FieldError("reason", words, f"请写明原因，1到{REASON_LENGTH}个字符。"),))
    async with in_transaction():
        baby = await lock_baby(actor, baby_id)
        if baby is None:
            return BabyNotFound()
        standing = await _standing(baby_id) if baby["stopped_at"] is not None else None
        until = standing["stopped_at"] + REOPEN_WINDOW if standing else None
        if standing is None or until is None or until < real_now():
            return ReopenTooLate(baby_id, until)
        await connection().execute_query(
            "UPDATE babies SET stopped_at = NULL, version = version + 1, updated_at = $2 WHERE id = $1",
            [baby_id, real_now()],
        )
        await connection().execute_query(
            "UPDATE losses SET reopened_at = $2, reopened_by = $3, reopen_reason = $4 WHERE id = $1",
            [standing["id"], real_now(), actor.id, reason.strip()],
        )
        await _audit(actor, "reopen_baby_content", baby["household_id"])
        await announce_family(baby["household_id"])
    return BabyContentReopened(baby_id, baby["household_id"])


async def _standing(baby_id: UUID) -> dict[str, Any] | None:
    rows = await connection().execute_query_dict(
        "SELECT id, stopped_at FROM losses WHERE baby_id = $1 AND reopened_at IS NULL", [baby_id]
    )
    return rows[0] if rows else None


async def _audit(actor: Actor, action: str, household_id: UUID) -> None:
    await connection().execute_query(
        "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) "
        "SELECT $1, $2, $3, coalesce(array_agg(id), '{}'), '{}' FROM members WHERE household_id = $4",
        [actor.id, actor.role.value, action, household_id],
    )
