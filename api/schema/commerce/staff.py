"""Staff as others see them."""

import strawberry

from api.projection import column, identifier, projected, relation
from api.schema.commerce.stores import Store
from api.schema.nodes import Node
from domain.commerce.staff import RowScope
from domain.platform.roles import Permission


@projected(
    table="staff", scope=None, permission=Permission.READ_CATALOGUE, description="A consultant, advisor or operator."
)
class Staff(Node):
    id: strawberry.ID = identifier()
    name: str = column("name", "Name.")
    scope: RowScope = column("scope", "Whose members she may see.")
    is_active: bool = column("is_active", "Whether she works here now.")
    store: Store | None = relation("Where she works.", on={"id": "store_id"})
