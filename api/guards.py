"""What stands around every request: an id, security headers, one log line and one count. No personal data in any."""

import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics

log = structlog.get_logger("nestling.http")

HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"cross-origin-opener-policy": b"same-origin",
}
POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; font-src 'self'; "
    b"connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HSTS = b"max-age=31536000; includeSubDomains"
QUIET = ("/live", "/ready", "/metrics", "/static/")


class Guards:
    """Pure ASGI, outermost of all."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self.app = app
        usual = {**HEADERS, b"content-security-policy": POLICY}
        self.headers = [*usual.items(), *([(b"strict-transport-security", HSTS)] if is_secure else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, started, status = secrets.token_hex(16), time.perf_counter(), 500
        scope.setdefault("state", {})["request_id"] = request_id

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = list(message.get("headers", ()))
                names = {name for name, _ in given}
                usual = [header for header in self.headers if header[0] not in names]
                message["headers"] = [*given, (b"x-request-id", request_id.encode()), *usual]
            await send(message)

        try:
            await self.app(scope, receive, guarded)
        finally:
            self._tell(scope, request_id, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        metrics.requests(scope["method"], status).inc()
        if not scope["path"].startswith(QUIET):
            route = scope.get("route")  # the pattern: a path may hold an id
            log.info(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=getattr(route, "path", ""),
                status=status,
                ms=round(seconds * 1000, 1),
            )
