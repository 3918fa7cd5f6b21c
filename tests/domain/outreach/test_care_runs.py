"""The day's care against a real database, through the gateway's own planning."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from domain.commerce.orders import Order, OrderChannel, OrderLine
from domain.commerce.products import BabyClass, FormulaClass, Product
from domain.commerce.staff import RowScope
from domain.database import connection
from domain.gateway.messages import Message, MessageState
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.insight.models import ModelState, ScoringModel
from domain.insight.scores import Score
from domain.outreach.act_rules import ACT_RULES
from domain.outreach.care_runs import NOBODY, CareReport, CareRun, run
from domain.outreach.next_acts import Today, messages
from domain.outreach.snapshots import take
from domain.outreach.templates import catalogue, seed
from domain.people.babies import Baby, Feeding
from domain.people.consents import Consent, ConsentState
from domain.people.households import Household
from domain.people.identities import Identity, IdentityKind
from domain.people.members import Member
from domain.platform.clock import set_business_clock
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose, Source
from domain.stages.engine import BabyDates, read, stage_began_on
from domain.stages.rules import RULES, Stage
from tests.factories import NOON, make_baby, make_identity, make_member, make_reachable, make_staff, make_store

TODAY = NOON.date()


@pytest_asyncio.fixture
async def clock(db: str) -> AsyncIterator[str]:
    await set_business_clock(NOON)
    yield db


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
    days_ago = draw.choice([draw.randint(0, 2300), draw.randint(0, 400)])
    weeks = draw.choice([None, None, draw.randint(24, 41)])
    return born(days_ago, gestation_weeks=weeks)


def due_care(dates: BabyDates) -> list[Stage]:
    """The stages whose care is due today, by the pure engine alone."""
    found = []
    for item in catalogue().care:
        reading = read(dates, TODAY)
        stage, basis = reading.stage, dates
        if item.is_by_corrected_age and reading.corrected_age is not None:
            stage = reading.care_stage
            assert dates.born_on is not None
            early = RULES.full_term_weeks - (dates.gestation_weeks or 0)
            basis = replace(dates, born_on=dates.born_on + timedelta(weeks=early))
        began = stage_began_on(item.stage, basis)
        if stage is item.stage and began and 0 <= (TODAY - began).days <= item.within_days:
            found.append(item.stage)
    return found


async def test_a_snapshot_reads_what_is_in_force(clock: str) -> None:
    await seed()
    store = await make_store(time_zone="America/Denver")
    member = await make_reachable(
        await make_member(language="fr", jurisdiction="GB", time_zone="Europe/Paris", store_id=store.id)
    )
    await make_identity(
        member, IdentityKind.PHONE, "+12025550199", is_primary=False, last_seen_at=NOON + timedelta(days=1)
    )
    baby = await make_baby(member, **born(40), gestation_weeks=33)
    await Consent.filter(member_id=member.id, purpose=Purpose.CARE, channel=Channel.SMS).update(
        given_at=NOON - timedelta(days=60)
    )
    await Consent.create(
        member_id=member.id, purpose=Purpose.CARE, channel=Channel.SMS, state=ConsentState.WITHDRAWN,
        given_at=NOON - timedelta(days=5), source=Source.MEMBER, how="sms_reply", text_version="1", text_hash="-",
    )  # fmt: skip
    await suppress(Channel.SMS, "+12025550123", SuppressionReason.STOP_WORD, member_id=member.id)
    await connection().execute_query(
        "INSERT INTO attention_slots (member_id, window_kind, window_start, used) "
        "VALUES ($1, 'WEEK', '2017-12-11', 2), ($1, 'WEEK', '2017-12-04', 4)",
        [member.id],
    )
    today = Today(new_id(), TODAY, NOON, ACT_RULES)
    [intent] = (await messages(today, NOBODY, {})).intents
    [taken] = await take([replace(intent, channel=Channel.SMS)], NOON)
    snapshot = taken.snapshot
    assert (taken.address, taken.language, taken.is_synthetic) == ("+12025550123", "fr", False)
    assert snapshot.zones == ("Europe/Paris", "America/Denver")
    assert snapshot.consent is ConsentState.WITHDRAWN
    assert snapshot.suppression == "STOP_WORD"
    assert snapshot.week_touches == 2
    assert snapshot.wording is not None
    assert (snapshot.wording.language, snapshot.wording.purpose) == ("en", Purpose.CARE)
    assert [child.id for child in snapshot.children] == [baby.id]
    assert snapshot.children[0].dates == BabyDates(baby.born_on, None, 33)


async def test_stage_care_reaches_exactly_the_babies_that_the_engine_names(clock: str) -> None:
    families = await make_families(500)
    report = await run(TODAY)
    due = {
        member.id: [
            f"stage:{baby.id}:{stage.value}"
            for stage in due_care(BabyDates(baby.born_on, baby.due_on, baby.gestation_weeks))
        ]
        for member, baby in families
    }
    planned = {message.member_id: message.intent_key for message in await Message.all()}
    # Preterm babies may be due for two, one by each age: the earlier stage comes first, the other another day.
    assert planned == {member_id: keys[0] for member_id, keys in due.items() if keys}
    assert {key.rsplit(":", 1)[1] for key in planned.values()} == {item.stage.value for item in catalogue().care}
    assert report.eligible == report.sent + report.held + report.suppressed == len(planned)
    assert any(len(keys) == 2 for keys in due.values())


async def test_a_second_run_of_the_day_repeats_nothing_and_the_next_day_brings_new_stages(clock: str) -> None:
    member = await make_reachable(await make_member())
    baby = await make_baby(member, **born(29))
    first = await run(TODAY)
    again = await run(TODAY)
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert replace(again, is_repeat=False) == first
    assert [
        m.intent_key for m in await Message.all()
    ] == []  # 29 days: too late for newborn care, too early for the next
    await set_business_clock(NOON + timedelta(days=2))
    assert (await run(TODAY + timedelta(days=2))).sent == 1
    await set_business_clock(NOON + timedelta(days=3))
    assert (await run(TODAY + timedelta(days=3))).eligible == 0
    assert [m.intent_key for m in await Message.all()] == [f"stage:{baby.id}:MONTHS_1_3"]


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


async def test_one_carer_of_a_family_hears_of_each_baby_and_twins_one_a_day(clock: str) -> None:
    father = await make_reachable(await make_member(carer_role="FATHER"))
    mother = await make_reachable(
        await make_member(carer_role="MOTHER", household_id=father.household_id),
        phone="+12025550101", email="m@example.com",
    )  # fmt: skip
    for name in ("Leo", "Mia"):
        await make_baby(mother, **born(10), nickname=name)
    await make_baby(mother, **born(12), stopped_at=NOON)
    await make_baby(mother, born_on=TODAY - timedelta(days=9), born_source=Source.INFERRED)
    for day in range(3):
        await set_business_clock(NOON + timedelta(days=day))
        await run(TODAY + timedelta(days=day))
    told = await Message.all()
    assert {m.member_id for m in told} == {mother.id}
    assert sorted(m.params["nickname"] for m in told) == ["Leo", "Mia"]
    assert len({m.care_run_id for m in told}) == 2


async def make_model(name: str) -> ScoringModel:
    return await ScoringModel.create(
        name=name, version="1", family="lightgbm", state=ModelState.CHAMPION, as_of=TODAY, horizon_days=30,
        feature_hash="-", data_hash="-", artifact="-", trained_at=NOON,
    )  # fmt: skip


async def make_score(model: ScoringModel, member: Member, probability: float, category: str = "") -> None:
    await Score.create(
        member_id=member.id, model_name=model.name, category=category, probability=probability, rank=1,
        model_id=model.id, as_of=TODAY,
    )  # fmt: skip


async def make_product(category: str, **classes: Any) -> Product:
    return await Product.create(source="test", external_id=category, name=category, category=category, **classes)


async def buy(member: Member, days_ago: int, total: str, product: Product | None = None) -> None:
    order = await Order.create(
        source="test", external_id=str(new_id()), member_id=member.id, channel=OrderChannel.POS,
        ordered_at=NOON - timedelta(days=days_ago), currency="USD", total=Decimal(total), payload_hash="-",
    )  # fmt: skip
    if product is not None:
        await OrderLine.create(order_id=order.id, line_no=1, product_id=product.id, quantity=1, amount=Decimal(total))


async def planned_for(member: Member) -> list[Message]:
    return await Message.filter(member_id=member.id)


async def many(count: int) -> list[Member]:
    return [
        await make_reachable(await make_member(), phone=f"+12025550{n:03d}", email=f"{n}@example.com")
        for n in range(count)
    ]


async def test_offers_follow_the_likeliest_shelf_the_law_and_consent(clock: str) -> None:
    keen, toddlers, newborns, unwilling, drinker = await many(5)
    model = await make_model("cross_sell")
    berries = await make_product("BERRIES")
    await make_product("BEERS/ALES")
    await make_product("INFANT FORMULA", baby_class=BabyClass.FORMULA, formula_class=FormulaClass.UNKNOWN)
    await make_product("TODDLER MILK", baby_class=BabyClass.FORMULA, formula_class=FormulaClass.GROWING_UP)
    await buy(drinker, 5, "4.00", berries)
    await make_baby(toddlers, **born(600))
    await make_baby(newborns, **born(100))
    for member in (keen, toddlers, newborns, unwilling, drinker):
        await make_score(model, member, 0.5, "INFANT FORMULA")
        await make_score(model, member, 0.4 if member in (toddlers, newborns) else 0.01, "TODDLER MILK")
        await make_score(model, member, 0.02 if member in (toddlers, newborns, drinker) else 0.3, "BERRIES")
        await make_score(model, member, 0.6 if member is drinker else 0.01, "BEERS/ALES")
    await Consent.filter(member_id=unwilling.id, purpose=Purpose.PROMOTION).delete()
    await Baby.filter(household_id=newborns.household_id).update(born_source=Source.INFERRED)  # or she gets stage care
    report = await run(TODAY)
    [offer] = await planned_for(keen)
    assert (offer.template_key, offer.channel, offer.params["category"]) == (
        "offer.cross_sell",
        Channel.EMAIL,
        "berries",
    )
    assert offer.state is MessageState.PLANNED
    assert (await planned_for(toddlers))[0].params["category"] == "toddler milk"
    [stopped] = await planned_for(newborns)
    assert (stopped.state, stopped.state_reason) == (MessageState.SUPPRESSED, "FORMULA_LAW")
    assert await planned_for(unwilling) == []
    assert await planned_for(drinker) == []
    assert report.eligible == 3
    await set_business_clock(NOON + timedelta(days=1))
    assert (await run(TODAY + timedelta(days=1))).eligible == 0  # nobody is promoted to again within two weeks


async def test_calls_go_to_who_is_worth_it_and_lists_stay_workable(clock: str) -> None:
    owner = await make_staff(scope=RowScope.OWN)
    at_risk = await many(12)
    model = await make_model("churn")
    for place, member in enumerate(at_risk):
        await Member.filter(id=member.id).update(owner_id=owner.id)
        await buy(member, 20, f"{100 + 10 * place}.00")
        await make_score(model, member, 0.6)
    await Consent.filter(member_id=at_risk[11].id, channel=Channel.CALL).delete()
    await suppress(Channel.CALL, "+12025550010", SuppressionReason.DO_NOT_CALL, member_id=at_risk[10].id)
    await run(TODAY)
    calls = await Message.filter(channel=Channel.CALL).exclude(state=MessageState.SUPPRESSED)
    assert {call.member_id for call in calls} == {member.id for member in at_risk[2:10]}  # eight, the most valuable
    [refused] = await planned_for(at_risk[10])
    assert refused.state_reason == "DO_NOT_CALL"
    brief = (await planned_for(at_risk[9]))[0].params["call"]
    assert (brief["kind"], brief["reason_code"]) == ("WIN_BACK", "CHURN_RISK")
    assert brief["reason"]["en"].startswith("She may stop coming: 60% risk")
    assert "60%" in brief["reason"]["zh-Hans"]
    kinds = {point["kind"] for point in brief["talking_points"]}
    assert kinds == {"SAY", "ASK", "DO_NOT_SAY"}
    assert brief["priority"] == pytest.approx(0.6 * 190 / 3 * ACT_RULES.retained_share_of_spend)


async def test_calls_for_new_customers_running_low_and_new_stages(clock: str) -> None:
    newcomer, runner, feeding, preterm = await many(4)
    diapers = await make_product("DIAPERS & DISPOSABLES", baby_class=BabyClass.DIAPER)
    await Member.filter(id=newcomer.id).update(joined_on=TODAY - timedelta(days=7))
    await buy(newcomer, 7, "25.00", diapers)
    for days_ago in (50, 34, 16):
        await buy(runner, days_ago, "25.00", diapers)
    await make_baby(
        feeding, born_on=date(2017, 6, 18), born_source=Source.MEMBER, feeding=Feeding.FORMULA, nickname="Mia"
    )
    await make_baby(
        preterm, born_on=date(2017, 6, 18), born_source=Source.MEMBER, feeding=Feeding.MIXED, gestation_weeks=32
    )
    await run(TODAY)
    briefs = {}
    for member in (newcomer, runner, feeding):
        [message] = [m for m in await planned_for(member) if m.channel is Channel.CALL]
        briefs[member.id] = (message.params["call"]["kind"], message.params["call"]["reason"]["en"], message.purpose)
    assert briefs[newcomer.id][0::2] == ("NEW_CUSTOMER_RETURN", Purpose.CARE)
    assert briefs[newcomer.id][1] == "New customer: her first purchase was 7 days ago, mostly diapers; not back yet."
    assert briefs[runner.id] == (
        "CAN_FINISH", "Probably running low on diapers: buys every 17 days, last time 16 days ago.", Purpose.PROMOTION,
    )  # fmt: skip
    assert briefs[feeding.id][0] == "STAGE_SWITCH"
    assert "Mia reaches 6 months on 2017-12-18" in briefs[feeding.id][1]
    assert [m.channel for m in await planned_for(preterm)] != [Channel.CALL]  # corrected, she is four months old


async def test_a_run_over_nobody_says_so(clock: str) -> None:
    report = await run(TODAY)
    assert isinstance(report, CareReport)
    assert (report.eligible, report.by) == (0, ())
    assert isinstance(report.run_id, UUID)
    assert datetime.now(UTC) - (await CareRun.get(run_on=TODAY)).started_at < timedelta(minutes=1)
