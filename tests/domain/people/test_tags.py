"""Tags: of members, babies and families; the catalogue, history, terms, and many at once."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.commerce.staff import RowScope
from domain.database import connection
from domain.people import tag_catalogue, tags
from domain.people.failures import BabyNotFound
from domain.people.members import MemberStatus
from domain.people.tag_catalogue import NewTag, TagCreated, TagExists, TagFamily, TagNotFound, TagRetired, seed_tags
from domain.people.tags import About, MembersTagged, MemberTag, MemberTagged, MemberUntagged, Tag, TagNotSet
from domain.platform.actors import Actor
from domain.platform.audit import AuditEntry
from domain.platform.clock import set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.parameters import Parameters
from domain.platform.roles import Role
from tests import factories as make

KEY = "interaction.class_autumn"
CLASS = NewTag(KEY, TagFamily.INTERACTION, "Autumn class", "秋季课堂", "Came to the class.", valid_days=90)


@pytest.fixture
async def operator(db: str) -> Actor:
    await set_business_clock(make.NOON)
    actor = await make.make_actor(Role.OPERATOR)
    assert isinstance(await tag_catalogue.create_tag(actor, CLASS), TagCreated)
    return actor


def these(*members: Any) -> Callable[[Parameters], str]:
    return lambda parameters: f"m.id = ANY({parameters([one.id for one in members])}::uuid[])"


async def test_a_key_means_one_thing_for_ever(operator: Actor) -> None:
    first = await Tag.get(key=KEY)
    assert await tag_catalogue.create_tag(operator, CLASS) == TagCreated(first.id)
    other = NewTag(KEY, TagFamily.INTERACTION, "Another", "别的")
    assert await tag_catalogue.create_tag(operator, other) == TagExists(KEY)
    filed = NewTag("attribute.twins", TagFamily.ATTRIBUTE, "Mine", "我的")
    assert await tag_catalogue.create_tag(operator, filed) == TagExists("attribute.twins")
    assert await tag_catalogue.retire_tag(operator, KEY) == TagRetired(first.id, 0)
    assert await tag_catalogue.create_tag(operator, CLASS) == TagExists(KEY)
    assert await tag_catalogue.retire_tag(operator, "attribute.none") == TagNotFound("attribute.none")
    for role in (Role.ADVISOR, Role.STORE_MANAGER, Role.ANALYST):
        actor = await make.make_actor(role)
        assert isinstance(await tag_catalogue.create_tag(actor, CLASS), NotPermitted)
        assert isinstance(await tag_catalogue.retire_tag(actor, KEY), NotPermitted)
        assert isinstance(await tags.tag_members(actor, these(), KEY), NotPermitted)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("key", {"key": "Interaction.x"}), ("key", {"key": "interaction"}), ("key", {"key": "attribute.x"}),
        ("key", {"key": "interaction." + "x" * 100}), ("labelEn", {"label_en": " "}),
        ("labelZh", {"label_zh": "字" * 101}), ("description", {"description": "x" * 401}),
        ("validDays", {"valid_days": 0}), ("validDays", {"valid_days": 3651}),
        ("family", {"key": "model.x", "family": TagFamily.MODEL}), ("ownerId", {"owner_id": make.any_id()}),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_tag_is_said_in_both_languages(
    operator: Actor, field: str, wrong: dict[str, Any]
) -> None:
    given = {"key": "interaction.x", "family": TagFamily.INTERACTION, "label_en": "X", "label_zh": "某", **wrong}
    answer = await tag_catalogue.create_tag(operator, NewTag(**given))
    assert isinstance(answer, ValidationError)
    assert [(error.field, bool(error.message_zh)) for error in answer.errors] == [(field, True)]


async def test_a_tag_said_in_other_words_ends_and_is_said_anew(operator: Actor) -> None:
    member = await make.make_member()
    for evidence in ("came", "came", "came twice"):
        assert await tags.tag_member(operator, member.id, KEY, evidence) == MemberTagged(member.id, KEY)
    rows = await MemberTag.filter(member_id=member.id).order_by("id")
    assert [(row.evidence, row.removed_at is None) for row in rows] == [("came", False), ("came twice", True)]
    assert rows[1].expires_at is not None
    assert (rows[1].expires_at - make.NOON).days == 90
    until = make.NOON + timedelta(hours=5)
    await tags.tag_member(operator, member.id, KEY, "came twice", until)
    standing = await MemberTag.get(member_id=member.id, removed_at=None)
    assert standing.expires_at == until
    await set_business_clock(make.NOON + timedelta(hours=6))
    assert await tags.untag_member(operator, member.id, KEY) == TagNotSet(KEY)
    await tags.tag_member(operator, member.id, KEY, "came twice", make.NOON + timedelta(hours=8))
    ended = await MemberTag.filter(member_id=member.id, removed_at__isnull=False).order_by("-id").first()
    assert ended is not None
    assert ended.removed_at == until  # it had run out by then


async def test_a_tag_is_on_a_baby_or_a_family_and_comes_off_there(operator: Actor) -> None:
    member = await make.make_member()
    father = await make.make_member(household_id=member.household_id)
    baby, other = await make.make_baby(member), await make.make_baby(await make.make_member())
    lost = await make.make_baby(member, stopped_at=make.NOON)
    for about in (About(baby.id), About(is_family=True)):
        assert isinstance(await tags.tag_member(operator, member.id, KEY, about=about), MemberTagged)
        assert isinstance(await tags.tag_member(operator, father.id, KEY, about=about), MemberTagged)
    for stranger in (other, lost):
        assert await tags.tag_member(operator, member.id, KEY, about=About(stranger.id)) == BabyNotFound()
    rows = await MemberTag.all()
    assert {(row.member_id, row.baby_id, row.household_id) for row in rows} == {
        (None, baby.id, None), (None, None, member.household_id),
    }  # fmt: skip
    assert len(rows) == 2
    assert await tags.untag_member(operator, member.id, KEY) == TagNotSet(KEY)
    for about in (About(baby.id), About(is_family=True)):
        assert isinstance(await tags.untag_member(operator, father.id, KEY, about), MemberUntagged)
    assert await MemberTag.filter(removed_at=None).count() == 0


async def test_many_are_tagged_at_once_within_scope_and_again_changes_nothing(operator: Actor) -> None:
    store = await make.make_store()
    members = [await make.make_member(store_id=store.id) for _ in range(5)]
    outside = await make.make_member()
    narrow = await make.make_actor(Role.OPERATOR, RowScope.STORE, store_id=store.id)
    answers = await asyncio.gather(*(tags.tag_members(narrow, these(*members, outside), KEY) for _ in range(4)))
    assert sum(one.tagged for one in answers if isinstance(one, MembersTagged)) == 5
    assert all(isinstance(one, MembersTagged) and one.chosen == 5 for one in answers)
    assert await MemberTag.all().count() == 5
    assert await tags.tag_members(operator, lambda _: "TRUE", KEY) == MembersTagged(6, 1)
    audited = [set(one.member_ids) for one in await AuditEntry.filter(action="tag_members")]
    assert {outside.id} in audited
    assert set().union(*audited) == {one.id for one in (*members, outside)}
    tag = await Tag.get(key=KEY)
    assert await tag_catalogue.retire_tag(operator, KEY) == TagRetired(tag.id, 6)
    assert await tag_catalogue.retire_tag(operator, KEY) == TagRetired(tag.id, 0)
    assert await tags.tag_members(operator, lambda _: "TRUE", KEY) == TagNotFound(KEY)
    assert await tags.tag_member(operator, outside.id, KEY) == TagNotFound(KEY)
    await seed_tags()
    assert await MemberTag.filter(removed_at=None).count() == 0


async def test_whoever_was_merged_away_or_erased_is_not_tagged_by_her_old_id(operator: Actor) -> None:
    member = await make.make_member()
    gone = await make.make_member(status=MemberStatus.MERGED, merged_into_id=member.id)
    erased = await make.make_member(status=MemberStatus.ERASED)
    assert await tags.tag_members(operator, these(member, gone, erased), KEY) == MembersTagged(1, 1)
    assert [row.member_id for row in await MemberTag.all()] == [member.id]


async def test_beyond_the_bound_nobody_is_tagged(operator: Actor) -> None:
    member = await make.make_member()
    await connection().execute_query(
        "INSERT INTO members (id, household_id, source, external_id, joined_on) "
        "SELECT gen_random_uuid(), $1, 'many', n::text, '2017-01-01' FROM generate_series(1, $2) n",
        [member.household_id, tags.MOST_AT_ONCE],
    )
    answer = await tags.tag_members(operator, lambda _: "TRUE", KEY)
    assert isinstance(answer, ValidationError)
    assert await MemberTag.all().count() == 0
    assert await tags.tag_members(operator, lambda _: "m.source = 'many'", KEY) == MembersTagged(10_000, 10_000)
