"""Profiles: two who write at once, tags, consents, and members who are not the actor's to see."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.care import outcomes, queues
from domain.care.callbacks import CallbackOutcome, CallbackState, CallbackTask, Disposition
from domain.care.interactions import Direction, Interaction, InteractionKind, Note, log
from domain.care.leases import Lease
from domain.commerce.staff import RowScope
from domain.database import connection
from domain.people import babies, consents, members, tags
from domain.people.babies import BabyFacts
from domain.people.consents import ConsentEvidence, ConsentRecorded, ConsentState
from domain.people.failures import BabyNotFound, MemberNotFound
from domain.people.members import Member, MemberChanges, MemberUpdated
from domain.people.tags import MemberTag, MemberTagged, Tag, TagFamily, TagNotFound, TagNotSet
from domain.platform.actors import Actor
from domain.platform.clock import real_now, set_business_clock
from domain.platform.failures import NotPermitted, ValidationError, VersionConflict
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose
from tests import factories as make

WORDING = ConsentEvidence("call", "promo-call-1", "We may call you with offers.")
VISIT = Note(InteractionKind.VISIT, Channel.STORE, Direction.INBOUND, text="She asked about cereal.")

VERBS: dict[str, Callable[[Actor, Any], Awaitable[object]]] = {
    "update": lambda actor, ref: members.update(actor, ref, 1, MemberChanges(full_name="Eve")),
    "add baby": lambda actor, ref: babies.add(actor, ref, BabyFacts(due_on=make.NOON.date())),
    "tag": lambda actor, ref: tags.tag_member(actor, ref, "attribute.vip"),
    "untag": lambda actor, ref: tags.untag_member(actor, ref, "attribute.vip"),
    "consent": lambda actor, ref: consents.record(actor, ref, Purpose.CARE, Channel.SMS, ConsentState.GRANTED, WORDING),
    "log": lambda actor, ref: log(actor, ref, VISIT),
}


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)
    await Tag.create(key="attribute.vip", family=TagFamily.ATTRIBUTE, label_en="VIP", label_zh="贵宾")


async def test_of_twenty_who_write_at_once_one_wins_and_the_others_learn_the_version(db: str) -> None:
    member, actor = await make.make_member(), await make.make_actor()
    answers = await asyncio.gather(
        *(members.update(actor, member.id, 1, MemberChanges(full_name=f"Name {n}")) for n in range(20))
    )
    winners = [answer for answer in answers if isinstance(answer, MemberUpdated)]
    assert winners == [MemberUpdated(member.id, 2)]
    assert answers.count(VersionConflict(2)) == 19


async def test_an_update_touches_only_what_it_names(db: str) -> None:
    member, actor = await make.make_member(language="zh-Hans"), await make.make_actor()
    assert isinstance(await members.update(actor, member.id, 1, MemberChanges(handling_note="Gently.")), MemberUpdated)
    row = await Member.get(id=member.id)
    assert (row.full_name, row.language, row.handling_note, row.version) == ("Emma Johnson", "zh-Hans", "Gently.", 2)
    assert isinstance(await members.update(actor, member.id, 2, MemberChanges(full_name=None)), MemberUpdated)
    row = await Member.get(id=member.id)
    assert {row.full_name, row.name_key, row.name_source} == {None}
    assert isinstance(await members.update(actor, member.id, 3, MemberChanges()), ValidationError)
    frontend = make.frontend_actor()
    nowhere = await members.update(actor, member.id, 3, MemberChanges(jurisdiction="UK", language="english"))
    assert isinstance(nowhere, ValidationError)
    assert {error.field for error in nowhere.errors} == {"jurisdiction", "language"}
    assert isinstance(await members.update(actor, member.id, 3, MemberChanges(language="PT-br")), MemberUpdated)
    assert (await Member.get(id=member.id)).language == "pt-BR"
    noted = await members.update(frontend, member.id, 4, MemberChanges(handling_note="Spend more."))
    assert isinstance(noted, ValidationError)


@pytest.mark.parametrize("verb", VERBS)
async def test_out_of_scope_and_unknown_answer_alike(db: str, verb: str) -> None:
    near, far = await make.make_store(), await make.make_store()
    stranger = await make.make_member(store_id=far.id)
    actor = await make.make_actor(scope=RowScope.STORE, store_id=near.id)
    refused = await VERBS[verb](actor, stranger.id)
    assert refused == await VERBS[verb](actor, make.any_id()) == MemberNotFound()
    allowed = await VERBS[verb](await make.make_actor(), stranger.id)
    assert not isinstance(allowed, MemberNotFound)


@pytest.mark.parametrize("verb", VERBS)
async def test_an_analyst_writes_nothing(db: str, verb: str) -> None:
    member = await make.make_member()
    assert isinstance(await VERBS[verb](await make.make_actor(Role.ANALYST), member.id), NotPermitted)


async def test_she_who_calls_sees_the_member_that_day_and_nobody_else_does(db: str) -> None:
    member = await make.make_member()
    await make.make_task(member)
    caller, other = [await make.make_actor(scope=RowScope.OWN) for _ in range(2)]
    assert await log(caller, member.id, VISIT) == MemberNotFound()
    lease = await queues.take_next(caller)
    assert isinstance(lease, Lease)
    assert not isinstance(await log(caller, member.id, VISIT), MemberNotFound)
    assert await log(other, member.id, VISIT) == MemberNotFound()
    await outcomes.log_outcome(caller, lease.task_id, lease.fence, Disposition.REACHED, "")
    assert not isinstance(await log(caller, member.id, VISIT), MemberNotFound)
    await CallbackOutcome.all().update(logged_at=real_now() - timedelta(hours=25))
    assert await log(caller, member.id, VISIT) == MemberNotFound()


async def test_a_member_decides_for_herself_only(db: str) -> None:
    mother = await make.make_member()
    father = await make.make_member(household_id=mother.household_id)
    actor = make.member_actor(mother)
    record = consents.record
    mine = await record(actor, mother.id, Purpose.CARE, Channel.SMS, ConsentState.GRANTED, WORDING)
    assert isinstance(mine, ConsentRecorded)
    his = await record(actor, father.id, Purpose.CARE, Channel.SMS, ConsentState.GRANTED, WORDING)
    assert his == MemberNotFound()


async def test_withdrawing_calls_empties_the_lists_of_that_purpose(db: str) -> None:
    member, actor = await make.make_member(), await make.make_actor()
    promotion = await make.make_task(member)
    care = await make.make_task(member, purpose=Purpose.CARE)
    said = ConsentEvidence("call")
    await consents.record(actor, member.id, Purpose.PROMOTION, Channel.CALL, ConsentState.WITHDRAWN, said)
    assert (await CallbackTask.get(id=promotion.id)).state is CallbackState.CANCELLED
    assert (await CallbackTask.get(id=care.id)).state is CallbackState.OPEN
    rows = await connection().execute_query_dict("SELECT state, source, how FROM consents")
    assert rows == [{"state": "WITHDRAWN", "source": "STAFF", "how": "call"}]


async def test_a_tag_set_twice_at_once_is_one_tag_and_its_removal_is_history(db: str) -> None:
    member, actor = await make.make_member(), await make.make_actor()
    until = make.NOON + timedelta(days=30)
    answers = await asyncio.gather(
        *(tags.tag_member(actor, member.id, "attribute.vip", "spends much", until) for _ in range(10))
    )
    assert answers == [MemberTagged(member.id, "attribute.vip")] * 10
    row = await MemberTag.get(member_id=member.id)
    assert (row.evidence, row.expires_at, row.removed_at) == ("spends much", until, None)
    await tags.untag_member(actor, member.id, "attribute.vip")
    assert await tags.untag_member(actor, member.id, "attribute.vip") == TagNotSet("attribute.vip")
    assert await MemberTag.filter(removed_at__isnull=False).count() == 1
    assert await tags.tag_member(actor, member.id, "attribute.none") == TagNotFound("attribute.none")
    late = await tags.tag_member(actor, member.id, "attribute.vip", expires_at=make.NOON - timedelta(days=1))
    assert isinstance(late, ValidationError)


async def test_a_logged_visit_names_who_and_where(db: str) -> None:
    store = await make.make_store()
    actor = await make.make_actor(Role.ADVISOR, store_id=store.id)
    member = await make.make_member(store_id=store.id)
    await log(actor, member.id, VISIT)
    row = await Interaction.get(member_id=member.id)
    assert (row.staff_id, row.store_id, row.source, row.note) == (
        actor.staff_id, store.id, "store", "She asked about cereal.",
    )  # fmt: skip
    other = await make.make_baby(await make.make_member())
    about = Note(InteractionKind.NOTE, Channel.STORE, Direction.INTERNAL, text="Teething.", baby_id=other.id)
    assert await log(actor, member.id, about) == BabyNotFound()
    ahead = Note(
        InteractionKind.NOTE, Channel.STORE, Direction.INTERNAL, text="-", occurred_at=make.NOON + timedelta(hours=1)
    )
    assert isinstance(await log(actor, member.id, ahead), ValidationError)


async def test_the_tags_of_the_file_can_be_set_at_once_in_both_languages(db: str) -> None:
    member, actor = await make.make_member(), await make.make_actor()
    answers = await asyncio.gather(*(tags.tag_member(actor, member.id, "attribute.twins") for _ in range(5)))
    assert set(answers) == {MemberTagged(member.id, "attribute.twins")}
    assert await MemberTag.filter(member_id=member.id).count() == 1
    assert await Tag.filter(label_zh="双胞胎", label_en="Twins").count() == 1
