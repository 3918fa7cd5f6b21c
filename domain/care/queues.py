"""Queues of calls: whose turn is next. A task goes to its owner first, then to her store, then to the pool.

Inside each queue by priority. What is due and what is late runs on the business clock.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tortoise.transactions import in_transaction

from domain.care.leases import LEASE_TTL, Lease, as_lease, lock_account, reopen_lapsed, tell
from domain.care.redecisions import may_still_call
from domain.database import connection
from domain.people.scopes import is_left_by_owner, sees_task
from domain.platform.actors import Actor
from domain.platform.clock import business_now, real_now
from domain.platform.failures import NotPermitted
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission

LOOKED_AT_MOST = 25  # tasks that one take may put aside because their members may not be called now


class CallbackQueue(StrEnum):
    """In the order in which `take_next` looks at them."""

    OWN = "OWN"
    STORE = "STORE"
    POOL = "POOL"
    RETURNED = "RETURNED"


def in_queue(queue: CallbackQueue, actor: Actor, parameters: Parameters, alias: str = "t") -> str:
    """The condition on `callback_tasks alias` for the tasks of one of the actor's queues; no task is in two.

    Her own; her store's; everybody's whom she may call; and those that she gave back herself. Of others' tasks only
    those whose owner has had her turn.
    """
    returned = f"({alias}.released_by = {parameters(actor.account_id)}) IS TRUE"
    if queue is not CallbackQueue.RETURNED:
        own = f"({alias}.owner_id = {parameters(actor.staff_id)}) IS TRUE"
        if queue is CallbackQueue.OWN:
            return f"{own} AND NOT {returned}"
        store = f"({alias}.store_id = {parameters(actor.store_id)}) IS TRUE"
        is_hers = "" if queue is CallbackQueue.STORE else "NOT "
        returned = f"NOT {own} AND NOT {returned} AND {is_hers}{store}"
    return f"{returned} AND {sees_task(actor, parameters, alias)} AND {is_left_by_owner(alias)}"


@dataclass(frozen=True, slots=True)
class NothingToCall:
    """No task in the actor's scope is due; the next one will be at `next_due_at` (business clock), if any waits."""

    next_due_at: datetime | None


async def take_next(actor: Actor) -> Lease | NothingToCall | NotPermitted:
    """Lease the best due task to the actor. She who already holds a live lease gets that one again, renewed.

    A task whose member may not be called any more, or not at this hour, leaves the queue and the next one is looked at.
    Never two live leases on one task, nor a second one for the actor, however many ask at once.
    """
    if not actor.may(Permission.WORK_CALLBACKS):
        return NotPermitted(Permission.WORK_CALLBACKS)
    async with in_transaction():
        if not await lock_account(actor):
            return NotPermitted(Permission.WORK_CALLBACKS)
        held = await _extend_newest(actor)
        if held is not None:
            return held
        await reopen_lapsed()
        now = await business_now()
        for _ in range(LOOKED_AT_MOST):
            lease = await _lease_first(actor, now)
            if lease is None:
                break
            if await may_still_call(lease.task_id, now):
                await tell(lease.task_id, lease.member_id)
                return lease
        return NothingToCall(await _next_due_at(actor, now))


async def _extend_newest(actor: Actor) -> Lease | None:
    rows = await connection().execute_query_dict(
        "UPDATE callback_tasks SET lease_until = $2, version = version + 1 WHERE id = ("
        "SELECT id FROM callback_tasks WHERE state = 'LEASED' AND lease_account_id = $1 AND lease_until > $3 "
        "ORDER BY lease_until DESC, id LIMIT 1 FOR UPDATE) RETURNING id, member_id, fence, lease_until",
        [actor.account_id, real_now() + LEASE_TTL, real_now()],
    )
    return as_lease(rows[0]) if rows else None


async def _lease_first(actor: Actor, now: datetime) -> Lease | None:
    for queue in CallbackQueue:
        lease = await _lease_best(actor, queue, now)
        if lease is not None:
            return lease
    return None


async def _lease_best(actor: Actor, queue: CallbackQueue, now: datetime) -> Lease | None:
    """Lease the first due task of one of the queues; rows that others are taking are skipped, not waited for."""
    parameters = Parameters()
    until = parameters(real_now() + LEASE_TTL)
    me = parameters(actor.account_id)
    rows = await connection().execute_query_dict(
        f"UPDATE callback_tasks SET state = 'LEASED', lease_account_id = {me}, lease_until = {until}, "
        "fence = fence + 1, released_by = NULL, release_reason = NULL, version = version + 1 WHERE id = ("
        f"SELECT t.id FROM callback_tasks t WHERE t.state = 'OPEN' AND {in_queue(queue, actor, parameters)} "
        f"AND t.not_before <= {parameters(now)} AND t.expires_at > {parameters(now)} AND t.attempts < t.max_attempts "
        "AND EXISTS (SELECT 1 FROM members m WHERE m.id = t.member_id AND m.status = 'ACTIVE') "
        "AND NOT EXISTS (SELECT 1 FROM babies b WHERE b.id = t.baby_id AND b.stopped_at IS NOT NULL) "
        "ORDER BY t.priority DESC, t.id LIMIT 1 FOR UPDATE OF t SKIP LOCKED"
        ") RETURNING id, member_id, fence, lease_until",
        parameters,
    )
    return as_lease(rows[0]) if rows else None


async def _next_due_at(actor: Actor, now: datetime) -> datetime | None:
    parameters = Parameters()
    rows = await connection().execute_query_dict(
        "SELECT min(t.not_before) AS at FROM callback_tasks t WHERE t.state = 'OPEN' "
        f"AND t.not_before > {parameters(now)} AND t.attempts < t.max_attempts AND {sees_task(actor, parameters)}",
        parameters,
    )
    at: datetime | None = rows[0]["at"]
    return at
