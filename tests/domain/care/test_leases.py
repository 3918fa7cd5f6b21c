"""Leases: who gets which call, and that nobody ever shares one."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from domain.care import leases, queues
from domain.care.callbacks import CallbackState, CallbackTask
from domain.care.leases import Lease, LeaseHeld, LeaseLost, Released, TaskClosed, TaskNotFound, TooManyLeases
from domain.care.queues import NothingToCall
from domain.commerce.staff import RowScope
from domain.database import connection
from domain.people.scopes import OWNER_FIRST_HOURS
from domain.platform.actors import Actor
from domain.platform.clock import real_now, set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Role
from tests import factories as make


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)


async def take(actor: Actor) -> Lease:
    lease = await queues.take_next(actor)
    assert isinstance(lease, Lease)
    return lease


async def lapse(lease: Lease) -> None:
    await CallbackTask.filter(id=lease.task_id).update(lease_until=real_now() - timedelta(seconds=1))


async def test_forty_takers_over_two_hundred_tasks_never_share_one(db: str) -> None:
    members = [await make.make_member() for _ in range(20)]
    for number in range(200):
        await make.make_task(members[number % 20], priority=float(number % 7))
    takers = [await make.make_actor() for _ in range(40)]
    taken: list[tuple[object, object]] = []

    async def work(actor: Actor) -> None:
        for _ in range(5):
            lease = await take(actor)
            taken.append((lease.task_id, actor.account_id))
            await CallbackTask.filter(id=lease.task_id).update(
                state=CallbackState.DONE, lease_account_id=None, lease_until=None
            )

    await asyncio.gather(*(work(actor) for actor in takers))
    assert len(taken) == 200
    assert max(Counter(task for task, _ in taken).values()) == 1
    assert isinstance(await queues.take_next(takers[0]), NothingToCall)
    assert await CallbackTask.exclude(fence=1).count() == 0


async def test_the_same_consultant_asking_many_times_at_once_holds_one_lease(db: str) -> None:
    member, actor = await make.make_member(), await make.make_actor()
    for _ in range(10):
        await make.make_task(member)
    answers = await asyncio.gather(*(take(actor) for _ in range(10)))
    assert len({answer.task_id for answer in answers}) == 1
    assert await CallbackTask.filter(state=CallbackState.LEASED).count() == 1


async def test_the_owner_goes_first_then_her_store_then_the_pool(db: str) -> None:
    store = await make.make_store()
    actor = await make.make_actor(store_id=store.id)
    hers = await make.make_task(await make.make_member(owner_id=actor.staff_id), priority=1.0)
    of_store = await make.make_task(await make.make_member(store_id=store.id), priority=2.0)
    second = await make.make_task(await make.make_member(), priority=3.0)
    first = await make.make_task(await make.make_member(), priority=4.0)
    order = []
    for _ in range(4):
        lease = await take(actor)
        order.append(lease.task_id)
        await CallbackTask.filter(id=lease.task_id).update(
            state=CallbackState.DONE, lease_account_id=None, lease_until=None
        )
    assert order == [hers.id, of_store.id, first.id, second.id]


async def test_others_may_take_an_owned_call_only_when_its_owner_let_it_wait(db: str) -> None:
    owner, other = await make.make_actor(), await make.make_actor()
    member = await make.make_member(owner_id=owner.staff_id)
    task = await make.make_task(member, not_before=make.NOON - timedelta(hours=1))
    assert isinstance(await queues.take_next(other), NothingToCall)
    centre = await make.make_actor(scope=RowScope.OWN)
    elsewhere = await make.make_actor(scope=RowScope.STORE, store_id=(await make.make_store()).id)
    assert isinstance(await queues.take_next(centre), NothingToCall)
    assert await leases.open_task(centre, task.id) == TaskNotFound(task.id)
    await CallbackTask.filter(id=task.id).update(not_before=make.NOON - timedelta(hours=OWNER_FIRST_HOURS))
    assert isinstance(await queues.take_next(elsewhere), NothingToCall)
    taken = await take(centre)
    assert taken.task_id == task.id
    await leases.release(centre, task.id, taken.fence, "No time")
    assert (await take(other)).task_id == task.id


async def test_the_calls_of_an_owner_who_cannot_log_in_are_the_pools_at_once(db: str) -> None:
    absent = await make.make_staff(scope=RowScope.OWN)
    task = await make.make_task(await make.make_member(owner_id=absent.id), not_before=make.NOON)
    assert (await take(await make.make_actor(scope=RowScope.OWN))).task_id == task.id


async def test_nobody_collects_calls_by_opening_them(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()
    tasks = [await make.make_task(member) for _ in range(8)]
    answers = await asyncio.gather(*(leases.open_task(actor, task.id) for task in tasks))
    assert sum(isinstance(answer, Lease) for answer in answers) == leases.MOST_LEASES
    assert answers.count(TooManyLeases(leases.MOST_LEASES)) == 3


async def test_row_scope_binds_the_taker(db: str) -> None:
    near, far = await make.make_store(), await make.make_store()
    actor = await make.make_actor(scope=RowScope.STORE, store_id=near.id)
    distant = await make.make_task(await make.make_member(store_id=far.id))
    answer = await queues.take_next(actor)
    assert answer == NothingToCall(None)
    assert await leases.open_task(actor, distant.id) == TaskNotFound(distant.id)
    unknown = make.any_id()
    assert await leases.open_task(actor, unknown) == TaskNotFound(unknown)
    theirs = await make.make_task(await make.make_member(store_id=near.id))
    assert (await take(actor)).task_id == theirs.id
    analyst = await make.make_actor(Role.ANALYST)
    assert isinstance(await queues.take_next(analyst), NotPermitted)


@pytest.mark.parametrize(
    "fields",
    [
        {"not_before": make.NOON + timedelta(hours=1)},
        {"expires_at": make.NOON - timedelta(minutes=1)},
        {"attempts": 3},
        {"state": CallbackState.CANCELLED},
    ],
)
async def test_a_call_that_is_not_due_is_not_offered(db: str, fields: dict[str, object]) -> None:
    await make.make_task(await make.make_member(), **fields)
    answer = await queues.take_next(await make.make_actor())
    assert answer == NothingToCall(fields.get("not_before"))  # type: ignore[arg-type]


async def test_a_baby_whose_content_was_stopped_is_never_a_reason_to_call(db: str) -> None:
    member = await make.make_member()
    baby = await make.make_baby(member, stopped_at=make.NOON)
    await make.make_task(member, baby_id=baby.id)
    assert isinstance(await queues.take_next(await make.make_actor()), NothingToCall)


async def test_a_lapsed_lease_is_lost_and_says_who_holds_it(db: str) -> None:
    task = await make.make_task(await make.make_member())
    slow, quick = await make.make_actor(name="Slow"), await make.make_actor(name="Quick")
    lease = await take(slow)
    await lapse(lease)
    assert await leases.renew(slow, task.id, lease.fence) == LeaseLost(task.id, None, None)
    taken = await take(quick)
    assert (taken.task_id, taken.fence) == (task.id, lease.fence + 1)
    lost = await leases.renew(slow, task.id, lease.fence)
    assert lost == LeaseLost(task.id, "Quick", taken.until)
    assert await leases.release(slow, task.id, lease.fence, "late") == lost
    assert await leases.open_task(slow, task.id) == LeaseHeld(task.id, "Quick", taken.until)


async def test_renewing_keeps_the_fence_and_moves_the_end(db: str) -> None:
    actor = await make.make_actor()
    await make.make_task(await make.make_member())
    lease = await take(actor)
    renewed = await leases.renew(actor, lease.task_id, lease.fence)
    assert isinstance(renewed, Lease)
    assert renewed.fence == lease.fence
    assert renewed.until > lease.until
    wrong = await leases.renew(actor, lease.task_id, lease.fence + 1)
    assert isinstance(wrong, LeaseLost)


async def test_opening_another_call_leaves_the_first_lease_alive(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()
    first = await make.make_task(member, priority=2.0)
    later = await make.make_task(member, not_before=make.NOON + timedelta(days=1))
    await take(actor)
    opened = await leases.open_task(actor, later.id)
    assert isinstance(opened, Lease)
    assert opened.task_id == later.id
    assert await CallbackTask.filter(id=first.id, state=CallbackState.LEASED).exists()


async def test_a_released_call_goes_to_somebody_else_and_keeps_the_reason(db: str) -> None:
    tired, fresh, member = await make.make_actor(), await make.make_actor(), await make.make_member()
    best, second = await make.make_task(member, priority=2.0), await make.make_task(member, priority=1.0)
    lease = await take(tired)
    assert lease.task_id == best.id
    assert isinstance(await leases.release(tired, best.id, lease.fence, "  "), ValidationError)
    assert await leases.release(tired, best.id, lease.fence, "My shift ends") == Released(best.id, member.id)
    assert (await CallbackTask.get(id=best.id)).release_reason == "My shift ends"
    assert (await take(tired)).task_id == second.id
    assert (await take(fresh)).task_id == best.id


async def test_expiry_closes_open_calls_and_spares_a_live_lease(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()
    await make.make_task(member)
    lease = await take(actor)
    waiting = await make.make_task(member)
    await set_business_clock(make.NOON + timedelta(days=8))
    assert await leases.expire_due() == 1
    assert await leases.open_task(actor, waiting.id) == TaskClosed(waiting.id, CallbackState.EXPIRED)
    assert isinstance(await leases.renew(actor, lease.task_id, lease.fence), Lease)
    await lapse(lease)
    assert await leases.expire_due() == 1
    rows = await connection().execute_query_dict("SELECT DISTINCT state FROM callback_tasks")
    assert rows == [{"state": "EXPIRED"}]
