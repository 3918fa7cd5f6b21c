"""Queries answered a second time: graphql-core over the SDL's text and resolvers that walk rows in Python.

`answer` is the oracle. What it does on purpose as the API does, and a stock server would not: an argument that cannot
be right is an error of its root field wherever it stands (`refusals.py`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    execute_sync,
    get_named_type,
    parse,
)

from api.schema import schema_sdl
from domain.platform.actors import Actor
from tests.api.differential.builder import Row
from tests.api.differential.computed import COMPUTED
from tests.api.differential.fields import (
    BUSINESS_NOW,
    COLUMNS,
    LISTS,
    NAMED,
    PARTS,
    VALUES,
    Context,
    Thing,
    listed,
    named,
)
from tests.api.differential.finders import Finder, key_of
from tests.api.differential.lists import PAGES, Paged, cursor_of
from tests.api.differential.refusals import codes_of_roots
from tests.api.differential.sights import Sight, may
from tests.api.differential.world import World


@dataclass(frozen=True, slots=True)
class Told:
    """The oracle's answer; `codes` says for each refused root field which codes would be right."""

    data: dict[str, Any] | None
    errors: list[tuple[tuple[str | int, ...], str]]
    codes: dict[str, set[str]]


def answer(world: World, actor: Actor | None, language: str, document: str, variables: dict[str, Any]) -> Told:
    """What the API must answer."""
    schema, parsed = contract(), parse(document)
    sight = Sight(world, actor) if actor is not None else None
    codes = codes_of_roots(schema, parsed, variables, Finder(sight) if sight is not None else None)
    result = execute_sync(
        schema,
        parsed,
        context_value=Context(sight, language, codes),
        variable_values=variables,
        field_resolver=_resolve,
        type_resolver=lambda thing, _info, _of: thing.type_name,
    )
    assert isinstance(result, ExecutionResult)
    return Told(result.data, [(tuple(one.path or ()), _code(one)) for one in result.errors or ()], codes)


def _code(error: GraphQLError) -> str:
    if error.extensions and "code" in error.extensions:
        return str(error.extensions["code"])
    broken = error.path and error.original_error is not None and not isinstance(error.original_error, GraphQLError)
    if broken and "Cannot return null" not in error.message:
        raise AssertionError("the reference is wrong") from error.original_error
    return "INTERNAL_ERROR" if broken else "BAD_USER_INPUT"


@cache
def contract() -> GraphQLSchema:
    """The schema as everybody can read it, without a trace of the code that printed it."""
    schema = build_schema(schema_sdl())
    scalars: dict[str, tuple[Callable[[Any], str], Callable[[Any], object]]] = {
        "DateTime": (_moment, _read_moment),
        "Date": (date.isoformat, date.fromisoformat),
        "Decimal": (lambda value: format(value, "f"), Decimal),
    }
    for name, (serialize, parse_value) in scalars.items():
        scalar = schema.type_map[name]
        assert isinstance(scalar, GraphQLScalarType)
        scalar.serialize = scalar.coerce_output_value = serialize  # type: ignore[method-assign,assignment]
        scalar.parse_value = scalar.coerce_input_value = parse_value  # type: ignore[method-assign,assignment]
    return schema


def _moment(value: Any) -> str:
    if value == BUSINESS_NOW:
        return BUSINESS_NOW
    whole, _, fraction = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").partition(".")
    return f"{whole}.{fraction}".rstrip("0").rstrip(".") + "+00:00"


def _read_moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def _resolve(source: Any, info: GraphQLResolveInfo[Context], /, **given: Any) -> Any:
    type_name, field, context = info.parent_type.name, info.field_name, info.context
    if type_name == "Query":
        return _root(info, given)
    if isinstance(source, dict):  # connections and computed objects
        value = source[field]
        return value() if callable(value) else value
    path = f"{type_name}.{field}"
    target = _target(info)
    if not may(context.actor, path, target):
        raise GraphQLError("", extensions={"code": "FORBIDDEN"})
    row: Row = source.row
    if path in PAGES:
        return _page(path, target, listed(path, context, row, given), given)
    if path in LISTS:
        seen = [one for one in LISTS[path](context, row) if target in PARTS or context.sees(target, one)]
        return [Thing(target, one) for one in seen[: given["first"]]]
    if path in NAMED:
        return named(context, target, row[NAMED[path]])
    if path in COMPUTED:
        return COMPUTED[path](context.world, row, context.language, **given)
    if path in VALUES:
        return VALUES[path](context, row)
    return f"{type_name}:{row['id']}" if field == "id" else row[COLUMNS.get(path) or snake(field)]


def snake(name: str) -> str:
    return re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)


def _target(info: GraphQLResolveInfo[Context]) -> str:
    """The type that a field leads to; of a connection the type of its nodes."""
    name = get_named_type(info.return_type).name
    return name.removesuffix("Connection")


def _root(info: GraphQLResolveInfo[Context], given: dict[str, Any]) -> Any:
    context: Context = info.context
    refused = context.codes.get(str(info.path.key))
    if refused:
        raise GraphQLError("", extensions={"code": min(refused)})
    assert context.sight is not None
    field = info.field_name
    if field == "viewer":
        return Thing("Viewer", {})
    if field == "node":
        type_name, key = key_of(given["id"])
        if type_name == "Member":
            key = (context.world.row("members", key) or {}).get("merged_into_id") or key
        return named(context, type_name, key)
    target, find = _target(info), Finder(context.sight).find
    if f"Query.{field}" in PAGES:
        # Lazily: a page of which nothing but its type is asked finds nobody.
        return _page(f"Query.{field}", target, lambda: find(field, given), given)
    found = find(field, given)
    return Thing(target, found[0]) if found else None


def _page(path: str, target: str, rows: Callable[[], Sequence[Row]], given: dict[str, Any]) -> dict[str, Any]:
    order, after = PAGES[path], given.get("after")

    def page() -> Paged:
        return Paged(rows(), order, given["first"], after)

    def edges() -> list[dict[str, Any]]:
        return [{"node": Thing(row.get("#type", target), row), "cursor": cursor_of(order, row)} for row in page().shown]

    def info() -> dict[str, Any]:
        found = page()
        ends = [cursor_of(order, row) for row in found.shown]
        return {
            "hasNextPage": found.has_more, "hasPreviousPage": after is not None,
            "startCursor": ends[0] if ends else None, "endCursor": ends[-1] if ends else None,
        }  # fmt: skip

    return {"edges": edges, "pageInfo": info, "totalCount": lambda: len(rows())}
