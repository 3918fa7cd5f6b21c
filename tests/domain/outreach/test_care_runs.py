"""The day's care against a real database, through the gateway's own planning."""

import asyncio
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.care.callbacks import CallbackState, CallbackTask
from domain.care.handovers import open_from_message
from domain.gateway.messages import Message
from domain.outreach.act_rules import ACT_RULES
from domain.outreach.care_runs import CareReport, CareRun, run
from domain.outreach.contactability import decide
from domain.outreach.decisions import Decision
from domain.outreach.facts import snapshot_from_json
from domain.outreach.templates import seed
from domain.people.babies import Baby
from domain.people.consents import Consent, ConsentState
from domain.people.households import Household
from domain.people.identities import Identity, IdentityKind
from domain.people.members import Member
from domain.platform.clock import set_business_clock
from domain.platform.sources import Channel, Purpose, Source
from domain.stages.care_calendar import Due, care_calendar
from domain.stages.care_plans import CareKind, care_plan_on
from domain.stages.engine import BabyDates
from tests.factories import NOON, make_baby, make_member, make_model, make_order, make_reachable, make_score

TODAY = NOON.date()


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """What really went to PostgreSQL: tortoise's own log of statements."""
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("tortoise.db_client")
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield seen
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def born(days_ago: int, **fields: Any) -> dict[str, Any]:
    return {"born_on": TODAY - timedelta(days=days_ago), "born_source": Source.MEMBER, **fields}


async def make_families(count: int, *, seed_of_draw: int = 7) -> list[tuple[Member, Baby]]:
    """Families with one baby of every kind of date, a phone, and consent to care by SMS; written in bulk."""
    draw = random.Random(seed_of_draw)
    households = [Household(source="test", external_id=f"f{n}") for n in range(count)]
    members = [
        Member(
            household_id=home.id, source="test", external_id=f"f{n}", joined_on=date(2017, 1, 1), full_name="Ann Lee",
            language=draw.choice(["en", "zh-Hans"]),
        )
        for n, home in enumerate(households)
    ]  # fmt: skip
    babies = [Baby(household_id=home.id, presence_source=Source.MEMBER, **_dates(draw)) for home in households]
    await Household.bulk_create(households)
    await Member.bulk_create(members)
    await Baby.bulk_create(babies)
    await Identity.bulk_create(
        Identity(
            member_id=m.id, kind=IdentityKind.PHONE, value=f"+1202555{n:04d}", first_seen_at=NOON, last_seen_at=NOON
        )
        for n, m in enumerate(members)
    )
    await Consent.bulk_create(
        Consent(
            member_id=m.id, purpose=Purpose.CARE, channel=Channel.SMS, state=ConsentState.GRANTED, given_at=NOON,
            source=Source.MEMBER, how="test", text_version="1", text_hash="-",
        )
        for m in members
    )  # fmt: skip
    return list(zip(members, babies, strict=True))


def _dates(draw: random.Random) -> dict[str, Any]:
    kind = draw.random()
    if kind < 0.1:
        return {}
    if kind < 0.35:
        return {"due_on": TODAY + timedelta(days=draw.randint(-30, 300)), "due_source": Source.MEMBER}
    if kind < 0.37:
        return {"born_on": date(draw.randint(2012, 2016), TODAY.month, TODAY.day), "born_source": Source.MEMBER}
    days_ago = draw.choice([draw.randint(0, 2300), draw.randint(0, 400)])
    weeks = draw.choice([None, None, draw.randint(24, 41)])
    return born(days_ago, gestation_weeks=weeks)


def due_care(baby: Baby, jurisdiction: str) -> list[Due]:
    """What may be written of the care calendar today, by the pure engine alone; the first to close leads."""
    dates = BabyDates(baby.born_on, baby.due_on, baby.gestation_weeks)
    open_now = [
        due for due in care_calendar(dates, jurisdiction, TODAY, 12) if due.opens_on <= TODAY and due.item.is_written
    ]
    return sorted(open_now, key=lambda due: (due.closes_on, due.opens_on, due.key))


def key_of(baby: Baby, due: Due) -> str:
    return f"{'stage' if due.item.kind is CareKind.STAGE else 'care'}:{baby.id}:{due.key}"


async def test_stage_care_reaches_exactly_the_babies_that_the_engine_names(clock: str) -> None:
    families = await make_families(500)
    report = await run(TODAY)
    due = {member.id: (baby, due_care(baby, member.jurisdiction)) for member, baby in families}
    planned: dict[UUID, set[str]] = {}
    for message in await Message.all():
        planned.setdefault(message.member_id, set()).add(message.intent_key)
    # One a day, the first to close; and what would be too late tomorrow.
    assert planned == {
        member_id: {key_of(baby, one) for place, one in enumerate(open_now) if place == 0 or one.closes_on == TODAY}
        for member_id, (baby, open_now) in due.items()
        if open_now
    }
    found = {one.item.kind for _, open_now in due.values() for one in open_now}
    assert found == {item.kind for item in care_plan_on(TODAY).items if item.is_written}
    assert report.eligible == report.sent + report.held + report.suppressed == sum(map(len, planned.values()))
    assert any(len(open_now) > 1 for _, open_now in due.values())
    for decision in await Decision.all():
        again = decide(snapshot_from_json(decision.snapshot))
        assert (again.verdict, list(again.reasons)) == (decision.verdict, decision.reasons)
        assert (again.primary_reason, again.rules_version) == (decision.primary_reason, decision.rules_version)


async def test_a_second_run_of_the_day_repeats_nothing_and_the_next_day_brings_new_stages(clock: str) -> None:
    member = await make_reachable(await make_member())
    baby = await make_baby(member, **born(29))
    first = await run(TODAY)
    again = await run(TODAY)
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert replace(again, is_repeat=False) == first
    assert await Message.all() == []  # 29 days: too late for newborn care, too early for the next
    days: dict[int, Message] = {}
    for day in range(1, 8):
        await set_business_clock(NOON + timedelta(days=day))
        await run(TODAY + timedelta(days=day))
        for message in await Message.exclude(id__in=[m.id for m in days.values()]):
            days[day] = message
    # One month old the next day: the visit closes first, then the letter, then the vaccine; one in three days.
    assert {day: message.intent_key for day, message in days.items()} == {
        1: f"care:{baby.id}:VISIT_1M", 4: f"stage:{baby.id}:MONTHS_1_3", 7: f"care:{baby.id}:VACCINE_US_1M",
    }  # fmt: skip
    assert days[1].expires_at == datetime(2018, 1, 6, tzinfo=UTC)  # when its window has closed
    assert days[1].params["title"] == "Well-child visit, 1 month"


async def test_a_missed_day_is_made_up_for_without_a_second_list_of_calls(clock: str) -> None:
    model = await make_model("churn")
    for number in range(40):
        member = await make_reachable(
            await make_member(), phone=f"+1202555{100 + number:04d}", email=f"m{number}@example.com"
        )
        await make_order(member, NOON - timedelta(days=20), "90.00")
        await make_score(model, member, 0.6)
    assert (await run(TODAY)).eligible > 0
    listed = await Message.filter(channel=Channel.CALL).count()
    assert 0 < listed < 40
    for back in (1, 2, 3):
        await run(TODAY - timedelta(days=back))
    assert await Message.filter(channel=Channel.CALL).count() == listed


async def test_who_was_not_rung_because_she_had_bought_may_be_called_for_another_reason(clock: str) -> None:
    member = await make_reachable(await make_member())
    model = await make_model("churn")
    await make_order(member, NOON - timedelta(days=20), "90.00")
    await make_score(model, member, 0.6)
    await run(TODAY)
    [call] = await Message.filter(channel=Channel.CALL)
    task_id = await open_from_message(call.id)
    await make_order(member, NOON + timedelta(hours=1), "12.00")
    for days in (1, 2):  # the first run calls it off and may call her again; the second must not
        await set_business_clock(NOON + timedelta(days=days))
        await run(TODAY + timedelta(days=days))
    first = await CallbackTask.get(id=task_id)
    assert (first.state, first.release_reason) == (CallbackState.CANCELLED, "REASON_GONE")
    assert await Message.filter(channel=Channel.CALL).count() == 2


async def test_a_killed_run_goes_on_where_it_was_and_nobody_gets_two_things(clock: str) -> None:
    await make_families(200)
    rules = replace(ACT_RULES, members_per_batch=20)
    killed = asyncio.create_task(run(TODAY, rules))
    while await Message.all().count() < 10:  # noqa: ASYNC110 - the database is what tells
        await asyncio.sleep(0)
    killed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killed
    before = await Message.all().count()
    unfinished = await CareRun.get(run_on=TODAY)
    assert unfinished.finished_at is None
    report = await run(TODAY, rules)
    everybody = await Message.all()
    assert 0 < before < len(everybody) == report.eligible
    assert report.run_id == unfinished.id
    assert len({message.member_id for message in everybody}) == len(everybody)
    stored = (await CareRun.get(run_on=TODAY)).counts
    assert stored["eligible"] == stored["sent"] + stored["held"] + stored["suppressed"] == report.eligible


async def test_the_number_of_statements_does_not_grow_with_the_members(clock: str) -> None:
    await seed()
    await make_families(50)
    counts: list[int] = []
    for extra in (0, 450):
        if extra:
            await make_more(extra)
        day = TODAY + timedelta(days=len(counts))
        with counted_statements() as seen:
            report = await run(day, replace(ACT_RULES, members_per_batch=1000))
        assert report.eligible > 5
        counts.append(len(seen))
    assert counts[0] == counts[1] > 0


async def make_more(count: int) -> None:
    """Other families beside those that are there."""
    await Household.all().update(source="earlier")
    await Member.all().update(source="earlier")
    await Identity.all().update(namespace="earlier")
    await make_families(count, seed_of_draw=8)


async def test_one_carer_of_a_family_hears_of_each_baby_and_twins_one_in_three_days(clock: str) -> None:
    father = await make_reachable(await make_member(carer_role="FATHER"))
    mother = await make_reachable(
        await make_member(carer_role="MOTHER", household_id=father.household_id),
        phone="+12025550101", email="m@example.com",
    )  # fmt: skip
    for name in ("Leo", "Mia"):
        await make_baby(mother, **born(10), nickname=name)
    await make_baby(mother, **born(12), stopped_at=NOON)
    await make_baby(mother, born_on=TODAY - timedelta(days=9), born_source=Source.INFERRED)
    for day in range(4):
        await set_business_clock(NOON + timedelta(days=day))
        await run(TODAY + timedelta(days=day))
        assert await Message.all().count() == (1 if day < 3 else 2)
    told = await Message.all()
    assert {m.member_id for m in told} == {mother.id}
    assert sorted(m.params["nickname"] for m in told) == ["Leo", "Mia"]
    assert len({m.care_run_id for m in told}) == 2


async def test_a_run_over_nobody_says_so(clock: str) -> None:
    report = await run(TODAY)
    assert isinstance(report, CareReport)
    assert (report.eligible, report.by) == (0, ())
    assert isinstance(report.run_id, UUID)
    assert datetime.now(UTC) - (await CareRun.get(run_on=TODAY)).started_at < timedelta(minutes=1)
