"""Dates as people type them at a command."""

from datetime import date, datetime

import typer


def day(text: str | date) -> date:
    """2017-12-15 as a date; in words what is wrong with anything else."""
    if isinstance(text, date):
        return text
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007  # a day of the calendar has no zone
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no day of the calendar. Write year, month and day, as in 2017-12-15."
        ) from None
