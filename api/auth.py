"""Who is asking: a session cookie or a bearer token, looked up at most once in 30 seconds for each secret.

A request that carries a cookie may change something only when it comes from our own pages.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.config import ApiConfig
from api.errors import ApiError, Code
from domain.platform.clock import real_now
from domain.platform.credentials import Credential, by_session, by_token
from domain.platform.sessions import SESSION_TTL, hash_secret
from domain.platform.tokens import MARK

CACHED_S = 30.0
MOST_CACHED = 10_000
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

LookUp = Callable[[str], Awaitable[Credential | None]]


class Credentials:
    """What this process knows of secrets, by their hash. Cleared by a word on `nestling_credentials`."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Credential]] = OrderedDict()
        self._cleared = 0  # a look-up that began before a clearing is not remembered

    async def find(self, secret: str, look_up: LookUp) -> Credential | None:
        """Whom the secret stands for. Misses are not remembered."""
        key, now = hash_secret(secret), time.monotonic()
        known = self._known.get(key)
        if known is not None and known[0] > now:
            return known[1]
        generation = self._cleared
        found = await look_up(secret)
        self._known.pop(key, None)
        if found is not None and generation == self._cleared:
            until = found.expires_at
            left = CACHED_S if until is None else min(CACHED_S, (until - real_now()).total_seconds())
            self._known[key] = (now + left, found)
            if len(self._known) > MOST_CACHED:
                self._known.popitem(last=False)
        return found

    def clear(self) -> None:
        self._cleared += 1
        self._known.clear()


CREDENTIALS = Credentials()


def cookie_name(config: ApiConfig) -> str:
    return "__Host-nestling" if config.cookie_secure else "nestling"


def set_session_cookie(response: Response, secret: str, config: ApiConfig) -> None:
    """Give the browser its session: not readable by scripts, not sent from foreign pages' forms."""
    response.set_cookie(
        cookie_name(config),
        secret,
        max_age=int(SESSION_TTL.total_seconds()),
        path="/",
        secure=config.cookie_secure,
        httponly=True,
        samesite="lax",
    )


def drop_session_cookie(response: Response, config: ApiConfig) -> None:
    response.delete_cookie(cookie_name(config), path="/", secure=config.cookie_secure, httponly=True, samesite="lax")


def session_secret(connection: HTTPConnection, config: ApiConfig) -> str | None:
    return connection.cookies.get(cookie_name(config))


async def who_asks(connection: HTTPConnection, config: ApiConfig) -> Credential | None:
    """The credential of a request, None when it carries none. A bearer token wins over a cookie.

    UNAUTHENTICATED for a token that is no good; FORBIDDEN for a cookie on a changing request from foreign pages.
    """
    header = connection.headers.get("authorization", "")
    if header:
        return await by_bearer(header)
    secret = session_secret(connection, config)
    if secret is None:
        return None
    if connection.scope.get("method", "GET") not in SAFE_METHODS and not is_same_origin(connection, config):
        raise ApiError(Code.FORBIDDEN, "A session works from this site's own pages only. Send a token instead.")
    return await CREDENTIALS.find(secret, by_session)


async def by_bearer(header: str) -> Credential:
    """The credential of an Authorization header; UNAUTHENTICATED when it is no good."""
    scheme, _, secret = header.partition(" ")
    found = None
    if scheme.lower() == "bearer" and secret.startswith(MARK) and len(secret) <= 100:
        found = await CREDENTIALS.find(secret, by_token)
    if found is None:
        raise ApiError(Code.UNAUTHENTICATED, "This token is not valid any more, or never was.")
    return found


def is_same_origin(connection: HTTPConnection, config: ApiConfig) -> bool:
    """Whether a browser says that the request comes from our own pages. Nothing said counts as foreign."""
    origin = connection.headers.get("origin")
    if origin is None:
        return connection.headers.get("sec-fetch-site") == "same-origin"
    if config.public_url and origin == _origin(config.public_url):
        return True
    return urlsplit(origin).netloc == connection.headers.get("host") and (
        urlsplit(origin).scheme == "https" or not config.cookie_secure
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
