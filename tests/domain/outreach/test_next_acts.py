"""Offers and calls: who gets which, and whom law, consent and workable lists leave out."""

import json
import re
import tomllib
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.care.callbacks import CallbackKind
from domain.commerce.orders import OrderLine
from domain.commerce.products import BabyClass, FormulaClass
from domain.commerce.staff import RowScope
from domain.gateway.messages import Message, MessageState
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.outreach.act_rules import ACT_RULES
from domain.outreach.call_briefs import talking_points
from domain.outreach.call_reasons import say_why
from domain.outreach.care_runs import build_lists, run
from domain.outreach.decisions import Decision
from domain.outreach.shelves import FILE, is_fit_to_suggest
from domain.outreach.templates import catalogue
from domain.people.babies import Feeding
from domain.people.consents import Consent, ConsentState
from domain.people.members import Member
from domain.platform.clock import set_business_clock
from domain.platform.sources import Channel, Purpose, Source
from tests.factories import (
    NOON,
    make_baby,
    make_guardian_consent,
    make_member,
    make_model,
    make_order,
    make_product,
    make_reachable,
    make_score,
    make_staff,
)

TODAY = NOON.date()


def why(brief: dict[str, Any], language: str = "en") -> str:
    """What a consultant reads on the day of the list."""
    return say_why(brief["reason_code"], brief["reason"], language, TODAY)


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
    await make_baby(toddlers, born_on=TODAY - timedelta(days=700), born_source=Source.MEMBER)
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


async def test_lists_built_before_the_care_run_are_its_own_and_not_built_twice(clock: str) -> None:
    model = await make_model("churn")
    for member in await many(3):
        await make_order(member, NOON - timedelta(days=20), "100.00")
        await make_score(model, member, 0.6)
    built = await build_lists(TODAY)
    calls = {call.id for call in await Message.filter(channel=Channel.CALL)}
    assert len(calls) == built.eligible > 0
    assert await Message.exclude(channel=Channel.CALL).count() == 0
    assert (await build_lists(TODAY)).eligible == built.eligible
    report = await run(TODAY)
    assert not report.is_repeat
    assert {call.id for call in await Message.filter(channel=Channel.CALL)} == calls
    assert (await build_lists(TODAY)).is_repeat


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
    assert why(brief).startswith("May stop coming: 60% risk of no purchase in the next 30 days.")
    assert why(brief).endswith("Last purchase 20 days ago, 1 in the 90 days before 2017-12-15.")
    assert "60%" in why(brief, "zh-Hans")
    kinds = {point["kind"] for point in brief["talking_points"]}
    assert kinds == {"SAY", "ASK", "DO_NOT_SAY"}
    assert brief["priority"] == pytest.approx(0.6 * 190 / 3 * ACT_RULES.retained_share_of_spend)


async def test_calls_for_new_customers_running_low_and_new_stages(clock: str) -> None:
    newcomer, runner, feeding, preterm, toaster = await many(5)
    diapers = await make_product("DIAPERS & DISPOSABLES", baby_class=BabyClass.DIAPER)
    await Member.filter(id=newcomer.id).update(joined_on=TODAY - timedelta(days=7))
    await make_order(newcomer, NOON - timedelta(days=7), "25.00", diapers)
    await Member.filter(id=toaster.id).update(joined_on=TODAY - timedelta(days=7))
    await make_order(toaster, NOON - timedelta(days=7), "25.00", await make_product("IMPORTED WINE"))
    for days_ago in (50, 34, 16):
        await make_order(runner, NOON - timedelta(days=days_ago), "25.00", diapers)
    mia = await make_baby(
        feeding, born_on=date(2017, 6, 18), born_source=Source.MEMBER, feeding=Feeding.FORMULA, nickname="Mia"
    )
    early = await make_baby(
        preterm, born_on=date(2017, 6, 18), born_source=Source.MEMBER, feeding=Feeding.MIXED, gestation_weeks=32
    )
    await make_guardian_consent(mia, feeding)
    await make_guardian_consent(early, preterm)
    await run(TODAY)
    briefs = {}
    for member in (newcomer, runner, feeding, toaster):
        [message] = [m for m in await planned_for(member) if m.channel is Channel.CALL]
        briefs[member.id] = (message.params["call"]["kind"], why(message.params["call"]), message.purpose)
    assert briefs[newcomer.id][0::2] == ("NEW_CUSTOMER_RETURN", Purpose.CARE)
    assert briefs[newcomer.id][1] == "New customer: the first purchase was 7 days ago, mostly diapers; not back yet."
    assert briefs[toaster.id][1] == "New customer: the first purchase was 7 days ago; not back yet."
    assert briefs[runner.id] == (
        "CAN_FINISH", "Probably running low on diapers: buys every 17 days, last time 16 days ago.", Purpose.PROMOTION,
    )  # fmt: skip
    assert briefs[feeding.id][0] == "STAGE_SWITCH"
    assert "Mia reaches 6 months on 2017-12-18" in briefs[feeding.id][1]
    assert [m.channel for m in await planned_for(preterm)] != [Channel.CALL]  # corrected, she is four months old


async def test_nobody_is_called_to_buy_formula_again_and_no_brief_names_it(clock: str) -> None:
    for_milk, tins, for_bottles, lapsed, mixed = await many(5)
    milk = await make_product("INFANT FORMULA", baby_class=BabyClass.FORMULA, formula_class=FormulaClass.UNKNOWN)
    bottles = await make_product("BOTTLES", baby_class=BabyClass.BABY_CARE, formula_class=FormulaClass.BOTTLE_TEAT)
    crib = await make_product("CRIBS")
    for member, bought in ((for_milk, [(milk, 30)]), (tins, [(milk, 20), (crib, 25), (milk, 20)]),
                           (for_bottles, [(bottles, 9)])):  # fmt: skip
        await Member.filter(id=member.id).update(joined_on=TODAY - timedelta(days=7))
        order = await make_order(member, NOON - timedelta(days=7), "65.00")
        for line, (product, amount) in enumerate(bought, 1):
            await OrderLine.create(
                order_id=order.id, line_no=line, product_id=product.id, quantity=1, amount=Decimal(amount)
            )
    model = await make_model("churn")
    for member, spent_on_milk, rest in ((lapsed, "90.00", "10.00"), (mixed, "40.00", "60.00")):
        await make_order(member, NOON - timedelta(days=20), spent_on_milk, milk)
        await make_order(member, NOON - timedelta(days=20), rest, crib)
        await make_score(model, member, 0.6)
    await run(TODAY)
    assert await planned_for(for_milk) == await planned_for(tins) == []
    [call] = await planned_for(for_bottles)
    reason = call.params["call"]["reason"]
    assert why(call.params["call"]) == "New customer: the first purchase was 7 days ago; not back yet."
    assert "bottle" not in json.dumps([reason, call.params["category"]]).lower()
    [refused] = await planned_for(lapsed)
    assert (refused.state, refused.state_reason) == (MessageState.SUPPRESSED, "FORMULA_LAW")
    [won_back] = await planned_for(mixed)
    assert won_back.state is MessageState.PLANNED
    priority = won_back.params["call"]["priority"]
    assert priority == pytest.approx(0.6 * 60 / 3 * ACT_RULES.retained_share_of_spend)


@pytest.mark.parametrize(("born_on", "formula_class"), [((2017, 6, 18), "FOLLOW_ON"), ((2016, 12, 18), "GROWING_UP")])
async def test_a_new_feeding_stage_is_a_care_talk_that_recommends_nothing(
    clock: str, born_on: tuple[int, int, int], formula_class: str
) -> None:
    # nobody, or nobody any more, allows that their feeding is used
    member, silent, withdrawn = await many(3)
    child = {"born_on": date(*born_on), "born_source": Source.MEMBER, "feeding": Feeding.FORMULA}
    await make_guardian_consent(await make_baby(member, **child), member)
    await make_baby(silent, **child)
    theirs = await make_baby(withdrawn, **child)
    await make_guardian_consent(theirs, withdrawn)
    await make_guardian_consent(theirs, withdrawn, state=ConsentState.WITHDRAWN, given_at=NOON)
    await run(TODAY)
    assert await Message.filter(member_id__in=[silent.id, withdrawn.id], channel=Channel.CALL).count() == 0
    [call] = await Message.filter(member_id=member.id, channel=Channel.CALL)
    assert call.purpose is Purpose.CARE
    assert (await Decision.get(intent_key=call.intent_key)).snapshot["formula_class"] == formula_class
    brief = call.params["call"]
    assert brief["priority"] == 0  # no revenue is expected of it
    assert not {"stage", "formula_class", "category"} & brief["reason"].keys()
    points = brief["talking_points"]
    assert "CARE_TALK_ONLY" in {point["code"] for point in points if point["kind"] == "DO_NOT_SAY"}
    said = [why(brief), why(brief, "zh-Hans")]
    said += [point[language] for point in points if point["kind"] != "DO_NOT_SAY" for language in ("en", "zh-Hans")]
    said += [text.body for text in catalogue().texts if text.key == "call.STAGE_SWITCH"]
    selling = (
        r"formula|\bstage [1-4]|product|recommend|brand\b|switch|price|buy|奶粉|[1-4一二三四]段|产品|推荐|换奶|购买"
    )
    assert not [text for text in said if re.search(selling, text.replace("{{ brand }}", ""), re.IGNORECASE)]


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
