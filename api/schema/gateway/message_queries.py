"""Root fields about messages."""

from datetime import datetime
from typing import Annotated

import strawberry

from api.ids import decode_id
from api.projection import Ask, connection
from api.projection.pages import Connection
from api.schema.gateway.messages import Message
from domain.gateway.messages import MessageState
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose


def _find(
    ask: Ask,
    alias: str,
    states: Annotated[list[MessageState] | None, strawberry.argument(description="Only these states.")] = None,
    channel: Annotated[Channel | None, strawberry.argument(description="Only this channel.")] = None,
    purpose: Annotated[Purpose | None, strawberry.argument(description="Only this purpose.")] = None,
    reason: Annotated[str | None, strawberry.argument(description="Only this stateReason.")] = None,
    since: Annotated[datetime | None, strawberry.argument(description="Wished at or after (business clock).")] = None,
    member_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only to this member.")] = None,
) -> list[str]:
    found = []
    if states is not None:
        found.append(f"{alias}.state = ANY({ask([state.value for state in states], 'text[]')})")
    for column, value, kind in (
        ("channel", channel.value if channel else None, "text"),
        ("purpose", purpose.value if purpose else None, "text"),
        ("state_reason", reason, "text"),
        ("member_id", decode_id("Member", member_id) if member_id is not None else None, "uuid"),
    ):
        if value is not None:
            found.append(f"{alias}.{column} = {ask(value, kind)}")
    if since is not None:
        found.append(f"{alias}.created_at >= {ask(since, 'timestamptz')}")
    return found


@strawberry.type
class MessageQueries:
    messages: Connection[Message] | None = connection(
        "Messages to members whom the caller may see, latest first.",
        key=(("created_at", "DESC", "timestamptz"), ("id", "DESC", "uuid")),
        find=_find,
        permission=Permission.SEARCH_MEMBERS,
    )
