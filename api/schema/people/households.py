"""Households: several carers, several babies."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import column, identifier, projected, relation
from api.schema.nodes import Node
from api.schema.people.babies import Baby
from api.schema.people.tags import IN_FORCE as TAG_IN_FORCE
from api.schema.people.tags import Tag
from api.schema.scopes import HOUSEHOLDS
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from api.schema.people.members import Member


@projected(
    table="households", scope=HOUSEHOLDS, permission=Permission.READ_MEMBERS, description="A family: carers and babies."
)
class Household(Node):
    id: strawberry.ID = identifier()
    source: str = column("source", "The system it came from.")
    external_id: str = column("external_id", "That system's own id for it.")
    carers: list[Annotated["Member", strawberry.lazy("api.schema.people.members")]] = relation(
        "Carers whom the caller may see, first joined first.",
        on={"household_id": "id"},
        order="{t}.joined_on, {t}.id",
        first=10,
    )
    tags: list[Tag] | None = relation(
        "Tags in force on the whole family, latest first.",
        on={"household_id": "id"},
        where=TAG_IN_FORCE,
        order="{t}.set_at DESC, {t}.id",
        first=10,
    )
    babies: list[Baby] | None = relation(
        "Children, first registered first.", on={"household_id": "id"}, order="{t}.created_at, {t}.id", first=10
    )
