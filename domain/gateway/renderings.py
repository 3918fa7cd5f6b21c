"""Renderings: the words of many messages at once by two statements; each is kept with its message afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.database import connection
from domain.gateway.unsubscribes import UnsubscribeLinks
from domain.outreach.facts import Wording
from domain.outreach.rendering import Reader, Rendered, RenderFailed, render
from domain.outreach.templates import TextKey, load
from domain.platform.sources import Channel


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who writes, and how she can make us stop."""

    brand: str
    links: UnsubscribeLinks


@dataclass(frozen=True, slots=True)
class RenderWish:
    message_id: UUID
    member_id: UUID
    channel: Channel
    template_key: str
    wording: Wording  # the version and language that contactability decided on
    params: dict[str, Any]

    @property
    def text_key(self) -> TextKey:
        return self.template_key, self.channel.value, self.wording.language, self.wording.version


async def render_all(wishes: Sequence[RenderWish], letterhead: Letterhead) -> dict[UUID, Rendered | RenderFailed]:
    """What each reader will see, by message. A message whose words fail is a value, never an exception."""
    if not wishes:
        return {}
    texts = await load({wish.text_key for wish in wishes})
    rows = await connection().execute_query_dict(
        "SELECT id, full_name, jurisdiction FROM members WHERE id = ANY($1)", [[wish.member_id for wish in wishes]]
    )
    readers = {row["id"]: Reader(row["full_name"], row["jurisdiction"]) for row in rows}
    return {wish.message_id: _render(wish, texts, readers[wish.member_id], letterhead) for wish in wishes}


def _render(
    wish: RenderWish, texts: dict[TextKey, Any], reader: Reader, letterhead: Letterhead
) -> Rendered | RenderFailed:
    text = texts.get(wish.text_key)
    if text is None:
        return RenderFailed("NO_TEMPLATE")
    params = {name: value for name, value in wish.params.items() if name != "call"}  # the consultant's card, not words
    url = letterhead.links.url(wish.message_id) if wish.channel is Channel.EMAIL else ""
    return render(text, params, reader, brand=letterhead.brand, unsubscribe_url=url)
