"""A query from operation to answer: planned once for everybody of the same rights, then bound, run and finished.

`answer` serves queries. `read_rows` serves what graphql-core completes: the payloads of mutations and events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    SelectionSetNode,
    execute_sync,
    get_named_type,
)

from api import metrics
from api.context import ApiContext
from api.errors import forbidden
from api.plans import NO_PLAN, PLANS, Plan
from api.projection import TYPES, Ask, One, Page
from api.projection.finishing import Nulled, check, fill, located
from api.projection.planner import Planner
from api.projection.selections import Operation, Root, Selections, below, permissions_of
from api.projection.statements import (
    KEYS,
    NULL_MARK,
    Holes,
    Refused,
    Row,
    Slots,
    Statement,
    anybody_like,
    rights_of,
)
from api.reads import fetch
from domain.platform.actors import Actor
from domain.platform.roles import Permission

META = ("__schema", "__type")
NULL_FOUND = NULL_MARK.encode()


@dataclass(frozen=True, slots=True)
class Answered:
    """`data` as pieces of JSON text in UTF-8, and what went wrong."""

    data: Sequence[bytes]
    errors: list[GraphQLError]


async def answer(operation: Operation, context: ApiContext) -> Answered:
    """Answer a query in at most one statement, and one batch for each family of computed values."""
    roots = operation.roots_of(context.variables)
    failed: dict[str, GraphQLError] = {}
    types: dict[str, str] = {}
    row: Sequence[Any] = ()
    for root in roots:
        if root.source is not None:
            try:
                await _admit(root, context, types)
            except Exception as error:  # noqa: BLE001  # one field's failure is its own
                failed[root.key] = as_graphql(error)
    while True:
        wanted = [root for root in roots if root.source is not None and root.key not in failed]
        if not wanted:
            plan = NO_PLAN
            break
        plan = _plan(operation, wanted, context, types)
        try:
            sql, values = plan.statement.bind(context)
            row = await fetch(context, sql, values)
            break
        except Refused as refused:
            failed[refused.root] = as_graphql(refused.__cause__)
    errors: list[GraphQLError] = []
    parts = list[bytes]()
    for root in roots:
        parts += (b',"' if parts else b'{"', root.key.encode(), b'":')
        parts.append(await _part(root, operation, context, plan, row, failed, errors))
    return Answered([*(parts or (b"{",)), b"}"], errors)


async def _admit(root: Root, context: ApiContext, types: dict[str, str]) -> None:
    """Whether the caller may ask this root field at all, and what has to happen before."""
    source, actor = root.source, context.actor
    assert root.of is not None
    assert source is not None
    assert root.arguments is not None
    _demand(actor, permissions_of(root.of, source))
    if source.before is None and not root.is_abstract:
        return
    given = root.arguments(context.variables)
    if isinstance(source, One) and source.type_of is not None:
        types[root.key] = source.type_of(**given)
        needed = TYPES[types[root.key]].permission
        _demand(actor, [needed] if needed is not None else [])
    if source.before is not None:
        await source.before(context, **given)


def _demand(actor: Actor, permissions: Sequence[Permission]) -> None:
    for permission in permissions:
        if not actor.may(permission):
            raise forbidden(permission)


def _plan(operation: Operation, roots: Sequence[Root], context: ApiContext, types: Mapping[str, str]) -> Plan:
    actor = context.actor
    key = (
        operation, operation.shape_of(context.variables), rights_of(actor), context.language, context.config.time_zone,
        tuple(types.items()), tuple(root.key for root in roots),
    )  # fmt: skip
    plan = PLANS.get(key)
    if plan is None:
        plan = _planned(operation, roots, context, types)
        PLANS.keep(key, plan)
    return plan


def _planned(operation: Operation, roots: Sequence[Root], context: ApiContext, types: Mapping[str, str]) -> Plan:
    planner = _planner(operation, context)
    top, columns, shapes = Row(""), [], []
    slots, holes = planner.ask.parameters, planner.holes
    assert isinstance(slots, Slots)
    for root in roots:
        slots.owner = holes.owner = root.key
        assert root.of is not None
        if isinstance(root.source, Page):
            sql, shape = planner.page(top, root.of, root.nodes)
        else:
            target = types.get(root.key) or get_named_type(root.of.type).name
            sql, shape = planner.one(top, root.of, root.nodes, target)
        columns.append(sql)
        shapes.append(shape)
    return Plan(
        _statement(planner, top, columns),
        {root.key: place for place, root in enumerate(roots)},
        shapes,
        [shape.is_done for shape in shapes],
        [shape.is_checked for shape in shapes],
    )


def _planner(operation: Operation, context: ApiContext, *, for_core: bool = False) -> Planner:
    slots, holes = Slots(), Holes()
    ask = Ask(anybody_like(context.actor), context.language, context.config, slots)
    return Planner(
        Selections(operation.schema, operation.fragments, context.variables, operation.readers), ask, holes, for_core
    )


def _statement(planner: Planner, top: Row, columns: Sequence[str]) -> Statement:
    # As bytes: a page that goes out untouched is never decoded.
    texts = [f"convert_to({sql}, 'UTF8') AS j{number}" for number, sql in enumerate(columns)]
    notes = [f"{top.noted} AS a"] if top.notes else []
    source = f" FROM (SELECT 1) one{top.joined}" if top.joins else ""
    sql = f"SELECT {', '.join([*texts, *notes])}{source}"
    slots = planner.ask.parameters
    assert isinstance(slots, Slots)
    return Statement(sql, len(columns), slots, planner.holes, noted=frozenset(planner.noted))


async def _part(
    root: Root, operation: Operation, context: ApiContext, plan: Plan, row: Sequence[Any],
    failed: Mapping[str, GraphQLError], errors: list[GraphQLError],
) -> bytes:  # fmt: skip
    """The JSON text of a root field."""
    if root.source is None:
        return _told(root, operation, context)
    if root.key in failed:
        errors.append(located(failed[root.key], root.nodes[0], [root.key]))
        return b"null"
    place = plan.keys[root.key]
    text: bytes | None = row[place]
    if text is None:
        return b"null"
    if plan.is_done[place] and not (plan.is_checked[place] and b"#" in text and NULL_FOUND in text):
        return text
    data, found = orjson.loads(text), list[GraphQLError]()
    try:
        await fill(context, data, plan.shapes[place])
        data = check(data, plan.shapes[place], [root.key], found)
    except Nulled:
        data = None
    except Exception as error:  # noqa: BLE001  # what a family raises is its field's
        data, found = None, [located(as_graphql(error), root.nodes[0], [root.key])]
    errors.extend(found)
    return orjson.dumps(data)


def _told(root: Root, operation: Operation, context: ApiContext) -> bytes:
    """What the schema says of itself: the only part of a query that graphql-core answers."""
    query = operation.schema._schema.query_type  # noqa: SLF001
    assert query is not None
    if root.nodes[0].name.value not in META:
        return f'"{query.name}"'.encode()
    metrics.FALLBACK.labels("introspection").inc()
    alone = OperationDefinitionNode(
        operation=operation.node.operation,
        variable_definitions=operation.node.variable_definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=tuple(root.nodes)),
    )
    result = execute_sync(
        operation.schema._schema,  # noqa: SLF001
        DocumentNode(definitions=(alone, *operation.fragments.values())),
        variable_values={name: context.variables.coerced[name] for name in context.variables.coerced},
    )
    assert result.data is not None, result.errors
    return orjson.dumps(result.data[root.key])


async def read_rows(
    operation: Operation, context: ApiContext, place: tuple[str, ...], type_name: str, keys: Sequence[object],
    nodes: Sequence[FieldNode],
) -> list[Any]:  # fmt: skip
    """The rows of a payload's field, in the order of `keys`, decoded for graphql-core; null where out of scope."""
    variables, actor = context.variables, context.actor
    key = (
        operation, place, type_name, operation.shape_of(variables), rights_of(actor), context.language,
        context.config.time_zone,
    )  # fmt: skip
    plan = PLANS.get(key)
    if plan is None:
        planner, top = _planner(operation, context, for_core=True), Row("")
        sql, shape = planner.rows(top, type_name, KEYS, below(nodes))
        plan = Plan(_statement(planner, top, [sql]), {"": 0}, [shape], [shape.is_done], [False])
        PLANS.keep(key, plan)
    try:
        sql, values = plan.statement.bind(context, keys)
    except Refused as refused:
        raise as_graphql(refused.__cause__) from None
    [text, *_] = await fetch(context, sql, values)
    data: list[Any] = orjson.loads(text)
    await fill(context, data, plan.shapes[0])
    return data


def as_graphql(error: BaseException | None) -> GraphQLError:
    """The error as one of a field; its text is only shown where it is ours."""
    return error if isinstance(error, GraphQLError) else GraphQLError("", original_error=error)  # type: ignore[arg-type]
