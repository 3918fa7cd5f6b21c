"""The numbers by which acts are chosen: data, versioned, in one place. Worths are in the installation's currency."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ActRules:
    version: str = "acts-2026.3"
    # How many calls a day make a list that is worked, not one that is looked at.
    calls_per_consultant: int = 8
    calls_per_advisor: int = 3
    calls_without_staff: int = 20
    not_called_again_within: timedelta = timedelta(days=21)
    call_expires_after: timedelta = timedelta(days=7)
    churn_from_probability: float = 0.3
    retained_share_of_spend: float = 0.05  # margin 25%, one call in five changes something
    first_return_worth: float = 6.0
    refill_worth: float = 5.0
    # Care outranks offers: no single shelf is worth as much.
    stage_care_worth: float = 10.0
    one_thing_within: timedelta = timedelta(days=2, hours=12)  # of care a carer: what waits is told on the third day
    offer_from_probability: float = 0.08
    offer_from_lift: float = 7.0  # against the base rate of first purchases, any member and category
    offer_margin: float = 0.25
    offer_expires_after: timedelta = timedelta(days=4)
    no_promotion_again_within: timedelta = timedelta(days=14)
    members_per_batch: int = 1000


ACT_RULES = ActRules()
"""The rules in force."""
