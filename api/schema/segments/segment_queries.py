"""Root fields about segments: what rules may ask, how many a rule means, who, why, and what is kept."""

from typing import Annotated, Any

import strawberry

from api.context import ApiContext
from api.ids import decode_id
from api.projection import Ask, connection, one
from api.projection.pages import Connection
from api.schema.people.members import Member
from api.schema.segments.readings import (
    SegmentCatalogue,
    SegmentCount,
    SegmentOverlap,
    SegmentWhy,
    keep,
    stands_for,
)
from api.schema.segments.segments import Segment
from domain.platform.failures import ValidationError
from domain.platform.roles import Permission
from domain.segments import readings
from domain.segments.compiling import compile_rule, this_moment
from domain.segments.fields import FieldValue, fields_for, values_of
from domain.segments.rules import Group, needs, parse
from domain.segments.segments import admit

Rule = Annotated[
    str,
    strawberry.argument(
        description="The tree as JSON text, as react-querybuilder's formatQuery writes it: {combinator, not, rules: "
        "[{field, operator, value}]}. What is wrong with it is said with its path."
    ),
]


async def _read_fields(context: ApiContext, keys: list[str] | None = None) -> None:
    async def read() -> Any:
        values: dict[str, tuple[FieldValue, ...]] = {"": ()}
        known = [one for one in fields_for(context.actor) if keys is None or one.key in keys]
        for field in known:
            if field.values not in values:
                values[field.values] = tuple(await values_of(context.actor, field.values))
        return tuple((field, values[field.values]) for field in known)

    await keep(context, _named(keys), read)


def _fields(
    ask: Ask,
    alias: str,
    keys: Annotated[list[str] | None, strawberry.argument(description="Only these.")] = None,
) -> list[str]:
    return stands_for(ask.context, alias, _named(keys))


def _named(keys: list[str] | None) -> tuple[object, ...]:
    """All fields and none of them are two readings."""
    return ("fields", None if keys is None else tuple(keys))


async def _count(context: ApiContext, rule: str) -> None:
    await keep(context, ("count", rule), lambda: readings.count(context.actor, rule))


def _counted(ask: Ask, alias: str, rule: Rule) -> list[str]:
    return stands_for(ask.context, alias, ("count", rule))


async def _compare(context: ApiContext, one: str, other: str) -> None:
    await keep(context, ("overlap", one, other), lambda: readings.overlap(context.actor, one, other))


def _compared(ask: Ask, alias: str, one: Rule, other: Rule) -> list[str]:
    return stands_for(ask.context, alias, ("overlap", one, other))


async def _explain(context: ApiContext, rule: str, member_id: strawberry.ID) -> None:
    her = decode_id("Member", member_id)
    await keep(context, ("why", rule, her), lambda: readings.why(context.actor, rule, her))


def _explained(
    ask: Ask, alias: str, rule: Rule, member_id: Annotated[strawberry.ID, strawberry.argument(description="Whom.")]
) -> list[str]:
    _note(ask, rule)
    return stands_for(ask.context, alias, ("why", rule, decode_id("Member", member_id)))


async def _admit(context: ApiContext, rule: str, **_: object) -> None:
    async def read() -> Any:
        admitted = await admit(context.actor, rule)
        return admitted if isinstance(admitted, ValidationError) else (admitted[0], await this_moment())

    await keep(context, ("sample", rule), read)


def _sampled(ask: Ask, alias: str, rule: Rule) -> list[str]:
    tree, moment = ask.context.readings["sample", rule]
    _note(ask, rule)
    meets = compile_rule(tree, moment, ask.parameters)
    return [f"{alias}.id IN (SELECT f.member_id FROM member_facts f WHERE {meets})"]


def _note(ask: Ask, rule: str) -> None:
    """Members looked for by babies' data leave a line in the audit, as in any other search."""
    tree = parse(rule)
    if isinstance(tree, Group) and Permission.READ_BABIES in needs(tree):
        ask.context.searched_by.add("segment_rule")


def _segment(
    ask: Ask, alias: str, id: Annotated[strawberry.ID, strawberry.argument(description="Global id.")]
) -> list[str]:
    return [f"{alias}.id = {ask(decode_id('Segment', id), 'uuid')}"]


def _live(_ask: Ask, alias: str) -> list[str]:
    return [f"{alias}.archived_at IS NULL"]


@strawberry.type
class SegmentQueries:
    segment: Segment | None = one("One segment, live or archived; null when there is none to see.", find=_segment)
    segments: Connection[Segment] | None = connection(
        "Live segments, in a fixed order.", key=(("id", "ASC", "uuid"),), find=_live
    )
    segment_fields: SegmentCatalogue | None = one("What rules may ask.", find=_fields, before=_read_fields)
    segment_count: SegmentCount | None = one("How many members a rule means.", find=_counted, before=_count)
    segment_sample: Connection[Member] | None = connection(
        "Whom a rule means, of those whom the caller may see, in a fixed order.",
        key=(("id", "ASC", "uuid"),),
        find=_sampled,
        permission=Permission.READ_SEGMENTS,
        before=_admit,
    )
    segment_why: SegmentWhy | None = one(
        "Why a member meets a rule or does not; null when the caller may not see her.", find=_explained, before=_explain
    )
    segment_overlap: SegmentOverlap | None = one("How far two rules overlap.", find=_compared, before=_compare)
