"""Lists told a second time: orders, keyset pages and cursors over rows that are already in Python."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from tests.api.differential.builder import Row

Order = Sequence[tuple[str, bool]]  # (column, whether the highest is first), the last one unique

# field -> what its rows are ordered by
PAGES: dict[str, Order] = {
    "Query.members": [("id", False)],
    "Query.stageEntries": [("id", False)],
    "Query.products": [("id", False)],
    "Query.stores": [("id", False)],
    "Query.messages": [("created_at", True), ("id", True)],
    "Query.callbackTasks": [("priority", True), ("id", False)],
    "Query.mergeSuggestions": [("confidence", True), ("id", False)],
    "Query.identityBlocks": [("blocked_at", True), ("id", True)],
    "Member.orders": [("ordered_at", True), ("id", True)],
    "Member.messages": [("created_at", True), ("id", True)],
    "Query.tagCatalogue": [("id", False)],
    "Query.segments": [("id", False)],
    "Query.segmentSample": [("id", False)],
    "Segment.members": [("id", False)],
    "Member.tagHistory": [("set_at", True), ("id", True)],
    "Member.timeline": [("at", True), ("id", True)],
    "Member.consentHistory": [("given_at", True), ("id", True)],
}
PARSERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("created_at", "ordered_at", "at", "blocked_at", "given_at", "set_at"), datetime.fromisoformat),
    "id": UUID,
    "priority": float,
    "confidence": float,
}


class BadCursor(ValueError):
    """Not a cursor of this list."""


def ordered(rows: Sequence[Row], order: Order) -> list[Row]:
    found = list(rows)
    for column, is_falling in reversed(order):
        found.sort(key=itemgetter(column), reverse=is_falling)
    return found


@dataclass(frozen=True, slots=True)
class Paged:
    """A page and the whole list behind it."""

    rows: Sequence[Row]
    order: Order
    first: int
    after: str | None

    @property
    def shown(self) -> list[Row]:
        return self._rest()[: self.first]

    @property
    def has_more(self) -> bool:
        return len(self._rest()) > self.first

    def _rest(self) -> list[Row]:
        found = ordered(self.rows, self.order)
        if self.after is None:
            return found
        place = read_cursor(self.order, self.after)
        return [row for row in found if self._is_behind(row, place)]

    def _is_behind(self, row: Row, place: Sequence[Any]) -> bool:
        for (column, is_falling), value in zip(self.order, place, strict=True):
            if row[column] != value:
                return bool(row[column] < value if is_falling else row[column] > value)
        return False


def name_of(order: Order) -> str:
    return ",".join(column + ("-" if is_falling else "+") for column, is_falling in order)


def cursor_of(order: Order, row: Row) -> str:
    """As the database writes it: a JSON array in base64url."""
    text = json.dumps([name_of(order), *(_text(row[column]) for column, _ in order)], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(order: Order, cursor: str) -> list[Any]:
    try:
        found = json.loads(base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True))
        name, *values = found
        if name != name_of(order) or len(values) != len(order):
            raise BadCursor
        return [PARSERS[column](value) for value, (column, _) in zip(values, order, strict=True)]
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadCursor from error


def _text(value: object) -> str:
    if isinstance(value, datetime):
        whole, dot, fraction = value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f").partition(".")
        fraction = fraction.rstrip("0")
        return f"{whole}{dot if fraction else ''}{fraction}+00"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
