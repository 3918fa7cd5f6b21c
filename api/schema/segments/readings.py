"""What a rule says now: computed by the domain when the field is admitted, shown by the row that stands for it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import strawberry

from api.context import ApiContext
from api.errors import bad_user_input, forbidden
from api.projection import Family, Wanted, computed, projected
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Permission
from domain.segments.fields import Field, FieldValue
from domain.segments.readings import Counted, Overlap, Reason, Why
from domain.stages.wording import is_chinese

MOST_READINGS = 20  # in one operation: each may look at every member
PLACES = f"(SELECT place FROM generate_series(0, {MOST_READINGS - 1}) place)"


async def keep(context: ApiContext, key: tuple[object, ...], read: Callable[[], Awaitable[Any]]) -> None:
    """Work the answer out before the operation's statement; what cannot be right is the root field's error."""
    if key in context.readings:
        return
    if len(context.readings) >= MOST_READINGS:
        raise bad_user_input(f"At most {MOST_READINGS} readings of rules at a time.")
    found = await read()
    if isinstance(found, ValidationError):
        raise bad_user_input("; ".join(f"{flaw.field}: {flaw.message}" for flaw in found.errors))
    if isinstance(found, NotPermitted):
        raise forbidden(found.permission)
    context.readings[key] = found


def stands_for(context: ApiContext, alias: str, key: tuple[object, ...]) -> list[str]:
    """The row whose place is the answer's among the operation's readings; none where there is no answer."""
    if context.readings.get(key) is None:
        return ["FALSE"]
    return [f"{alias}.place = {list(context.readings).index(key)}"]


async def _compute(context: ApiContext, wanted: Sequence[Wanted]) -> list[Any]:
    found = list(context.readings.values())
    return [SHOWN[type(one := found[item.needs["place"]])](context, item.name, one) for item in wanted]


READINGS = Family("readings", needs={"place": "{t}.place"}, compute=_compute)


@projected(
    table=PLACES, made_of=(), scope=None, permission=Permission.READ_SEGMENTS, description="How many a rule means."
)
class SegmentCount:
    members: int = computed(READINGS, "members", "Members who meet it now, of those whom the caller may see.")
    seen: int = computed(READINGS, "seen", "Members whom the caller may see.")


@projected(
    table=PLACES, made_of=(), scope=None, permission=Permission.READ_SEGMENTS, description="How far two rules overlap."
)
class SegmentOverlap:
    one: int = computed(READINGS, "one", "Members who meet the first rule, of those whom the caller may see.")
    other: int = computed(READINGS, "other", "Members who meet the second rule.")
    both: int = computed(READINGS, "both", "Members who meet both.")


@strawberry.type(description="One condition of a rule for one member.")
class SegmentCondition:
    path: str = strawberry.field(description="Where it stands in the tree: `rule.rules[0].rules[2]`.")
    field: str = strawberry.field(description="What it asks.")
    operator: str = strawberry.field(description="How it compares.")
    is_met: bool = strawberry.field(description="Whether she meets it now.")
    value: str = strawberry.field(description="What she has, several values side by side; empty: nothing is known.")


@projected(
    table=PLACES,
    made_of=(),
    scope=None,
    permission=Permission.READ_SEGMENTS,
    description="Why a member meets a rule, or does not.",
)
class SegmentWhy:
    is_in: bool = computed(READINGS, "is_in", "Whether she meets it now.")
    conditions: list[SegmentCondition] = computed(READINGS, "conditions", "Every condition, in the tree's order.")


@strawberry.type(description="A value that may be chosen, as react-querybuilder's `values` want it.")
class SegmentValue:
    name: str = strawberry.field(description="What stands in the rule.")
    label: str = strawberry.field(description="What people read, in the caller's language.")


@strawberry.type(description="Something that a rule may ask, as react-querybuilder's `fields` want it.")
class SegmentField:
    name: str = strawberry.field(description="What stands in the rule: `orders.count`.")
    label: str = strawberry.field(description="What people read, in the caller's language.")
    type: str = strawberry.field(description="number, date (2017-12-15), choice, id, or set (has any of, none of).")
    operators: list[str] = strawberry.field(
        description="By react-querybuilder's names. !=, notIn, notBetween and null are exactly the opposites of =, in, "
        "between and notNull; of several babies, one that meets it is enough."
    )
    values: list[SegmentValue] = strawberry.field(description="Of a choice, id or set: the first 500; else empty.")
    narrowing: list[str] = strawberry.field(
        description='By what the value may be narrowed: {"value": 2, "days": 90, "category": "DIAPERS"} means the '
        "last 90 local days, today among them."
    )


@projected(table=PLACES, made_of=(), scope=None, permission=Permission.READ_SEGMENTS, description="What rules may ask.")
class SegmentCatalogue:
    fields: list[SegmentField] = computed(READINGS, "fields", "Those that the caller's role may use.")


def _field(context: ApiContext, field: Field, values: Sequence[FieldValue]) -> SegmentField:
    chinese = is_chinese(context.language)
    return SegmentField(
        name=field.key,
        label=field.label_zh if chinese else field.label_en,
        type=field.type,
        operators=list(field.operators),
        values=[SegmentValue(name=one.name, label=one.label_zh if chinese else one.label_en) for one in values],
        narrowing=list(field.narrowing),
    )


def _condition(reason: Reason) -> SegmentCondition:
    return SegmentCondition(
        path=reason.path, field=reason.field, operator=reason.operator, is_met=reason.is_met, value=reason.value
    )


def _why(_: ApiContext, name: str, found: Why) -> Any:
    return found.is_in if name == "is_in" else [_condition(one) for one in found.reasons]


SHOWN: dict[type[Any], Callable[[ApiContext, str, Any], Any]] = {
    Counted: lambda _, name, found: getattr(found, name),
    Overlap: lambda _, name, found: getattr(found, {"one": "first", "other": "second"}.get(name, name)),
    Why: _why,
    tuple: lambda context, _, found: [_field(context, field, values) for field, values in found],
}
