"""A year of care, day by day through the care run: each item of the care calendar once a baby, and none late."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.care import losses
from domain.database import connection
from domain.gateway.messages import Message
from domain.outreach.act_rules import ACT_RULES
from domain.outreach.care_ahead import EARLIEST, CareAhead, look, look_at_all_again, remember
from domain.outreach.care_runs import CareRun, run
from domain.outreach.next_acts import Today
from domain.people import merges
from domain.people.babies import Baby
from domain.people.consents import Consent
from domain.people.members import Member, MemberStatus
from domain.platform.clock import set_business_clock
from domain.platform.ids import new_id
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose, Source
from domain.stages.care_calendar import care_calendar
from domain.stages.engine import BabyDates
from tests.factories import NOON, make_actor, make_baby, make_consent, make_member, make_reachable

TODAY, DAY = NOON.date(), timedelta(days=1)
LAST = date(2018, 12, 31)
Told = dict[str, date]


async def live(on: date) -> None:
    """One day's care run at noon."""
    await set_business_clock(datetime(on.year, on.month, on.day, 12, tzinfo=UTC))
    await run(on)


async def live_through(first: date, last: date, *, away: frozenset[date] = frozenset()) -> None:
    """Every day's care run but those of the days on which no worker was there."""
    for offset in range((last - first).days + 1):
        if (day := first + offset * DAY) not in away:
            await live(day)


async def told_of(baby: Baby) -> Told:
    """The items that a baby's family was told, with their days. Fails when one was told twice."""
    messages = await Message.filter(baby_id=baby.id).exclude(channel=Channel.CALL).order_by("created_at")
    keys = Counter(message.intent_key.split(":", 2)[2] for message in messages)
    assert max(keys.values(), default=1) == 1, keys
    return {message.intent_key.split(":", 2)[2]: message.created_at.date() for message in messages}


def should_be(dates: BabyDates, first: date, last: date) -> dict[str, tuple[date, date]]:
    """Every written item that is open on some day, with its window: by the pure engine, told on the first day."""
    found = care_calendar(dates, "US", first, 36)
    return {
        due.key: (max(due.opens_on, first), due.closes_on)
        for due in found
        if due.opens_on <= last and due.item.is_written and not due.is_expected
    }


def none_is_late(told: Told, due: dict[str, tuple[date, date]], last: date) -> None:
    """Each within its window; and each that closed was told."""
    assert set(told) <= set(due)
    late = {key: (day, due[key]) for key, day in told.items() if not due[key][0] <= day <= due[key][1]}
    assert late == {}
    assert {key for key, (_, closes_on) in due.items() if closes_on <= last} - set(told) == set()


async def family(number: int, **dates: object) -> tuple[Member, Baby]:
    mother = await make_reachable(
        await make_member(carer_role="MOTHER"), phone=f"+1202555{number:04d}", email=f"{number}@example.com"
    )
    fields = {f"{key.split('_')[0]}_source": Source.MEMBER for key in dates if key in ("born_on", "due_on")}
    return mother, await make_baby(mother, **fields, **dates)


@pytest.mark.timeout(300)
async def test_golden_timelines_live_a_year_day_by_day(clock: str) -> None:
    """29 February, twins, 32 weeks, a window's last day, a birth four weeks early, a moved due date, a loss."""
    _, leap = await family(1, born_on=date(2016, 2, 29))
    mother, first = await family(2, born_on=date(2017, 11, 30))
    second = await make_baby(mother, born_on=date(2017, 11, 30), born_source=Source.MEMBER)
    _, preterm = await family(3, born_on=date(2017, 12, 10), gestation_weeks=32)  # due on 4 February
    _, edge = await family(4, born_on=date(2017, 9, 24))  # registered a day after her visit of 2 months
    _, boundary = await family(5, born_on=date(2017, 9, 25))  # registered on the last day of that visit
    _, early = await family(6, due_on=date(2018, 3, 1))
    _, moved = await family(7, due_on=date(2018, 3, 1))
    _, lost = await family(8, born_on=date(2017, 12, 1))
    operator = await make_actor(Role.OPERATOR)
    lives = {baby.id: BabyDates(baby.born_on, None, baby.gestation_weeks) for baby in (leap, first, second, preterm)}
    await live_through(TODAY, date(2018, 1, 31))
    # 1 February: born four weeks early. The other is due four weeks later than they thought.
    await Baby.filter(id=early.id).update(born_on=date(2018, 2, 1), born_source=Source.MEMBER, gestation_weeks=36)
    await Baby.filter(id=moved.id).update(due_on=date(2018, 3, 29))
    before = await told_of(lost)
    await losses.stop(operator, lost.id)
    await live_through(date(2018, 2, 1), LAST)
    for baby in (leap, first, second, preterm):
        none_is_late(await told_of(baby), should_be(lives[baby.id], TODAY, LAST), LAST)
    assert (await told_of(leap))["BIRTHDAY_2"] == date(2018, 2, 28)
    assert (await told_of(first))["BIRTHDAY_1"] == (await told_of(second))["BIRTHDAY_1"] == date(2018, 11, 30)
    told = await told_of(preterm)
    assert told["VACCINE_US_2M"] - date(2018, 2, 10) <= 3 * DAY  # since birth
    assert date(2018, 4, 4) <= told["MILESTONE_2M"] <= date(2018, 4, 7)  # since the day she was due
    assert date(2018, 8, 4) <= told["FIRST_FOODS"] <= date(2018, 8, 7)
    assert "VISIT_2M" not in await told_of(edge)
    assert (await told_of(boundary))["VISIT_2M"] == TODAY
    assert before == await told_of(lost) != {}
    born = BabyDates(date(2018, 2, 1), date(2018, 3, 1), 36)
    told = await told_of(early)
    assert {f"ANTENATAL_{n}" for n in (4, 5)} <= set(told)
    assert not {f"ANTENATAL_{n}" for n in (7, 8)} & set(told)
    after = {key: day for key, day in told.items() if day >= date(2018, 2, 1)}
    none_is_late(after, should_be(born, date(2018, 2, 1), LAST), LAST)
    told = await told_of(moved)  # overdue from 29 March on, and no birth is presumed
    assert {f"ANTENATAL_{n}" for n in range(4, 9)} <= set(told)
    assert date(2018, 3, 29) <= told["ANTENATAL_8"] <= date(2018, 4, 7)
    assert not any(key.startswith(("VACCINE", "VISIT", "MONTHS", "NEWBORN")) for key in told)


async def many(count: int, draw: random.Random) -> list[Baby]:
    made = []
    for number in range(count):
        dates: dict[str, object] = {"born_on": TODAY - draw.randint(0, 800) * DAY}
        if draw.random() < 0.3:
            dates = {"due_on": TODAY + draw.randint(0, 250) * DAY}
        elif draw.random() < 0.3:
            dates["gestation_weeks"] = draw.randint(25, 36)
        made.append((await family(number, **dates))[1])
    return made


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)])
@pytest.mark.timeout(300)
async def test_whatever_days_no_worker_was_there_nothing_is_told_twice_or_late(clock: str, seed: int) -> None:
    """Random babies, random days away, random kills. Whatever stayed open for the days that were lived is told."""
    draw = random.Random(seed)
    babies = await many(25, draw)
    days = [TODAY + n * DAY for n in range(100)]
    away = frozenset(day for day in days if draw.random() < 0.3)
    for day in (day for day in days if day not in away):
        await set_business_clock(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        if draw.random() < 0.2:
            killed = asyncio.create_task(run(day, replace(ACT_RULES, members_per_batch=5)))
            await asyncio.wait({killed}, timeout=draw.random() / 5)
            killed.cancel()
            await asyncio.gather(killed, return_exceptions=True)
        await run(day)
    for baby in babies:
        dates, told = BabyDates(baby.born_on, baby.due_on, baby.gestation_weeks), await told_of(baby)
        due = should_be(dates, TODAY, days[-1])
        assert set(told) <= set(due)
        for key, (opens_on, closes_on) in due.items():
            lived = [day for day in days if opens_on <= day <= closes_on and day not in away]
            assert key not in told or told[key] in lived, key
            # alone in her family she has at most a handful of things open at once; the last day waits for nothing
            must = closes_on in lived or len(lived) > 12
            assert not must or key in told, (key, opens_on, closes_on)


async def test_a_day_reads_only_the_babies_of_that_day(clock: str) -> None:
    draw = random.Random(5)
    babies = await many(60, draw)
    await live_through(TODAY, TODAY + 14 * DAY)  # what was open at first is told
    day = TODAY + 15 * DAY
    waiting = await CareAhead.filter(look_on__lte=day).count()
    assert 0 < waiting < len(babies) / 3
    await set_business_clock(at := NOON + 15 * DAY)
    looked, _ = await look(Today(new_id(), day, at, ACT_RULES), EARLIEST)
    assert len(looked) == waiting
    assert all(one.found.open or one.look_on is None or one.look_on > day for one in looked)
    await live(day)
    assert await CareAhead.filter(look_on__lte=day).count() == 0
    await look_at_all_again()  # a new plan: everybody is read again, and what they had they have had
    before = await Message.all().count()
    await CareRun.all().update(finished_at=None)
    await run(day)
    assert await Message.all().count() == before


async def test_a_child_of_two_mothers_who_become_one_and_two_again_is_never_told_twice(clock: str) -> None:
    one, hers = await family(1, born_on=date(2017, 11, 1))
    other, theirs = await family(2, born_on=date(2017, 11, 1))
    operator = await make_actor(Role.OPERATOR)
    await live_through(TODAY, TODAY + 2 * DAY)
    assert await told_of(hers) == await told_of(theirs) != {}
    merged = await merges.merge(operator, one.id, other.id, "One card.")
    assert isinstance(merged, merges.MembersMerged), merged
    [child] = await Baby.filter(household_id=one.household_id)
    had = {message.id for message in await Message.filter(baby_id=child.id)}
    await live_through(TODAY + 3 * DAY, TODAY + 40 * DAY)
    later = [message.intent_key for message in await Message.filter(baby_id=child.id).exclude(id__in=list(had))]
    keys = {message.intent_key.split(":", 2)[2] for message in await Message.filter(id__in=list(had))}
    assert later
    assert not keys & {key.split(":", 2)[2] for key in later}
    undone = await merges.unmerge(operator, merged.merge_id, "Two after all.")
    assert isinstance(undone, merges.MembersUnmerged), undone
    await live_through(TODAY + 41 * DAY, TODAY + 60 * DAY)
    for baby in (hers, theirs):
        assert len(await told_of(baby)) >= 5  # and each once


async def test_it_is_the_day_where_the_family_lives(clock: str) -> None:
    """Six in the morning in New York: in Auckland the next day has begun, in Honolulu it is still yesterday."""
    babies = {}
    for number, zone in enumerate(("America/New_York", "Pacific/Auckland", "Pacific/Honolulu")):
        mother, baby = await family(number, born_on=date(2016, 12, 20))
        await Member.filter(id=mother.id).update(time_zone=zone)
        babies[zone] = baby
    for day in range(15, 25):
        await set_business_clock(datetime(2017, 12, day, 11, tzinfo=UTC))
        await run(date(2017, 12, day))
    told = {
        zone: [
            (message.created_at.day, message.expires_at.isoformat())
            for message in await Message.filter(baby_id=baby.id, intent_key__endswith=":BIRTHDAY_1")
        ]
        for zone, baby in babies.items()
    }
    assert told == {
        "America/New_York": [(20, "2017-12-21T05:00:00+00:00")],
        "Pacific/Auckland": [(19, "2017-12-20T11:00:00+00:00")],
        "Pacific/Honolulu": [(20, "2017-12-21T10:00:00+00:00")],
    }


async def test_what_is_found_later_comes_in_time_and_what_was_stopped_never(clock: str) -> None:
    """A date said later, a carer who comes later, a guess out of baskets, a loss taken back by mistake."""
    mother = await make_reachable(await make_member())
    dateless = await make_baby(mother)
    guessed = await make_baby(mother, born_on=TODAY - 30 * DAY, born_source=Source.INFERRED)
    stopped = await make_baby(mother, born_on=TODAY - 30 * DAY, born_source=Source.MEMBER, stopped_at=NOON)
    await live(TODAY)
    assert await Message.all().count() == 0
    assert {one.look_on for one in await CareAhead.all()} == {None}
    await Baby.filter(id=dateless.id).update(due_on=date(2018, 12, 1), due_source=Source.MEMBER)
    await live(TODAY + DAY)
    assert (await CareAhead.get(baby_id=dateless.id)).look_on == date(2018, 12, 1) - 280 * DAY
    await Baby.filter(id=guessed.id).update(born_source=Source.MEMBER)
    await live(TODAY + 2 * DAY)
    assert set(await told_of(guessed)) == {"VISIT_1M"}
    assert await told_of(stopped) == {}
    await connection().execute_query("UPDATE babies SET stopped_at = NULL WHERE id = $1", [stopped.id])
    await live_through(TODAY + 3 * DAY, TODAY + 4 * DAY)
    assert len(await told_of(stopped)) + len(await told_of(guessed)) == 1, "not so soon after the other"
    await live(TODAY + 5 * DAY)
    assert len(await told_of(stopped)) + len(await told_of(guessed)) == 2


async def test_a_family_without_anybody_to_write_to_is_left_alone_until_there_is(clock: str) -> None:
    mother, baby = await family(1, born_on=TODAY - 31 * DAY)
    await Member.filter(id=mother.id).update(status=MemberStatus.BLOCKED)
    await live_through(TODAY, TODAY + DAY)
    assert (await CareAhead.get(baby_id=baby.id)).look_on is None
    await make_reachable(await make_member(household_id=mother.household_id), phone="+12025559999", email="n@x.org")
    await live(TODAY + 2 * DAY)
    await Member.filter(id=mother.id).update(status=MemberStatus.ACTIVE)
    await live(TODAY + 3 * DAY)
    assert [message.member_id == mother.id for message in await Message.all().order_by("created_at")] == [False, True]
    assert len(await told_of(baby)) == 2


async def test_who_changes_while_a_run_looks_is_looked_at_again(clock: str) -> None:
    _, baby = await family(1, due_on=TODAY + 30 * DAY)
    today = Today(new_id(), TODAY, NOON, ACT_RULES)
    looked, _ = await look(today, EARLIEST)
    await Baby.filter(id=baby.id).update(born_on=TODAY, born_source=Source.MEMBER)
    await remember(looked)  # of what she was before her birth
    await live(TODAY + DAY)
    assert set(await told_of(baby)) == {"VACCINE_US_BIRTH"}


async def test_without_consent_it_is_wished_once_and_the_reason_kept(clock: str) -> None:
    mother, baby = await family(1, born_on=TODAY - 31 * DAY)
    await Consent.filter(member_id=mother.id).delete()
    await live_through(TODAY, TODAY + 7 * DAY)
    reasons = {message.state_reason for message in await Message.filter(baby_id=baby.id)}
    assert reasons == {"NO_CONSENT"}
    assert len(await told_of(baby)) == 3
    await make_consent(mother, Purpose.CARE, Channel.EMAIL)
    await live_through(TODAY + 8 * DAY, TODAY + 12 * DAY)
    assert len(await told_of(baby)) == 3
