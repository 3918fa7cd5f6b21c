"""The outbox: every message as the member would see it, its decision and its life, and why others were not sent."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api.pages.web import ask, language_of, page, viewer_of
from domain.commerce.staff import RowScope
from domain.gateway.messages import MessageState
from domain.outreach.reasons import Reason, say_reason

# An e-mail is somebody's HTML: no script, no form, nothing from outside, in an origin of its own.
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


GROUPS: dict[str, list[MessageState]] = {
    "DELIVERED": [MessageState.DELIVERED],
    "ACCEPTED": [MessageState.ACCEPTED],
    "ON_ITS_WAY": [MessageState.PLANNED, MessageState.QUEUED, MessageState.SENDING],
    "HELD": [MessageState.HELD],
    "NOT_SENT": [MessageState.SUPPRESSED, MessageState.CANCELLED],
    "UNCLEAR": [MessageState.UNKNOWN, MessageState.UNKNOWN_FINAL],
    "FAILED": [MessageState.FAILED, MessageState.UNDELIVERED, MessageState.DEAD],
    "EXPIRED": [MessageState.EXPIRED],
}
"""As people look for messages; the aliases of `documents/outbox_tally.graphql`."""


async def show(request: Request) -> Response:
    viewer = await viewer_of(request, "outbox")
    if isinstance(viewer, Response):
        return viewer
    group = request.query_params.get("show")
    states = GROUPS.get(group or "")
    answer = await ask(request, viewer, "outbox", states=states, after=request.query_params.get("after"))
    if answer.get("errors"):  # a cursor that somebody typed
        answer = await ask(request, viewer, "outbox", states=states, after=None)
    tally = {name: row["totalCount"] for name, row in (await ask(request, viewer, "outbox_tally"))["data"].items()}
    language = language_of(request)
    return page(
        request,
        "outbox.html",
        viewer,
        group=group if states else None,
        total=tally["ALL"],
        is_all=viewer.actor.scope is RowScope.ALL,
        tally=[(name, tally[name]) for name in GROUPS if tally[name]],
        messages=answer["data"]["messages"],
        reason=lambda code: reason_text(code, language),
    )


def reason_text(code: str, language: str) -> str:
    """Contactability's reasons as people say them; the gateway's own codes as they are."""
    return say_reason(Reason(code), language) if code in Reason.__members__ else code.replace("_", " ").lower()


async def mail(request: Request) -> Response:
    viewer = await viewer_of(request, "outbox")
    if isinstance(viewer, Response):
        return viewer
    answer = await ask(request, viewer, "outbox_mail", id=request.path_params["message"])
    node = (answer.get("data") or {}).get("node") or {}
    if not node.get("bodyHtml"):
        return HTMLResponse("", 404)
    return HTMLResponse(node["bodyHtml"], headers={"Content-Security-Policy": MAIL_POLICY, "Cache-Control": "no-store"})


routes = [Route("/outbox", show), Route("/outbox/{message}/mail", mail)]
