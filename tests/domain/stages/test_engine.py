"""Golden timelines and properties of the life-stage engine."""

from datetime import date, timedelta

import pytest
from hypothesis import strategies as st

from domain.stages.calendar import Age, add_months, age_on
from domain.stages.engine import BabyDates, read, stage_window, youngest_months
from domain.stages.rules import RULES, Stage
from domain.stages.wording import NAMES, say, say_age
from tests.properties import holds_for

DAY = timedelta(days=1)
days = st.dates(date(2012, 1, 1), date(2032, 12, 31))
babies = st.builds(
    BabyDates,
    born_on=st.none() | days,
    due_on=st.none() | days,
    gestation_weeks=st.none() | st.integers(20, 45),
)


def timeline(dates: BabyDates, first: date, last: date) -> list[tuple[date, Stage]]:
    """Each change of stage from first to last, with its day."""
    changes: list[tuple[date, Stage]] = []
    for offset in range((last - first).days + 1):
        stage = read(dates, first + offset * DAY).stage
        if not changes or changes[-1][1] is not stage:
            changes.append((first + offset * DAY, stage))
    return changes


def test_a_life_from_conception_to_school() -> None:
    due = date(2020, 6, 1)
    assert timeline(BabyDates(due_on=due), date(2019, 8, 25), date(2020, 6, 20)) == [
        (date(2019, 8, 25), Stage.UNKNOWN),
        (date(2019, 8, 26), Stage.TRIMESTER_1),
        (date(2019, 12, 2), Stage.TRIMESTER_2),
        (date(2020, 3, 9), Stage.TRIMESTER_3),
        (date(2020, 6, 15), Stage.UNKNOWN),
    ]
    assert timeline(BabyDates(born_on=date(2020, 5, 28)), date(2020, 5, 27), date(2026, 6, 1)) == [
        (date(2020, 5, 27), Stage.UNKNOWN),
        (date(2020, 5, 28), Stage.NEWBORN),
        (date(2020, 6, 28), Stage.MONTHS_1_3),
        (date(2020, 8, 28), Stage.MONTHS_3_6),
        (date(2020, 11, 28), Stage.MONTHS_6_12),
        (date(2021, 5, 28), Stage.MONTHS_12_24),
        (date(2022, 5, 28), Stage.MONTHS_24_36),
        (date(2023, 5, 28), Stage.YEARS_3_6),
        (date(2026, 5, 28), Stage.GRADUATED),
    ]


def test_born_on_29_february_every_birthday_is_on_time() -> None:
    leap = BabyDates(born_on=date(2016, 2, 29))
    assert [day for day, _ in timeline(leap, date(2016, 2, 29), date(2022, 3, 5))] == [
        date(2016, 2, 29), date(2016, 3, 29), date(2016, 5, 29), date(2016, 8, 29),
        date(2017, 2, 28), date(2018, 2, 28), date(2019, 2, 28), date(2022, 2, 28),
    ]  # fmt: skip
    assert read(leap, date(2020, 2, 28)).age == Age(47, 30)
    assert read(leap, date(2020, 2, 29)).age == Age(48, 0)


def test_born_on_the_31st_every_short_month_counts() -> None:
    baby = BabyDates(born_on=date(2017, 8, 31))
    assert read(baby, date(2018, 2, 27)).formula_stage == 1
    assert read(baby, date(2018, 2, 28)).formula_stage == 2
    assert read(baby, date(2018, 2, 28)).stage is Stage.MONTHS_6_12
    assert say_age(read(baby, date(2017, 9, 30)).age or Age(-1, 0), "en") == "1 month"


def test_born_at_32_weeks_care_and_formula_follow_corrected_age_until_two() -> None:
    baby = BabyDates(born_on=date(2018, 1, 1), gestation_weeks=32)  # due eight weeks later, on 26 February
    newborn = read(baby, date(2018, 2, 10))
    assert (newborn.stage, newborn.care_stage, newborn.corrected_age) == (Stage.MONTHS_1_3, Stage.NEWBORN, Age(0, 0))
    half = read(baby, date(2018, 7, 1))
    assert (half.stage, half.care_stage, half.formula_stage) == (Stage.MONTHS_6_12, Stage.MONTHS_3_6, 1)
    assert (half.next_formula_stage, half.next_formula_stage_on) == (2, date(2018, 8, 26))
    assert youngest_months(baby, date(2018, 8, 25)) == 5
    assert youngest_months(baby, date(2018, 8, 26)) == 6
    assert read(baby, date(2019, 12, 31)).corrected_age == Age(22, 5)
    grown = read(baby, date(2020, 1, 1))
    assert (grown.stage, grown.care_stage, grown.corrected_age) == (Stage.MONTHS_24_36, Stage.MONTHS_24_36, None)
    assert read(BabyDates(born_on=date(2018, 1, 1), gestation_weeks=37), date(2018, 7, 1)).corrected_age is None


def test_twins_are_two_babies_who_read_alike_and_moving_a_due_date_moves_the_week() -> None:
    first, second = (BabyDates(born_on=date(2017, 11, 30)), BabyDates(born_on=date(2017, 11, 30)))
    assert read(first, date(2017, 12, 15)) == read(second, date(2017, 12, 15))
    before, after = BabyDates(due_on=date(2018, 3, 1)), BabyDates(due_on=date(2018, 3, 29))
    assert read(before, date(2017, 12, 15)).week == (read(after, date(2017, 12, 15)).week or 0) + 4


@pytest.mark.parametrize(
    ("dates", "why"),
    [
        (BabyDates(), "NO_DATE"),
        (BabyDates(gestation_weeks=40), "NO_DATE"),
        (BabyDates(born_on=date(2018, 1, 2)), "BIRTH_DATE_AHEAD"),
        (BabyDates(due_on=date(2018, 10, 9)), "DUE_DATE_TOO_FAR"),
        (BabyDates(due_on=date(2017, 12, 18)), "BIRTH_NOT_REPORTED"),
    ],
)
def test_without_a_usable_date_the_stage_is_unknown_and_says_why(dates: BabyDates, why: str) -> None:
    reading = read(dates, date(2018, 1, 1))
    assert (reading.stage, reading.why_unknown) == (Stage.UNKNOWN, why)
    assert say(reading, "en") == ""
    assert youngest_months(dates, date(2018, 1, 1)) is None


def test_ages_are_said_as_people_say_them() -> None:
    expecting = read(BabyDates(due_on=date(2018, 2, 9)), date(2017, 12, 15))
    assert (say(expecting, "en"), say(expecting, "zh-Hans")) == ("week 32", "孕32周")
    assert (expecting.next_stage, expecting.next_stage_on) == (Stage.NEWBORN, date(2018, 2, 9))
    crawling = read(BabyDates(born_on=date(2017, 7, 3)), date(2017, 12, 15))
    assert (say(crawling, "en-GB"), say(crawling, "zh-CN")) == ("5 months 12 days", "5个月12天")
    spoken = [Age(0, 1), Age(0, 20), Age(1, 0), Age(13, 1), Age(24, 5), Age(27, 5)]
    assert [say_age(age, "en") for age in spoken] == [
        "1 day", "20 days", "1 month", "13 months 1 day", "2 years", "2 years 3 months",
    ]  # fmt: skip
    assert [say_age(age, "zh") for age in spoken] == ["1天", "20天", "1个月", "1岁1个月", "2岁", "2岁3个月"]
    assert set(NAMES) == set(Stage)


@holds_for(babies, days, examples=600)
def test_the_windows_hold_exactly_the_babies_that_the_engine_reads(dates: BabyDates, on: date) -> None:
    windows = (stage_window(stage, on) for stage in Stage)
    holding = [window.stage for window in windows if window is not None and window.holds(dates)]
    reading = read(dates, on)
    assert holding == ([] if reading.stage is Stage.UNKNOWN else [reading.stage])


@holds_for(st.sampled_from(list(RULES.childhood)), days, st.integers(-1, 1), examples=600)
def test_the_windows_edges_are_exact(stage: Stage, on: date, shift: int) -> None:
    """Random babies seldom hit an edge, so aim at it."""
    window = stage_window(stage, on)
    assert window is not None
    for edge in (window.born_from, window.born_to):
        if edge is not None:
            dates = BabyDates(born_on=edge + shift * DAY)
            assert window.holds(dates) == (read(dates, on).stage is stage)


@holds_for(babies, days, examples=300)
def test_the_next_stage_begins_on_the_day_it_is_announced(dates: BabyDates, on: date) -> None:
    reading = read(dates, on)
    coming = reading.next_stage_on
    if coming is not None:
        assert coming > on
        assert read(dates, coming - DAY).stage is reading.stage
    if coming is not None and reading.next_stage is not Stage.NEWBORN:  # a birth is reported, not computed
        assert read(dates, coming).stage is reading.next_stage
    if reading.next_formula_stage_on:
        assert read(dates, reading.next_formula_stage_on).formula_stage == reading.next_formula_stage


@holds_for(days, days, many=5_000)
def test_ages_count_like_month_addition(born_on: date, on: date) -> None:
    if born_on > on:
        return
    age = age_on(born_on, on)
    assert add_months(born_on, age.months) + age.days * DAY == on
    assert add_months(born_on, age.months + 1) > on


@holds_for(babies, days, many=5_000)
def test_corrected_age_never_makes_a_baby_older(dates: BabyDates, on: date) -> None:
    reading = read(dates, on)
    if reading.age and reading.corrected_age:
        assert reading.corrected_age <= reading.age
        assert list(Stage).index(reading.care_stage) <= list(Stage).index(reading.stage)
        assert youngest_months(dates, on) == reading.corrected_age.months
