"""Offers and calls: who gets which, and whom law, consent and workable lists leave out."""

import tomllib
from datetime import date, timedelta

import pytest

from domain.care.callbacks import CallbackKind
from domain.commerce.products import BabyClass, FormulaClass
from domain.commerce.staff import RowScope
from domain.gateway.messages import Message, MessageState
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.outreach.act_rules import ACT_RULES
from domain.outreach.call_briefs import talking_points
from domain.outreach.care_runs import run
from domain.outreach.shelves import FILE, is_fit_to_suggest
from domain.people.babies import Feeding
from domain.people.consents import Consent
from domain.people.members import Member
from domain.platform.clock import set_business_clock
from domain.platform.sources import Channel, Purpose, Source
from tests.factories import (
    NOON,
    make_baby,
    make_member,
    make_model,
    make_order,
    make_product,
    make_reachable,
    make_score,
    make_staff,
)

TODAY = NOON.date()


async def planned_for(member: Member) -> list[Message]:
    return await Message.filter(member_id=member.id)


async def many(count: int) -> list[Member]:
    return [
        await make_reachable(await make_member(), phone=f"+12025550{n:03d}", email=f"{n}@example.com")
        for n in range(count)
    ]


async def test_offers_follow_the_likeliest_shelf_the_law_and_consent(clock: str) -> None:
    keen, toddlers, newborns, unwilling, drinker = await many(5)
    model = await make_model("cross_sell", metrics={"rows": 1000, "positives": 20})
    berries = await make_product("BERRIES")
    await make_product("BEERS/ALES")
    await make_product("INFANT FORMULA", baby_class=BabyClass.FORMULA, formula_class=FormulaClass.UNKNOWN)
    await make_product("BABY FOODS", baby_class=BabyClass.BABY_FOOD, formula_class=FormulaClass.COMPLEMENTARY)
    await make_product("SHELF WITHOUT A NAME")
    await make_order(drinker, NOON - timedelta(days=5), "4.00", berries)
    await make_baby(toddlers, born_on=TODAY - timedelta(days=600), born_source=Source.MEMBER)
    # a date read out of baskets: no stage care, but the law counts it
    await make_baby(newborns, born_on=TODAY - timedelta(days=100), born_source=Source.INFERRED)
    for member in (keen, toddlers, newborns, unwilling, drinker):
        await make_score(model, member, 0.5, "INFANT FORMULA")
        await make_score(model, member, 0.9, "SHELF WITHOUT A NAME")
        await make_score(model, member, 0.4 if member in (toddlers, newborns) else 0.01, "BABY FOODS")
        await make_score(model, member, 0.02 if member in (toddlers, newborns, drinker) else 0.3, "BERRIES")
        await make_score(model, member, 0.6 if member is drinker else 0.01, "BEERS/ALES")
    await Consent.filter(member_id=unwilling.id, purpose=Purpose.PROMOTION).delete()
    report = await run(TODAY)
    [offer] = await planned_for(keen)
    assert (offer.template_key, offer.channel, offer.params["category"]) == (
        "offer.cross_sell",
        Channel.EMAIL,
        "berries",
    )
    assert offer.state is MessageState.PLANNED
    assert (await planned_for(toddlers))[0].params["category"] == "baby food"
    [stopped] = await planned_for(newborns)
    assert (stopped.state, stopped.state_reason) == (MessageState.SUPPRESSED, "FORMULA_LAW")
    assert await planned_for(unwilling) == []
    assert await planned_for(drinker) == []
    assert report.eligible == 3
    await set_business_clock(NOON + timedelta(days=1))
    assert (await run(TODAY + timedelta(days=1))).eligible == 0  # nobody is promoted to again within two weeks


def test_only_shelves_with_a_name_in_both_languages_are_suggested() -> None:
    document = tomllib.loads(FILE.read_text("utf-8"))
    assert len(document["labels"]) >= 170
    for category, names in document["labels"].items():
        english, chinese = names
        assert english.isascii(), category
        assert not set(english) & set("/&-()"), category
        assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese), category
        assert is_fit_to_suggest(category), category
    assert not is_fit_to_suggest("SHELF WITHOUT A NAME")
    assert not is_fit_to_suggest("")


async def test_calls_go_to_who_is_worth_it_and_lists_stay_workable(clock: str) -> None:
    owner = await make_staff(scope=RowScope.OWN)
    at_risk = await many(12)
    model = await make_model("churn")
    for place, member in enumerate(at_risk):
        await Member.filter(id=member.id).update(owner_id=owner.id)
        await make_order(member, NOON - timedelta(days=20), f"{100 + 10 * place}.00")
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
    assert brief["reason"]["en"].startswith("May stop coming: 60% risk")
    assert "60%" in brief["reason"]["zh-Hans"]
    kinds = {point["kind"] for point in brief["talking_points"]}
    assert kinds == {"SAY", "ASK", "DO_NOT_SAY"}
    assert brief["priority"] == pytest.approx(0.6 * 190 / 3 * ACT_RULES.retained_share_of_spend)


async def test_calls_for_new_customers_running_low_and_new_stages(clock: str) -> None:
    newcomer, runner, feeding, preterm = await many(4)
    diapers = await make_product("DIAPERS & DISPOSABLES", baby_class=BabyClass.DIAPER)
    await Member.filter(id=newcomer.id).update(joined_on=TODAY - timedelta(days=7))
    await make_order(newcomer, NOON - timedelta(days=7), "25.00", diapers)
    for days_ago in (50, 34, 16):
        await make_order(runner, NOON - timedelta(days=days_ago), "25.00", diapers)
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
    assert briefs[newcomer.id][1] == "New customer: the first purchase was 7 days ago, mostly diapers; not back yet."
    assert briefs[runner.id] == (
        "CAN_FINISH", "Probably running low on diapers: buys every 17 days, last time 16 days ago.", Purpose.PROMOTION,
    )  # fmt: skip
    assert briefs[feeding.id][0] == "STAGE_SWITCH"
    assert "Mia reaches 6 months on 2017-12-18" in briefs[feeding.id][1]
    assert [m.channel for m in await planned_for(preterm)] != [Channel.CALL]  # corrected, she is four months old


@pytest.mark.parametrize(("ages", "binds"), [([600], False), ([7], False), ([5], True), ([None, 40], True), ([], True)])
def test_a_script_says_what_must_not_be_said(ages: list[int | None], binds: bool) -> None:
    points = talking_points(CallbackKind.WIN_BACK, "US", ages)
    forbidden = {point["code"] for point in points if point["kind"] == "DO_NOT_SAY"}
    assert {"NO_FORMULA_PROMOTION", "NO_MEDICAL_ADVICE"} <= forbidden
    assert ("FORMULA_LAW_BINDS" in forbidden) == binds
    assert all(point["en"] and point["zh-Hans"] for point in points)
    assert [point.get("rule") for point in points if point["code"] == "FORMULA_LAW_BINDS"] == [
        "house.substitutes-under-6-months"
    ] * binds
