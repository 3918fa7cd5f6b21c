"""Festivals: on which day each falls, and which are muted after a loss. Read from data; pure."""

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from domain.stages.lunar import lunar_on, term_on

DATA = Path(__file__).with_name("festivals.toml")
KEY = "festival"  # what the intent key of a touch bound to a festival begins with


@dataclass(frozen=True, slots=True)
class Festival:
    code: str
    en: str
    zh: str
    is_sensitive: bool  # hurts a family that lost a baby
    day: Callable[[int], date]  # of a year


@dataclass(frozen=True, slots=True)
class Feast:
    """A festival of one year."""

    festival: Festival
    on: date


@lru_cache(maxsize=1)
def festivals() -> dict[str, Festival]:
    """All of them by code, in the order of the file. ValueError names the one that cannot be right."""
    document = tomllib.loads(DATA.read_text(encoding="utf-8"))
    found = [_festival(values) for values in document["festivals"]]
    return {one.code: one for one in found}


def feasts(first: date, last: date) -> list[Feast]:
    """The festivals from one day to another, both included, in the order of days. Years 1901 to 2099."""
    years = range(first.year, last.year + 1)
    found = [Feast(one, one.day(year)) for year in years for one in festivals().values()]
    return sorted((feast for feast in found if first <= feast.on <= last), key=lambda feast: feast.on)


def festival_of(intent_key: str) -> Festival | None:
    """The festival that a touch is bound to, as its key says."""
    kind, _, rest = intent_key.partition(":")
    return festivals().get(rest.partition(":")[0]) if kind == KEY else None


@lru_cache(maxsize=1)
def festivals_version() -> str:
    """Names the text of the file: any change of it changes this."""
    return hashlib.sha256(DATA.read_bytes()).hexdigest()[:4]


def _festival(values: dict[str, Any]) -> Festival:
    ways = [name for name in ("fixed", "lunar", "term", "weekday") if name in values]
    if len(ways) != 1:
        raise ValueError(f"{values['code']}: name exactly one of fixed, lunar, term and weekday; found {ways}.")
    return Festival(values["code"], values["en"], values["zh"], values.get("is_sensitive", False), _day(values))


def _day(values: dict[str, Any]) -> Callable[[int], date]:
    if "fixed" in values:
        month, day = map(int, values["fixed"].split("-"))
        return lambda year: date(year, month, day)
    if "lunar" in values:
        lunar_month, lunar_day = values["lunar"]
        return lambda year: lunar_on(year, lunar_month, lunar_day)
    if "term" in values:
        return lambda year: term_on(year, values["term"])
    return lambda year: _nth_weekday(year, *values["weekday"])


def _nth_weekday(year: int, month: int, nth: int, weekday: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.isoweekday()) % 7 + 7 * (nth - 1))
