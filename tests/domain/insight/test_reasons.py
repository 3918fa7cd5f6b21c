"""Reasons in words: every code in both languages, with the numbers that are stored, and nothing about babies."""

import re

import pytest

from domain.insight.reasons import AGAINST, ANY, CODES, EITHER, FOR, say, say_all

VALUES = {
    "days": 41, "usual": 9, "visits": 1, "longest": 33, "now": 2, "before": 4.5, "percent": 40, "categories": 12,
    "months": 7, "stores": 2, "count": 1, "because": ["SOFT DRINKS", "BEEF"], "category": "FROZEN PIZZA",
}  # fmt: skip


@pytest.mark.parametrize("code", sorted(CODES))
@pytest.mark.parametrize("effect", [FOR, AGAINST])
def test_every_code_is_a_sentence_in_both_languages(code: str, effect: str) -> None:
    reason = {"code": code, "effect": effect, "values": VALUES}
    english, chinese = say(reason, "en"), say(reason, "zh-Hans")
    assert english.endswith(".")
    assert not re.search(r"[{}\u4e00-\u9fff]", english)
    assert chinese.endswith("。")
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert "{" not in chinese
    assert "baby" not in english.lower()


def test_numbers_and_units_read_as_people_say_them() -> None:
    overdue = {"code": "OVERDUE", "effect": FOR, "values": {"days": 41.0, "usual": 9}}
    assert say(overdue, "en") == "Last bought 41 days ago; usually buys about every 9 days."
    assert say(overdue, "zh-Hans") == "最近一次购买在41天前，平时大约每9天购买一次。"
    assert "1 day of" in say({"code": "FREQUENCY", "effect": FOR, "values": {"visits": 1.0}}, "en")


def test_shelves_are_called_as_people_say_them_never_in_the_tills_capitals() -> None:
    values = {"because": ["SOFT DRINKS", "FRZN MEAT/MEAT DINNERS"], "category": "COLD CEREAL"}
    also = {"code": "ALSO_BOUGHT", "effect": FOR, "values": values}
    english = "Families who buy soft drinks and frozen dinners often buy breakfast cereal too."
    assert say(also, "en") == english
    assert say(also, "zh-Hans") == "购买软饮料、冷冻主餐的家庭也常买早餐麦片。"
    for unnamed, told in (
        ("HOME FREEZING & CANNING SUPPLY", "Home Freezing & Canning Supply"),
        ("PNT BTR/MOTHER'S JAMS", "Pnt Btr/Mother's Jams"),
        ("奶粉", "奶粉"),
        ("Kids' iPads", "Kids' iPads"),
    ):
        reason = {"code": "RISING", "effect": FOR, "values": {"category": unnamed}}
        assert f" {told} " in say(reason, "en")
        assert told in say(reason, "zh-Hans")


def test_what_another_version_stored_is_left_out_not_misquoted() -> None:
    stored = [{"code": "NEW_IN_2030", "values": {}}, {"code": "OVERDUE", "effect": FOR, "values": {}}, {}]
    assert say_all([*stored, {"code": "LAST_PURCHASE", "values": {"days": 1}}], "en") == ["Last bought 1 day ago."]


def test_facts_for_and_against_are_two_sentences() -> None:
    assert all(pair[0] != pair[1] for pair in EITHER.values())
    assert not set(ANY) & set(EITHER)
