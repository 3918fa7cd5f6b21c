"""The stage plan as data: where each stage begins and ends. Versioned: a stored reading says what it was read by."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class AgeBasis(StrEnum):
    """Which of a preterm baby's two ages counts; all others have only one."""

    CHRONOLOGICAL = "CHRONOLOGICAL"  # since birth: vaccines, check-ups, birthdays, searches
    CORRECTED = "CORRECTED"  # since the day she was due, until 24 months: development, weaning


class Stage(StrEnum):
    """Where a baby stands, in the order of life. UNKNOWN: no date that allows an answer."""

    UNKNOWN = "UNKNOWN"
    TRIMESTER_1 = "TRIMESTER_1"
    TRIMESTER_2 = "TRIMESTER_2"
    TRIMESTER_3 = "TRIMESTER_3"
    NEWBORN = "NEWBORN"
    MONTHS_1_3 = "MONTHS_1_3"
    MONTHS_3_6 = "MONTHS_3_6"
    MONTHS_6_12 = "MONTHS_6_12"
    MONTHS_12_24 = "MONTHS_12_24"
    MONTHS_24_36 = "MONTHS_24_36"
    YEARS_3_6 = "YEARS_3_6"
    GRADUATED = "GRADUATED"


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end) in completed weeks of pregnancy or completed months of age; no end = for good."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class StageRules:
    version: str
    effective_from: date
    pregnancy: dict[Stage, Span]  # completed weeks since the last period
    childhood: dict[Stage, Span]  # completed months since birth
    formula: dict[int, Span]  # formula stage (the label's 1, 2, 3) by completed months
    term_weeks: int  # born in an earlier week of pregnancy = preterm
    full_term_weeks: int  # the week that corrected age counts from
    corrected_until_months: int  # chronological months; from then on preterm babies are read like all others

    @property
    def gestation_days(self) -> int:
        """Days from the last period to the due date."""
        return self.full_term_weeks * 7


# Trimesters: ACOG (first to 13w6d, second to 27w6d). A pregnancy counts as overdue for two weeks; after that, with no
# birth reported, the stage is unknown: a live birth is never presumed.
# Corrected age to 24 months for babies born before 37 weeks: American Academy of Pediatrics.
RULES_2026_1 = StageRules(
    version="stages-2026.1",
    effective_from=date(2000, 1, 1),
    pregnancy={
        Stage.TRIMESTER_1: Span(0, 14),
        Stage.TRIMESTER_2: Span(14, 28),
        Stage.TRIMESTER_3: Span(28, 42),
    },
    childhood={
        Stage.NEWBORN: Span(0, 1),
        Stage.MONTHS_1_3: Span(1, 3),
        Stage.MONTHS_3_6: Span(3, 6),
        Stage.MONTHS_6_12: Span(6, 12),
        Stage.MONTHS_12_24: Span(12, 24),
        Stage.MONTHS_24_36: Span(24, 36),
        Stage.YEARS_3_6: Span(36, 72),
        Stage.GRADUATED: Span(72, None),
    },
    formula={1: Span(0, 6), 2: Span(6, 12), 3: Span(12, 36)},
    term_weeks=37,
    full_term_weeks=40,
    corrected_until_months=24,
)

PLANS: tuple[StageRules, ...] = (RULES_2026_1,)
"""Every plan there was, oldest first. A plan reads the days from its own first one to the next plan's."""

RULES = PLANS[-1]
"""The newest plan."""


def rules_on(day: date, plans: tuple[StageRules, ...] = PLANS) -> StageRules:
    """The plan that reads a day; before the first plan, the first."""
    return next((plan for plan in reversed(plans) if plan.effective_from <= day), plans[0])
