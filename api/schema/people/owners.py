"""Who served a member, and since when."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import column, projected, relation
from api.schema.scopes import OF_MEMBER
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from api.schema.commerce.staff import Staff


@projected(
    table="owner_assignments",
    scope=OF_MEMBER,
    permission=Permission.READ_CALLBACKS,
    description="A change of who owns the contact with a member.",
)
class OwnerAssignment:
    assigned_at: datetime = column("assigned_at", "Since when (business clock).")
    reason: str = column("reason", "Why, in a few words.")
    staff: Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")] | None = relation(
        "Who serves her from then on; null: her store and the pool.", on={"id": "staff_id"}
    )
    previous: Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")] | None = relation(
        "Who had served her.", on={"id": "previous_id"}
    )
    assigned_by: Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")] | None = relation(
        "Who said so.", on={"id": "assigned_by_id"}
    )
