"""Statements too big for a QuerySet: one a file, each runnable in psql."""

from functools import lru_cache
from pathlib import Path


@lru_cache
def statement(name: str) -> str:
    """The text of `domain/sql/<name>.sql`."""
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
