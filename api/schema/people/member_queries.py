"""Root fields about members."""

import strawberry

from api.context import ApiContext
from api.projection import Ask, connection, one
from api.projection.pages import Connection
from api.rates import look_up
from api.schema.people.members import Member
from api.schema.people.searches import MemberSearch, find_member, find_members
from domain.platform.roles import Permission


def _herself(ask: Ask, alias: str) -> list[str]:
    return [f"{alias}.id = {ask(ask.actor.member_id, 'uuid')}"]


async def _know_the_day(context: ApiContext, search: MemberSearch, **_: object) -> None:
    """Only a search by stage needs the business day before its statement is planned."""
    if search.stage is not None:
        await context.learn_business_day()


async def _count_the_look_up(context: ApiContext, **named: object) -> None:
    look_up(context, {name for name, value in named.items() if value is not None})


@strawberry.type
class MemberQueries:
    me: Member | None = one("The member whose token this is; null for everybody else.", find=_herself)
    member: Member | None = one(
        "One member by exactly one of her names; null when there is none whom the caller may see. By a name of one "
        "who was merged away it answers whom she became part of, who has another id and the old one among `formerIds`.",
        find=find_member,
        before=_count_the_look_up,
    )
    members: Connection[Member] | None = connection(
        "Members whom the caller may see, by what is known of them, in a fixed order.",
        key=(("id", "ASC", "uuid"),),
        find=find_members,
        permission=Permission.SEARCH_MEMBERS,
        before=_know_the_day,
    )
