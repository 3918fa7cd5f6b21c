"""graphql-core completes what the statements answered: resolvers that read response keys, set on the built schema."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

import orjson
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLUnionType,
    get_named_type,
)
from strawberry import Schema

from api.context import ApiContext
from api.errors import forbidden
from api.projection.declarations import TYPES, Ask, Computed, One, Page, Wanted
from api.projection.pages import STRUCTURES
from api.projection.planner import Planner
from api.projection.reading import fetch
from api.projection.selections import Selections, below
from api.projection.statements import AUDITED, KIND, Plan, Shape, declared, permissions_of
from domain.platform.roles import PERMISSIONS

EVERYBODYS = frozenset.intersection(*PERMISSIONS.values())
Resolver = Callable[..., Any]
Resolution: TypeAlias = GraphQLResolveInfo[Any]


@dataclass(frozen=True, slots=True)
class Row:
    """The name of a row, in a mutation's payload or a subscription's event: read again when it is completed."""

    type_name: str
    key: UUID


def project(_info: Any, type_name: str, key: UUID) -> Any:
    """Name a row for a field of a projected type: read after the verb's transaction, as the actor may see it."""
    assert type_name in TYPES, f"{type_name} is not a projected type"
    return Row(type_name, key)


def install(schema: Schema) -> None:
    """Give every field its resolver. Once, after the schema is built."""
    core = schema._schema  # noqa: SLF001
    for named in core.type_map.values():
        if isinstance(named, GraphQLObjectType):
            if named.name in TYPES or _is_structure(named):
                _read_by_key(named)
            elif not named.name.startswith("__"):
                _read_rows(schema, named, is_subscription=named is core.subscription_type)
        elif isinstance(named, GraphQLUnionType | GraphQLInterfaceType) and _is_projected(
            core.get_possible_types(named)
        ):
            named.resolve_type = _kind


def _is_structure(named: GraphQLObjectType) -> bool:
    definition = named.extensions.get("strawberry-definition")
    concrete_of = getattr(definition, "concrete_of", None)
    return getattr(concrete_of or definition, "origin", None) in STRUCTURES


def _is_projected(possible: Sequence[GraphQLObjectType]) -> bool:
    return bool(possible) and all(named.name in TYPES for named in possible)


def _kind(value: dict[str, Any], _info: Resolution, _abstract: Any) -> str:
    kind: str = value[KIND]
    return kind


def _read_by_key(named: GraphQLObjectType) -> None:
    named.is_type_of = None  # strawberry's refuses dicts
    own = permissions_of_type(named.name) if named.name in TYPES else []
    for name, of in named.fields.items():
        source = declared(of)
        needed = permissions_of(of, source) if source is not None else []
        narrower = [permission for permission in needed if permission not in own and permission not in EVERYBODYS]
        if narrower and isinstance(of.type, GraphQLNonNull):
            raise TypeError(
                f"{named.name}.{name} needs {narrower} beyond its type: make it nullable, or it hides the row"
            )
        of.resolve = _by_key(needed)


def _by_key(permissions: list[Any]) -> Resolver:
    if not permissions:

        def read(source: dict[str, Any], info: Resolution, **_: Any) -> Any:
            return source[info.path.key]  # type: ignore[index]

        return read

    def read_if_allowed(source: dict[str, Any], info: Resolution, **_: Any) -> Any:
        actor = info.context.actor
        for permission in permissions:
            if not actor.may(permission):
                raise forbidden(permission)
        return source[info.path.key]  # type: ignore[index]

    return read_if_allowed


def _read_rows(schema: Schema, named: GraphQLObjectType, *, is_subscription: bool) -> None:
    for of in named.fields.values():
        source = declared(of)
        if isinstance(source, One | Page):
            of.resolve = _root(schema, of, source)
        elif get_named_type(of.type).name in TYPES:
            of.resolve = _payload(schema, of, _event if is_subscription else of.resolve)


def _event(event: Any, _info: Resolution, **_: Any) -> Any:
    return event


def _root(schema: Schema, of: GraphQLField, source: One | Page) -> Resolver:
    permissions = permissions_of(of, source)

    async def resolve(_source: Any, info: Resolution, **_: Any) -> Any:
        context: ApiContext = info.context
        for permission in permissions:
            if not context.actor.may(permission):
                raise forbidden(permission)
        planner = _planner(schema, info)
        arguments = planner.arguments(of, info.field_nodes[0])
        if isinstance(source, Page):
            if source.before is not None:
                await source.before(context, **arguments)
            return await _answer(context, planner.page(of, info.field_nodes))
        type_name = source.type_of(**arguments) if source.type_of else get_named_type(of.type).name
        needed = TYPES[type_name].permission
        if needed is not None and not context.actor.may(needed):
            raise forbidden(needed)
        if source.before is not None:
            await source.before(context, **arguments)
        plan = planner.row(
            type_name,
            lambda alias: source.find(planner.ask, alias, **arguments),
            below(info.field_nodes),
            kind=source.type_of is not None,
        )
        return await _answer(context, plan)

    return resolve


def _payload(schema: Schema, of: GraphQLField, inner: Resolver | None) -> Resolver:
    permissions = permissions_of_type(get_named_type(of.type).name)

    async def resolve(source: Any, info: Resolution, **arguments: Any) -> Any:
        value = inner(source, info, **arguments) if inner is not None else getattr(source, info.field_name)
        if isinstance(value, Awaitable):
            value = await value
        if value is None:
            return None
        for permission in permissions:
            if not info.context.actor.may(permission):
                raise forbidden(permission)
        wanted = value if isinstance(value, list) else [value]
        planner = _planner(schema, info)
        plan = (
            planner.rows(wanted[0].type_name, [row.key for row in wanted], below(info.field_nodes)) if wanted else None
        )
        answer = await _answer(info.context, plan) if plan else []
        return answer if isinstance(value, list) else answer[0]

    return resolve


def permissions_of_type(type_name: str) -> list[Any]:
    permission = TYPES[type_name].permission
    return [] if permission is None else [permission]


def _planner(schema: Schema, info: Resolution) -> Planner:
    selections = Selections(info.schema, info.fragments, info.context.variables)
    return Planner(schema, selections, Ask(info.context))


async def _answer(context: ApiContext, plan: Plan) -> Any:
    text = await fetch(context, plan.sql, plan.parameters)
    if text is None:
        return None
    data = orjson.loads(text)
    if not plan.shape.is_done:
        await _finish(context, data, plan.shape)
    return data


async def _finish(context: ApiContext, data: Any, shape: Shape) -> None:
    """Fill in what is computed, a batch for each family, and note what the audit wants to know."""
    wanted: dict[str, list[tuple[dict[str, Any], str, Computed, Wanted]]] = defaultdict(list)
    _gather(context, data, shape, wanted)
    for family, found in wanted.items():
        values = await found[0][2].family.compute(context, [item for _, _, _, item in found])
        assert len(values) == len(found), f"{family} answered another number of values"
        for (target, key, _, _), value in zip(found, values, strict=True):
            target[key] = value


def _gather(context: ApiContext, data: Any, shape: Shape, wanted: dict[str, list[Any]]) -> None:
    if isinstance(data, list):
        for item in data:
            _gather(context, item, shape, wanted)
        return
    if data is None:
        return
    for key, source, arguments in shape.fills:
        needs = data[f"#{source.family.name}"]
        wanted[source.family.name].append((data, key, source, Wanted(source.name, needs, arguments)))
    if shape.audited:
        context.read[shape.audited].add(UUID(data[AUDITED]))
    for key, child in shape.children.items():
        _gather(context, data[key], child, wanted)
    arm = shape.arms.get(data.get(KIND, "")) if shape.arms else None
    if arm is not None:
        _gather(context, data, arm, wanted)
