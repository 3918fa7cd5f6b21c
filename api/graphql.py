"""One way to run a document: parsed and validated once a text, weighed before any SQL, completed, errors masked."""

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import structlog
from graphql import (
    ExecutionResult,
    GraphQLError,
    OperationType,
)
from graphql import execute as execute_core
from graphql.execution import Executor, create_source_event_stream, execute_subscription_event
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api import limits, metrics
from api.config import ApiConfig
from api.context import ApiContext
from api.documents import DOCUMENTS, Document
from api.errors import ApiError, Code, deadline_exceeded, limit_exceeded
from api.projection.operations import answer, as_graphql
from api.projection.selections import Operation
from api.schema import build_schema
from domain.platform.actors import Actor
from domain.platform.roles import Permission

log = structlog.get_logger("nestling.graphql")

DEADLINE_S = 5.0
ANONYMOUS_DEADLINE_S = 1.0
MOST_MESSAGE = 300  # characters
TURNS = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]()  # to read a document for the first time


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: its JSON, the codes of its errors, and whether anything was executed (else it has no `data`)."""

    content: bytes
    codes: Sequence[str]
    is_executed: bool
    retry_after_s: int = 0

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(self.content)
        return body


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
    operation = await prepare_in_turn(request, context)
    if not isinstance(operation, Operation):
        return _refused(operation, "none", started)
    kind = operation.node.operation
    if kind is OperationType.SUBSCRIPTION or (queries_only and kind is not OperationType.QUERY):
        where = "Subscriptions run over graphql-transport-ws." if not queries_only else "GET runs queries only."
        return _refused([ApiError(Code.BAD_REQUEST, where)], kind.value, started)
    try:
        async with asyncio.timeout(deadline_of(context)):
            if kind is OperationType.QUERY:
                found = await answer(operation, context)
                data, errors = found.data, list(found.errors)
            else:
                data, errors = await _mutate(operation, context)
    except TimeoutError:
        return _refused([deadline_exceeded()], kind.value, started)
    except ApiError as error:
        return _refused([error], kind.value, started)
    except Exception as error:  # noqa: BLE001  # the caller reads INTERNAL_ERROR, the log has the rest
        data, errors = [b"null"], [as_graphql(error)]
    done = respond(data, errors, context)
    metrics.operation(kind.value, done.codes, time.perf_counter() - started, context.statements)
    return done


def prepare(request: Request, context: ApiContext) -> Operation | Sequence[GraphQLError]:
    """Everything that comes before execution; no SQL is sent for what it refuses."""
    may = may_introspect(context.config, context.caller)
    found = DOCUMENTS.get(build_schema(), request.query, may_introspect=may)
    if not isinstance(found, Document):
        return found
    weighed = found.named(request.operation_name)
    if weighed is None:
        return [ApiError(Code.BAD_REQUEST, "Name one operation of the document by operationName.")]
    refused = limits.refused_variables(weighed.weight, request.variables)
    if refused is not None:
        return [refused]
    values = weighed.coerced(request.variables)
    if isinstance(values, list):
        for error in values:
            error.extensions = {"code": Code.BAD_USER_INPUT.value}
        return values
    context.variables, context.sent = values, request.variables
    context.operation, context.operation_hash = weighed.operation, found.hash
    return weighed.operation


async def prepare_in_turn(request: Request, context: ApiContext) -> Operation | Sequence[GraphQLError]:
    """As `prepare`, but documents that are read for the first time wait for each other.

    Reading one takes the process for milliseconds. Between two of them, as long as the first took, the process is
    everybody else's: however many are sent, they take half of it at most, and known documents pass them by.
    """
    if DOCUMENTS.knows(request.query, may_introspect=may_introspect(context.config, context.caller)):
        return prepare(request, context)
    loop = asyncio.get_running_loop()
    turn = TURNS.setdefault(loop, asyncio.Lock())
    try:
        async with asyncio.timeout(deadline_of(context)):
            await turn.acquire()
    except TimeoutError:
        return [deadline_exceeded()]
    started = time.perf_counter()
    try:
        return prepare(request, context)
    finally:
        loop.call_later(time.perf_counter() - started, turn.release)


def deadline_of(context: ApiContext) -> float:
    return DEADLINE_S if context.caller is not None else ANONYMOUS_DEADLINE_S


async def _mutate(operation: Operation, context: ApiContext) -> tuple[Sequence[bytes], list[GraphQLError]]:
    metrics.FALLBACK.labels("mutation").inc()
    result = execute_core(
        operation.schema._schema,  # noqa: SLF001
        operation.document,
        context_value=context,
        variable_values=dict(context.sent),
        operation_name=operation.node.name.value if operation.node.name else None,
        executor_class=StrawberryGraphQLCoreExecutionContext,
        hide_suggestions=True,
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    assert isinstance(result, ExecutionResult)
    return [orjson.dumps(result.data)], list(result.errors or ())


async def watch(request: Request, context: ApiContext) -> AsyncIterator[dict[str, Any]] | Sequence[GraphQLError]:
    """The events of a subscription as responses, or why there are none. Each event has a request's deadline."""
    operation = await prepare_in_turn(request, context)
    if not isinstance(operation, Operation):
        return operation
    if operation.node.operation is not OperationType.SUBSCRIPTION:
        return [ApiError(Code.BAD_REQUEST, "Send queries and mutations by POST.")]
    metrics.FALLBACK.labels("subscription").inc()
    executor = StrawberryGraphQLCoreExecutionContext.build(
        operation.schema._schema,  # noqa: SLF001
        operation.document,
        context_value=context,
        raw_variable_values=dict(context.sent),
        operation_name=operation.node.name.value if operation.node.name else None,
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
    except TimeoutError:
        return {"errors": [deadline_exceeded().formatted], "data": None}
    return respond([orjson.dumps(result.data)], result.errors or (), context).body


def respond(data: Sequence[bytes], errors: Sequence[GraphQLError], context: ApiContext) -> Answer:
    """The response with `data` as it is, `errors` first; one that is too large is refused as a whole."""
    shown = [_formatted(masked(error, context)) for error in errors[: limits.MOST_ERRORS * 5]]
    told = (b'"errors":', orjson.dumps(shown), b",") if shown else ()
    content = b"".join((b"{", *told, b'"data":', *data, b"}"))
    if len(content) > limits.MOST_RESPONSE_BYTES:
        shown = [_formatted(limit_exceeded("responseBytes", limits.MOST_RESPONSE_BYTES))]
        content = orjson.dumps({"errors": shown, "data": None})
    return Answer(content, _codes(shown), is_executed=True, retry_after_s=_wait(shown))


def _codes(errors: Sequence[Any]) -> list[str]:
    return [error.get("extensions", {}).get("code", "") for error in errors]


def _wait(errors: Sequence[Any]) -> int:
    return max((error.get("extensions", {}).get("retryAfterSeconds", 0) for error in errors), default=0)


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


def refusal(errors: Sequence[GraphQLError]) -> Answer:
    """A response to what was not executed."""
    shown = [_formatted(error) for error in errors[: limits.MOST_ERRORS]]
    return Answer(orjson.dumps({"errors": shown}), _codes(shown), is_executed=False, retry_after_s=_wait(shown))


def _formatted(error: GraphQLError) -> dict[str, Any]:
    """The error as JSON. graphql-core repeats what was sent: of a long text the beginning, and not every place."""
    shown: dict[str, Any] = {**error.formatted}
    if len(shown["message"]) > MOST_MESSAGE:
        shown["message"] = f"{shown['message'][:MOST_MESSAGE]}…"
    if "locations" in shown:
        shown["locations"] = shown["locations"][: limits.MOST_ERRORS]
    return shown


def _refused(errors: Sequence[GraphQLError], kind: str, started: float) -> Answer:
    told = refusal(errors)
    metrics.operation(kind, told.codes, time.perf_counter() - started, 0)
    return told
