"""What is done for a family wherever it stands in front of somebody: one word stops everything about a baby, a mistake
is taken back, a question is answered.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.pages.web import Viewer, back_to, viewer_of, wish


async def stop(request: Request) -> Response:
    viewer, form = await _posted(request)
    if isinstance(viewer, Response):
        return viewer
    said = {"babyId": form["baby"], "saidBy": form.get("said", "MEMBER")}
    answer = await wish(request, viewer, "stop_baby_content", input=said, key=form["key"])
    return _back(form, answer, "BabyContentStopped", "baby_stopped_now")


async def reopen(request: Request) -> Response:
    viewer, form = await _posted(request)
    if isinstance(viewer, Response):
        return viewer
    given = {"babyId": form["baby"], "reason": form.get("reason", "")}
    answer = await wish(request, viewer, "reopen_baby_content", input=given, key=form["key"])
    return _back(form, answer, "BabyContentReopened", "baby_reopened")


async def answer(request: Request) -> Response:
    viewer, form = await _posted(request, "question")
    if isinstance(viewer, Response):
        return viewer
    told = {"questionId": form["question"], "answer": form.get("answer", "")}
    return _back(
        form, await wish(request, viewer, "answer_question", input=told, key=form["key"]), "QuestionAnswered",
        "answer_saved",
    )  # fmt: skip


async def _posted(request: Request, about: str = "baby") -> tuple[Viewer | Response, dict[str, str]]:
    viewer = await viewer_of(request, "store")
    if isinstance(viewer, Response):
        return viewer, {}
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    if not {about, "key"} <= form.keys():
        return back_to("/store", problem="OTHER"), {}
    return viewer, form


def _back(form: dict[str, str], answer: dict[str, str], success: str, notice: str) -> Response:
    """To the page that she came from; only ids travel in the address."""
    problem = None if answer["__typename"] == success else answer["__typename"]
    told = {"notice": None if problem else notice, "problem": problem}
    if form.get("task"):
        return back_to("/desk", task=form["task"], **told)
    return back_to(f"/store/{form['member']}" if form.get("member", "").startswith("Member:") else "/store", **told)


routes = [
    Route("/families/stop", stop, methods=["POST"]),
    Route("/families/reopen", reopen, methods=["POST"]),
    Route("/families/answer", answer, methods=["POST"]),
]
