"""What stands around every request: an id, security headers, one log line and one count. No personal data in any."""

import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from domain.platform.ids import new_id

log = structlog.get_logger("nestling.http")

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HSTS = "max-age=31536000; includeSubDomains"
QUIET = ("/live", "/ready", "/metrics", "/static/")


class Guards:
    """Pure ASGI, outermost of all."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self.app, self.is_secure = app, is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id, started, status = new_id().hex, time.perf_counter(), 500
        HTTPConnection(scope).state.request_id = request_id

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("content-security-policy", POLICY)
                if self.is_secure:
                    headers.setdefault("strict-transport-security", HSTS)
            await send(message)

        try:
            await self.app(scope, receive, guarded)
        finally:
            self._tell(scope, request_id, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        metrics.REQUESTS.labels(scope["method"], str(status)).inc()
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
