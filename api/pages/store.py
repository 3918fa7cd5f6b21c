"""The advisor's store page, for one thumb: find the member, see her babies, log what was said."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.pages.web import ask, back_to, language_of, notice_of, page, problem_text, viewer_of, wish
from api.pages.years import year_of

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


async def _member(request: Request, problem: str | None, note: str = "", refusal: Any = None) -> Response:
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
        note=note,
        problem=problem_text(language_of(request), problem, refusal),
    )


async def log(request: Request) -> Response:
    """Log what was said; what was typed is kept when it could not be saved."""
    viewer = await viewer_of(request, "store")
    if isinstance(viewer, Response):
        return viewer
    form = await request.form()
    kind, note = str(form.get("kind", "VISIT")), str(form.get("note", ""))
    member = request.path_params["member"]
    entry = {"memberId": member, "kind": kind, "channel": CHANNELS.get(kind, "STORE"), "note": note}
    answer = await wish(request, viewer, "log_interaction", input=entry, key=str(form.get("key", "")))
    if answer["__typename"] != "InteractionLogged":
        return await _member(request, answer["__typename"], note, answer)
    return back_to(f"/store/{member}", done=1)


routes = [
    Route("/store", search, methods=["GET"]),
    Route("/store", find, methods=["POST"]),
    Route("/store/{member}", show),
    Route("/store/{member}/interactions", log, methods=["POST"]),
]
