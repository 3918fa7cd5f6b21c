"""Stores."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import column, expression, identifier, projected, relation
from api.schema.nodes import Node
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from api.schema.commerce.staff import Staff


@projected(table="stores", scope=None, permission=Permission.READ_CATALOGUE, description="A store of a distributor.")
class Store(Node):
    id: strawberry.ID = identifier()
    name: str = column("name", "Its name.")
    source: str = column("source", "The system it came from.")
    external_id: str = column("external_id", "That system's own id for it.")
    distributor: str = expression(
        "(SELECT d.name FROM distributors d WHERE d.id = {t}.distributor_id)", "Name of the distributor it belongs to."
    )
    time_zone: str = column("time_zone", "Its IANA time zone.")
    phone: str | None = column("phone", "Its public phone.")
    staff: list[Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")]] | None = relation(
        "Who works there now, by name.",
        on={"store_id": "id"},
        where="{t}.is_active",
        order="{t}.name, {t}.id",
        first=20,
        permission=Permission.ASSIGN_OWNERS,
    )
