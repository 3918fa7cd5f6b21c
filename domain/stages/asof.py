"""Stages of all babies at once, as of any day: the engine's rules said as SQL over rows of `babies`.

For one day a plan is two short lists of dates: birth dates, and due dates of babies without one, at which the stage
changes. A baby's stage is the place of her date in such a list, so that a million babies are one scan with a binary
search each. What is answered is what `engine.read` answers for every single baby; a test compares them.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from domain.stages.calendar import last_born_at_least, weeks
from domain.stages.engine import stage_window
from domain.stages.rules import PLANS, AgeBasis, Stage, StageRules, rules_on

Place = Callable[[object, str], str]  # (value, SQL type) -> the placeholder that stands for it, cast
Plans = tuple[StageRules, ...]
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ladder:
    """Dates at which the stage of a day changes, ascending; one stage more than dates."""

    days: tuple[date, ...]
    stages: tuple[Stage, ...]

    def stage(self, day: date) -> Stage:
        return self.stages[bisect_right(self.days, day)]


def birth_ladder(on: date, plans: Plans = PLANS) -> Ladder:
    """The stages on a day of babies by birth date."""
    rules = rules_on(on, plans)
    windows = (stage_window(stage, on, rules) for stage in rules.childhood)
    return _ladder((window.stage, window.born_from, window.born_to) for window in windows if window and window.born_to)


def due_ladder(on: date, plans: Plans = PLANS) -> Ladder:
    """The stages on a day of babies without a birth date, by due date."""
    rules = rules_on(on, plans)
    windows = (stage_window(stage, on, rules) for stage in rules.pregnancy)
    return _ladder((window.stage, window.due_from, window.due_to) for window in windows if window and window.due_to)


def stage_sql(place: Place, baby: str, on: date, basis: AgeBasis = AgeBasis.CHRONOLOGICAL, plans: Plans = PLANS) -> str:
    """The stage on a day of the row of `babies` named `baby`, as text: `Reading.stage`, or `care_stage` by CORRECTED.

    Stopped babies have one too: whoever asks says what becomes of them.
    """
    birth, due = birth_ladder(on, plans), due_ladder(on, plans)
    births, dues = ([place(day, "date") for day in ladder.days] for ladder in (birth, due))
    born = _climb(f"{baby}.born_on", birth, births)
    if basis is AgeBasis.CORRECTED:
        rules = rules_on(on, plans)
        day, grown = place(on, "date"), place(last_born_at_least(rules.corrected_until_months, on), "date")
        is_young = f"{baby}.born_on > {grown} AND {baby}.born_on <= {day}"
        # Before the day she was due she is as old as a newborn.
        early = _climb(f"LEAST({_corrected(place, baby, rules)}, {day})", birth, births)
        born = f"CASE WHEN {_is_preterm(place, baby, rules)} AND {is_young} THEN {early} ELSE {born} END"
    return (
        f"CASE WHEN {baby}.born_on IS NOT NULL THEN {born} "
        f"WHEN {baby}.due_on IS NOT NULL THEN {_climb(f'{baby}.due_on', due, dues)} ELSE '{Stage.UNKNOWN}' END"
    )


def in_stage_sql(place: Place, baby: str, stage: Stage, on: date) -> str | None:
    """The condition that a row of `babies` is in a stage on a day: a range of one indexed column; None for UNKNOWN."""
    window = stage_window(stage, on)
    if window is None:
        return None
    column = f"{baby}.born_on" if window.born else f"{baby}.due_on"
    low, high = (window.born_from, window.born_to) if window.born else (window.due_from, window.due_to)
    where = [] if window.born else [f"{baby}.born_on IS NULL"]
    where += [f"{column} >= {place(low, 'date')}"] if low else []
    where += [f"{column} <= {place(high, 'date')}"] if high else []
    return f"({' AND '.join(where)})"


def enters_sql(
    place: Place, baby: str, stage: Stage, first: date, last: date, basis: AgeBasis = AgeBasis.CHRONOLOGICAL,
    plans: Plans = PLANS,
) -> str | None:  # fmt: skip
    """The condition that a row of `babies` enters a stage on a day from `first` to `last`, both included.

    She enters it on a day when she is in it and was not the day before, whatever plan was in force. A birth is never
    presumed: nobody enters NEWBORN by a due date. None for UNKNOWN.
    """
    if stage is Stage.UNKNOWN:
        return None
    arms: list[str] = []
    turns = [plan.effective_from for plan in plans[1:] if first <= plan.effective_from <= last]
    for turn in turns:  # a new plan may put her into the stage overnight
        here, before = (f"{stage_sql(place, baby, day, basis, plans)} = '{stage}'" for day in (turn, turn - DAY))
        arms.append(f"({here} AND NOT {before})")
    for start, end in zip(
        [first, *(turn + DAY for turn in turns)], [*(turn - DAY for turn in turns), last], strict=True
    ):
        if start <= end:
            plan = (rules_on(end, plans),)  # reads the day before its first one too, to tell what begins
            has, had = (_reached(place, baby, stage, day, basis, plan) for day in (end, start - DAY))
            arms.append(f"({has} AND NOT {had})")
    return f"({' OR '.join(arms)})"


def _ladder(windows: Iterable[tuple[Stage, date | None, date | None]]) -> Ladder:
    days, stages = list[date](), [Stage.UNKNOWN]
    for stage, low, high in sorted(windows, key=lambda window: window[1] or date.min):
        assert high is not None, "every stage has a first day"
        if low is None or (days and days[-1] == low):
            stages[-1] = stage
        else:
            days.append(low)
            stages.append(stage)
        days.append(high + DAY)
        stages.append(Stage.UNKNOWN)
    return Ladder(tuple(days), tuple(stages))


def _climb(day: str, ladder: Ladder, named: Sequence[str]) -> str:
    """The stage of a date as a search by halves: three comparisons where a list has eight days.

    Faster than an array: PostgreSQL compares dates without a call. `named` are the placeholders of the days.
    """
    if not named:
        return f"'{ladder.stages[0]}'"
    half = len(named) // 2
    below = Ladder(ladder.days[:half], ladder.stages[: half + 1])
    above = Ladder(ladder.days[half + 1 :], ladder.stages[half + 1 :])
    return (
        f"CASE WHEN {day} < {named[half]} THEN {_climb(day, below, named[:half])} "
        f"ELSE {_climb(day, above, named[half + 1 :])} END"
    )


def _is_preterm(place: Place, baby: str, rules: StageRules) -> str:
    return f"{baby}.gestation_weeks < {place(rules.term_weeks, 'int')}"


def _corrected(place: Place, baby: str, rules: StageRules) -> str:
    return f"{baby}.born_on + ({place(rules.full_term_weeks, 'int')} - {baby}.gestation_weeks) * 7"


def _reached(place: Place, baby: str, stage: Stage, on: date, basis: AgeBasis, plans: Plans) -> str:
    """The stage has begun by a day, and may be over."""
    rules = rules_on(on, plans)
    if stage in rules.pregnancy:
        latest = on + timedelta(days=rules.gestation_days) - weeks(rules.pregnancy[stage].start)
        return f"({baby}.born_on IS NULL AND {baby}.due_on <= {place(latest, 'date')})"
    if stage not in rules.childhood:
        return "FALSE"
    start, grown = rules.childhood[stage].start, rules.corrected_until_months
    latest = last_born_at_least(start, on)
    plain = f"{baby}.born_on <= {place(latest, 'date')}"
    if basis is AgeBasis.CHRONOLOGICAL or start == 0 or start >= grown:
        return plain
    # By corrected age, and at the latest when age is no longer corrected.
    by_then = f"{baby}.born_on <= {place(last_born_at_least(grown, on), 'date')}"
    corrected = f"{_corrected(place, baby, rules)} <= {place(latest, 'date')}"
    return f"CASE WHEN {_is_preterm(place, baby, rules)} THEN {corrected} OR {by_then} ELSE {plain} END"
