"""What every page shares: the language, the frame, forms that can be sent twice, and documents run as the viewer."""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import asyncpg
import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.auth import who_asks
from api.errors import ApiError, Code
from api.graphql import execute
from api.pages.texts import LANGUAGES, text
from api.pages.words import WORDS
from domain.platform.actors import Actor
from domain.platform.clock import real_now
from domain.platform.ids import new_id
from domain.platform.roles import Role

HERE = Path(__file__).parent
ROOMS: dict[str, frozenset[Role]] = {
    "desk": frozenset({Role.CONSULTANT, Role.ADVISOR, Role.STORE_MANAGER, Role.OPERATOR}),
    "store": frozenset({Role.CONSULTANT, Role.ADVISOR, Role.STORE_MANAGER, Role.OPERATOR}),
    "outbox": frozenset({Role.CONSULTANT, Role.ADVISOR, Role.STORE_MANAGER, Role.OPERATOR}),
}
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
LANGUAGE_COOKIE = "nestling_language"
RETRY_AFTER_S = 5
NOTICES = frozenset({"undone", "released", "renewed", "baby_stopped_now", "baby_reopened", "answer_saved"})
DATABASE_AWAY = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, asyncpg.InterfaceError)

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

log = structlog.get_logger("nestling.pages")

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


@cache
def document(name: str) -> str:
    """A GraphQL document of the pages, with the fragments it names."""
    body = (HERE / "documents" / f"{name}.graphql").read_text(encoding="utf-8")
    return body + (HERE / "documents" / "family.graphql").read_text(encoding="utf-8") if "...Family" in body else body


def language_of(request: Request) -> str:
    """What the viewer chose, else the first of hers that we speak."""
    chosen = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    wanted = request.headers.get("accept-language", "").split(",")
    return next(("zh-Hans" if tag.strip().lower().startswith("zh") else "en" for tag in wanted if tag.strip()), "en")


class ReadRefused(Exception):
    """What a page shows could not be read: an error code of the API, and when to try again, if it said so."""

    def __init__(self, code: str, retry_after_s: int) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person in front of the page."""

    actor: Actor
    name: str
    business_now: datetime

    @property
    def role(self) -> Role:
        return self.actor.role


async def viewer_of(request: Request, room: str) -> Viewer | Response:
    """Who looks, or where to send her: to the login, or to a page that says this one is for other roles."""
    try:
        credential = await who_asks(request, request.app.state.config)
    except ApiError:  # a form from a foreign page, or a token that is no good
        return page(request, "problem.html", None, 403, title="foreign_form", text="foreign_form_text", back=f"/{room}")
    if credential is None or not credential.actor.is_staff:
        return RedirectResponse(f"/login?{urlencode({'next': request.url.path})}", 303)
    actor = credential.actor
    found = answered(await run(request, actor, "viewer"))["data"]["viewer"]
    name = found["staff"]["name"] if found["staff"] else ""
    viewer = Viewer(actor, name, datetime.fromisoformat(found["businessNow"]))
    if actor.role not in ROOMS[room]:
        return page(request, "problem.html", viewer, 403, title="not_yours", text="not_yours_text", back="/login")
    return viewer


async def run(request: Request, actor: Actor, name: str, **variables: Any) -> dict[str, Any]:
    """Run a document as the actor: `{"data": ..., "errors": ...}`, as any client would read it."""
    return await execute(
        document(name), variables, actor, config=request.app.state.config, language=language_of(request)
    )


async def ask(request: Request, viewer: Viewer, name: str, **variables: Any) -> dict[str, Any]:
    """Run a query as the viewer; ReadRefused when it has no answer."""
    return answered(await run(request, viewer.actor, name, **variables))


def answered(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, if there is one to show; ReadRefused when the whole operation was refused or failed."""
    if answer.get("data") is None:
        extensions = answer["errors"][0]["extensions"]
        raise ReadRefused(extensions["code"], extensions.get("retryAfterSeconds", 0))
    return answer


async def wish(request: Request, viewer: Viewer, name: str, **variables: Any) -> dict[str, Any]:
    """Run a mutation; its `result`, or `{"__typename": <error code>}` when the whole operation was refused."""
    answer = await run(request, viewer.actor, name, **variables)
    result = (answer.get("data") or {}).get("result")
    if result:
        return dict(result)
    codes = [error.get("extensions", {}).get("code", "OTHER") for error in answer.get("errors") or []]
    return {"__typename": codes[0] if codes else "OTHER"}


def problem_text(language: str, name: str | None, answer: Mapping[str, Any] | None = None) -> str:
    """What went wrong, for the person in front of the page, with what the verb said of each input; empty when nothing
    did."""
    if not name:
        return ""
    said = text(language, f"problem_{name if name in WORDS['problem'] else 'OTHER'}")
    return " ".join([said, *(error["message"] for error in (answer or {}).get("errors") or ())])


def page(request: Request, template: str, viewer: Viewer | None, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template in the viewer's language with what every page has."""
    language = language_of(request)
    house = ZoneInfo(request.app.state.config.time_zone)
    zone = ZoneInfo(values.pop("zone", None) or "UTC")

    def moment(value: str | datetime | None, shape: str = "%Y-%m-%d %H:%M", where: ZoneInfo = zone) -> str:
        if value is None:
            return ""
        aware = datetime.fromisoformat(value) if isinstance(value, str) else value
        return aware.astimezone(where).strftime(shape)

    filters = {
        "moment": moment,
        "local_input": lambda value: moment(value, "%Y-%m-%dT%H:%M"),
        "here": lambda value, shape: moment(value, shape, house),  # where the people work who read the page
    }
    environment = templates.overlay()
    environment.filters = {**templates.filters, **filters}
    html = environment.get_template(template).render(
        t=lambda key, **named: text(language, key, **named),
        language=language,
        viewer=viewer,
        rooms=[room for room, roles in ROOMS.items() if viewer and viewer.role in roles],
        clock_note=_clock_note(viewer, language, house),
        here=request.url.path.split("/")[1],
        new_key=lambda: str(new_id()),
        **values,
    )
    response = HTMLResponse(html, status, {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": "no-store"})
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=365 * 86_400, samesite="lax", httponly=True)
    return response


def _clock_note(viewer: Viewer | None, language: str, house: ZoneInfo) -> str:
    """Where the business clock is not the real one, the page says so, in the time of the people who work there."""
    if viewer is None or abs(viewer.business_now - real_now()) < timedelta(minutes=1):
        return ""
    return text(language, "demo_clock", now=viewer.business_now.astimezone(house).strftime("%Y-%m-%d %H:%M"))


def back_to(path: str, **query: object) -> RedirectResponse:
    """After a form: the page again by GET, so that a reload repeats nothing."""
    wanted: Mapping[str, str] = {key: str(value) for key, value in query.items() if value not in (None, "")}
    return RedirectResponse(f"{path}?{urlencode(wanted)}" if wanted else path, 303)


def notice_of(request: Request) -> str | None:
    """What was done just now, by the key of its words; anything else in the address says nothing."""
    notice = request.query_params.get("notice")
    return notice if notice in NOTICES else None


def moment_of(text: str | None) -> datetime | None:
    """The aware moment that a link names; none for anything else."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def local_moment(typed: str | None, zone: str | None) -> str | None:
    """A date and time typed in the member's own zone; what cannot be read is left to the verb to refuse."""
    if not typed:
        return None
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=ZoneInfo(zone or "UTC")).isoformat()
    except (ValueError, KeyError):
        return typed


def heard_in(form: Mapping[str, str]) -> dict[str, Any]:
    """How she was and what she asked, a question a line, as the inputs of notes and outcomes have it."""
    lines = [line.strip() for line in form.get("questions", "").splitlines()]
    return {"mood": form.get("mood") or None, "questions": [line for line in lines if line]}


def seconds_until(until: str | None) -> int:
    """Whole seconds, rounded up, to a real-clock moment named in a link; 0 when it is over or is none."""
    moment = moment_of(until)
    return max(0, math.ceil((moment - real_now()).total_seconds())) if moment is not None else 0


def in_words(endpoint: Endpoint) -> Endpoint:
    """The endpoint; what it cannot read becomes a page that says so and how to go on, not a bare error."""

    @wraps(endpoint)
    async def spoken(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ReadRefused as refused:
            busy = refused.code == Code.RATE_LIMITED.value
            if not busy and refused.code != Code.DEADLINE_EXCEEDED.value:
                log.error("page not answered", code=refused.code, route=request.url.path.split("/")[1])
            status = 429 if busy else 503
            wait_s = refused.retry_after_s or RETRY_AFTER_S
        except DATABASE_AWAY as failure:
            log.warning("page not answered", failure=type(failure).__name__)
            status, wait_s = 503, RETRY_AFTER_S
        # A form is not sent again by a link: the page that it came from is.
        back = request.url.path if request.method == "GET" else f"/{request.url.path.split('/')[1]}"
        answer = page(request, "problem.html", None, status, title="busy", text="busy_text", back=back)
        answer.headers["retry-after"] = str(wait_s)
        return answer

    return spoken
