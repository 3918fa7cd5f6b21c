"""Owners: who serves whom, the history of it, and the members of somebody who leaves."""

from collections import Counter
from uuid import UUID

import pytest

from domain.care.callbacks import CallbackState, CallbackTask
from domain.commerce.staff import RowScope, Staff
from domain.commerce.stores import Store
from domain.people import owners, registrations
from domain.people.failures import MemberNotFound
from domain.people.identities import IdentityKind
from domain.people.members import Member, MemberStatus
from domain.people.owners import HandedOver, NobodyToTakeOver, OwnerAssigned, OwnerAssignment, StaffNotFound
from domain.people.registrations import GivenIdentity, MemberRegistered, Registration
from domain.platform.actors import Actor
from domain.platform.clock import set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Role
from tests import factories as make


@pytest.fixture
async def shop(db: str) -> Store:
    await set_business_clock(make.NOON)
    return await make.make_store()


@pytest.fixture
async def manager(shop: Store) -> Actor:
    return await make.make_actor(Role.STORE_MANAGER, RowScope.STORE, store_id=shop.id)


async def advisor(shop: Store) -> UUID:
    actor = await make.make_actor(Role.ADVISOR, RowScope.OWN, store_id=shop.id)
    assert actor.staff_id is not None
    return actor.staff_id


async def owner_of(member: Member) -> UUID | None:
    return (await Member.get(id=member.id)).owner_id


async def test_an_owner_is_assigned_once_with_her_open_calls_and_a_line_of_history(shop: Store, manager: Actor) -> None:
    ann, bea = await advisor(shop), await advisor(shop)
    member = await make.make_member(store_id=shop.id, owner_id=ann)
    mine, done = await make.make_task(member), await make.make_task(member, state=CallbackState.DONE)
    others = await make.make_task(member, owner_id=manager.staff_id)
    for calls in (1, 0):
        assert await owners.assign_owner(manager, member.id, bea, " On leave ") == OwnerAssigned(member.id, calls)
    assert await owner_of(member) == bea
    assert [(await CallbackTask.get(id=task.id)).owner_id for task in (mine, done, others)] == [
        bea, ann, manager.staff_id,
    ]  # fmt: skip
    [line] = await OwnerAssignment.all()
    assert (line.staff_id, line.previous_id, line.assigned_by_id, line.reason, line.assigned_at.date()) == (
        bea, ann, manager.staff_id, "On leave", make.NOON.date(),
    )  # fmt: skip
    assert await owners.assign_owner(manager, member.id, None) == OwnerAssigned(member.id, 1)
    assert await owner_of(member) is None
    assert await owners.assign_owner(manager, member.id, ann) == OwnerAssigned(member.id, 1)
    assert (await Member.get(id=member.id)).version == 4


async def test_a_manager_assigns_within_her_store_and_an_advisor_not_at_all(shop: Store, manager: Actor) -> None:
    member, elsewhere = await make.make_member(store_id=shop.id), await make.make_store()
    stranger, gone = await advisor(elsewhere), (await make.make_staff(store_id=shop.id, is_active=False)).id
    theirs = await make.make_member(store_id=elsewhere.id)
    assert await owners.assign_owner(manager, member.id, stranger) == StaffNotFound(stranger)
    assert await owners.assign_owner(manager, member.id, gone) == StaffNotFound(gone)
    assert await owners.assign_owner(manager, theirs.id, await advisor(shop)) == MemberNotFound()
    assert await owners.hand_over(manager, stranger, over_store_id=shop.id) == StaffNotFound(stranger)
    assert isinstance(await owners.assign_owner(manager, member.id, gone, "x" * 201), ValidationError)
    working = await make.make_actor(Role.ADVISOR, store_id=shop.id)
    assert isinstance(await owners.assign_owner(working, member.id, stranger), NotPermitted)
    assert isinstance(await owners.hand_over(working, stranger, to_id=gone), NotPermitted)
    assert await OwnerAssignment.all().count() == 0


async def test_a_leavers_members_are_spread_families_together_with_their_calls(shop: Store, manager: Actor) -> None:
    leaver, ann, bea = await advisor(shop), await advisor(shop), await advisor(shop)
    await Staff.filter(id=leaver).update(is_active=False)
    families = [await make.make_member(store_id=shop.id, owner_id=leaver) for _ in range(6)]
    fathers = [
        await make.make_member(store_id=shop.id, owner_id=leaver, household_id=one.household_id) for one in families[:2]
    ]
    hers = [*families, *fathers]
    tasks = [await make.make_task(member) for member in hers]
    elsewhere = await make.make_store()
    unseen = await make.make_member(store_id=elsewhere.id, owner_id=leaver)
    erased = await make.make_member(store_id=shop.id, owner_id=leaver, status=MemberStatus.ERASED)
    promised = await make.make_task(await make.make_member(store_id=shop.id, owner_id=ann), owner_id=leaver)
    handed = await owners.hand_over(manager, leaver, over_store_id=shop.id, reason="Left")
    assert isinstance(handed, HandedOver)
    assert (handed.members, handed.calls) == (8, 9)
    shares = {share.staff_id: share.members for share in handed.shares}
    assert shares == Counter([await owner_of(member) for member in hers])
    assert set(shares) == {ann, bea, manager.staff_id}
    assert max(shares.values()) - min(shares.values()) <= 2
    for mother, father in zip(families, fathers, strict=False):
        assert await owner_of(mother) == await owner_of(father)
    for member, task in zip(hers, tasks, strict=True):
        assert (await CallbackTask.get(id=task.id)).owner_id == await owner_of(member)
    assert (await CallbackTask.get(id=promised.id)).owner_id == ann
    assert [await owner_of(unseen), await owner_of(erased)] == [leaver, leaver]
    assert await OwnerAssignment.filter(previous_id=leaver, reason="Left").count() == 8
    assert await owners.hand_over(manager, leaver, over_store_id=shop.id) == HandedOver(0, 0, [])


async def test_one_person_may_take_them_all_and_a_store_of_nobody_takes_none(shop: Store, manager: Actor) -> None:
    leaver, ann = await advisor(shop), await advisor(shop)
    member = await make.make_member(store_id=shop.id, owner_id=leaver)
    operator, empty = await make.make_actor(Role.OPERATOR), await make.make_store()
    assert await owners.hand_over(operator, leaver, over_store_id=empty.id) == NobodyToTakeOver(empty.id)
    for to, over in ((None, None), (ann, shop.id), (leaver, None)):
        assert isinstance(await owners.hand_over(manager, leaver, to_id=to, over_store_id=over), ValidationError)
    handed = await owners.hand_over(manager, leaver, to_id=ann)
    assert isinstance(handed, HandedOver)
    assert [(share.staff_id, share.members) for share in handed.shares] == [(ann, 1)]
    assert await owner_of(member) == ann


async def test_who_registers_her_is_the_first_line_of_her_history(shop: Store, manager: Actor) -> None:
    given = Registration((GivenIdentity(IdentityKind.CARD, "4711"),), phone_region="US", time_zone="UTC")
    made = await registrations.register(manager, given)
    assert isinstance(made, MemberRegistered)
    [line] = await OwnerAssignment.filter(member_id=made.member_id)
    assert (line.staff_id, line.previous_id) == (manager.staff_id, None)
