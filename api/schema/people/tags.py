"""Tags of a member, with who said so and until when."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import column, identifier, projected, relation
from api.schema.nodes import Node
from api.schema.scopes import only_from
from domain.people.tag_catalogue import TagFamily
from domain.platform.roles import Permission
from domain.platform.sources import Source

if TYPE_CHECKING:
    from api.schema.commerce.staff import Staff

ROWS = (
    "(SELECT use.*, tag.key, tag.family, tag.label_en, tag.label_zh, tag.description, tag.owner_id "
    "FROM member_tags use JOIN tags tag ON tag.id = use.tag_id)"
)
IN_FORCE = "{t}.removed_at IS NULL AND ({t}.expires_at IS NULL OR {t}.expires_at > (SELECT business_now()))"


@projected(
    table=ROWS,
    made_of=("member_tags", "tags"),
    scope=only_from(
        {"Member": (("member_id", "id"),), "Baby": (("baby_id", "id"),), "Household": (("household_id", "id"),)}
    ),
    permission=Permission.READ_TAGS,
    description="What was said of a member, a baby or a family, by whom.",
)
class Tag:
    key: str = column("key", "The tag's own name: lower-case, dotted.")
    family: TagFamily = column("family", "What it speaks of.")
    label_en: str = column("label_en", "Its name in English.")
    label_zh: str = column("label_zh", "Its name in 简体中文.")
    description: str = column("description", "What it means.")
    source: Source = column("source", "Who said so.")
    evidence: str = column("evidence", "Why, in a few words.")
    set_at: datetime = column("set_at", "Since when (business clock).")
    expires_at: datetime | None = column("expires_at", "Until when (business clock); null: until it is removed.")
    removed_at: datetime | None = column("removed_at", "When it was taken off or said anew (business clock).")
    owner: Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")] | None = relation(
        "Who answers for what the tag means.", on={"id": "owner_id"}
    )


@projected(
    table="tags", scope=None, permission=Permission.READ_TAGS, description="A tag that may be set, of the catalogue."
)
class CatalogueTag(Node):
    id: strawberry.ID = identifier()
    key: str = column("key", "Its own name: lower-case, dotted, never used for anything else.")
    family: TagFamily = column("family", "What it speaks of.")
    label_en: str = column("label_en", "Its name in English.")
    label_zh: str = column("label_zh", "Its name in 简体中文.")
    description: str = column("description", "What it means.")
    valid_days: int | None = column("valid_days", "For how many days it holds unless said otherwise; null: for good.")
    retired_at: datetime | None = column("retired_at", "Since when nobody carries it any more (business clock).")
    owner: Annotated["Staff", strawberry.lazy("api.schema.commerce.staff")] | None = relation(
        "Who answers for what it means.", on={"id": "owner_id"}
    )
