"""The outbox: every message as the member would see it, its decision and its life, and why others were not sent."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from api.ids import decode_id
from api.pages.texts import text
from api.pages.web import Viewer, ask, language_of, page, viewer_of
from api.pages.words import WORDS
from domain.commerce.staff import RowScope
from domain.gateway.messages import MessageState
from domain.gateway.previews import previews
from domain.gateway.renderings import Letterhead
from domain.gateway.unsubscribes import UnsubscribeLinks
from domain.outreach.reasons import Reason, say_reason
from domain.outreach.rendering import Rendered
from domain.platform.sources import Channel, Purpose

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


STILL_TO_LEAVE = [*GROUPS["ON_ITS_WAY"], MessageState.HELD]
OFF_THE_WAY = [state for name in ("HELD", "NOT_SENT", "UNCLEAR", "FAILED", "EXPIRED") for state in GROUPS[name]]
"""Where a message can be that a decision alone does not explain: what became of it is told beside what was decided."""
DECIDED = {"SEND": "", "HOLD": MessageState.HELD.value, "SUPPRESS": MessageState.SUPPRESSED.value}
"""The state that each verdict leads to by itself."""
CHANNELS = (Channel.SMS, Channel.EMAIL, Channel.CALL)
FILTERS = ("show", "channel", "purpose", "member")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages are looked at. All of it may stand in an address: a member by her opaque id, never by her card."""

    show: str = ""
    channel: str = ""
    purpose: str = ""
    member: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Wanted":
        """What was asked for, without what nobody could have chosen."""
        chosen = {name: str(given.get(name) or "") for name in FILTERS}
        known = {"show": GROUPS, "channel": CHANNELS, "purpose": Purpose.__members__}
        return cls(**{name: value for name, value in chosen.items() if value in known.get(name, [value])})

    @property
    def is_narrowed(self) -> bool:
        return bool(self.channel or self.purpose or self.member)

    def address(self, **changes: str) -> str:
        """The page with these filters, some of them changed; `after`: from this cursor on."""
        query = {name: value for name, value in {**asdict(self), **changes}.items() if value}
        return f"/outbox?{urlencode(query)}" if query else "/outbox"


async def show(request: Request) -> Response:
    viewer = await viewer_of(request, "outbox")
    if isinstance(viewer, Response):
        return viewer
    wanted = Wanted.of(request.query_params)
    misread = any(value and not getattr(wanted, name) for name in FILTERS for value in [request.query_params.get(name)])
    return await _page(request, viewer, wanted, after=request.query_params.get("after"), misread=misread)


async def narrow(request: Request) -> Response:
    """The filters, by a form: a card or an id that is looked for never stands in an address."""
    viewer = await viewer_of(request, "outbox")
    if isinstance(viewer, Response):
        return viewer
    form = await request.form()
    wanted, looked_for = Wanted.of(form), str(form.get("q", "")).strip()[:200]
    if looked_for:
        found = (await ask(request, viewer, "outbox_find_member", text=looked_for)).get("data") or {}
        member = found.get("byCard") or found.get("byExternalId")
        if member is None:
            return await _page(request, viewer, wanted, looked_for=looked_for)
        wanted = replace(wanted, member=member["id"])
    return RedirectResponse(wanted.address(), 303)


async def _page(
    request: Request,
    viewer: Viewer,
    wanted: Wanted,
    *,
    after: str | None = None,
    looked_for: str = "",
    misread: bool = False,
) -> Response:
    """The messages that are wanted; `looked_for`: the card or id of nobody whom the viewer may see; `misread`: the
    address named a filter that there is not.
    """
    member = None
    if wanted.member:
        member = ((await ask(request, viewer, "outbox_member", id=wanted.member)).get("data") or {}).get("member")
        wanted = replace(wanted, member=member["id"] if member else "")
    filters = {name: getattr(wanted, name) or None for name in ("channel", "purpose", "member")}
    states = GROUPS.get(wanted.show)
    answer = await ask(request, viewer, "outbox", states=states, after=after, **filters)
    if answer.get("errors"):  # a cursor that somebody typed
        answer = await ask(request, viewer, "outbox", states=states, after=None, **filters)
    tally = (await ask(request, viewer, "outbox_tally", **filters))["data"]
    counts = {name: row["totalCount"] for name, row in tally.items()}
    messages, language = answer["data"]["messages"], language_of(request)
    return page(
        request,
        "outbox.html",
        viewer,
        wanted=wanted,
        member_name=member["name"] if member else "",
        q=looked_for,
        nobody=bool(looked_for),
        misread=misread,
        channels=[channel.value for channel in CHANNELS],
        purposes=[purpose.value for purpose in Purpose],
        group=wanted.show,
        total=counts["ALL"],
        is_all=viewer.actor.scope is RowScope.ALL,
        tally=[(name, counts[name]) for name in GROUPS if counts[name]],
        messages=messages,
        unwritten=await _unwritten(request, viewer, [edge["node"] for edge in messages["edges"]]),
        OFF_THE_WAY=[state.value for state in OFF_THE_WAY],
        DECIDED=DECIDED,
        STILL_TO_LEAVE=[state.value for state in STILL_TO_LEAVE],
        reason=lambda code: reason_text(code, language),
    )


async def _unwritten(request: Request, viewer: Viewer, messages: list[dict[str, Any]]) -> dict[str, Rendered]:
    """What the messages that were never written would say, by id; only what the viewer may read."""
    config = request.app.state.config
    letterhead = Letterhead(config.brand_name, UnsubscribeLinks(config.public_url, config.secret_key.encode()))
    ids = {decode_id("Message", message["id"]): message["id"] for message in messages if not message["body"]}
    found = await previews(viewer.actor, ids, letterhead)
    return {ids[key]: words for key, words in found.items()}


def reason_text(code: str, language: str) -> str:
    """Contactability's reasons and the gateway's causes as people say them; a provider's codes as they are."""
    if code in Reason.__members__:
        return say_reason(Reason(code), language)
    return text(language, f"cause_{code}") if code in WORDS["cause"] else code.replace("_", " ").lower()


async def mail(request: Request) -> Response:
    viewer = await viewer_of(request, "outbox")
    if isinstance(viewer, Response):
        return viewer
    answer = await ask(request, viewer, "outbox_mail", id=request.path_params["message"])
    node = (answer.get("data") or {}).get("node") or {}
    if not node.get("bodyHtml"):
        return HTMLResponse("", 404)
    return HTMLResponse(node["bodyHtml"], headers={"Content-Security-Policy": MAIL_POLICY, "Cache-Control": "no-store"})


routes = [
    Route("/outbox", show, methods=["GET"]),
    Route("/outbox", narrow, methods=["POST"]),
    Route("/outbox/{message}/mail", mail),
]
