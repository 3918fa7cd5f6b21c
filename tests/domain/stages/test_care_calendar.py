"""The care calendar: golden timelines, and that each item is due once and never late."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import strategies as st

from domain.stages.calendar import add_months
from domain.stages.care_calendar import Due, care_calendar, coming_stages
from domain.stages.care_plans import CareKind, CarePlan, care_plan_on, care_plans, read_plan
from domain.stages.engine import BabyDates, read
from domain.stages.rules import RULES, AgeBasis, Stage
from tests.properties import holds_for

DAY = timedelta(days=1)
days = st.dates(date(2013, 1, 1), date(2028, 12, 31))
babies = st.one_of(
    st.builds(BabyDates, born_on=days, gestation_weeks=st.none() | st.integers(24, 42)),
    st.builds(BabyDates, due_on=days),
)
regions = st.sampled_from(["US", "CN", "PH"])


def lived(
    dates: BabyDates, region: str, first: date, last: date, done: set[str] | None = None
) -> list[tuple[date, Due]]:
    """What a family is told, day by day, by somebody who looks only at what is due today and tells each item once."""
    done = set() if done is None else done
    told: list[tuple[date, Due]] = []
    for offset in range((last - first).days + 1):
        day = first + offset * DAY
        for due in care_calendar(dates, region, day, 1):
            if due.on == day and due.key not in done:
                done.add(due.key)
                told.append((day, due))
    return told


def codes(found: list[Due], kind: CareKind | None = None) -> list[tuple[str, date]]:
    return [(due.key, due.on) for due in found if kind in (None, due.item.kind)]


def test_born_on_29_february_every_birthday_and_vaccine_has_its_day() -> None:
    leap = BabyDates(born_on=date(2016, 2, 29))
    told = lived(leap, "US", date(2016, 2, 29), date(2020, 3, 1))
    assert codes([due for _, due in told], CareKind.BIRTHDAY) == [
        ("BIRTHDAY_1", date(2017, 2, 28)), ("BIRTHDAY_2", date(2018, 2, 28)), ("BIRTHDAY_3", date(2019, 2, 28)),
        ("BIRTHDAY_4", date(2020, 2, 29)),
    ]  # fmt: skip
    vaccines = codes([due for _, due in told], CareKind.VACCINE)
    assert vaccines[:4] == [
        ("VACCINE_US_BIRTH", date(2016, 2, 29)), ("VACCINE_US_1M", date(2016, 3, 29)),
        ("VACCINE_US_2M", date(2016, 4, 29)), ("VACCINE_US_4M", date(2016, 6, 29)),
    ]  # fmt: skip
    assert [key for key, _ in vaccines if key.startswith("FLU")] == [f"FLU_SEASON:{year}" for year in range(2016, 2020)]


def test_who_comes_on_the_last_day_of_a_window_is_told_then_and_a_day_later_not_at_all() -> None:
    baby = BabyDates(born_on=date(2017, 8, 31))
    [visit] = [due for due in care_calendar(baby, "US", date(2017, 10, 31), 12) if due.key == "VISIT_2M"]
    assert (visit.on, visit.closes_on) == (date(2017, 10, 31), date(2017, 11, 20))
    on_the_last_day = care_calendar(baby, "US", visit.closes_on, 12)
    assert [(due.on, due.opens_on) for due in on_the_last_day if due.key == "VISIT_2M"] == [
        (visit.closes_on, visit.opens_on)
    ]
    assert "VISIT_2M" not in {due.key for due in care_calendar(baby, "US", visit.closes_on + DAY, 12)}


def test_born_four_weeks_early_everything_moves_with_the_birth_and_comes_once() -> None:
    due_on, born_on = date(2018, 3, 1), date(2018, 2, 1)
    expected = BabyDates(due_on=due_on)
    planned = {due.key: due for due in care_calendar(expected, "US", date(2018, 1, 1), 12)}
    assert planned["VACCINE_US_2M"].on == date(2018, 5, 1)
    assert planned["VACCINE_US_2M"].is_expected
    assert not planned["ANTENATAL_5"].is_expected
    done: set[str] = set()
    before = lived(expected, "US", date(2017, 12, 1), born_on - DAY, done)
    assert {due.item.kind for _, due in before} == {CareKind.CHECK_UP, CareKind.PREPARATION, CareKind.STAGE}
    after = lived(BabyDates(born_on=born_on, due_on=due_on, gestation_weeks=36), "US", born_on, date(2019, 2, 1), done)
    told = {due.key: day for day, due in after}
    assert not any(key.startswith("ANTENATAL") for key in told)
    assert told["VACCINE_US_2M"] == date(2018, 4, 1)  # since birth
    assert told["MILESTONE_2M"] == date(2018, 5, 1)  # since the day she was due
    assert told["FIRST_FOODS"] == date(2018, 9, 1)


def test_a_moved_due_date_moves_what_is_to_come_and_repeats_nothing() -> None:
    done: set[str] = set()
    before = lived(BabyDates(due_on=date(2018, 3, 1)), "US", date(2017, 10, 1), date(2017, 12, 1), done)
    after = lived(BabyDates(due_on=date(2018, 3, 29)), "US", date(2017, 12, 2), date(2018, 4, 5), done)
    keys = [due.key for _, due in before + after]
    assert len(keys) == len(set(keys))
    assert {f"ANTENATAL_{n}" for n in range(3, 9)} <= set(keys)


def test_twins_have_each_their_own_calendar_and_the_same() -> None:
    first, second = BabyDates(born_on=date(2017, 11, 30)), BabyDates(born_on=date(2017, 11, 30))
    assert care_calendar(first, "CN", date(2017, 12, 15), 12) == care_calendar(second, "CN", date(2017, 12, 15), 12)


def test_born_at_32_weeks_vaccines_come_by_birth_and_development_by_the_day_she_was_due() -> None:
    baby = BabyDates(born_on=date(2018, 1, 1), gestation_weeks=32)  # due eight weeks later, on 26 February
    found = {due.key: due.on for due in care_calendar(baby, "CN", date(2018, 1, 1), 24)}
    assert [found[f"VACCINE_CN_{age}"] for age in ("BIRTH", "2M", "8M")] == [
        date(2018, 1, 1), date(2018, 3, 1), date(2018, 9, 1),
    ]  # fmt: skip
    assert (found["VISIT_CN_6M"], found["BIRTHDAY_1"]) == (date(2018, 7, 1), date(2019, 1, 1))
    assert (found["MILESTONE_4M"], found["FIRST_FOODS"]) == (date(2018, 6, 26), date(2018, 8, 26))
    reading = read(baby, date(2018, 7, 15))
    assert found["FORMULA_2"] == reading.next_formula_stage_on == date(2018, 8, 26)  # the younger reading
    assert found["HUNDRED_DAYS"] == date(2018, 4, 10)


def test_every_country_has_one_schedule_of_vaccines_and_the_rest_have_the_worlds() -> None:
    plan = care_plan_on(date(2017, 12, 15))
    for region, named in (("US", "VACCINE_US_"), ("CN", "VACCINE_CN_"), ("PH", "VACCINE_WHO_"), ("", "VACCINE_WHO_")):
        vaccines = [item.code for item in plan.of(region) if item.kind is CareKind.VACCINE]
        assert {code.startswith(named) for code in vaccines if code != "FLU_SEASON"} == {True}, region
    by_kind = {item.kind: item.basis for item in plan.items}
    assert {kind for kind, basis in by_kind.items() if kind is not CareKind.STAGE and basis is AgeBasis.CORRECTED} == {
        CareKind.DEVELOPMENT, CareKind.WEANING, CareKind.FORMULA,
    }  # fmt: skip
    assert by_kind.pop(CareKind.STAGE), "letters: those on development and food go by corrected age"
    bases = {(item.kind, item.basis) for item in plan.items if item.kind is not CareKind.STAGE}
    assert len(bases) == len(by_kind), "a kind has one basis"
    assert all(item.en and item.zh and item.source and item.channels for item in plan.items)


PUBLISHED = {  # months of age at each dose, as the sources of the plan say; a range by its first month
    "US": {
        "Hepatitis B": [0, 1, 6], "DTaP": [2, 4, 6, 15, 48], "polio": [2, 4, 6, 48], "pneumococcal": [2, 4, 6, 12],
        "Hib": [2, 4, 6, 12], "rotavirus": [2, 4, 6], "measles-mumps-rubella": [12, 48], "varicella": [12, 48],
        "Hepatitis A": [12, 18],
    },
    "CN": {
        "乙肝": [0, 1, 6], "卡介苗": [0], "脊灰灭活": [2, 3], "脊灰减毒": [4, 48], "百白破": [2, 4, 6, 18, 72],
        "麻腮风": [8, 18], "乙脑": [8, 24], "A群流脑": [6, 9], "A群C群流脑": [36, 72], "甲肝": [18],
    },
}  # fmt: skip


@pytest.mark.parametrize("region", PUBLISHED)
def test_vaccines_are_due_at_the_ages_that_the_published_schedules_have(region: str) -> None:
    items = [item for item in care_plan_on(date(2026, 1, 1)).of(region) if item.kind is CareKind.VACCINE]
    said = [(item.months, item.en if region == "US" else item.zh) for item in items if item.season is None]
    for vaccine, ages in PUBLISHED[region].items():
        assert [months for months, text in said if vaccine.lower() in text.lower()] == ages, vaccine


@pytest.mark.parametrize(
    ("vaccine", "ages"),
    [
        *((vaccine, ages) for vaccine, ages in PUBLISHED["CN"].items() if len(ages) > 1 and "脊灰" not in vaccine),
        ("脊灰(?:灭活|减毒活)", [2, 3, 4, 48]),
    ],
)
def test_doses_are_numbered_as_they_come(vaccine: str, ages: list[int]) -> None:
    items = [item for item in care_plan_on(date(2026, 1, 1)).of("CN") if item.kind is CareKind.VACCINE]
    said = [(item.months, re.findall(rf"(?:^|、){vaccine}(?:疫苗)?第(\d)剂", item.zh)) for item in items]
    assert [(months, dose) for months, doses in said for dose in doses] == [
        (months, str(n)) for n, months in enumerate(ages, 1)
    ]


@holds_for(babies, regions, st.integers(0, 400), examples=25, many=1_000)
def test_each_item_is_told_once_within_its_window_and_never_after(dates: BabyDates, region: str, after: int) -> None:
    """From the day on which she comes to us, up to four years."""
    day = dates.born_on or dates.due_on
    assert day is not None
    first = day + (after - (200 if dates.born_on is None else 0)) * DAY
    last = first + 700 * DAY
    told = lived(dates, region, first, last)
    keys = [due.key for _, due in told]
    assert len(keys) == len(set(keys))
    assert all(due.opens_on <= day <= due.closes_on for day, due in told)
    if dates.born_on is not None:
        should = {due.key for due in care_calendar(dates, region, first, 240) if due.on <= last}
        assert set(keys) == should


@holds_for(babies, regions, days, examples=150)
def test_the_calendar_is_in_order_within_its_months_and_once_an_item(dates: BabyDates, region: str, on: date) -> None:
    found = care_calendar(dates, region, on, 12)
    assert [due.on for due in found] == sorted(due.on for due in found)
    assert len({due.key for due in found}) == len(found)
    assert all(max(on, due.opens_on) == due.on <= due.closes_on and due.on < add_months(on, 12) for due in found)
    if read(dates, on).stage is Stage.UNKNOWN:
        assert found == []


@holds_for(babies, days, examples=150)
def test_the_stages_to_come_begin_on_the_days_that_the_engine_reads(dates: BabyDates, on: date) -> None:
    coming, reading = coming_stages(dates, on), read(dates, on)
    if reading.stage is Stage.UNKNOWN:
        assert coming == []
        return
    assert (coming[0].stage if coming else None, coming[0].on if coming else None) == (
        reading.next_stage, reading.next_stage_on,
    )  # fmt: skip
    for stage in coming:
        is_read = dates.born_on is not None or stage.stage in RULES.pregnancy
        if stage.on is not None and is_read:
            assert read(dates, stage.on).stage is stage.stage
            assert read(dates, stage.on - DAY).stage is not stage.stage


def document(**changes: object) -> dict[str, object]:
    item = {
        "code": "A", "kind": "CHECK_UP", "counted": "BIRTH", "opens": {"months": 1}, "lasts": 5, "purpose": "CARE",
        "basis": "CHRONOLOGICAL", "channels": ["SMS"], "en": "A", "zh": "甲", "source": "s",
    }  # fmt: skip
    return {
        "version": "care-test", "effective_from": date(2018, 1, 1), "sources": {"s": "S"},
        "items": [{**item, **changes}],
    }  # fmt: skip


def test_plans_are_effective_dated_and_a_wrong_one_says_what_to_mend() -> None:
    later = read_plan(document())
    plans: tuple[CarePlan, ...] = (*care_plans(), later)
    assert care_plan_on(date(2017, 12, 31), plans) is plans[0]
    assert care_plan_on(date(2018, 1, 1), plans) is later
    assert care_plan_on(date(1990, 1, 1), plans) is plans[0]
    with pytest.raises(ValueError, match=r"A: opens in weeks of PREGNANCY, or in months and days since BIRTH"):
        read_plan(document(opens={"weeks": 3}))
    with pytest.raises(ValueError, match="A: lasts at least 1 day"):
        read_plan(document(lasts=0))
    twice = document()
    twice["items"] *= 2  # type: ignore[operator]
    with pytest.raises(ValueError, match="A stands there twice"):
        read_plan(twice)
