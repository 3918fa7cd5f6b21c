"""Previews: what messages that were never written would say, for people who may read what the written ones say."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from domain.commerce.products import FormulaClass
from domain.database import connection
from domain.gateway.renderings import Letterhead, RenderWish, render_all
from domain.outreach.facts import Wording
from domain.outreach.rendering import Rendered
from domain.people.scopes import GONE, sees_member
from domain.platform.actors import Actor
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose


async def previews(actor: Actor, message_ids: Collection[UUID], letterhead: Letterhead) -> dict[UUID, Rendered]:
    """The words of these messages as they would read now, by message; nothing is written or kept.

    Only of members whom the actor may see, and only for who may read messages' texts. A message that was written, that
    is no text (a call), or whose template and values do not go together is not among the answers.
    """
    if not actor.may(Permission.READ_MESSAGE_TEXT) or not message_ids:
        return {}
    parameters = Parameters()
    rows = await connection().execute_query_dict(
        "SELECT x.id, x.member_id, x.channel, x.template_key, x.template_version, x.language, x.params, t.purpose, "
        "t.formula_class, t.has_reward FROM messages x JOIN members m ON m.id = x.member_id "
        "JOIN templates t ON t.key = x.template_key AND t.channel = x.channel AND t.language = x.language "
        "AND t.version = x.template_version "
        f"WHERE x.id = ANY({parameters(list(message_ids))}) AND x.body IS NULL AND x.channel IN ('SMS', 'EMAIL') "
        f"AND m.status NOT IN {GONE} AND {sees_member(actor, parameters)}",
        parameters,
    )
    wishes = [
        RenderWish(
            row["id"], row["member_id"], Channel(row["channel"]), row["template_key"],
            _wording(row),
            orjson.loads(row["params"]) if isinstance(row["params"], str) else row["params"],
        )
        for row in rows
    ]  # fmt: skip
    found = await render_all(wishes, letterhead)
    return {key: _without_link(key, words, letterhead) for key, words in found.items() if isinstance(words, Rendered)}


def _without_link(message_id: UUID, words: Rendered, letterhead: Letterhead) -> Rendered:
    """The link by which she makes us stop is hers alone: only a letter that leaves carries one."""
    url = letterhead.links.url(message_id)
    body, html = (text.replace(url, "").rstrip() for text in (words.body, words.body_html))
    return replace(words, body=body, body_html=html)


def _wording(row: dict[str, Any]) -> Wording:
    purpose, formula_class = Purpose(row["purpose"]), FormulaClass(row["formula_class"])
    return Wording(row["template_version"], row["language"], purpose, formula_class, row["has_reward"])
