"""Babies: whose word stands, which dates can be right, and that a stopped one stays stopped."""

import asyncio
from datetime import date, timedelta

import pytest

from domain.people import babies
from domain.people.babies import Baby, BabyAdded, BabyFacts, BabyReported, BabyStopped, StrongerSource
from domain.people.failures import BabyNotFound
from domain.platform.clock import set_business_clock
from domain.platform.failures import ValidationError
from domain.platform.sources import Source
from tests import factories as make

TODAY = make.NOON.date()


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)


async def test_a_report_confirms_a_guessed_baby_and_the_mothers_word_outlasts_the_staffs(db: str) -> None:
    member = await make.make_member()
    guessed = await make.make_baby(
        member,
        presence_source=Source.INFERRED,
        presence_confidence=0.6,
        born_on=date(2017, 3, 1),
        born_source=Source.INFERRED,
        born_confidence=0.4,
    )
    staff, mother = await make.make_actor(), make.member_actor(member)
    heard = await babies.report(staff, guessed.id, BabyFacts(born_on=date(2017, 5, 2)))
    assert heard == BabyReported(guessed.id, member.household_id)
    row = await Baby.get(id=guessed.id)
    assert (row.born_on, row.born_source, row.born_confidence, row.presence_source) == (
        date(2017, 5, 2), Source.STAFF, 0.9, Source.STAFF,
    )  # fmt: skip
    assert isinstance(await babies.report(mother, guessed.id, BabyFacts(born_on=date(2017, 5, 3))), BabyReported)
    weaker = await babies.report(staff, guessed.id, BabyFacts(born_on=date(2017, 5, 9)))
    assert weaker == StrongerSource("bornOn", Source.MEMBER)
    relayed = BabyFacts(born_on=date(2017, 5, 4), said_by=Source.MEMBER)
    assert isinstance(await babies.report(staff, guessed.id, relayed), BabyReported)
    row = await Baby.get(id=guessed.id)
    assert (row.born_on, row.born_source) == (date(2017, 5, 4), Source.MEMBER)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        (BabyFacts(), "bornOn"),
        (BabyFacts(born_on=TODAY + timedelta(days=1)), "bornOn"),
        (BabyFacts(born_on=date(1999, 1, 1)), "bornOn"),
        (BabyFacts(due_on=TODAY + timedelta(days=295)), "dueOn"),
        (BabyFacts(due_on=TODAY - timedelta(days=43)), "dueOn"),
        (BabyFacts(born_on=TODAY, gestation_weeks=19), "gestationWeeks"),
        (BabyFacts(due_on=TODAY, gestation_weeks=32), "gestationWeeks"),
        (BabyFacts(born_on=TODAY - timedelta(days=300), due_on=TODAY), "bornOn"),
        (BabyFacts(born_on=TODAY, said_by=Source.MODEL), "saidBy"),
        (BabyFacts(born_on=TODAY, nickname=" "), "nickname"),
    ],
)
async def test_a_date_that_cannot_be_right_is_named(db: str, facts: BabyFacts, field: str) -> None:
    member = await make.make_member()
    answer = await babies.add(await make.make_actor(), member.id, facts)
    assert isinstance(answer, ValidationError)
    assert [error.field for error in answer.errors] == [field]
    assert await Baby.all().count() == 0


async def test_today_is_the_date_where_the_family_lives(db: str) -> None:
    """At noon UTC it is already tomorrow in Kiritimati: a baby born there today is born."""
    far = await make.make_member(time_zone="Pacific/Kiritimati")
    actor = await make.make_actor()
    born = BabyFacts(born_on=TODAY + timedelta(days=1), nickname="小汤圆")
    added = await babies.add(actor, far.id, born)
    assert isinstance(added, BabyAdded)
    assert (await Baby.get(id=added.baby_id)).nickname_key == "xiaotangyuan"
    near = await make.make_member(time_zone="Europe/London")
    assert isinstance(await babies.add(actor, near.id, born), ValidationError)


async def test_a_birth_after_its_due_date_keeps_both(db: str) -> None:
    member, actor = await make.make_member(), await make.make_actor()
    added = await babies.add(actor, member.id, BabyFacts(due_on=TODAY - timedelta(days=10)))
    assert isinstance(added, BabyAdded)
    assert isinstance(
        await babies.report(actor, added.baby_id, BabyFacts(born_on=TODAY - timedelta(days=1), gestation_weeks=41)),
        BabyReported,
    )
    row = await Baby.get(id=added.baby_id)
    assert (row.due_on, row.born_on, row.gestation_weeks, row.version) == (
        TODAY - timedelta(days=10), TODAY - timedelta(days=1), 41, 2,
    )  # fmt: skip
    early = await babies.report(actor, added.baby_id, BabyFacts(born_on=TODAY - timedelta(days=200)))
    assert isinstance(early, ValidationError)


async def test_nothing_reopens_a_stopped_baby_and_a_strangers_is_not_found(db: str) -> None:
    member = await make.make_member()
    stopped = await make.make_baby(member, stopped_at=make.NOON)
    born = BabyFacts(born_on=TODAY)
    assert await babies.report(make.member_actor(member), stopped.id, born) == BabyStopped()
    stranger = make.member_actor(await make.make_member())
    assert await babies.report(stranger, stopped.id, born) == BabyNotFound()


async def test_a_household_has_an_end_even_when_twenty_ask_at_once(db: str) -> None:
    member, actor = await make.make_member(), await make.make_actor()
    facts = BabyFacts(born_on=TODAY)
    answers = await asyncio.gather(*(babies.add(actor, member.id, facts) for _ in range(20)))
    assert sum(isinstance(answer, BabyAdded) for answer in answers) == babies.MOST_BABIES
    assert await Baby.all().count() == babies.MOST_BABIES
