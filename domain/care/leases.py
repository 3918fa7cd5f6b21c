"""Leases on call-back tasks: who is calling now. One live lease a task; every lease has a fence that only grows.

Tasks go to their owner first, then to her store, then to the pool; inside each by priority. Times of the task run on
the business clock, leases on the real one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.care.callbacks import CallbackState
from domain.database import connection
from domain.people.scopes import sees_task
from domain.platform.actors import Actor
from domain.platform.changes import CALLBACK_LIST, MEMBER_TIMELINE, announce
from domain.platform.clock import business_now, real_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission

LEASE_TTL = timedelta(minutes=15)
OWNER_FIRST = timedelta(hours=2)  # so long a due task waits for its owner before anybody else may take it
RELEASE_REASON_LENGTH = 200


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
class NothingToCall:
    """No task in the actor's scope is due; the next one will be at `next_due_at` (business clock), if any waits."""

    next_due_at: datetime | None


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


async def take_next(actor: Actor) -> Lease | NothingToCall | NotPermitted:
    """Lease the best due task to the actor. She who already holds a live lease gets that one again, renewed.

    Never two live leases on one task, nor a second one for the actor, however many ask at once.
    """
    if not actor.may(Permission.WORK_CALLBACKS):
        return NotPermitted(Permission.WORK_CALLBACKS)
    async with in_transaction():
        if not await _lock_account(actor):
            return NotPermitted(Permission.WORK_CALLBACKS)
        held = await _extend_newest(actor)
        if held is not None:
            return held
        await reopen_lapsed()
        now = await business_now()
        for condition in ("own", "store", "pool", "returned"):
            lease = await _lease_best(actor, condition, now)
            if lease is not None:
                await _tell(lease.task_id, lease.member_id)
                return lease
        return NothingToCall(await _next_due_at(actor, now))


async def open_task(actor: Actor, task_id: UUID) -> Lease | TaskNotFound | TaskClosed | LeaseHeld | NotPermitted:
    """Lease this task to the actor, due or not, beside any other that she holds. Her own live lease is renewed."""
    if not actor.may(Permission.WORK_CALLBACKS):
        return NotPermitted(Permission.WORK_CALLBACKS)
    async with in_transaction():
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
        lease = await _write_lease(actor, task_id, fence_step=1)
        await _tell(task_id, task["member_id"])
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
        return ValidationError.of("reason", f"Say why, in 1 to {RELEASE_REASON_LENGTH} characters.")
    async with in_transaction():
        task = await holding(actor, task_id, fence)
        if not isinstance(task, dict):
            return task
        await connection().execute_query(
            "UPDATE callback_tasks SET state = 'OPEN', lease_account_id = NULL, lease_until = NULL, released_by = $2, "
            "release_reason = $3, version = version + 1 WHERE id = $1",
            [task_id, actor.account_id, reason],
        )
        await _tell(task_id, task["member_id"])
        return Released(task_id, task["member_id"])


async def reopen_lapsed(limit: int = 100) -> int:
    """Open up to `limit` tasks whose lease ran out; answers how many. Safe to run beside anything, any time."""
    rows = await connection().execute_query_dict(
        "UPDATE callback_tasks SET state = 'OPEN', lease_account_id = NULL, lease_until = NULL, version = version + 1 "
        "WHERE id IN (SELECT id FROM callback_tasks WHERE state = 'LEASED' AND lease_until <= $1 "
        "ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
        [real_now(), limit],
    )
    return len(rows)


async def expire_due(limit: int = 1000) -> int:
    """Close up to `limit` open tasks whose time has passed; answers how many. A live lease keeps its task open."""
    async with in_transaction():
        await reopen_lapsed(limit)
        now = await business_now()
        rows = await connection().execute_query_dict(
            "UPDATE callback_tasks SET state = 'EXPIRED', closed_at = $1, version = version + 1 "
            "WHERE id IN (SELECT id FROM callback_tasks WHERE state = 'OPEN' AND expires_at <= $1 "
            "ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
            [now, limit],
        )
        if rows:
            await announce(CALLBACK_LIST, "expired")
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


async def _lock_account(actor: Actor) -> bool:
    """One take at a time for each account, so that two clicks cannot become two leases."""
    return bool(
        await connection().execute_query_dict(
            "SELECT 1 FROM accounts WHERE id = $1 AND is_active FOR NO KEY UPDATE", [actor.account_id]
        )
    )


async def _extend_newest(actor: Actor) -> Lease | None:
    rows = await connection().execute_query_dict(
        "UPDATE callback_tasks SET lease_until = $2, version = version + 1 WHERE id = ("
        "SELECT id FROM callback_tasks WHERE state = 'LEASED' AND lease_account_id = $1 AND lease_until > $3 "
        "ORDER BY lease_until DESC, id LIMIT 1 FOR UPDATE) RETURNING id, member_id, fence, lease_until",
        [actor.account_id, real_now() + LEASE_TTL, real_now()],
    )
    return _lease(rows[0]) if rows else None


async def _lease_best(actor: Actor, condition: str, now: datetime) -> Lease | None:
    """Lease the first due task of one of the queues; rows that others are taking are skipped, not waited for."""
    parameters = Parameters()
    until = parameters(real_now() + LEASE_TTL)
    me = parameters(actor.account_id)
    queue = {
        "own": lambda: f"t.owner_id = {parameters(actor.staff_id)} AND t.released_by IS DISTINCT FROM {me}",
        "store": lambda: f"t.store_id = {parameters(actor.store_id)} AND t.released_by IS DISTINCT FROM {me}",
        "pool": lambda: f"t.released_by IS DISTINCT FROM {me}",
        "returned": lambda: f"t.released_by = {me}",
    }[condition]()
    scope = "TRUE" if condition == "own" else f"{sees_task(actor, parameters)} AND {_is_free(actor, now, parameters)}"
    rows = await connection().execute_query_dict(
        f"UPDATE callback_tasks SET state = 'LEASED', lease_account_id = {me}, lease_until = {until}, "
        "fence = fence + 1, released_by = NULL, release_reason = NULL, version = version + 1 WHERE id = ("
        f"SELECT t.id FROM callback_tasks t WHERE t.state = 'OPEN' AND {queue} AND {scope} "
        f"AND t.not_before <= {parameters(now)} AND t.expires_at > {parameters(now)} AND t.attempts < t.max_attempts "
        "AND EXISTS (SELECT 1 FROM members m WHERE m.id = t.member_id AND m.status = 'ACTIVE') "
        "AND NOT EXISTS (SELECT 1 FROM babies b WHERE b.id = t.baby_id AND b.stopped_at IS NOT NULL) "
        "ORDER BY t.priority DESC, t.id LIMIT 1 FOR UPDATE OF t SKIP LOCKED"
        ") RETURNING id, member_id, fence, lease_until",
        parameters,
    )
    return _lease(rows[0]) if rows else None


def _is_free(actor: Actor, now: datetime, parameters: Parameters) -> str:
    """Not another's by the owner's first right: she has an account, and has had the task for less than OWNER_FIRST."""
    return (
        f"(t.owner_id IS NULL OR t.owner_id = {parameters(actor.staff_id)} OR t.released_by IS NOT NULL "
        f"OR t.not_before <= {parameters(now - OWNER_FIRST)} "
        "OR NOT EXISTS (SELECT 1 FROM accounts a WHERE a.staff_id = t.owner_id AND a.is_active))"
    )


async def _write_lease(actor: Actor, task_id: UUID, fence_step: int) -> Lease:
    rows = await connection().execute_query_dict(
        "UPDATE callback_tasks SET state = 'LEASED', lease_account_id = $2, lease_until = $3, fence = fence + $4::int, "
        "released_by = NULL, release_reason = NULL, version = version + 1 WHERE id = $1 "
        "RETURNING id, member_id, fence, lease_until",
        [task_id, actor.account_id, real_now() + LEASE_TTL, fence_step],
    )
    return _lease(rows[0])


async def _holder_name(task: dict[str, Any]) -> str:
    rows = await connection().execute_query_dict(
        "SELECT coalesce(s.name, a.login) AS name FROM accounts a LEFT JOIN staff s ON s.id = a.staff_id "
        "WHERE a.id = $1",
        [task["lease_account_id"]],
    )
    return str(rows[0]["name"]) if rows else ""


async def _next_due_at(actor: Actor, now: datetime) -> datetime | None:
    parameters = Parameters()
    rows = await connection().execute_query_dict(
        "SELECT min(t.not_before) AS at FROM callback_tasks t WHERE t.state = 'OPEN' "
        f"AND t.not_before > {parameters(now)} AND t.attempts < t.max_attempts AND {sees_task(actor, parameters)}",
        parameters,
    )
    at: datetime | None = rows[0]["at"]
    return at


def _lease(row: dict[str, Any]) -> Lease:
    return Lease(row["id"], row["member_id"], row["fence"], row["lease_until"])


async def _tell(task_id: UUID, member_id: UUID) -> None:
    await announce(CALLBACK_LIST, task_id)
    await announce(MEMBER_TIMELINE, member_id)
