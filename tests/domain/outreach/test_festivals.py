"""Festivals: their days, and what is muted after a loss."""

from datetime import date

import pytest
from borax.calendars.festivals2 import FestivalLibrary

from domain.outreach.festivals import _festival, feasts, festival_of, festivals

ORACLE = {  # ours -> the oracle's names
    "NEW_YEAR": "元旦", "SPRING_FESTIVAL": "春节", "LANTERN_FESTIVAL": "元宵节", "WOMENS_DAY": "妇女节",
    "QINGMING": "清明", "LABOUR_DAY": "劳动节", "MOTHERS_DAY": "母亲节", "CHILDRENS_DAY": "儿童节",
    "DRAGON_BOAT": "端午节",
    "FATHERS_DAY": "父亲节", "QIXI": "七夕", "MID_AUTUMN": "中秋节", "NATIONAL_DAY": "国庆节", "DOUBLE_NINTH": "重阳节",
    "WINTER_SOLSTICE": "冬至", "CHRISTMAS": "圣诞节",
}  # fmt: skip


def test_sixteen_festivals_fall_on_the_days_that_another_library_names() -> None:
    assert set(festivals()) == set(ORACLE)
    known = {festival.name: festival for festival in FestivalLibrary.load_builtin()}
    for year in range(2017, 2041):
        span = date(year, 1, 1), date(year, 12, 31)
        told = {feast.festival.code: feast.on for feast in feasts(*span)}
        assert told == {code: known[name].list_days(*span)[0].solar for code, name in ORACLE.items()}


def test_the_list_is_in_order_and_holds_both_ends() -> None:
    found = [(feast.festival.code, feast.on) for feast in feasts(date(2018, 5, 13), date(2018, 6, 18))]
    assert found == [
        ("MOTHERS_DAY", date(2018, 5, 13)), ("CHILDRENS_DAY", date(2018, 6, 1)), ("FATHERS_DAY", date(2018, 6, 17)),
        ("DRAGON_BOAT", date(2018, 6, 18)),
    ]  # fmt: skip
    assert {one.code for one in festivals().values() if one.is_sensitive} == {
        "QINGMING", "MOTHERS_DAY", "CHILDRENS_DAY", "FATHERS_DAY",
    }  # fmt: skip


def test_a_key_names_its_festival_and_other_keys_none() -> None:
    bound = festival_of("festival:MOTHERS_DAY:2018:sms:1")
    assert bound is not None
    assert bound.code == "MOTHERS_DAY"
    assert [festival_of(key) for key in ("festival:NONE:2018", "stage:1:NEWBORN", "MOTHERS_DAY", "")] == [None] * 4


def test_a_festival_without_one_way_to_its_day_says_so() -> None:
    with pytest.raises(ValueError, match="X: name exactly one of fixed, lunar, term and weekday"):
        _festival({"code": "X", "en": "X", "zh": "X", "fixed": "01-01", "term": "冬至"})
