"""A segment: a named rule, and who is in it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import Ask, Scope, column, connection, expression, identifier, projected
from api.projection.pages import Connection
from domain.platform.roles import Permission

if TYPE_CHECKING:
    from api.schema.people.members import Member


def _may_be_read(ask: Ask, alias: str) -> str:
    """Who is in it tells what its rule asks: of babies, say, to somebody who reads none."""
    return f"{alias}.needs <@ {ask(sorted(one.value for one in ask.actor.permissions), 'text[]')}"


@projected(
    table="segments",
    scope=Scope(_may_be_read),
    permission=Permission.READ_SEGMENTS,
    description="A named rule, and who meets it. Seen by whoever may read all that the rule asks.",
)
class Segment:
    id: strawberry.ID = identifier()
    name: str = column("name", "Its name; of one segment at a time.")
    description: str = column("description", "What it is for.")
    rule: str = expression(
        "{t}.rule::text",
        "The tree as JSON text, as react-querybuilder's formatQuery writes it: {combinator, not, rules: [...]}.",
    )
    member_count: int = column("member_count", "Members in it, in every store, when it was last worked out.")
    is_stale: bool = column("is_stale", "Its rule is new and is being worked out for everybody.")
    refreshed_at: datetime | None = column("refreshed_at", "When it was last worked out for all (business clock).")
    version: int = column("version", "Grows with every change; updates name the one they saw.")
    created_at: datetime = column("created_at", "Since when (business clock).")
    archived_at: datetime | None = column("archived_at", "When it was put away (business clock); null: it is live.")
    members: Connection[Annotated["Member", strawberry.lazy("api.schema.people.members")]] | None = connection(
        "Who is in it, of those whom the caller may see, in a fixed order.",
        key=(("id", "ASC", "uuid"),),
        where="{t}.id IN (SELECT sm.member_id FROM segment_members sm WHERE sm.segment_id = {s}.id)",
        permission=Permission.SEARCH_MEMBERS,
    )
