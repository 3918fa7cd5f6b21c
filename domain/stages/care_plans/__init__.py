"""Care plans as data: one file a version, read once. A day is planned by the plan in force on it."""

import tomllib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from domain.platform.sources import Channel, Purpose
from domain.stages.rules import AgeBasis

FOLDER = Path(__file__).parent
OTHER = "OTHER"  # the region of every country that no item names


class CareKind(StrEnum):
    CHECK_UP = "CHECK_UP"
    VACCINE = "VACCINE"
    DEVELOPMENT = "DEVELOPMENT"
    WEANING = "WEANING"
    FORMULA = "FORMULA"
    BIRTHDAY = "BIRTHDAY"
    PREPARATION = "PREPARATION"
    STAGE = "STAGE"  # a letter for a stage that begins; its code is the stage


@dataclass(frozen=True, slots=True)
class CareItem:
    """Something due once for each baby, or once in each season. `source` says whose schedule it is."""

    code: str
    kind: CareKind
    is_pregnancy: bool  # counted in weeks since the last period; else in months and days since birth
    weeks: int
    months: int
    days: int
    lasts: int  # days, the first one included
    basis: AgeBasis
    purpose: Purpose
    channels: tuple[Channel, ...]  # preferred first
    regions: frozenset[str]  # empty: everywhere
    season: tuple[str, str] | None  # first and last day of each year, MM-DD
    en: str
    zh: str
    source: str

    @property
    def is_written(self) -> bool:
        """May be said in a message; else only by a person."""
        return any(channel is not Channel.CALL for channel in self.channels)


@dataclass(frozen=True, slots=True)
class CarePlan:
    version: str
    effective_from: date
    items: tuple[CareItem, ...]

    def of(self, region: str) -> tuple[CareItem, ...]:
        """The items of a country."""
        known = frozenset().union(*(item.regions for item in self.items))
        here = region if region in known else OTHER
        return tuple(item for item in self.items if not item.regions or here in item.regions)


@lru_cache(maxsize=1)
def care_plans() -> tuple[CarePlan, ...]:
    """Every plan there was, oldest first."""
    found = (read_plan(tomllib.loads(path.read_text(encoding="utf-8"))) for path in FOLDER.glob("*.toml"))
    return tuple(sorted(found, key=lambda plan: plan.effective_from))


def care_plan_on(day: date, plans: tuple[CarePlan, ...] | None = None) -> CarePlan:
    """The plan in force on a day; before the first plan, the first."""
    plans = plans or care_plans()
    return next((plan for plan in reversed(plans) if plan.effective_from <= day), plans[0])


def read_plan(document: dict[str, Any]) -> CarePlan:
    """A plan from its file. ValueError names the item that cannot be right, and how to mend it."""
    sources = document["sources"]
    items = tuple(_item(values, sources) for values in document["items"])
    twice = sorted({one.code for one in items if sum(other.code == one.code for other in items) > 1})
    if twice:
        raise ValueError(f"{document['version']}: {', '.join(twice)} stands there twice; give each item its own code.")
    return CarePlan(document["version"], document["effective_from"], items)


def _item(values: dict[str, Any], sources: dict[str, str]) -> CareItem:
    code, opens = values["code"], values["opens"]
    is_pregnancy = values["counted"] == "PREGNANCY"
    if set(opens) - ({"weeks"} if is_pregnancy else {"months", "days"}) or not opens:
        raise ValueError(f"{code}: opens in weeks of PREGNANCY, or in months and days since BIRTH; found {opens}.")
    if values["lasts"] < 1:
        raise ValueError(f"{code}: lasts at least 1 day; found {values['lasts']}.")
    season = values.get("season")
    if season is not None:
        for day in season:
            date.fromisoformat(f"2001-{day}")  # no leap year: a season has the same days each year
    return CareItem(
        code=code,
        kind=CareKind(values["kind"]),
        is_pregnancy=is_pregnancy,
        weeks=opens.get("weeks", 0),
        months=opens.get("months", 0),
        days=opens.get("days", 0),
        lasts=values["lasts"],
        basis=AgeBasis(values["basis"]),
        purpose=Purpose(values["purpose"]),
        channels=tuple(Channel(name) for name in values["channels"]),
        regions=frozenset(values.get("regions", ())),
        season=(season[0], season[1]) if season else None,
        en=values["en"],
        zh=values["zh"],
        source=sources[values["source"]],
    )
