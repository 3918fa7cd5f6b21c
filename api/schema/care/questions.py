"""Questions that members asked, open until somebody has told them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import Scope, column, identifier, projected, relation
from api.schema.commerce.staff import Staff
from api.schema.nodes import Node
from api.schema.scopes import member_is_visible
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from api.schema.care.interactions import Interaction

ROWS = "(SELECT q.*, i.member_id FROM questions q JOIN interactions i ON i.id = q.interaction_id)"


@projected(
    table=ROWS,
    made_of=("questions", "interactions"),
    scope=Scope(
        lambda ask, alias: member_is_visible(ask, f"{alias}.member_id"),
        implied_by={"Member": (("member_id", "id"),), "Interaction": (("interaction_id", "id"),)},
    ),
    permission=Permission.READ_INTERACTIONS,
    description="What a member asked.",
)
class Question(Node):
    id: strawberry.ID = identifier()
    text: str = column("text", "In her words, or as it was written down.")
    asked_at: datetime = column("asked_at", "When (business clock).")
    answer: str = column("answer", "What she was told; empty: nothing yet.")
    answered_at: datetime | None = column("answered_at", "When (business clock); null: it is open.")
    answered_by: Staff | None = relation("Who answered.", on={"id": "answered_by_id"})
    interaction: Annotated["Interaction", strawberry.lazy("api.schema.care.interactions")] | None = relation(
        "When she asked it.", on={"id": "interaction_id"}
    )
