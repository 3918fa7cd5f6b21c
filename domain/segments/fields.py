"""Fields: what rules may ask, as data. The catalogue is `fields.toml`; here is what its types and words mean."""

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from domain.care.interactions import InteractionKind
from domain.commerce.order_channels import OrderChannel
from domain.commerce.products import BabyClass
from domain.database import connection
from domain.people.babies import Feeding, Sex
from domain.people.members import CarerRole, MemberStatus
from domain.platform.actors import Actor
from domain.platform.roles import Permission
from domain.platform.sources import Channel
from domain.segments.facts import CHANNELS, PURPOSES
from domain.stages.rules import Stage

FILE = Path(__file__).with_name("fields.toml")
NARROWINGS = ("days", "category", "baby_class", "channel", "store", "kind")

ORDERED = ("=", "!=", "<", "<=", ">", ">=", "between", "notBetween", "null", "notNull")
CHOSEN = ("=", "!=", "in", "notIn", "null", "notNull")
OPERATORS: dict[str, tuple[str, ...]] = {
    "number": ORDERED,
    "date": ORDERED,
    "choice": CHOSEN,
    "id": CHOSEN,
    "set": ("in", "notIn"),  # has any of them; has none of them
}
NEGATIONS = {"!=": "=", "notBetween": "between", "notIn": "in", "null": "notNull"}
"""Each is exactly the opposite of the other: what is not known fails the second, so it meets the first."""

ENUMS: dict[str, tuple[str, ...]] = {
    "carer_roles": tuple(one.value for one in CarerRole),
    "statuses": (MemberStatus.ACTIVE.value, MemberStatus.BLOCKED.value),
    "channels": tuple(one.value for one in Channel),
    "stages": tuple(one.value for one in Stage if one is not Stage.UNKNOWN),
    "feedings": tuple(one.value for one in Feeding),
    "sexes": tuple(one.value for one in Sex),
    "consents": tuple(f"{purpose.value}:{channel.value}" for purpose in PURPOSES for channel in CHANNELS),
    "baby_classes": tuple(one.value for one in BabyClass),
    "order_channels": tuple(one.value for one in OrderChannel),
    "kinds": tuple(one.value for one in InteractionKind),
}
LOOKED_UP: dict[str, str] = {
    "stores": "SELECT id::text AS name, name AS label_en, name AS label_zh FROM stores ORDER BY label_en, id LIMIT $1",
    "tags": "SELECT key AS name, label_en, label_zh FROM tags ORDER BY key LIMIT $1",
    "time_zones": "SELECT time_zone AS name, time_zone AS label_en, time_zone AS label_zh FROM member_zones "
    "ORDER BY 1 LIMIT $1",
    "campaigns": "SELECT DISTINCT joined_campaign AS name, joined_campaign AS label_en, joined_campaign AS label_zh "
    "FROM members WHERE joined_campaign IS NOT NULL ORDER BY 1 LIMIT $1",
    "segments": "SELECT id::text AS name, name AS label_en, name AS label_zh FROM segments WHERE archived_at IS NULL "
    "AND needs <@ $2::text[] "
    "ORDER BY label_en LIMIT $1",
    "categories": "SELECT DISTINCT category AS name, category AS label_en, category AS label_zh FROM products "
    "ORDER BY 1 LIMIT $1",
}
MOST_VALUES = 500


@dataclass(frozen=True, slots=True)
class Field:
    """Something that a rule may ask. `sql` is its value over the member's facts; a `special` one is made in code."""

    key: str
    type: str
    permission: Permission
    label_en: str
    label_zh: str
    sql: str = ""
    special: str = ""
    values: str = ""
    day: str = ""  # the column whose distance from today it is
    narrowing: tuple[str, ...] = ()
    is_daily: bool = False

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.type]


@dataclass(frozen=True, slots=True)
class FieldValue:
    name: str
    label_en: str
    label_zh: str


@lru_cache(maxsize=1)
def catalogue() -> dict[str, Field]:
    """Key -> field, in the file's order."""
    groups: dict[str, Any] = tomllib.loads(FILE.read_text("utf-8"))
    needed = groups.pop("permissions")
    found = {}
    for group, named in groups.items():
        for name, one in named.items():
            key = f"{group}.{name}"
            found[key] = Field(
                key=key, type=one["type"], permission=Permission(needed[group]), label_en=one["label"][0],
                label_zh=one["label"][1], sql=one.get("sql", ""), special=one.get("special", ""),
                values=one.get("values", ""), day=one.get("day", ""), narrowing=tuple(one.get("narrowing", ())),
                is_daily=one.get("daily", False),
            )  # fmt: skip
    return found


def fields_for(actor: Actor) -> list[Field]:
    """The fields that the actor may use in a rule."""
    return [field for field in catalogue().values() if actor.may(field.permission)]


async def values_of(actor: Actor, name: str) -> list[FieldValue]:
    """The values that may be chosen from, at most MOST_VALUES; of segments those that the actor may use."""
    if name in ENUMS:
        return [FieldValue(one, one, one) for one in ENUMS[name]]
    given: list[object] = [MOST_VALUES]
    if name == "segments":
        given.append(sorted(one.value for one in actor.permissions))
    rows = await connection().execute_query_dict(LOOKED_UP[name], given)
    return [FieldValue(row["name"], row["label_en"], row["label_zh"]) for row in rows]
