"""The life-stage engine: a baby's dates and a day in, her stage, age and next stage out. No clock and no table.

`stage` reads chronological age (check-ups, vaccines, birthdays, searches); `care_stage` reads corrected age until 24
months for babies born before 37 weeks (development, weaning); formula takes the younger of the two.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from domain.stages.calendar import Age, add_months, age_on, last_born_at_least, weeks
from domain.stages.rules import RULES, Span, Stage, StageRules, rules_on

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class BabyDates:
    """What is known of a baby; a birth date wins over a due date."""

    born_on: date | None = None
    due_on: date | None = None
    gestation_weeks: int | None = None  # completed weeks at birth; None = term or unknown


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a baby stands on a day. `why_unknown` is empty unless `stage` is UNKNOWN."""

    stage: Stage
    care_stage: Stage
    why_unknown: str = ""  # NO_DATE, BIRTH_DATE_AHEAD, DUE_DATE_TOO_FAR, BIRTH_NOT_REPORTED
    week: int | None = None  # completed weeks of pregnancy
    week_days: int = 0  # days on top of them
    age: Age | None = None
    corrected_age: Age | None = None  # preterm babies until 24 months; (0, 0) before the day they were due
    formula_stage: int | None = None
    next_stage: Stage | None = None
    next_stage_on: date | None = None  # a birth is expected on its due date; None once that has passed
    next_formula_stage: int | None = None
    next_formula_stage_on: date | None = None
    rules_version: str = RULES.version


@dataclass(frozen=True, slots=True)
class StageWindow:
    """The dates that put a baby into a stage on a day, both ends included, None = open.

    Where `born`, the birth date decides; else (pregnancies) the due date of a baby without a birth date.
    """

    stage: Stage
    born: bool
    born_from: date | None = None
    born_to: date | None = None
    due_from: date | None = None
    due_to: date | None = None

    def holds(self, dates: BabyDates) -> bool:
        """The window's condition, in the words a SQL statement would use."""
        day, low, high = (
            (dates.born_on, self.born_from, self.born_to)
            if self.born
            else (None if dates.born_on else dates.due_on, self.due_from, self.due_to)
        )
        return day is not None and (low is None or day >= low) and (high is None or day <= high)


def read(dates: BabyDates, on: date, rules: StageRules | None = None) -> Reading:
    """The baby's stage on a day. Total: every combination of dates has an answer, UNKNOWN with a reason at worst.

    Without `rules`, by the plan in force on that day; so for all functions here.
    """
    rules = rules or rules_on(on)
    if dates.born_on is not None:
        return (
            _unknown("BIRTH_DATE_AHEAD", rules) if dates.born_on > on else _read_child(dates, dates.born_on, on, rules)
        )
    if dates.due_on is not None:
        return _read_pregnancy(dates.due_on, on, rules)
    return _unknown("NO_DATE", rules)


def corrected_born_on(dates: BabyDates, on: date, rules: StageRules | None = None) -> date | None:
    """The date that a preterm baby's corrected age counts from; None when it does not apply (any more)."""
    rules = rules or rules_on(on)
    born_on, gestation = dates.born_on, dates.gestation_weeks
    if born_on is None or gestation is None or gestation >= rules.term_weeks:
        return None
    if on >= add_months(born_on, rules.corrected_until_months):
        return None
    return born_on + weeks(rules.full_term_weeks - gestation)


def youngest_months(dates: BabyDates, on: date, rules: StageRules | None = None) -> int | None:
    """Completed months by the younger reading, as formula law wants it; None = unborn or undated: younger than all."""
    if dates.born_on is None or dates.born_on > on:
        return None
    counted_from = corrected_born_on(dates, on, rules) or dates.born_on
    return age_on(counted_from, on).months if counted_from <= on else 0


def stage_window(stage: Stage, on: date, rules: StageRules | None = None) -> StageWindow | None:
    """The window of a stage by chronological age on a day; None for UNKNOWN, which is no range of dates."""
    rules = rules or rules_on(on)
    if stage in rules.pregnancy:
        span = rules.pregnancy[stage]
        first_day = on + timedelta(days=rules.gestation_days)
        return StageWindow(
            stage,
            born=False,
            due_from=None if span.end is None else first_day - weeks(span.end) + timedelta(days=1),
            due_to=first_day - weeks(span.start),
        )
    if stage in rules.childhood:
        span = rules.childhood[stage]
        return StageWindow(
            stage,
            born=True,
            born_from=None if span.end is None else last_born_at_least(span.end, on) + timedelta(days=1),
            born_to=last_born_at_least(span.start, on),
        )
    return None


def _unknown(why: str, rules: StageRules) -> Reading:
    return Reading(Stage.UNKNOWN, Stage.UNKNOWN, why_unknown=why, rules_version=rules.version)


def _in_span(spans: dict[K, Span], value: int) -> K | None:
    return next((key for key, span in spans.items() if span.start <= value < (span.end or 10**6)), None)


def _read_pregnancy(due_on: date, on: date, rules: StageRules) -> Reading:
    days = (on - due_on).days + rules.gestation_days
    if days < 0:
        return _unknown("DUE_DATE_TOO_FAR", rules)
    stage = _in_span(rules.pregnancy, days // 7)
    if stage is None:
        return _unknown("BIRTH_NOT_REPORTED", rules)
    later = [(key, span.start) for key, span in rules.pregnancy.items() if span.start * 7 > days]
    next_stage, next_on = Stage.NEWBORN, due_on if due_on > on else None
    if later:
        next_stage = later[0][0]
        next_on = due_on - timedelta(days=rules.gestation_days) + weeks(later[0][1])
    return Reading(
        stage,
        care_stage=stage,
        week=days // 7,
        week_days=days % 7,
        next_stage=next_stage,
        next_stage_on=next_on,
        rules_version=rules.version,
    )


def _read_child(dates: BabyDates, born_on: date, on: date, rules: StageRules) -> Reading:
    age = age_on(born_on, on)
    stage = _in_span(rules.childhood, age.months)
    assert stage is not None, "childhood spans cover every age"
    counted_from = corrected_born_on(dates, on, rules)
    corrected = None if counted_from is None else age_on(counted_from, on) if counted_from <= on else Age(0, 0)
    younger, younger_from = (age, born_on) if corrected is None else (corrected, counted_from or born_on)
    later = [(key, span.start) for key, span in rules.childhood.items() if span.start > age.months]
    next_formula = [(key, span.start) for key, span in rules.formula.items() if span.start > younger.months]
    return Reading(
        stage,
        care_stage=_in_span(rules.childhood, younger.months) or stage,
        age=age,
        corrected_age=corrected,
        formula_stage=_in_span(rules.formula, younger.months),
        next_stage=later[0][0] if later else None,
        next_stage_on=add_months(born_on, later[0][1]) if later else None,
        next_formula_stage=next_formula[0][0] if next_formula else None,
        next_formula_stage_on=add_months(younger_from, next_formula[0][1]) if next_formula else None,
        rules_version=rules.version,
    )
