"""One way to run a document: parsed and validated once a text, weighed before any SQL, completed, errors masked."""

import asyncio
import contextlib
import hashlib
import time
import traceback
from collections import OrderedDict
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql import execute as execute_core
from graphql.execution import Executor, create_source_event_stream, execute_subscription_event
from graphql.execution.values import get_variable_values
from graphql.validation import NoSchemaIntrospectionCustomRule
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api import limits, metrics
from api.config import ApiConfig
from api.context import ApiContext
from api.errors import ApiError, Code, deadline_exceeded, limit_exceeded
from api.projection.audit import record_reads
from api.schema import build_schema
from domain.platform.actors import Actor
from domain.platform.roles import Permission

log = structlog.get_logger("nestling.graphql")

DEADLINE_S = 5.0
ANONYMOUS_DEADLINE_S = 1.0
MOST_REMEMBERED = 1_000_000  # characters of the documents that a process remembers; a tree takes 50 times its text


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: `data` is absent (not null) when nothing was executed."""

    body: dict[str, Any]
    is_executed: bool

    @property
    def codes(self) -> list[str]:
        return [error.get("extensions", {}).get("code", "") for error in self.body.get("errors", ())]


class Documents:
    """Documents that were parsed and validated, by text and right to introspect; least recently used first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, bool], DocumentNode] = OrderedDict()
        self._characters = 0

    def get(self, schema: GraphQLSchema, text: str, *, may_introspect: bool) -> DocumentNode | list[GraphQLError]:
        """The valid document, or what is wrong with it."""
        key = (text, may_introspect)
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        found = self._read(schema, text, may_introspect=may_introspect)
        if isinstance(found, DocumentNode):
            self._known[key] = found
            self._characters += len(text)
            while self._characters > MOST_REMEMBERED:
                (forgotten, _), _ = self._known.popitem(last=False)
                self._characters -= len(forgotten)
        return found

    @staticmethod
    def _read(schema: GraphQLSchema, text: str, *, may_introspect: bool) -> DocumentNode | list[GraphQLError]:
        try:
            document = parse(text, max_tokens=limits.MOST_TOKENS, no_location=False)
        except GraphQLSyntaxError as error:
            if "tokens" in error.message:
                return [limit_exceeded("tokens", limits.MOST_TOKENS)]
            error.extensions = {"code": Code.GRAPHQL_PARSE_FAILED.value}
            return [error]
        except RecursionError:
            return [limit_exceeded("depth", limits.MOST_DEPTH)]
        for operation in document.definitions:
            if isinstance(operation, OperationDefinitionNode):
                refused = limits.refusal(schema, document, operation, {})
                if refused is not None:
                    return [refused]
        rules = [*specified_rules, *([] if may_introspect else [NoSchemaIntrospectionCustomRule])]
        errors = validate(schema, document, rules, max_errors=limits.MOST_ERRORS, hide_suggestions=not may_introspect)
        for wrong in errors:
            is_hidden = "introspection" in wrong.message.lower() and not may_introspect
            code = Code.INTROSPECTION_DISABLED if is_hidden else Code.GRAPHQL_VALIDATION_FAILED
            wrong.extensions = {"code": code.value}
        return errors or document


DOCUMENTS = Documents()


def may_introspect(config: ApiConfig, actor: Actor | None) -> bool:
    """Everybody in development; in production roles with INTROSPECT, unless a setting says otherwise."""
    if config.introspection is not None:
        return config.introspection
    return not config.is_production or (actor is not None and actor.may(Permission.INTROSPECT))


async def execute(
    document: str,
    variables: Mapping[str, Any] | None,
    actor: Actor | None,
    *,
    config: ApiConfig,
    language: str = "en",
    operation_name: str | None = None,
) -> dict[str, Any]:
    """The response to a query or mutation as a dict: `data` and, where something went wrong, `errors`."""
    context = ApiContext(caller=actor, config=config, language=language)
    answer = await run(Request(document, variables or {}, operation_name), context)
    return answer.body


async def run(request: Request, context: ApiContext, *, queries_only: bool = False) -> Answer:
    """Answer a query or mutation. Never raises for what a client can cause."""
    started = time.perf_counter()
    prepared = prepare(request, context)
    if not isinstance(prepared, Operation):
        return _refused(prepared, "none", started)
    kind = prepared.node.operation
    if kind is OperationType.SUBSCRIPTION or (queries_only and kind is not OperationType.QUERY):
        where = "Subscriptions run over graphql-transport-ws." if not queries_only else "GET runs queries only."
        return _refused([ApiError(Code.BAD_REQUEST, where)], kind.value, started)
    deadline = DEADLINE_S if context.caller is not None else ANONYMOUS_DEADLINE_S
    try:
        async with asyncio.timeout(deadline):
            result = await _execute(prepared, context)
            await record_reads(context)
    except TimeoutError:
        return _refused([deadline_exceeded()], kind.value, started)
    answer = Answer(response(result, context), is_executed=True)
    metrics.operation(kind.value, answer.codes, time.perf_counter() - started, context.statements)
    return answer


@dataclass(frozen=True, slots=True)
class Operation:
    """A document that may run: valid, within the limits, its variables coerced."""

    schema: GraphQLSchema
    document: DocumentNode
    node: OperationDefinitionNode
    variables: dict[str, Any]
    name: str | None


def prepare(request: Request, context: ApiContext) -> Operation | Sequence[GraphQLError]:
    """Everything that comes before execution; no SQL is sent for what it refuses."""
    schema = build_schema()._schema  # noqa: SLF001
    found = DOCUMENTS.get(schema, request.query, may_introspect=may_introspect(context.config, context.caller))
    if not isinstance(found, DocumentNode):
        return found
    node = get_operation_ast(found, request.operation_name)
    if node is None:
        return [ApiError(Code.BAD_REQUEST, "Name one operation of the document by operationName.")]
    refused = limits.refusal(schema, found, node, request.variables)
    if refused is not None:
        return [refused]
    values = get_variable_values(
        schema,
        node.variable_definitions or [],
        dict(request.variables),
        max_errors=limits.MOST_ERRORS,
        hide_suggestions=True,
    )
    if isinstance(values, list):
        for error in values:
            error.extensions = {"code": Code.BAD_USER_INPUT.value}
        return values
    context.variables = values
    context.operation_hash = hashlib.sha256(request.query.encode()).hexdigest()
    return Operation(schema, found, node, dict(request.variables), request.operation_name)


async def _execute(operation: Operation, context: ApiContext) -> ExecutionResult:
    result = execute_core(
        operation.schema,
        operation.document,
        context_value=context,
        variable_values=operation.variables,
        operation_name=operation.name,
        executor_class=StrawberryGraphQLCoreExecutionContext,
        hide_suggestions=True,
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    assert isinstance(result, ExecutionResult)
    return result


async def watch(request: Request, context: ApiContext) -> AsyncIterator[dict[str, Any]] | Sequence[GraphQLError]:
    """The events of a subscription as responses, or why there are none. Each event has a request's deadline."""
    prepared = prepare(request, context)
    if not isinstance(prepared, Operation):
        return prepared
    if prepared.node.operation is not OperationType.SUBSCRIPTION:
        return [ApiError(Code.BAD_REQUEST, "Send queries and mutations by POST.")]
    executor = StrawberryGraphQLCoreExecutionContext.build(
        prepared.schema,
        prepared.document,
        context_value=context,
        raw_variable_values=prepared.variables,
        operation_name=prepared.name,
        hide_suggestions=True,
    )
    if isinstance(executor, list):
        return [masked(error, context) for error in executor]
    events = create_source_event_stream(executor)
    if isinstance(events, Awaitable):
        events = await events
    if isinstance(events, ExecutionResult):
        return [masked(error, context) for error in events.errors or ()]
    return _responses(executor, events, context)


async def _responses(
    executor: Executor[Any], events: AsyncIterable[Any], context: ApiContext
) -> AsyncIterator[dict[str, Any]]:
    """One response an event; a stream that fails ends with a response that has errors and no data."""
    try:
        async with contextlib.aclosing(events) as source:  # type: ignore[type-var]
            async for event in source:
                yield await _respond(executor, event, context)
    except GraphQLError as error:
        yield {"errors": [masked(error, context).formatted]}
    except Exception as error:  # noqa: BLE001  # a watcher reads INTERNAL_ERROR, the log has the rest
        yield {"errors": [masked(GraphQLError("", original_error=error), context).formatted]}


async def _respond(executor: Executor[Any], event: Any, context: ApiContext) -> dict[str, Any]:
    """The event as its watcher may see it; one that takes too long is told without its data, and the next may come."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            result = execute_subscription_event(executor.build_per_event_executor(event))
            if isinstance(result, Awaitable):
                result = await result
            await record_reads(context)
    except TimeoutError:
        context.read.clear()
        return {"errors": [deadline_exceeded().formatted], "data": None}
    return response(result, context)


def response(result: ExecutionResult, context: ApiContext) -> dict[str, Any]:
    """The response as JSON values, `errors` first; one that is too large is refused as a whole."""
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [masked(error, context).formatted for error in result.errors[: limits.MOST_ERRORS * 5]]
    body["data"] = result.data
    if len(orjson.dumps(body)) > limits.MOST_RESPONSE_BYTES:
        too_large = limit_exceeded("responseBytes", limits.MOST_RESPONSE_BYTES)
        return {"errors": [too_large.formatted], "data": None}
    return body


def masked(error: GraphQLError, context: ApiContext) -> GraphQLError:
    """The error as a client may read it: ours and graphql-core's own as they are, anything else without its text."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if original is None or isinstance(original, GraphQLError):
        if "code" not in (error.extensions or {}):
            error.extensions = {"code": Code.BAD_USER_INPUT.value}
        return error
    # Never the exception's text: it may hold what was sent.
    where = [f"{Path(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(original.__traceback__)[-8:]]
    log.error("unexpected", request_id=context.request_id, failure=type(original).__name__, where=where)
    return GraphQLError(
        "Something went wrong on our side.",
        nodes=error.nodes,
        path=error.path,
        extensions={"code": Code.INTERNAL_ERROR.value, "requestId": context.request_id},
    )


def _refused(errors: Sequence[GraphQLError], kind: str, started: float) -> Answer:
    answer = Answer({"errors": [error.formatted for error in errors[: limits.MOST_ERRORS]]}, is_executed=False)
    metrics.operation(kind, answer.codes, time.perf_counter() - started, 0)
    return answer
