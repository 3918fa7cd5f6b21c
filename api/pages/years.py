"""A baby's coming twelve months as a picture: her stages as bands, what is due as dots below. Plain numbers for SVG."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_date

LEFT, WIDTH = 62, 262  # of the twelve months, in the picture's units
FIRST_ROW, ROW = 64, 17  # of dots
ROWS = {
    "CHECK_UP": "visits", "PREPARATION": "visits", "VACCINE": "vaccines", "DEVELOPMENT": "growing",
    "WEANING": "growing", "FORMULA": "growing", "BIRTHDAY": "birthdays",
}  # fmt: skip
BANDS = "STAGE"  # our letters for stages: the bands say when those begin
NEXT = 4  # items told in words


@dataclass(frozen=True, slots=True)
class Band:
    x: float
    width: float
    name: str
    is_named: bool
    shade: int  # 0 or 1, in turn


@dataclass(frozen=True, slots=True)
class Year:
    height: int
    bands: list[Band]
    months: list[tuple[float, str]]
    rows: list[tuple[float, str]]  # y, text key
    dots: list[tuple[float, float, str, bool]]  # x, y, title, is expected
    next: list[dict[str, Any]]


def year_of(baby: dict[str, Any], language: str) -> Year | None:
    """The picture of a baby as the store page reads her; None where nothing is known of her year."""
    if not baby["careCalendar"] and not baby["nextStages"]:
        return None
    calendar = [due for due in baby["careCalendar"] if due["kind"] != BANDS]
    first = date.fromisoformat(baby["stage"]["on"])
    last = first.replace(year=first.year + 1, day=min(first.day, 28))

    def x_of(day: date) -> float:
        part = (day - first).days / (last - first).days
        return round(LEFT + WIDTH * min(max(part, 0), 1), 1)

    kinds = [kind for kind in dict.fromkeys(ROWS.values()) if any(ROWS[due["kind"]] == kind for due in calendar)]
    y_of = {kind: float(FIRST_ROW + ROW * place) for place, kind in enumerate(kinds)}
    dots = [
        (x_of(date.fromisoformat(due["on"])), y_of[ROWS[due["kind"]]], f"{due['on']} {due['title']}", due["isExpected"])
        for due in calendar
    ]
    return Year(
        height=FIRST_ROW + ROW * len(kinds),
        bands=_bands(baby, last, x_of),
        months=[
            (x_of(day), format_date(day, "LLL", locale=language.replace("-", "_"))) for day in _months(first, last)
        ],
        rows=[(y, kind) for kind, y in y_of.items()],
        dots=dots,
        next=calendar[:NEXT],
    )


def _bands(baby: dict[str, Any], last: date, x_of: Any) -> list[Band]:
    begins = [(float(LEFT), baby["stage"]["name"])]
    coming = [(date.fromisoformat(stage["on"]), stage["name"]) for stage in baby["nextStages"] if stage["on"]]
    begins += [(x_of(day), name) for day, name in coming if day < last]
    ends = [x for x, _ in begins[1:]] + [float(LEFT + WIDTH)]
    return [
        Band(x, round(end - x, 1), name, end - x >= _room(name), place % 2)
        for place, ((x, name), end) in enumerate(zip(begins, ends, strict=True))
    ]


def _months(first: date, last: date) -> list[date]:
    """The first day of every other month within the year."""
    starts = [date(first.year + (first.month + n) // 12, (first.month + n) % 12 + 1, 1) for n in range(12)]
    return [day for day in starts[::2] if day < last]


def _room(name: str) -> float:
    """What a name takes in the picture; a narrower band goes without."""
    return 8 + sum(12 if letter > "\u2e80" else 6.5 for letter in name)
