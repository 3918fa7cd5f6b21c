"""Who is asking, for screens."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import ApiContext
from api.errors import bad_user_input
from api.ids import split_id
from api.projection import TYPES, Ask, Family, Wanted, computed, expression, one, projected, relation
from api.rates import look_up
from api.schema.commerce.staff import Staff
from api.schema.nodes import Node
from api.schema.people.searches import who_is
from domain.commerce.staff import RowScope
from domain.outreach.festivals import feasts
from domain.platform.roles import Permission, Role
from domain.stages.lunar import FIRST_YEAR, LAST_YEAR
from domain.stages.wording import is_chinese

if TYPE_CHECKING:
    from api.schema.people.members import Member

MOST_DAYS = 400


@strawberry.type(description="A festival of a year.")
class FestivalDay:
    code: str = strawberry.field(description="Which: MOTHERS_DAY, MID_AUTUMN, ...; the same every year.")
    name: str = strawberry.field(description="Its name in the caller's language.")
    on: date = strawberry.field(description="The day.")
    is_sensitive: bool = strawberry.field(
        description="true: touches bound to it are muted for a family that has stopped the content of a baby."
    )


def _days(
    from_: Annotated[date, strawberry.argument(name="from", description="First day.")],
    to: Annotated[
        date, strawberry.argument(description=f"Last day, itself included; at most {MOST_DAYS} days after `from`.")
    ],
) -> None:
    if not FIRST_YEAR < from_.year < LAST_YEAR or not 0 <= (to - from_).days <= MOST_DAYS:
        raise bad_user_input(
            f"`from` is a day of {FIRST_YEAR + 1} to {LAST_YEAR - 1}; `to` the same or at most {MOST_DAYS} days later."
        )


async def _feasts(context: ApiContext, wanted: Sequence[Wanted]) -> list[list[FestivalDay]]:
    chinese = is_chinese(context.language)
    return [
        [
            FestivalDay(
                code=one.festival.code,
                name=one.festival.zh if chinese else one.festival.en,
                on=one.on,
                is_sensitive=one.festival.is_sensitive,
            )
            for one in feasts(item.given["from_"], item.given["to"])
        ]
        for item in wanted
    ]


FESTIVALS = Family("festivals", needs={}, compute=_feasts)


def _own(name: str) -> Callable[[Ask, str], str]:
    """The row that the caller herself is."""
    return lambda ask, alias: f"{alias}.id = {ask(getattr(ask.actor, name), 'uuid')}"


def _scope(ask: Ask, _alias: str) -> str:
    return ask(ask.actor.scope.value if ask.actor.is_staff else None, "text")


@projected(table="(SELECT)", made_of=(), scope=None, permission=None, description="The caller: role, rights and place.")
class Viewer:
    role: Role = expression(lambda ask, _: ask(ask.actor.role.value, "text"), "Her role.")
    scope: RowScope | None = expression(_scope, "Whose members she may see; null for services and members.")
    permissions: list[Permission] = expression(
        lambda ask, _: ask(sorted(one.value for one in ask.actor.permissions), "text[]"),
        "What she may do, in alphabetical order.",
    )
    language: str = expression(
        lambda ask, _: ask(ask.language, "text"), "The language that sentences are answered in: en or zh-Hans."
    )
    staff: Staff | None = relation("Herself as staff.", on={}, where=_own("staff_id"))
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = relation(
        "Herself as a member.", on={}, where=_own("member_id")
    )
    festivals: list[FestivalDay] = computed(
        FESTIVALS, "festivals", "The festivals from one day to another, in the order of days.", given=_days
    )
    business_now: datetime = expression("business_now()", "The business clock; in production the real one.")


def _everybody(_ask: Ask, _alias: str) -> list[str]:
    return []


def _named(
    ask: Ask,
    alias: str,
    id: Annotated[strawberry.ID, strawberry.argument(description="Global id of any row.")],
) -> list[str]:
    name, key = split_id(id)
    value = ask(key, "uuid")
    return [f"{alias}.id = {who_is(value) if name == 'Member' else value}"]


def _type_of(id: strawberry.ID) -> str:
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
    viewer: Viewer | None = one("Who is asking.", find=_everybody)
    node: Node | None = one(
        "Any row by its global id; null when there is none that the caller may see. For a member who was merged away "
        "it answers whom she became part of, with that one's id.",
        find=_named,
        type_of=_type_of,
        before=_count_the_look_up,
    )
