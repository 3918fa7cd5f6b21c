"""Parquet files, batch by batch, each value as the text that a CSV file would hold."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from domain.platform.import_rows import Row
from nestling.imports.failures import FileRefused

ROWS_AT_ONCE = 5_000


class ParquetFile:
    """`names` are the file's columns; `rows()` starts at the top each time. Memory is bounded by one batch."""

    def __init__(self, path: Path, key_of: Callable[[dict[str, str]], str]) -> None:
        self.path = path
        self.key_of = key_of
        try:
            self.names = [name.strip().lower() for name in pq.ParquetFile(path).schema_arrow.names]
        except pa.ArrowInvalid as error:
            raise FileRefused(f"{path.name} is no Parquet file.") from error

    def rows(self) -> Iterator[Row]:
        number = 0
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE):
                columns = [column.to_pylist() for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    number += 1
                    values = {name: as_text(cell) for name, cell in zip(self.names, cells, strict=True)}
                    yield Row(number, values, self.key_of(values))


def as_text(cell: object) -> str:
    """A whole number that was stored as a float (a phone, a card) loses its .0; a time keeps its offset."""
    if cell is None:
        return ""
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell).replace("\0", "\ufffd")
