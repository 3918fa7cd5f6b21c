"""The care calendar: what is due for a baby in the coming months, and the stages she will enter. No clock, no table.

An item has a window of days. She has it on its first day, or at once when she comes to us within it; never after it. A
birth that was not reported is not presumed: what comes after it is counted from the due date and marked as expected.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from domain.stages.calendar import add_months, weeks
from domain.stages.care_plans import CareItem, CarePlan, care_plan_on, care_plans
from domain.stages.engine import BabyDates, read
from domain.stages.rules import PLANS, AgeBasis, Stage, StageRules, rules_on

DAY = timedelta(days=1)
WHOLE_LIFE = 12 * 20  # months: beyond every item


@dataclass(frozen=True, slots=True)
class Due:
    """An item due for a baby. `key` is the same for the same item however her dates move: whoever did it is done."""

    item: CareItem
    key: str  # the item's code, and of a seasonal one the year
    on: date  # when: the window's first day, or today when it is open already
    opens_on: date
    closes_on: date  # the last day
    is_expected: bool  # counted from a due date: the birth moves it
    plan_version: str


@dataclass(frozen=True, slots=True)
class ComingStage:
    stage: Stage
    on: date | None  # None: a birth whose due date has passed
    is_expected: bool  # counted from a due date


def care_calendar(dates: BabyDates, region: str, on: date, months: int, plan: CarePlan | None = None) -> list[Due]:
    """What is due from a day on, for so many months: each item once, none after its window, in the order of days.

    Without `plan`, by the one in force on that day. Nothing where the engine knows no stage.
    """
    plan, rules = plan or care_plan_on(on), rules_on(on)
    if read(dates, on, rules).stage is Stage.UNKNOWN:
        return []
    until, found = add_months(on, months), list[Due]()
    for item in plan.of(region):
        for key, opens_on, closes_on, is_expected in _windows(item, dates, on, rules):
            if opens_on < until and closes_on >= on:
                day = max(opens_on, on)
                found.append(Due(item, key, day, opens_on, closes_on, is_expected, plan.version))
    return sorted(found, key=lambda due: (due.on, due.opens_on, due.key))


@dataclass(frozen=True, slots=True)
class Agenda:
    """What may be written about a baby today, and the next day on which something more may be; None: nothing is ahead.

    Until then nobody needs to look at her, unless her dates change.
    """

    open: list[Due]  # the one whose window closes first leads
    next_on: date | None


def agenda(dates: BabyDates, region: str, on: date, told: Collection[str], plan: CarePlan | None = None) -> Agenda:
    """The care calendar as somebody reads it who comes by on a day; `told`: the keys of what she had already."""
    found = [
        due for due in care_calendar(dates, region, on, WHOLE_LIFE, plan) if due.item.is_written and due.key not in told
    ]
    here = sorted((due for due in found if due.opens_on <= on), key=lambda due: (due.closes_on, due.opens_on, due.key))
    later = [due.opens_on for due in found if due.opens_on > on]
    if not found and (wakes_on := _known_on(dates, on)):
        later = [wakes_on]
    if later or here:  # a plan that comes into force reads her anew
        later += [day for _, day in plans_in_use() if day > on]
    return Agenda(here, min(later, default=None))


def is_over(dates: BabyDates, key: str, on: date) -> bool:
    """Whether an item can come no more by the dates that are known now: its window has closed, or she was born.

    A key that no plan has is not over: whoever knows nothing of it stops nothing.
    """
    code = key.partition(":")[0]
    item = next((item for item in care_plan_on(on).items if item.code == code), None)
    if item is None:
        return False
    return not any(
        known == key and closes_on >= on for known, _, closes_on, _ in _windows(item, dates, on, rules_on(on))
    )


def plans_in_use() -> list[tuple[str, date]]:
    """(version, first day) of each care plan and each stage plan."""
    cares = [(plan.version, plan.effective_from) for plan in care_plans()]
    return [*cares, *((rules.version, rules.effective_from) for rules in PLANS)]


def _known_on(dates: BabyDates, on: date) -> date | None:
    """The day from which dates that lie too far ahead mean something."""
    reading = read(dates, on)
    if reading.why_unknown == "BIRTH_DATE_AHEAD":
        return dates.born_on
    if reading.why_unknown == "DUE_DATE_TOO_FAR" and dates.due_on is not None:
        return dates.due_on - timedelta(days=rules_on(on).gestation_days)
    return None


def coming_stages(dates: BabyDates, on: date) -> list[ComingStage]:
    """Every stage that a baby has before her, with its first day, by chronological age. None where none is known."""
    rules = rules_on(on)
    reading = read(dates, on, rules)
    if reading.stage is Stage.UNKNOWN:
        return []
    later = list(Stage)[list(Stage).index(reading.stage) + 1 :]
    born_on = dates.born_on
    if born_on is not None:
        return [ComingStage(stage, add_months(born_on, rules.childhood[stage].start), False) for stage in later]
    assert dates.due_on is not None, "who has a stage has a date"
    due_on, conceived = dates.due_on, dates.due_on - timedelta(days=rules.gestation_days)
    coming = [
        ComingStage(stage, conceived + weeks(rules.pregnancy[stage].start), True)
        for stage in later
        if stage in rules.pregnancy
    ]
    if due_on <= on:  # the birth is awaited: nobody knows the day of what follows
        return [*coming, ComingStage(Stage.NEWBORN, None, True)]
    born = (ComingStage(s, add_months(due_on, rules.childhood[s].start), True) for s in later if s in rules.childhood)
    return [*coming, *born]


def _windows(item: CareItem, dates: BabyDates, on: date, rules: StageRules) -> Iterator[tuple[str, date, date, bool]]:
    """(key, first day, last day, is expected) of each time that an item is due in a life."""
    if item.is_pregnancy:
        if dates.born_on is None and dates.due_on is not None:
            opens_on = dates.due_on - timedelta(days=rules.gestation_days) + weeks(item.weeks)
            yield item.code, opens_on, opens_on + (item.lasts - 1) * DAY, False
        return
    is_expected = dates.born_on is None
    if is_expected:
        if dates.due_on is None or dates.due_on <= on:
            return
        dates = replace(dates, born_on=dates.due_on, gestation_weeks=None)
    opens_on = _age_on(item, dates, rules)
    closes_on = opens_on + (item.lasts - 1) * DAY
    if item.season is None:
        yield item.code, opens_on, closes_on, is_expected
        return
    first, last = item.season
    for year in range(opens_on.year - 1, closes_on.year + 1):
        from_day = date.fromisoformat(f"{year}-{first}")
        to_day = date.fromisoformat(f"{year + (last < first)}-{last}")
        low, high = max(opens_on, from_day), min(closes_on, to_day)
        if low <= high:
            yield f"{item.code}:{year}", low, high, is_expected


def _age_on(item: CareItem, dates: BabyDates, rules: StageRules) -> date:
    """The day on which she reaches the item's age, by its basis; corrected age ends on a day, and then hers is past."""
    born_on, gestation = dates.born_on, dates.gestation_weeks
    assert born_on is not None
    reached = add_months(born_on, item.months) + item.days * DAY
    grown = add_months(born_on, rules.corrected_until_months)
    is_preterm = gestation is not None and gestation < rules.term_weeks
    if item.basis is AgeBasis.CHRONOLOGICAL or not is_preterm or reached >= grown:
        return reached
    assert gestation is not None
    corrected = add_months(born_on + weeks(rules.full_term_weeks - gestation), item.months) + item.days * DAY
    return min(corrected, grown)
