"""Who may be one person is found once whenever that changes, and put before people; nobody is merged."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.people import duplicates, merge_suggestions, merges
from domain.people.babies import Baby
from domain.people.duplicates import CONFIDENCE, MOST_HOLDERS, DuplicateLook, Found
from domain.people.identities import Identity, IdentityKind
from domain.people.members import Member, MemberStatus
from domain.people.merge_suggestions import MergeSuggestion, SuggestionState
from domain.people.merges import MembersMerged, MembersUnmerged
from domain.platform.clock import set_business_clock
from domain.platform.roles import Role
from domain.platform.sources import Source
from tests import factories as make

PHONE, OTHER_PHONE, EMAIL = "+12025550142", "+12025550143", "emma@example.com"
BORN = date(2017, 3, 2)


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)


async def named(name: str = "Emma Johnson", key: str = "emma johnson", **more: Any) -> Member:
    return await make.make_member(full_name=name, name_key=key, **more)


async def holds(member: Member, kind: IdentityKind, value: str) -> None:
    is_primary = not await Identity.filter(kind=kind, value=value, is_primary=True).exists()
    await make.make_identity(member, kind, value, is_primary=is_primary)


async def with_child(member: Member, born_on: date = BORN, **more: Any) -> Baby:
    said = {"born_on": born_on, "born_source": Source.MEMBER, "born_confidence": 1.0}
    return await make.make_baby(member, **{**said, **more})


async def suggested() -> dict[frozenset[UUID], tuple[list[str], float]]:
    """Each pair that waits, with the reasons and how sure."""
    return {
        frozenset((row.one_id, row.other_id)): ([one["code"] for one in row.evidence], row.confidence)
        for row in await MergeSuggestion.filter(state=SuggestionState.OPEN)
    }


async def test_a_name_and_something_that_both_share_is_put_before_people(db: str) -> None:
    store = await make.make_store()
    phone, phone_too, mail, mail_too = [await named(store_id=store.id) for _ in range(4)]
    for member, kind, value in (
        (phone, IdentityKind.PHONE, PHONE), (phone_too, IdentityKind.PHONE, PHONE),
        (mail, IdentityKind.EMAIL, EMAIL), (mail_too, IdentityKind.EMAIL, EMAIL),
    ):  # fmt: skip
        await holds(member, kind, value)
    child, child_too = [await named("王小丽", "wangxiaoli", store_id=store.id) for _ in range(2)]
    await with_child(child)
    await with_child(child_too)
    assert await duplicates.find() == Found(looked=6, suggested=3)
    assert await suggested() == {
        frozenset((phone.id, phone_too.id)): (["SAME_NAME_AND_PHONE"], CONFIDENCE["SAME_NAME_AND_PHONE"]),
        frozenset((mail.id, mail_too.id)): (["SAME_NAME_AND_EMAIL"], CONFIDENCE["SAME_NAME_AND_EMAIL"]),
        frozenset((child.id, child_too.id)): (["SAME_NAME_AND_BABY"], CONFIDENCE["SAME_NAME_AND_BABY"]),
    }
    assert {row.status for row in await Member.all()} == {MemberStatus.ACTIVE}
    assert await duplicates.find() == Found(looked=0, suggested=0)


async def _other_name(one: Member, _other: Member) -> None:
    await Member.filter(id=one.id).update(name_key="emma jonson")


async def _one_family(one: Member, other: Member) -> None:
    await Member.filter(id=other.id).update(household_id=one.household_id)


async def _no_name(one: Member, other: Member) -> None:
    await Member.filter(id__in=[one.id, other.id]).update(name_key="")


async def _erased(one: Member, _other: Member) -> None:
    await Member.filter(id=one.id).update(status=MemberStatus.ERASED)


async def _shared_by_many(_one: Member, _other: Member) -> None:
    for kind, value in ((IdentityKind.PHONE, PHONE), (IdentityKind.EMAIL, EMAIL)):
        for _ in range(MOST_HOLDERS - 1):
            await holds(await make.make_member(), kind, value)


@pytest.mark.parametrize("change", [_other_name, _one_family, _no_name, _erased, _shared_by_many])
async def test_what_says_nothing_about_two_is_no_suggestion(
    db: str, change: Callable[[Member, Member], Awaitable[None]]
) -> None:
    one, other = await named(), await named()
    for member in (one, other):
        await holds(member, IdentityKind.PHONE, PHONE)
        await holds(member, IdentityKind.EMAIL, EMAIL)
    await change(one, other)
    assert (await duplicates.find()).suggested == 0


@pytest.mark.parametrize("change", ["another store", "no store", "another day", "a guess", "a loss"])
async def test_a_child_counts_by_a_day_that_was_said_and_in_one_store_only(db: str, change: str) -> None:
    store = await make.make_store()
    elsewhere = {"another store": (await make.make_store()).id, "no store": None}.get(change, store.id)
    one, other = await named(store_id=store.id), await named(store_id=elsewhere)
    await with_child(one)
    different: dict[str, dict[str, Any]] = {
        "another day": {"born_on": BORN + timedelta(days=1)},
        "a guess": {"born_source": Source.INFERRED, "born_confidence": 0.4},
        "a loss": {"stopped_at": make.NOON},
    }
    await with_child(other, **different.get(change, {}))
    assert (await duplicates.find()).suggested == 0


async def test_whoever_changes_is_looked_at_again_and_nobody_else(db: str) -> None:
    one, other, store = await named(), await named("Emma J", "emma j"), await make.make_store()
    stranger = await named("Olivia Brown", "olivia brown")
    await holds(one, IdentityKind.PHONE, PHONE)
    await holds(other, IdentityKind.PHONE, PHONE)
    await duplicates.find()

    async def waits() -> set[UUID]:
        return {row.member_id for row in await DuplicateLook.all()}

    await Member.filter(id=stranger.id).update(version=7, language="zh-Hans")
    await Identity.all().update(last_seen_at=make.NOON)
    assert await waits() == set()
    await Member.filter(id=other.id).update(name_key="emma johnson")
    assert await waits() == {other.id}
    assert await duplicates.find() == Found(looked=1, suggested=1)
    await Identity.filter(member_id=one.id).update(value=OTHER_PHONE)
    assert await waits() == {one.id}
    await duplicates.find()
    await Member.filter(id__in=[one.id, other.id]).update(store_id=store.id)
    babies = [await with_child(member, born_on=BORN + timedelta(days=n)) for n, member in enumerate((one, other))]
    await duplicates.find()
    await Baby.filter(id=babies[0].id).update(nickname="Mia")
    assert await waits() == set()
    await Baby.filter(id=babies[1].id).update(born_on=BORN)
    assert await duplicates.find() == Found(looked=1, suggested=0)
    assert await suggested() == {
        frozenset((one.id, other.id)): (["SAME_NAME_AND_PHONE", "SAME_NAME_AND_BABY"], CONFIDENCE["SAME_NAME_AND_BABY"])
    }


async def test_what_a_person_decided_is_not_asked_again(db: str) -> None:
    operator = await make.make_actor(Role.OPERATOR)
    one, other, third = [await named() for _ in range(3)]
    for member in (one, other, third):
        await holds(member, IdentityKind.EMAIL, EMAIL)
    await merge_suggestions.decide(operator, one.id, other.id, is_apart=True)
    assert (await duplicates.find()).suggested == 2
    # Who became part of one of them is no other either.
    await MergeSuggestion.filter(state=SuggestionState.OPEN).delete()
    assert isinstance(await merges.merge(operator, one.id, third.id), MembersMerged)
    await DuplicateLook.create(member_id=other.id)
    assert (await duplicates.find()).suggested == 0


async def test_who_was_parted_is_apart_and_who_was_merged_is_one(db: str) -> None:
    operator = await make.make_actor(Role.OPERATOR)
    one, other = await named(), await named()
    for member in (one, other):
        await holds(member, IdentityKind.EMAIL, EMAIL)
    await duplicates.find()
    merged = await merges.merge(operator, one.id, other.id)
    assert isinstance(merged, MembersMerged)
    await duplicates.find()
    assert await suggested() == {}
    assert isinstance(await merges.unmerge(operator, merged.merge_id, "Two people."), MembersUnmerged)
    await duplicates.find()
    assert await suggested() == {}


async def test_a_look_that_is_cut_short_is_made_again(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BATCH", 2)
    members = [await named() for _ in range(5)]
    for member in members:
        await holds(member, IdentityKind.EMAIL, EMAIL)
    before, told = await DuplicateLook.all().count(), duplicates.TELL
    monkeypatch.setattr(
        duplicates, "TELL", "SELECT 1 / 0 FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::text[])"
    )
    with pytest.raises(Exception, match="division by zero"):
        await duplicates.find()
    assert await DuplicateLook.all().count() == before
    monkeypatch.setattr(duplicates, "TELL", told)
    assert await duplicates.find() == Found(looked=5, suggested=10)
    assert await DuplicateLook.all().count() == 0
