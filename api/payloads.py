"""Payloads of mutations and events of subscriptions: rows that a verb names, read by the projection.

graphql-core completes them: resolvers that read response keys are set on the built schema, once.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

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
from api.projection import TYPES, One, Page
from api.projection.finishing import KIND
from api.projection.operations import read_rows
from api.projection.pages import STRUCTURES
from api.projection.selections import declared, permissions_of
from domain.platform.roles import PERMISSIONS, Permission

EVERYBODYS = frozenset.intersection(*PERMISSIONS.values())
Resolver = Callable[..., Any]
Resolution: TypeAlias = GraphQLResolveInfo[Any]


@dataclass(frozen=True, slots=True)
class Named:
    """The name of a row, in a mutation's payload or a subscription's event: read when it is completed."""

    type_name: str
    key: UUID


def project(_info: Any, type_name: str, key: UUID) -> Any:
    """Name a row for a field of a projected type: read after the verb's transaction, as the actor may see it."""
    assert type_name in TYPES, f"{type_name} is not a projected type"
    return Named(type_name, key)


def install(schema: Schema) -> None:
    """Give every field its resolver. Once, after the schema is built."""
    core = schema._schema  # noqa: SLF001
    for named in core.type_map.values():
        if isinstance(named, GraphQLObjectType):
            if named.name in TYPES or _is_structure(named):
                _read_by_key(named)
            elif named is core.query_type:
                _answer_by_projection(named)
            elif not named.name.startswith("__"):
                _read_rows(named, is_subscription=named is core.subscription_type)
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


def _answer_by_projection(query: GraphQLObjectType) -> None:
    for name, of in query.fields.items():
        if not isinstance(declared(of), One | Page):
            raise TypeError(f"Query.{name} is not declared: root fields are `one` or `connection`")
        if isinstance(of.type, GraphQLNonNull):
            raise TypeError(f"Query.{name} may be refused: make it nullable, or it hides the other root fields")


def _read_by_key(named: GraphQLObjectType) -> None:
    named.is_type_of = None  # strawberry's refuses dicts
    permission = TYPES[named.name].permission if named.name in TYPES else None
    for name, of in named.fields.items():
        source = declared(of)
        needed = permissions_of(of, source) if source is not None else []
        narrower = [one for one in needed if one != permission and one not in EVERYBODYS]
        if narrower and isinstance(of.type, GraphQLNonNull):
            raise TypeError(
                f"{named.name}.{name} needs {narrower} beyond its type: make it nullable, or it hides the row"
            )
        of.resolve = _by_key(needed)


def _by_key(permissions: Sequence[Permission]) -> Resolver:
    def read(source: dict[str, Any], info: Resolution, **_: Any) -> Any:
        for permission in permissions:
            if not info.context.actor.may(permission):
                raise forbidden(permission)
        return source[info.path.key]  # type: ignore[index]

    return read


def _read_rows(named: GraphQLObjectType, *, is_subscription: bool) -> None:
    for of in named.fields.values():
        if get_named_type(of.type).name in TYPES:
            of.resolve = _payload(of, _event if is_subscription else of.resolve)


def _event(event: Any, _info: Resolution, **_: Any) -> Any:
    return event


def _payload(of: GraphQLField, inner: Resolver | None) -> Resolver:
    type_name = get_named_type(of.type).name
    permission = TYPES[type_name].permission

    async def resolve(source: Any, info: Resolution, **arguments: Any) -> Any:
        value = inner(source, info, **arguments) if inner is not None else getattr(source, info.field_name)
        if isinstance(value, Awaitable):
            value = await value
        if value is None or value == []:
            return value
        context: ApiContext = info.context
        if permission is not None and not context.actor.may(permission):
            raise forbidden(permission)
        named = value if isinstance(value, list) else [value]
        place = tuple(str(key) for key in info.path.as_list() if isinstance(key, str))
        assert context.operation is not None
        found = await read_rows(
            context.operation, context, place, type_name, [row.key for row in named], info.field_nodes
        )
        return found if isinstance(value, list) else found[0]

    return resolve
