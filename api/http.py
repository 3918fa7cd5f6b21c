"""GraphQL over HTTP: POST and GET on one path, GraphiQL for browsers that ask for a page."""

from pathlib import Path
from typing import Any

import orjson
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from api import limits
from api.auth import who_asks
from api.config import ApiConfig
from api.context import ApiContext
from api.errors import ApiError, Code, limit_exceeded
from api.graphql import Answer, Request, refusal, run
from api.trusted import TRUSTED

GRAPHQL_JSON = "application/graphql-response+json"
JSON = "application/json"
GRAPHIQL = Path(__file__).parent / "static" / "graphiql.html"
NAMES = {"query", "documentId", "extensions"}  # by which a request says its document
STATUS = {Code.UNAUTHENTICATED.value: 401, Code.FORBIDDEN.value: 403, Code.RATE_LIMITED.value: 429}


class GraphQL:
    """The endpoint, as ASGI: what Starlette puts around functions, for exceptions of its own, is of no use here."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await graphql(HttpRequest(scope, receive))
        await response(scope, receive, send)


async def graphql(request: HttpRequest) -> Response:
    """Answer one operation. A response that was executed is 200; what was refused before is 4xx for graphql+json."""
    config: ApiConfig = request.app.state.config
    if request.method == "GET" and not NAMES & request.query_params.keys() and _wants_page(request):
        if TRUSTED.is_only:
            return Response("GraphiQL is off: this server answers its clients' own documents only.", 404)
        return FileResponse(GRAPHIQL, headers={"content-security-policy": GRAPHIQL_POLICY})
    media = _media(request)
    if media is None:
        return Response(status_code=406)
    try:
        sent = await _read(request)
        credential = await who_asks(request, config)
    except ApiError as error:
        return _respond(refusal([error]), media, STATUS.get(error.code.value, 400))
    context = ApiContext(
        caller=credential.actor if credential else None,
        config=config,
        request_id=request.state.request_id,
        language=language_of(request, credential.language if credential else "en"),
    )
    answer = await run(sent, context, queries_only=request.method != "POST")
    return _respond(answer, media, 200 if answer.is_executed or media == JSON else 400)


# GraphiQL's own scripts and styles, from our own files only; its editor sets inline styles.
GRAPHIQL_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def language_of(request: HttpRequest, default: str) -> str:
    """en or zh-Hans: what the request prefers, else the account's own."""
    wanted = request.headers.get("accept-language", "")[:200].lower()
    for part in wanted.split(","):
        tag = part.split(";")[0].strip()
        if tag.startswith("zh"):
            return "zh-Hans"
        if tag.startswith("en"):
            return "en"
    return "zh-Hans" if default.lower().startswith("zh") else "en"


def _wants_page(request: HttpRequest) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _media(request: HttpRequest) -> str | None:
    """The answer's media type by the Accept header; None when it takes neither of ours."""
    accept = request.headers.get("accept", "")
    if not accept:
        return JSON
    ranges = [part.split(";")[0].strip().lower() for part in accept.split(",")]
    for media in ranges:
        if media == GRAPHQL_JSON:
            return GRAPHQL_JSON
        if media in (JSON, "application/*", "*/*"):
            return JSON
    return None


async def _read(request: HttpRequest) -> Request:
    if request.method != "POST":  # GET, and HEAD of it
        params = request.query_params
        return _request(
            {
                "query": params.get("query"),
                "documentId": params.get("documentId"),
                "extensions": _json(params["extensions"].encode()) if params.get("extensions") else None,
                "operationName": params.get("operationName") or None,
                "variables": _json(params["variables"].encode()) if params.get("variables") else None,
            }
        )
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != JSON:
        raise ApiError(Code.BAD_REQUEST, "Send the request as application/json.")
    return _request(_json(await _body(request)))


async def _body(request: HttpRequest) -> bytes:
    """The body, refused as soon as it is longer than allowed."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limits.MOST_BODY_BYTES:
        raise limit_exceeded("bodyBytes", limits.MOST_BODY_BYTES)
    found, has_more = bytearray(), True
    while has_more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        found += message.get("body", b"")
        if len(found) > limits.MOST_BODY_BYTES:
            raise limit_exceeded("bodyBytes", limits.MOST_BODY_BYTES)
        has_more = message.get("more_body", False)
    return bytes(found)


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise ApiError(Code.BAD_REQUEST, "This is not JSON.") from None


def _request(body: Any) -> Request:
    if isinstance(body, list):
        raise ApiError(Code.BAD_REQUEST, "One operation a request; batches are not answered.")
    if not isinstance(body, dict):
        raise ApiError(Code.BAD_REQUEST, "Send a JSON object with `query`, and `variables` where it has any.")
    variables, name = body.get("variables"), body.get("operationName")
    if variables is not None and not isinstance(variables, dict):
        raise ApiError(Code.BAD_REQUEST, "`variables` is an object.")
    if name is not None and not isinstance(name, str):
        raise ApiError(Code.BAD_REQUEST, "`operationName` is text.")
    if body.get("extensions") is not None and not isinstance(body["extensions"], dict):
        raise ApiError(Code.BAD_REQUEST, "`extensions` is an object.")
    return Request(TRUSTED.asked(body), variables or {}, name)


def _respond(answer: Answer, media: str, status: int) -> Response:
    headers = {"cache-control": "no-store"}
    if answer.retry_after_s:
        headers["retry-after"] = str(answer.retry_after_s)
    return Response(answer.content, status, headers, f"{media}; charset=utf-8")
