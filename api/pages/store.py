"""The advisor's store page, for one thumb: find the member, see her babies, log what was said."""

from collections import defaultdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.pages.web import (
    ask,
    back_to,
    heard_in,
    language_of,
    local_moment,
    notice_of,
    page,
    problem_text,
    viewer_of,
    wish,
)
from api.pages.years import year_of
from domain.care.interactions import Mood

KINDS = ("VISIT", "QUESTION", "CHAT", "CALL", "NOTE")
CHANNELS = {"CALL": "CALL", "CHAT": "WECOM"}
FOUND_HEADERS = {"Cache-Control": "private, max-age=300", "Vary": "Cookie"}
"""Browsers show a form's answer again when she goes back to it only if they may keep it. It is hers alone: another
session does not get it, and signing out clears it."""


async def search(request: Request) -> Response:
    """The empty page. What is looked for never stands in an address: browsers and proxies keep those."""
    viewer = await viewer_of(request, "store")
    if isinstance(viewer, Response):
        return viewer
    return page(request, "store.html", viewer, q="", hits=[], problem="")


async def find(request: Request) -> Response:
    """Whom she looks for, by a form that changes nothing: it may be sent again, and going back shows it again."""
    viewer = await viewer_of(request, "store")
    if isinstance(viewer, Response):
        return viewer
    form = await request.form()
    wanted = str(form.get("q", "")).strip()[:100]
    hits: list[dict[str, Any]] = []
    problem = None
    if wanted:
        answer = await ask(request, viewer, "find_members", text=wanted)
        if answer.get("errors"):
            problem = answer["errors"][0].get("extensions", {}).get("code", "OTHER")
        else:
            hits = answer["data"]["members"]["edges"]
    words = problem_text(language_of(request), problem)
    found = page(request, "store.html", viewer, q=wanted, hits=hits, problem=words)
    if not problem:
        found.headers.update(FOUND_HEADERS)
    return found


async def show(request: Request) -> Response:
    return await _member(request, request.query_params.get("problem"))


async def _member(
    request: Request, problem: str | None, kept: dict[str, str] | None = None, refusal: Any = None
) -> Response:
    viewer = await viewer_of(request, "store")
    if isinstance(viewer, Response):
        return viewer
    answer = await ask(request, viewer, "store_member", id=request.path_params["member"])
    member = (answer.get("data") or {}).get("member")
    if member is None:
        return page(request, "problem.html", viewer, 404, title="no_member", text="no_member_text", back="/store")
    return page(
        request,
        "store_member.html",
        viewer,
        zone=member["timeZone"],
        member=member,
        years={baby["id"]: year_of(baby, language_of(request)) for baby in member["babies"] or ()},
        kinds=KINDS,
        done=request.query_params.get("done"),
        notice=notice_of(request),
        kept=defaultdict(str, kept or {}),
        moods=list(Mood),
        business_now=viewer.business_now,
        problem=problem_text(language_of(request), problem, refusal),
    )


async def log(request: Request) -> Response:
    """Log what was said; what was typed is kept when it could not be saved."""
    viewer = await viewer_of(request, "store")
    if isinstance(viewer, Response):
        return viewer
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    member, kind = request.path_params["member"], form.get("kind", "VISIT")
    entry: dict[str, Any] = {
        "memberId": member,
        "kind": kind,
        "channel": CHANNELS.get(kind, "STORE"),
        "note": form.get("note", ""),
        "topic": form.get("topic", ""),
        **heard_in(form),
    }
    promise, call_at = form.get("promise", "").strip(), local_moment(form.get("call_at"), form.get("zone"))
    if promise and not call_at:
        return await _member(request, "promise_without_time", form)
    if call_at:
        entry["promise"] = {"text": promise, "callAt": call_at}
    answer = await wish(request, viewer, "log_interaction", input=entry, key=form.get("key", ""))
    if answer["__typename"] != "InteractionLogged":
        return await _member(request, answer["__typename"], form, answer)
    return back_to(f"/store/{member}", done="promised" if call_at else 1)


routes = [
    Route("/store", search, methods=["GET"]),
    Route("/store", find, methods=["POST"]),
    Route("/store/{member}", show),
    Route("/store/{member}/interactions", log, methods=["POST"]),
]
