"""Ages in completed months, counted as PostgreSQL counts `date + interval 'n months'`: a missing day is the last one.

Born on 31 January: one month old on 28 February. Born on 29 February: one year old on 28 February, four on the 29th.
So whatever is due on a birthday is due every year, and never a day late.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True, order=True)
class Age:
    """Completed months and the days on top of them."""

    months: int
    days: int


def add_months(day: date, months: int) -> date:
    """The same day `months` later (or earlier, when negative), or the last of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def age_on(born_on: date, on: date) -> Age:
    """Age on a day that is not before the birth."""
    months = (on.year - born_on.year) * 12 + on.month - born_on.month
    while add_months(born_on, months) > on:
        months -= 1
    return Age(months, (on - add_months(born_on, months)).days)


def last_born_at_least(months: int, on: date) -> date:
    """The latest birth date that makes a child at least `months` old on a day: the inverse of `add_months`."""
    target = add_months(on.replace(day=1), -months)
    days_in_target = monthrange(target.year, target.month)[1]
    if on == on.replace(day=monthrange(on.year, on.month)[1]):
        return target.replace(day=days_in_target)  # births on the days that this month lacks are clamped to today
    return target.replace(day=min(on.day, days_in_target))


def weeks(count: int) -> timedelta:
    return timedelta(weeks=count)
