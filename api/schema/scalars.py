"""Scalars on the wire: PostgreSQL's JSON is the form, and Python values of computed fields are brought into it."""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import strawberry
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.scalar import ScalarDefinition


def wire_datetime(value: Any) -> str:
    """ISO 8601 in UTC, up to microseconds, as PostgreSQL prints it: no trailing zeros in the fraction."""
    if isinstance(value, str):
        return value
    text: str = value.astimezone(UTC).isoformat()
    whole, dot, rest = text.partition(".")
    return text if not dot else f"{whole}.{rest[:6].rstrip('0')}{rest[6:]}"


def _refuse(what: str) -> StrawberryInputCoercionError:
    return StrawberryInputCoercionError(f"This is not {what}.")


def _parse_datetime(value: Any) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _refuse("an ISO 8601 date and time") from None
    if parsed.tzinfo is None:
        raise _refuse("a date and time with its offset from UTC")
    return parsed.astimezone(UTC)


def _parse_date(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise _refuse("an ISO 8601 date") from None


def _parse_decimal(value: Any) -> Decimal:
    try:
        parsed = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        parsed = Decimal("NaN")
    if not parsed.is_finite():
        raise _refuse("a decimal number as text")
    return parsed


def _isoformat(value: Any) -> str:
    return value if isinstance(value, str) else str(value.isoformat())


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment, ISO 8601 in UTC with up to microseconds: 2017-12-15T10:00:00+00:00.",
        specified_by_url="https://scalars.graphql.org/andimarek/date-time",
        serialize=wire_datetime,
        parse_value=_parse_datetime,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day, ISO 8601: 2017-12-15.",
        specified_by_url="https://scalars.graphql.org/andimarek/local-date",
        serialize=_isoformat,
        parse_value=_parse_date,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as text, never as a float: "12.50".',
        serialize=str,
        parse_value=_parse_decimal,
    ),
}
