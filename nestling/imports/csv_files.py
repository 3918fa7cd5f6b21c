"""CSV files as people's spreadsheets write them: any usual encoding and separator, torn rows, stray quotes.

A row that cannot be read becomes a row with a flaw; the rows after it are read as if nothing had happened. Memory is
bounded by the longest row.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from domain.platform.import_rows import Issue, Row
from nestling.imports.encodings import detect_encoding
from nestling.imports.failures import FileRefused

LINES_OF_A_ROW = 50  # a cell may hold line breaks; a quote that is open for longer was never meant as one
LONGEST_LINE = 1_000_000
ISSUE_COLUMN, PROBLEM_COLUMN, REST_COLUMN = "import_issue", "import_problem", "import_rest"
"""Columns that `nestling import --waiting` adds; the number is read when the mended file comes back, the others not."""

SEPARATORS = (",", ";", "\t", "|")
CLOSERS = (*SEPARATORS, "\r", "\n", "")  # what may follow a quotation mark that ends a cell

NO_TEXT = re.compile(r"[\0-\b\x0e-\x1f\ufffd]")
"""What no encoding of a text leaves in its first line: control characters, and bytes that stand for nothing."""

csv.field_size_limit(LONGEST_LINE * LINES_OF_A_ROW)


OPEN_QUOTE = Issue("", "open_quote", "A quotation mark opens and never closes: double it or remove it.")
TOO_LONG = Issue("", "too_long", "The line is longer than a million characters.")


class CsvFile:
    """`names` are the file's columns; `rows()` starts at the top each time."""

    def __init__(self, path: Path, key_of: Callable[[dict[str, str]], str]) -> None:
        self.path = path
        self.key_of = key_of
        self.encoding = detect_encoding(path)
        head = next(self._records(), None)
        if head is None:
            raise FileRefused(f"{path.name} is empty.")
        if NO_TEXT.search(head[1]):
            raise FileRefused(
                f"{path.name} is neither CSV nor Parquet: its first line is no text that we can read. In a "
                'spreadsheet save it as "CSV UTF-8", of a compressed file give what is inside.'
            )
        self.separator = max(SEPARATORS, key=head[1].count)
        self.names = [name.strip().strip("\ufeff").lower() for name in self._cells(head[1])]
        self.head_line = head[0]

    def rows(self) -> Iterator[Row]:
        """Every row after the head that is not blank."""
        for number, record, flaw in self._records():
            if number <= self.head_line or not record.strip():
                continue
            yield self._row(number, record, flaw)

    def _row(self, number: int, record: str, flaw: Issue | None) -> Row:
        """A flawed row keeps the cells that can be told, so that the rest of its order waits with it."""
        cells = self._cells(record)
        while len(cells) > len(self.names) and cells[-1] == "":
            cells.pop()
        if flaw is None and len(cells) != len(self.names):
            told = f"{len(cells)} cells under {len(self.names)} columns: quote cells that hold the separator."
            flaw = Issue("", "ragged_row", told)
        values = dict(zip(self.names, cells, strict=False))
        if len(cells) > len(self.names):
            values[REST_COLUMN] = self.separator.join(cells[len(self.names) :])
        issue = values.pop(ISSUE_COLUMN, "")
        values.pop(PROBLEM_COLUMN, None)
        return Row(number, values, self.key_of(values), int(issue) if issue.isdecimal() else None, flaw)

    def _records(self) -> Iterator[tuple[int, str, Issue | None]]:
        """(line, text, flaw) of each record; a quote that never closes flaws its own line only."""
        with self.path.open(encoding=self.encoding, errors="replace", newline="") as file:
            ahead: deque[tuple[int, str]] = deque()
            lines = _lines(file)
            while True:
                first = ahead.popleft() if ahead else next(lines, None)
                if first is None:
                    return
                number, text = first
                if not is_open(text):
                    yield number, text.rstrip("\r\n"), TOO_LONG if len(text) >= LONGEST_LINE else None
                    continue
                taken = 0
                joined = text
                while is_open(joined) and taken < LINES_OF_A_ROW:
                    if taken == len(ahead):
                        line = next(lines, None)
                        if line is None:
                            break
                        ahead.append(line)
                    joined += ahead[taken][1]
                    taken += 1
                if is_open(joined):
                    yield number, text.rstrip("\r\n"), OPEN_QUOTE
                    continue
                for _ in range(taken):
                    ahead.popleft()
                yield number, joined.rstrip("\r\n"), None

    def _cells(self, record: str) -> list[str]:
        return next(csv.reader([record.replace("\0", "\ufffd")], delimiter=self.separator, strict=False), [])


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """Numbered lines, each at most LONGEST_LINE characters; the rest of a longer one is skipped."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        tail = line
        while len(tail) == LONGEST_LINE and not tail.endswith(("\n", "\r")):
            tail = file.readline(LONGEST_LINE)
        yield number, line


def is_open(text: str) -> bool:
    """Whether a quoted cell is still open at the end. A quotation mark inside an unquoted cell is a character."""
    if '"' not in text:
        return False
    quoted, at_start, place = False, True, 0
    while place < len(text):
        character = text[place]
        if quoted:
            if character == '"':
                if text.startswith('""', place):
                    place += 1
                else:
                    quoted = text[place + 1 : place + 2] not in CLOSERS
        elif character == '"' and at_start:
            quoted = True
        at_start = not quoted and character in SEPARATORS
        place += 1
    return quoted
