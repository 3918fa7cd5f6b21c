"""Signing in and out, and the front door that leads each role to its room."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.auth import CREDENTIALS, drop_session_cookie, is_same_origin, session_secret, set_session_cookie, who_asks
from api.errors import ApiError
from api.pages.web import LANGUAGE_COOKIE, ROOMS, page
from domain.platform.roles import Role
from domain.platform.sessions import TooManyTries, WrongLogin, log_in, log_out


def _inside(path: str) -> str:
    """A path of ours, so that a link to the login cannot lead away."""
    parts = urlsplit(path)
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc
    return path if is_ours else "/"


async def show(request: Request) -> Response:
    return page(
        request, "login.html", None, next=_inside(request.query_params.get("next", "/")), login="", problem=None
    )


async def sign_in(request: Request) -> Response:
    config = request.app.state.config
    form = await request.form()
    login, password = str(form.get("login", ""))[:200], str(form.get("password", ""))[:500]
    following = _inside(str(form.get("next", "/")))
    if not is_same_origin(request, config):
        return page(request, "problem.html", None, 403, title="foreign_form", text="foreign_form_text", back="/login")
    address = request.client.host if request.client else ""
    answer = await log_in(login, password, address)
    if isinstance(answer, WrongLogin | TooManyTries):
        problem, status = ("login_throttled", 429) if isinstance(answer, TooManyTries) else ("login_failed", 401)
        return page(request, "login.html", None, status, next=following, login=login, problem=problem)
    response = RedirectResponse(following, 303)
    set_session_cookie(response, answer.secret, config)
    if LANGUAGE_COOKIE not in request.cookies:
        response.set_cookie(LANGUAGE_COOKIE, answer.language, max_age=365 * 86_400, samesite="lax", httponly=True)
    return response


async def sign_out(request: Request) -> Response:
    config = request.app.state.config
    secret = session_secret(request, config)
    if secret and is_same_origin(request, config):
        await log_out(secret)
        CREDENTIALS.clear()
    response = RedirectResponse("/login", 303, {"Clear-Site-Data": '"cache"'})  # whom she found, for "back"
    drop_session_cookie(response, config)
    return response


async def front_door(request: Request) -> Response:
    """Each role to its own room."""
    try:
        credential = await who_asks(request, request.app.state.config)
    except ApiError:
        credential = None
    if credential is None or not credential.actor.is_staff:
        return RedirectResponse("/login", 303)
    favourite = {Role.ADVISOR: "store", Role.STORE_MANAGER: "store", Role.OPERATOR: "outbox"}
    room = favourite.get(credential.actor.role, "desk")
    return RedirectResponse(f"/{room}" if credential.actor.role in ROOMS[room] else "/graphql", 303)


routes = [
    Route("/", front_door),
    Route("/login", show),
    Route("/login", sign_in, methods=["POST"]),
    Route("/logout", sign_out, methods=["POST"]),
]
