"""Who is asking, for screens."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import ApiContext, Info
from api.errors import unauthenticated
from api.ids import split_id
from api.projection import Ask, one, project
from api.projection.declarations import TYPES
from api.rates import look_up
from api.schema.commerce.staff import Staff
from api.schema.nodes import Node
from domain.commerce.staff import RowScope
from domain.platform.clock import business_now
from domain.platform.roles import Permission, Role

if TYPE_CHECKING:
    from api.schema.people.members import Member


@strawberry.type(description="The caller: role, rights and place.")
class Viewer:
    role: Role = strawberry.field(description="Her role.")
    scope: RowScope | None = strawberry.field(description="Whose members she may see; null for services and members.")
    permissions: list[Permission] = strawberry.field(description="What she may do, in alphabetical order.")
    language: str = strawberry.field(description="The language that sentences are answered in: en or zh-Hans.")
    staff: Staff | None = strawberry.field(description="Herself as staff.")
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = strawberry.field(
        description="Herself as a member."
    )

    @strawberry.field(description="The business clock; in production the real one.")
    async def business_now(self) -> datetime:
        return await business_now()


async def _viewer(info: Info) -> Viewer | None:
    actor = info.context.caller
    if actor is None:
        raise unauthenticated()
    return Viewer(
        role=actor.role,
        scope=actor.scope if actor.is_staff else None,
        permissions=sorted(actor.permissions),
        language=info.context.language,
        staff=project(info, "Staff", actor.staff_id) if actor.staff_id else None,
        member=project(info, "Member", actor.member_id) if actor.member_id else None,
    )


def _named(
    ask: Ask,
    alias: str,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of any row.")],
) -> list[str]:
    return [f"{alias}.id = {ask(split_id(id)[1], 'uuid')}"]


def _type_of(id: strawberry.ID) -> str:
    from api.errors import bad_user_input

    name, _ = split_id(id)
    if name not in TYPES or not issubclass(TYPES[name].cls, Node):
        raise bad_user_input("This is not an id.")
    return name


async def _count_the_look_up(context: ApiContext, id: strawberry.ID) -> None:
    """A row that has a scope is a member's, or leads to her: a service looks it up as it looks her up."""
    if TYPES[_type_of(id)].scope is not None:
        look_up(context, {"node"})


@strawberry.type
class PlatformQueries:
    viewer: Viewer | None = strawberry.field(resolver=_viewer, description="Who is asking.")
    node: Node | None = one(
        "Any row by its global id; null when there is none that the caller may see.",
        find=_named,
        type_of=_type_of,
        before=_count_the_look_up,
    )
