"""Messages: what we said or did not say to a member, why, and what became of it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.projection import column, identifier, masked, projected, relation
from api.schema.nodes import Node
from api.schema.people.babies import Baby
from api.schema.people.identities import is_her_own
from api.schema.scopes import OF_MEMBER, only_from
from domain.gateway.messages import MessageState
from domain.outreach.decisions import Verdict
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose

if TYPE_CHECKING:
    from api.schema.people.members import Member

ADDRESS_MASK = """CASE
    WHEN strpos({t}.address, '@') > 0
    THEN left({t}.address, 1) || '***' || substr({t}.address, strpos({t}.address, '@'))
    ELSE '***' || right({t}.address, 4)
END"""


@projected(
    table="decisions",
    scope=OF_MEMBER,
    permission=Permission.READ_MESSAGES,
    description="What contactability answered for an intent, stored before anything is sent.",
)
class Decision(Node):
    id: strawberry.ID = identifier()
    channel: Channel = column("channel", "On which way.")
    purpose: Purpose = column("purpose", "What for.")
    verdict: Verdict = column("verdict", "Send, hold or suppress.")
    primary_reason: str = column("primary_reason", "OK, or the first thing in the way: NO_CONSENT, QUIET_HOURS, ...")
    reasons: list[str] = column("reasons", "All that stood in the way, primary first.")
    next_possible_at: datetime | None = column("next_possible_at", "The next time it may be asked (business clock).")
    rules_version: str = column("rules_version", "The rules that answered.")
    decided_at: datetime = column("decided_at", "When (business clock).")


@projected(
    table="message_events",
    scope=only_from({"Message": (("message_id", "id"),)}),
    permission=Permission.READ_MESSAGES,
    description="A step in a message's life.",
)
class MessageEvent:
    at: datetime = column("at", "When (real clock).")
    from_state: str = column("from_state", "Where it stood; empty at its birth.")
    to_state: str = column("to_state", "Where it stands since.")
    cause: str = column("cause", "What moved it.")
    attempt: int = column("attempt", "Of which attempt.")


@projected(
    table="messages",
    scope=OF_MEMBER,
    permission=Permission.READ_MESSAGES,
    description="An intent to say something to a member, and its state until the end.",
)
class Message(Node):
    id: strawberry.ID = identifier()
    channel: Channel = column("channel", "On which way.")
    purpose: Purpose = column("purpose", "What for.")
    state: MessageState = column("state", "Where it stands.")
    state_reason: str = column("state_reason", "Why it stands there; empty when nothing needs saying.")
    template_key: str = column("template_key", "The template it speaks by.")
    template_version: int = column("template_version", "Version of the template.")
    language: str = column("language", "Language it is written in.")
    address: str | None = masked(
        "address",
        "Where it went, masked; null until it is rendered.",
        revealed=is_her_own,
        mask=ADDRESS_MASK,
        permission=Permission.READ_CONTACTS,
    )
    subject: str | None = column("subject", "Subject as she sees it.", Permission.READ_MESSAGE_TEXT)
    body: str | None = column("body", "Text as she sees it; null until it is rendered.", Permission.READ_MESSAGE_TEXT)
    body_html: str | None = column("body_html", "E-mail body as she sees it.", Permission.READ_MESSAGE_TEXT)
    provider: str | None = column("provider", "Who carried it.")
    attempt: int = column("attempt", "Attempts so far.")
    created_at: datetime = column("created_at", "When it was wished (business clock).")
    not_before: datetime = column("not_before", "Held until (business clock).")
    expires_at: datetime = column("expires_at", "Never sent after (business clock).")
    sent_at: datetime | None = column("sent_at", "When it left (business clock).")
    state_at: datetime = column("state_at", "Since when it is in its state (real clock).")
    decision: Decision | None = relation("Why it was sent, held or not sent.", on={"id": "decision_id"})
    events: list[MessageEvent] = relation(
        "Its life, first step first.", on={"message_id": "id"}, order="{t}.id", first=20
    )
    baby: Baby | None = relation("About which child.", on={"id": "baby_id"})
    member: Annotated["Member", strawberry.lazy("api.schema.people.members")] | None = relation(
        "To whom.", on={"id": "member_id"}
    )
