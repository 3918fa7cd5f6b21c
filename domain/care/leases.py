"""Leases on call-back tasks: who is calling now. One live lease a task; every lease has a fence that only grows.

Leases run on the real clock, the task's own times on the business clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.care.callbacks import CallbackState
from domain.care.redecisions import may_still_call
from domain.database import connection
from domain.people.scopes import sees_task
from domain.platform.actors import Actor
from domain.platform.changes import CALLBACK_LIST, MEMBER_TIMELINE, announce, announce_all
from domain.platform.clock import business_now, real_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission

LEASE_TTL = timedelta(minutes=15)
RELEASE_REASON_LENGTH = 200
MOST_LEASES = 5  # that one person may hold by opening tasks: a list is worked, not collected


@dataclass(frozen=True, slots=True)
class Lease:
    task_id: UUID
    member_id: UUID
    fence: int
    until: datetime  # real clock


@dataclass(frozen=True, slots=True)
class Released:
    task_id: UUID
    member_id: UUID


@dataclass(frozen=True, slots=True)
class TaskNotFound:
    """No such task, or none that the actor may work on: the two answer alike."""

    task_id: UUID


@dataclass(frozen=True, slots=True)
class TaskClosed:
    """The task came to its end: done, cancelled or expired."""

    task_id: UUID
    state: CallbackState


@dataclass(frozen=True, slots=True)
class TaskWaits:
    """She may not be called at this hour; from `not_before` on (business clock) she may."""

    task_id: UUID
    not_before: datetime


@dataclass(frozen=True, slots=True)
class TooManyLeases:
    """The actor holds `limit` calls already: finish or release one first."""

    limit: int


@dataclass(frozen=True, slots=True)
class LeaseHeld:
    """Another person is calling her now."""

    task_id: UUID
    holder_name: str
    until: datetime  # real clock


@dataclass(frozen=True, slots=True)
class LeaseLost:
    """The actor's lease ran out or was taken; `holder_name` holds the task now, nobody when it is null."""

    task_id: UUID
    holder_name: str | None
    until: datetime | None  # real clock


async def open_task(
    actor: Actor, task_id: UUID
) -> Lease | TaskNotFound | TaskClosed | TaskWaits | LeaseHeld | TooManyLeases | NotPermitted:
    """Lease this task to the actor, due or not, beside any other that she holds. Her own live lease is renewed."""
    if not actor.may(Permission.WORK_CALLBACKS):
        return NotPermitted(Permission.WORK_CALLBACKS)
    async with in_transaction():
        if not await lock_account(actor):
            return NotPermitted(Permission.WORK_CALLBACKS)
        task = await lock_task(actor, task_id)
        if task is None:
            return TaskNotFound(task_id)
        closed = await _closed(task)
        if closed is not None:
            return closed
        if is_live(task):
            if task["lease_account_id"] != actor.account_id:
                return LeaseHeld(task_id, await _holder_name(task), task["lease_until"])
            return await _write_lease(actor, task_id, fence_step=0)
        if await _live_leases(actor) >= MOST_LEASES:
            return TooManyLeases(MOST_LEASES)
        if not await may_still_call(task_id, await business_now()):
            return await _not_now(task_id)
        lease = await _write_lease(actor, task_id, fence_step=1)
        await tell(task_id, task["member_id"])
        return lease


async def renew(
    actor: Actor, task_id: UUID, fence: int
) -> Lease | TaskNotFound | TaskClosed | LeaseLost | NotPermitted:
    """Push the end of the actor's live lease out to LEASE_TTL from now; a lapsed one is lost, not renewed."""
    if not actor.may(Permission.WORK_CALLBACKS):
        return NotPermitted(Permission.WORK_CALLBACKS)
    async with in_transaction():
        task = await holding(actor, task_id, fence)
        if not isinstance(task, dict):
            return task
        return await _write_lease(actor, task_id, fence_step=0)


async def release(
    actor: Actor, task_id: UUID, fence: int, reason: str
) -> Released | TaskNotFound | TaskClosed | LeaseLost | NotPermitted | ValidationError:
    """Give the task back without an attempt; it is offered to others first. The reason stays with the task."""
    if not actor.may(Permission.WORK_CALLBACKS):
        return NotPermitted(Permission.WORK_CALLBACKS)
    reason = reason.strip()
    if not reason or len(reason) > RELEASE_REASON_LENGTH:
        most = RELEASE_REASON_LENGTH
        return ValidationError.of("reason", f"Say why, in 1 to {most} characters.", f"请用1至{most}个字符说明原因。")
    async with in_transaction():
        task = await holding(actor, task_id, fence)
        if not isinstance(task, dict):
            return task
        await connection().execute_query(
            "UPDATE callback_tasks SET state = 'OPEN', lease_account_id = NULL, lease_until = NULL, released_by = $2, "
            "release_reason = $3, version = version + 1 WHERE id = $1",
            [task_id, actor.account_id, reason],
        )
        await tell(task_id, task["member_id"])
        return Released(task_id, task["member_id"])


async def reopen_lapsed(limit: int = 100) -> int:
    """Open up to `limit` tasks whose lease ran out; answers how many. Safe to run beside anything, any time."""
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "UPDATE callback_tasks SET state = 'OPEN', lease_account_id = NULL, lease_until = NULL, "
            "version = version + 1 WHERE id IN (SELECT id FROM callback_tasks WHERE state = 'LEASED' "
            "AND lease_until <= $1 ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
            [real_now(), limit],
        )
        await announce_all(CALLBACK_LIST, [row["id"] for row in rows])
        return len(rows)


async def expire_due(limit: int = 1000) -> int:
    """Close up to `limit` open tasks whose time has passed; answers how many. A live lease keeps its task open."""
    async with in_transaction():
        await reopen_lapsed(limit)
        rows = await connection().execute_query_dict(
            "UPDATE callback_tasks SET state = 'EXPIRED', closed_at = $1, version = version + 1 "
            "WHERE id IN (SELECT id FROM callback_tasks WHERE state = 'OPEN' AND expires_at <= $1 "
            "ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
            [await business_now(), limit],
        )
        await announce_all(CALLBACK_LIST, [row["id"] for row in rows])
        return len(rows)


async def lock_task(actor: Actor, task_id: UUID) -> dict[str, Any] | None:
    """The task's row, locked until the transaction ends; nothing when it is not the actor's to see.

    Whoever holds the task sees it, even when its owner or store changed meanwhile.
    """
    parameters = Parameters()
    rows = await connection().execute_query_dict(
        f"SELECT t.* FROM callback_tasks t WHERE t.id = {parameters(task_id)} "
        f"AND ({sees_task(actor, parameters)} OR t.lease_account_id = {parameters(actor.account_id)}) FOR UPDATE OF t",
        parameters,
    )
    return rows[0] if rows else None


async def holding(actor: Actor, task_id: UUID, fence: int) -> dict[str, Any] | TaskNotFound | TaskClosed | LeaseLost:
    """The locked row of a task that the actor holds by a live lease with this fence, else what stands in the way."""
    task = await lock_task(actor, task_id)
    if task is None:
        return TaskNotFound(task_id)
    if is_live(task) and task["lease_account_id"] == actor.account_id and task["fence"] == fence:
        return task
    if task["state"] not in (CallbackState.OPEN, CallbackState.LEASED):
        return TaskClosed(task_id, CallbackState(task["state"]))
    if is_live(task):
        return LeaseLost(task_id, await _holder_name(task), task["lease_until"])
    return LeaseLost(task_id, None, None)


def is_live(task: dict[str, Any]) -> bool:
    return bool(task["state"] == CallbackState.LEASED and task["lease_until"] > real_now())


async def _closed(task: dict[str, Any]) -> TaskClosed | None:
    if task["state"] not in (CallbackState.OPEN, CallbackState.LEASED):
        return TaskClosed(task["id"], CallbackState(task["state"]))
    if not is_live(task) and task["expires_at"] <= await business_now():
        return TaskClosed(task["id"], CallbackState.EXPIRED)
    return None


async def lock_account(actor: Actor) -> bool:
    """One take at a time for each account, so that two clicks cannot become two leases. False: it was shut out."""
    return bool(
        await connection().execute_query_dict(
            "SELECT 1 FROM accounts WHERE id = $1 AND is_active FOR NO KEY UPDATE", [actor.account_id]
        )
    )


async def _live_leases(actor: Actor) -> int:
    rows = await connection().execute_query_dict(
        "SELECT count(*) AS n FROM callback_tasks WHERE state = 'LEASED' AND lease_account_id = $1 "
        "AND lease_until > $2",
        [actor.account_id, real_now()],
    )
    return int(rows[0]["n"])


async def _not_now(task_id: UUID) -> TaskClosed | TaskWaits:
    rows = await connection().execute_query_dict(
        "SELECT state, not_before FROM callback_tasks WHERE id = $1", [task_id]
    )
    if rows[0]["state"] == CallbackState.OPEN:
        return TaskWaits(task_id, rows[0]["not_before"])
    return TaskClosed(task_id, CallbackState(rows[0]["state"]))


async def _write_lease(actor: Actor, task_id: UUID, fence_step: int) -> Lease:
    rows = await connection().execute_query_dict(
        "UPDATE callback_tasks SET state = 'LEASED', lease_account_id = $2, lease_until = $3, fence = fence + $4::int, "
        "released_by = NULL, release_reason = NULL, version = version + 1 WHERE id = $1 "
        "RETURNING id, member_id, fence, lease_until",
        [task_id, actor.account_id, real_now() + LEASE_TTL, fence_step],
    )
    return as_lease(rows[0])


async def _holder_name(task: dict[str, Any]) -> str:
    rows = await connection().execute_query_dict(
        "SELECT coalesce(s.name, a.login) AS name FROM accounts a LEFT JOIN staff s ON s.id = a.staff_id "
        "WHERE a.id = $1",
        [task["lease_account_id"]],
    )
    return str(rows[0]["name"]) if rows else ""


def as_lease(row: dict[str, Any]) -> Lease:
    return Lease(row["id"], row["member_id"], row["fence"], row["lease_until"])


async def tell(task_id: UUID, member_id: UUID) -> None:
    await announce(CALLBACK_LIST, task_id)
    await announce(MEMBER_TIMELINE, member_id)
