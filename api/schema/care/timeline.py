"""One timeline of every touch."""

from enum import StrEnum
from typing import Annotated

import strawberry

from api.projection import UNIONS, Ask, Union
from api.schema.care.interactions import Interaction
from api.schema.commerce.orders import Order
from api.schema.gateway.messages import Message

TimelineEntry = Annotated[
    Interaction | Order | Message, strawberry.union("TimelineEntry", description="A touch of any kind on the timeline.")
]
UNIONS["TimelineEntry"] = Union(
    table="timeline",
    kind="entry",
    arms={"INTERACTION": "Interaction", "ORDER": "Order", "MESSAGE": "Message"},
    implied_by={"Member": (("member_id", "id"),)},
    beneath={
        "interactions": {"at": "occurred_at"},
        "orders": {"at": "ordered_at"},
        "messages": {"at": "created_at"},
    },
)


@strawberry.enum(description="Kinds of entries on the timeline.")
class TimelineKind(StrEnum):
    INTERACTION = "INTERACTION"
    ORDER = "ORDER"
    MESSAGE = "MESSAGE"


def of_kinds(
    ask: Ask,
    alias: str,
    kinds: Annotated[
        list[TimelineKind] | None, strawberry.argument(description="Only these kinds; left out: all.")
    ] = None,
) -> list[str]:
    if kinds is None:
        return []
    return [f"{alias}.entry = ANY({ask([kind.value for kind in kinds], 'text[]')})"]
