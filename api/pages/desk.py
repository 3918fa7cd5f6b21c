"""The consultant's desk: take the next call, see why, log what came of it, next."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.pages.web import (
    Viewer,
    ask,
    back_to,
    heard_in,
    language_of,
    local_moment,
    moment_of,
    notice_of,
    page,
    problem_text,
    seconds_until,
    viewer_of,
    wish,
)
from domain.care.callbacks import Disposition
from domain.care.interactions import Mood
from domain.care.queues import CallbackQueue
from domain.platform.clock import real_now

LOOKED_BACK = timedelta(days=7)  # business time: so far back the list tells where its calls went
ENDED = ("expired", "finished", "calledOff")
QUEUES = tuple(queue.value for queue in CallbackQueue)
"""Aliases of `documents/desk.graphql`: what became of calls, and the lists in the order in which they are given out."""
SHOWN = 12  # rows of all lists together


async def show(request: Request) -> Response:
    viewer = await viewer_of(request, "desk")
    if isinstance(viewer, Response):
        return viewer
    return await _desk(request, viewer, request.query_params.get("problem"))


async def _desk(
    request: Request, viewer: Viewer, problem: str | None, answer: dict[str, Any] | None = None, **form: Any
) -> Response:
    data = (await ask(request, viewer, "desk", since=(viewer.business_now - LOOKED_BACK).isoformat()))["data"]
    held = [edge["node"] for edge in data["held"]["edges"] if edge["node"]["isMine"] and edge["node"]["member"]]
    wanted = form.pop("task", None) or request.query_params.get("task")
    task = next((task for task in held if task["id"] == wanted), held[0] if held else None)
    return page(
        request,
        "desk.html",
        viewer,
        zone=task["member"]["timeZone"] if task else None,
        waiting=_waiting(data),
        open_calls=sum(data[queue]["totalCount"] for queue in QUEUES),
        ended=[(what, data[what]["totalCount"]) for what in ENDED if data[what]["totalCount"]],
        looked_back=LOOKED_BACK.days,
        held=held,
        task=task,
        phone=await _phone(request, viewer, task) if task else None,
        dispositions=[disposition.value for disposition in Disposition],
        minutes_left=_minutes_left(task) if task else 0,
        business_now=viewer.business_now,
        logged=_logged(request),
        notice=form.get("notice") or notice_of(request),
        problem=problem_text(language_of(request), problem, answer),
        chosen=form.get("disposition"),
        note=form.get("note"),
        kept=defaultdict(str, form),
        moods=list(Mood),
    )


def _waiting(data: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The first calls of the lists, in the order in which "take the next" gives them; each list with its name."""
    room, found = SHOWN, []
    for queue in QUEUES:
        tasks = [edge["node"] for edge in data[queue]["edges"]][:room]
        room -= len(tasks)
        if tasks:
            found.append((queue, tasks))
    return found


def _logged(request: Request) -> dict[str, Any] | None:
    """What was logged just now, read from the link; only ids and codes travel in it."""
    query = request.query_params
    disposition, step = query.get("disposition"), query.get("step")
    if disposition not in Disposition.__members__ or not step or not query.get("logged"):
        return None
    return {
        "id": query["logged"],
        "disposition": disposition,
        "nextStep": step,
        "retryAt": moment_of(query.get("retry")),
        "undoSeconds": seconds_until(query.get("until")),
    }


def _minutes_left(task: dict[str, Any]) -> int:
    """Whole minutes of the lease, at least one: it was live a moment ago."""
    return max(1, int((datetime.fromisoformat(task["leaseUntil"]) - real_now()).total_seconds() // 60))


async def _phone(request: Request, viewer: Viewer, task: dict[str, Any]) -> str | None:
    """The number to dial, in full where the viewer's role may: revealed once for each lease, and audited."""
    masked: str | None = task["member"]["phone"]
    if not masked:
        return None
    key = f"{task['id']}-{task['fence']}-phone"
    answer = await wish(request, viewer, "reveal_phone", member=task["member"]["id"], key=key)
    revealed: list[str] = answer.get("values") or [masked]
    return revealed[0]


async def take(request: Request) -> Response:
    viewer, form = await _posted(request)
    if isinstance(viewer, Response):
        return viewer
    answer = await wish(request, viewer, "take_next_callback", key=form["key"])
    return _opened(answer)


async def open_one(request: Request) -> Response:
    viewer, form = await _posted(request)
    if isinstance(viewer, Response):
        return viewer
    return _opened(await wish(request, viewer, "open_callback", task=form["task"], key=form["key"]))


def _opened(answer: dict[str, Any], **more: object) -> Response:
    task = (answer.get("task") or {}).get("id")
    problem = None if answer["__typename"] == "CallbackLeased" else answer["__typename"]
    return back_to("/desk", task=task, problem=problem, **more)


async def renew(request: Request) -> Response:
    viewer, form = await _posted(request)
    if isinstance(viewer, Response):
        return viewer
    lease = {"taskId": form["task"], "fence": int(form["fence"])}
    answer = await wish(request, viewer, "renew_callback", input=lease, key=form["key"])
    if answer["__typename"] != "CallbackLeased":
        return back_to("/desk", problem=answer["__typename"])
    return back_to("/desk", task=form["task"], notice="renewed")


async def release(request: Request) -> Response:
    viewer, form = await _posted(request)
    if isinstance(viewer, Response):
        return viewer
    lease = {"taskId": form["task"], "fence": int(form["fence"]), "reason": form.get("reason") or "OTHER"}
    answer = await wish(request, viewer, "release_callback", input=lease, key=form["key"])
    if answer["__typename"] != "CallbackReleased":
        return back_to("/desk", problem=answer["__typename"])
    return back_to("/desk", notice="released")


async def log(request: Request) -> Response:
    """Log the outcome, then bring the next call. What was typed is kept when it could not be saved."""
    viewer, form = await _posted(request)
    if isinstance(viewer, Response):
        return viewer
    outcome = {
        "taskId": form["task"],
        "fence": int(form["fence"]),
        "disposition": form.get("disposition", ""),
        "note": form.get("note", ""),
        "callLaterAt": local_moment(form.get("later"), form.get("zone")),
        "promise": form.get("promise", ""),
        **heard_in(form),
    }
    answer = await wish(request, viewer, "log_callback_outcome", input=outcome, key=form["key"])
    if answer["__typename"] != "CallbackOutcomeLogged":
        return await _desk(request, viewer, answer["__typename"], answer, **form)
    following = await wish(request, viewer, "take_next_callback", key=f"{form['key']}-next")
    task = (following.get("task") or {}).get("id")
    return back_to(
        "/desk",
        task=task,
        logged=answer["outcomeId"],
        disposition=outcome["disposition"],
        step=answer["nextStep"],
        retry=answer["retryAt"],
        until=answer["undoUntil"],
    )


async def undo(request: Request) -> Response:
    viewer, form = await _posted(request)
    if isinstance(viewer, Response):
        return viewer
    answer = await wish(request, viewer, "undo_callback_outcome", outcome=form["outcome"], key=form["key"])
    if answer["__typename"] != "CallbackOutcomeUndone":
        return back_to("/desk", problem=answer["__typename"])
    # What was typed comes back into the form, and no address ever holds it: so this form is answered by the page.
    task = (answer.get("task") or {}).get("id")
    kept = {"disposition": answer["disposition"], "note": answer["note"]}
    return await _desk(request, viewer, None, notice="undone", task=task, **kept)


async def _posted(request: Request) -> tuple[Viewer | Response, dict[str, str]]:
    viewer = await viewer_of(request, "desk")
    if isinstance(viewer, Response):
        return viewer, {}
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    needed = {"key", *({"task", "fence"} if request.url.path in FENCED else set())}
    if not needed <= form.keys() or not form.get("fence", "0").isdigit():
        return back_to("/desk", problem="OTHER"), {}
    return viewer, form


FENCED = frozenset({"/desk/renew", "/desk/release", "/desk/outcome"})

routes = [
    Route("/desk", show),
    Route("/desk/take", take, methods=["POST"]),
    Route("/desk/open", open_one, methods=["POST"]),
    Route("/desk/renew", renew, methods=["POST"]),
    Route("/desk/release", release, methods=["POST"]),
    Route("/desk/outcome", log, methods=["POST"]),
    Route("/desk/undo", undo, methods=["POST"]),
]
