"""Provenance of profile fields: who said it, when and how sure."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import strawberry

from api.context import ApiContext
from api.ids import encode_id
from api.projection import Family, Wanted
from domain.people.provenance import BABY_FIELDS, MEMBER_FIELDS, Told, of_baby, of_member
from domain.platform.sources import Source


@strawberry.type(description="Who said the value of a field, when and how sure. Fields that say nothing have none.")
class Provenance:
    field: str = strawberry.field(description="Which field of the type, by its name here: `name`, `bornOn`, ...")
    source: Source = strawberry.field(description="Who said it.")
    confidence: float = strawberry.field(description="How sure, in [0, 1].")
    at: datetime = strawberry.field(description="When it was written (real clock).")
    recorded_by: strawberry.ID | None = strawberry.field(description="By whose hand: staff; null: a system or herself.")


def name_of(column: str) -> str:
    """The field's name in the API."""
    head, *rest = column.split("_")
    return "name" if column == "full_name" else head + "".join(word.title() for word in rest)


def _family(name: str, columns: Sequence[str], of: Callable[[dict[str, Any]], list[Told]]) -> Family:
    async def compute(_: ApiContext, wanted: Sequence[Wanted]) -> list[list[Provenance]]:
        return [[_shown(told) for told in of(item.needs)] for item in wanted]

    return Family(name, needs={column: f"{{t}}.{column}" for column in columns}, compute=compute)


def _shown(told: Told) -> Provenance:
    at = told.at if isinstance(told.at, datetime) else datetime.fromisoformat(told.at)
    by = strawberry.ID(encode_id("Staff", told.by)) if told.by else None
    return Provenance(field=name_of(told.column), source=told.source, confidence=told.confidence, at=at, recorded_by=by)


OF_MEMBER = _family(
    "member_provenance",
    (*MEMBER_FIELDS, "provenance", "name_source", "source", "created_at", "joined_by_id"),
    of_member,
)
OF_BABY = _family(
    "baby_provenance",
    (*BABY_FIELDS, "provenance", "due_source", "due_confidence", "born_source", "born_confidence", "presence_source",
     "presence_confidence", "created_at"),
    of_baby,
)  # fmt: skip
