"""Attention: how often a member hears from us in her local day, week and month, over all channels. Pure."""

from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple


class Window(StrEnum):
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


class Counts(NamedTuple):
    """A number for each window: touches taken, or how many are too many."""

    day: int = 0
    week: int = 0
    month: int = 0

    def of(self, window: Window) -> int:
        return self[ORDER.index(window)]

    def less(self, other: "Counts") -> "Counts":
        """Never below none."""
        return Counts(*(max(mine - theirs, 0) for mine, theirs in zip(self, other, strict=True)))


ORDER = (Window.DAY, Window.WEEK, Window.MONTH)


def start_of(window: Window, day: date) -> date:
    """The first day of the window that the day lies in; weeks begin on Monday."""
    if window is Window.DAY:
        return day
    return day - timedelta(days=day.weekday()) if window is Window.WEEK else day.replace(day=1)


def next_start(window: Window, day: date) -> date:
    """The first day after the window that the day lies in."""
    first = start_of(window, day)
    return start_of(window, first + timedelta(days={Window.DAY: 1, Window.WEEK: 7, Window.MONTH: 32}[window]))


def shared(one: date, other: date) -> Counts:
    """One for each window in which both days lie: what a touch of one day means to the other's counts."""
    return Counts(*(int(start_of(window, one) == start_of(window, other)) for window in ORDER))
