"""Rows out of one source of chance: awkward texts, moments that tie, decimals that end in zeros."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from tortoise.models import Model

NOON = datetime(2017, 12, 15, 12, 0, tzinfo=UTC)  # the business clock stands here; no row is within an hour of it
M = TypeVar("M", bound=Model)
Row = dict[str, Any]

NAMES = [
    "Emma Johnson", "王小丽", "单雪", "Zoë O'Neill", 'Anna "Ann" 王', "a\\b\t{c}", "Ånn-Marie  Özil", "😀 Lee",
    "emma lee",     None,
]  # fmt: skip
TEXTS = [
    "",
    "it's",
    'say "no"',
    "back\\slash",
    "line\nbreak\ttab",
    "%s $1 {t} {0}",
    "奶粉 &amp; 尿布",
    "\u2028é😀",
    "'; --",
    "null",
]
CATEGORIES = ["DIAPERS & DISPOSABLES", "INFANT FORMULA", "BABY FOODS", "FROZEN PIZZA", "BABY HBC", "it's odd"]


class Builder:
    """Makes rows out of one source of chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # test data
        self.count = self.people = 0

    def id(self) -> UUID:
        return UUID(int=self.chance.getrandbits(128), version=4)

    def text(self) -> str:
        return self.chance.choice(TEXTS)

    def some(self, values: Any, nothing: float = 0.3) -> Any:
        """One of the values, or nothing."""
        found = list(values)
        return self.chance.choice(found) if found and self.chance.random() >= nothing else None

    def any_of(self, rows: Any, nothing: float = 0.3) -> UUID | None:
        """The id of one of the rows, or nothing."""
        found: UUID | None = self.some([row.id for row in rows], nothing)
        return found

    def one(self, values: Any) -> Any:
        return self.chance.choice(list(values))

    def key(self) -> str:
        self.count += 1
        return f"x{self.count}"

    def at(self, days: int = 60) -> datetime:
        """Business time: often the very moment of another row, often with microseconds, in the past or ahead."""
        moment = NOON - timedelta(days=self.chance.randint(-2, days), hours=self.chance.choice([2, 5, 5]))
        return moment + timedelta(microseconds=self.chance.choice([0, 0, 0, 1, 10, 120_000, 999_999]))

    def told(self) -> Row:
        """Who said a column since the row began."""
        return {"source": self.one(["MEMBER", "STAFF"]), "confidence": 0.9, "by": self.some([str(self.id())]),
                "at": self.at().isoformat()}  # fmt: skip

    def money(self) -> Decimal:
        return Decimal(self.chance.choice(["0.00", "12.50", "7.00", "1234567890.10", "0.01", "99.99"]))

    async def make(self, of: type[M], **values: Any) -> M:
        if "id" in of._meta.fields_map and not of._meta.fields_map["id"].generated:
            values = {"id": self.id(), **values}
        return await of.create(**values)

    async def many(self, of: type[M], least: int, most: int, values: Any) -> list[M]:
        return [await self.make(of, **values()) for _ in range(self.chance.randint(least, most))]
