"""Whole columns at once: ids, texts and times as Arrow arrays, made from numpy without a Python loop."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Raw = npt.NDArray[np.uint8]
"""Ids as bytes, shape (rows, 16)."""

HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
UUID_TEXT = 36
UUID_DIGIT_AT = np.array([i for i in range(UUID_TEXT) if i not in (8, 13, 18, 23)])
MILLISECONDS_A_DAY = 86_400_000


def uuids(at_ms: Ints, rng: np.random.Generator) -> Raw:
    """UUIDv7s of the given Unix milliseconds: time first, the rest drawn from `rng`. Shape (rows, 16)."""
    raw = rng.integers(0, 256, size=(len(at_ms), 16), dtype=np.uint8)
    for place in range(6):
        raw[:, place] = (at_ms >> (40 - 8 * place)) & 0xFF
    raw[:, 6] = 0x70 | (raw[:, 6] & 0x0F)
    raw[:, 8] = 0x80 | (raw[:, 8] & 0x3F)
    return raw


def hex_text(raw: Raw) -> Raw:
    """Bytes as lower-case hexadecimal characters, two a byte."""
    digits = np.empty((raw.shape[0], raw.shape[1] * 2), dtype=np.uint8)
    digits[:, 0::2] = HEX[raw >> 4]
    digits[:, 1::2] = HEX[raw & 0x0F]
    return digits


def fixed_text(characters: Raw, nulls: npt.NDArray[np.bool_] | None = None) -> Any:
    """An Arrow string column of ASCII rows of one width, given as bytes of shape (rows, width); null where `nulls`."""
    rows, width = characters.shape
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    text = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters)))
    return text if nulls is None else blank(text, nulls)


def blank(column: Any, nulls: npt.NDArray[np.bool_]) -> Any:
    """The column with null wherever `nulls` is true."""
    return pa.compute.if_else(pa.array(~nulls), column, pa.scalar(None, column.type))


def uuid_text(raw: Raw, nulls: npt.NDArray[np.bool_] | None = None) -> Any:
    """Ids as PostgreSQL reads them; null where `nulls`."""
    text = np.full((raw.shape[0], UUID_TEXT), ord("-"), dtype=np.uint8)
    text[:, UUID_DIGIT_AT] = hex_text(raw)
    return fixed_text(text, nulls)


def numbered(prefix: str, numbers: Ints, width: int, suffix: str = "") -> Any:
    """`prefix`, the number with leading zeros, `suffix`: one text a number."""
    head, tail = prefix.encode(), suffix.encode()
    text = np.empty((len(numbers), len(head) + width + len(tail)), dtype=np.uint8)
    text[:, : len(head)] = np.frombuffer(head, dtype=np.uint8)
    rest = numbers
    for place in range(width):
        text[:, len(head) + width - 1 - place] = ord("0") + rest % 10
        rest = rest // 10
    text[:, len(head) + width :] = np.frombuffer(tail, dtype=np.uint8)
    return fixed_text(text)


def chosen(words: list[str | None], index: npt.NDArray[np.integer[Any]]) -> Any:
    """`words[index]` as a column."""
    return pa.array(words, pa.large_string()).take(pa.array(index))


def same(value: str | bool | float, rows: int) -> Any:
    """One value in every row."""
    return pa.repeat(pa.scalar(value), rows)


def moments(at_ms: Ints) -> Any:
    """Unix milliseconds as timestamps in UTC."""
    return pa.array(at_ms * 1000, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def dates(days: Ints, nulls: npt.NDArray[np.bool_] | None = None) -> Any:
    """Days since 1970 as dates; null where `nulls`."""
    column = pa.array(days.astype(np.int32), pa.int32()).cast(pa.date32())
    return column if nulls is None else blank(column, nulls)


def money(cents: Ints) -> Any:
    """Whole cents as numbers with at most two places: the shortest decimal that reads back as the same double."""
    return pa.array(cents / 100)
