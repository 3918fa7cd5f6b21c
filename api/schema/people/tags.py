"""Tags of a member, with who said so and until when."""

from datetime import datetime

from api.projection import column, projected
from api.schema.scopes import OF_MEMBER
from domain.people.tags import TagFamily
from domain.platform.roles import Permission
from domain.platform.sources import Source

ROWS = (
    "(SELECT use.*, tag.key, tag.family, tag.label_en, tag.label_zh, tag.description "
    "FROM member_tags use JOIN tags tag ON tag.id = use.tag_id)"
)
IN_FORCE = "{t}.removed_at IS NULL AND ({t}.expires_at IS NULL OR {t}.expires_at > (SELECT business_now()))"


@projected(
    table=ROWS,
    made_of=("member_tags", "tags"),
    scope=OF_MEMBER,
    permission=Permission.READ_TAGS,
    description="What was said of a member, by whom.",
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
