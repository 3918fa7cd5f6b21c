"""Rows of a file and what may be wrong with them. Pure: text in, values or issues out. Messages repeat no content."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import TypeVar
from zoneinfo import ZoneInfo

Kind = TypeVar("Kind", bound=Enum)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Issue:
    """What is wrong with one column of one row (column "" = the row), and how to mend it."""

    column: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the file has it. `flaw`: it could not even be read; `issue`: it mends the waiting row of that number."""

    number: int  # line of a CSV file, row of a Parquet file, from 1
    values: Mapping[str, str]
    key: str = ""
    issue: int | None = None
    flaw: Issue | None = None


RowOutcome = str | tuple[Issue, ...]
"""landed, repeated, erased (it speaks of somebody who is not to come back: nothing of it is kept), or why it waits."""

LANDED, REPEATED, ERASED = "landed", "repeated", "erased"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file that may be imported; the text is for docs/importing.md and `nestling import --columns`."""

    name: str
    told: str
    is_required: bool = False


class Flawed(Exception):
    """A text that is no such value; code and message of the issue."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class Cells:
    """Reads the cells of one row and gathers what is wrong with them."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.issues: list[Issue] = [row.flaw] if row.flaw else []

    def text(self, column: str, length: int, *, is_required: bool = False) -> str | None:
        """The cleaned text, None when empty. Wrong: too long, missing, a formula, undecodable characters."""
        found = self._clean(column)
        if not found:
            if is_required:
                self.wrong(column, "missing", "Fill this column.")
            return None
        if len(found) > length:
            self.wrong(column, "too_long", f"At most {length} characters.")
            return None
        return found

    def read(self, column: str, reader: Callable[[str], Value], length: int = 200) -> Value | None:
        """The cell as `reader` reads it, None when empty or wrong. The reader raises Flawed."""
        found = self.text(column, length)
        if found is None:
            return None
        try:
            return reader(found)
        except Flawed as flawed:
            self.wrong(column, flawed.code, flawed.message)
            return None

    def wrong(self, column: str, code: str, message: str) -> None:
        self.issues.append(Issue(column, code, message))

    def _clean(self, column: str) -> str:
        raw = self.row.values.get(column) or ""
        wrapped = re.fullmatch(r'\s*="(.*)"\s*', raw)
        found = unicodedata.normalize("NFC", wrapped[1] if wrapped else raw).strip().strip("\u200b\ufeff").strip()
        if "\ufffd" in found:
            self.wrong(column, "bad_encoding", "Characters were lost when the file was written: export it as UTF-8.")
            return ""
        if found.startswith("=") and not wrapped:
            self.wrong(column, "formula_cell", "This is a formula: paste its value and export again.")
            return ""
        return found


_DATE = re.compile(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?")
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_ROUNDED = re.compile(r"[+-]?\d+(\.\d+)?[eE]\+?\d+")


def read_date(text: str) -> date:
    """2017-12-31, 2017/12/31, 2017.12.31, 20171231 or 2017年12月31日."""
    text = unicodedata.normalize("NFKC", text)
    found = _DATE.fullmatch(re.sub(r"[ T]00:00(:00(\.0+)?)?$", "", text)) or _COMPACT_DATE.fullmatch(text)
    if found is None:
        raise Flawed("bad_date", "Write the date as YYYY-MM-DD.")
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise Flawed("impossible_date", "There is no such day: look it up at its source.") from None


def read_time(zone: ZoneInfo) -> Callable[[str], datetime]:
    """A reader of times: ISO 8601, or a date with HH:MM[:SS]; one without an offset is local time of `zone`."""

    def read(text: str) -> datetime:
        day, _, clock = unicodedata.normalize("NFKC", text).replace("T", " ").partition(" ")
        on = read_date(day)
        try:
            at = datetime.fromisoformat(f"{on.isoformat()}T{clock.strip() or '00:00'}")
        except ValueError:
            raise Flawed("bad_time", "Write the time as YYYY-MM-DD HH:MM:SS.") from None
        return at if at.tzinfo else at.replace(tzinfo=zone)

    return read


def read_decimal(text: str) -> Decimal:
    """12.50, 1,234.50, ¥12.50; not 12,50, which may mean either."""
    plain = unicodedata.normalize("NFKC", text).strip().lstrip("¥$€£").strip()
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    if not re.fullmatch(r"-?\d+(\.\d+)?", plain):
        raise Flawed("bad_number", "Write the number as 1234.50.")
    try:
        return Decimal(plain)
    except InvalidOperation:
        raise Flawed("bad_number", "Write the number as 1234.50.") from None


def refuse_rounded(text: str) -> str:
    """Text that a spreadsheet turned into 1.38E+10 has lost its last digits."""
    if _ROUNDED.fullmatch(text) and "e" in text.lower():
        raise Flawed(
            "rounded_number",
            "A spreadsheet shortened this number and lost digits: format the column as text, export again.",
        )
    return text


def read_choice(kind: type[Kind]) -> Callable[[str], Kind]:
    """A reader of one of the enum's names, in any case."""

    def read(text: str) -> Kind:
        try:
            return kind(text.upper().replace(" ", "_").replace("-", "_"))
        except ValueError:
            names = ", ".join(str(member.value) for member in kind)
            raise Flawed("bad_choice", f"One of {names}.") from None

    return read
