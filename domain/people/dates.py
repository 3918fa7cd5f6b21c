"""Dates of a baby: which can be right, and whose word stands. Pure."""

from dataclasses import dataclass
from datetime import date, timedelta

from domain.people.provenance import may_overwrite
from domain.platform.failures import FieldError
from domain.platform.sources import Source

DUE_AHEAD = timedelta(days=294)  # a due date further away is a mistyped year
DUE_BEHIND = timedelta(days=42)  # an expected baby is born by then: report the birth
BORN_BACK_YEARS = 12
BORN_BEFORE_DUE = timedelta(weeks=20)
BORN_AFTER_DUE = timedelta(weeks=4)
GESTATION_WEEKS = range(20, 46)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a baby already."""

    due_on: date | None = None
    due_source: Source | None = None
    born_on: date | None = None
    born_source: Source | None = None


def due_flaws(due_on: date, today: date) -> list[FieldError]:
    """What is wrong with a due date; `today` is the business date in the member's zone."""
    if due_on > today + DUE_AHEAD:
        return [FieldError("dueOn", f"At most {DUE_AHEAD.days} days ahead.")]
    if due_on < today - DUE_BEHIND:
        return [FieldError("dueOn", f"More than {DUE_BEHIND.days} days ago: report the birth instead.")]
    return []


def birth_flaws(born_on: date, gestation_weeks: int | None, standing: Standing, today: date) -> list[FieldError]:
    """What is wrong with a birth; it may disagree with a guessed due date, not with one that somebody said."""
    flaws = []
    if born_on > today:
        flaws.append(FieldError("bornOn", "The baby is not born yet: report a due date instead."))
    if born_on.year < today.year - BORN_BACK_YEARS:
        flaws.append(FieldError("bornOn", f"At most {BORN_BACK_YEARS} years ago."))
    if gestation_weeks is not None and gestation_weeks not in GESTATION_WEEKS:
        flaws.append(FieldError("gestationWeeks", "Completed weeks at birth, 20 to 45."))
    said = standing.due_on if standing.due_source not in (None, Source.INFERRED, Source.MODEL) else None
    if said is not None and not said - BORN_BEFORE_DUE <= born_on <= said + BORN_AFTER_DUE:
        flaws.append(FieldError("bornOn", "Too far from the due date: is it another baby?"))
    return flaws


def stands_against(source: Source, standing_source: Source | None) -> Source | None:
    """The stronger source whose word stands, if it forbids `source` to overwrite."""
    return None if may_overwrite(source, standing_source) else standing_source
