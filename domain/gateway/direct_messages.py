"""Direct messages: a person of ours, or a system, writes to one member now; the same decision and the same way out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.gateway.messages import MessageState, plan
from domain.outreach.intents import Intent
from domain.outreach.reasons import Reason
from domain.outreach.template_values import LONGEST_TEXT, resolve
from domain.people.failures import MemberNotFound
from domain.people.scopes import is_in_scope
from domain.platform.actors import Actor
from domain.platform.clock import business_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.ids import new_id
from domain.platform.roles import Permission
from domain.platform.sources import Channel, Purpose

GOOD_FOR = timedelta(hours=48)
OWN_WORDS = {Purpose.CARE: "note.care", Purpose.SERVICE: "note.service"}
"""Templates for words of one's own. There is none for promotion: an offer is approved wording."""

SENDABLE = (Channel.SMS, Channel.EMAIL)


@dataclass(frozen=True, slots=True)
class MessagePlanned:
    """What the decision says: QUEUED leaves at once, HELD at `next_possible_at`, SUPPRESSED never, and why."""

    message_id: UUID
    member_id: UUID
    state: MessageState  # PLANNED (leaves at once), HELD or SUPPRESSED
    reason: Reason  # OK when it leaves
    next_possible_at: datetime | None  # business clock


async def send_to_member(
    actor: Actor,
    member_id: UUID,
    channel: Channel,
    purpose: Purpose,
    *,
    template_key: str | None = None,
    params: Mapping[str, Any] | None = None,
    text: str | None = None,
    baby_id: UUID | None = None,
) -> MessagePlanned | MemberNotFound | NotPermitted | ValidationError:
    """Decide, store and queue one message: decision, message and outbox line in one transaction.

    Either an approved template with its values, or words of one's own for care and service. Being suppressed or held is
    an answer, not a failure. A shelf that the values name is judged by its own formula class, and words of one's own
    that plainly advertise formula are refused. Not idempotent by itself: the caller's idempotency key is.
    """
    if not actor.may(Permission.SEND_MESSAGES):
        return NotPermitted(Permission.SEND_MESSAGES)
    chosen = _choose(channel, purpose, template_key, dict(params or {}), text)
    if isinstance(chosen, ValidationError):
        return chosen
    key, given = chosen
    async with in_transaction():
        if not await is_in_scope(actor, member_id):
            return MemberNotFound()
        values = await resolve(key, given, member_id, "params" if text is None else "text")
        if isinstance(values, ValidationError):
            return values
        now = await business_now()
        intent = Intent(
            member_id=member_id,
            channel=channel,
            purpose=purpose,
            template_key=key,
            intent_key=f"direct:{new_id()}",
            not_before=now,
            expires_at=now + GOOD_FOR,
            baby_id=baby_id,
            params=values.params,
            formula_class=values.formula_class,
            is_about_babies=values.is_about_babies,
        )
        planned = await plan([intent])
        rows = await connection().execute_query_dict(
            "SELECT state, state_reason, CASE WHEN state = 'HELD' THEN not_before END AS next_possible_at "
            "FROM messages WHERE id = $1",
            planned.ids,
        )
    row = rows[0]
    return MessagePlanned(
        planned.ids[0],
        member_id,
        MessageState(row["state"]),
        Reason(row["state_reason"]),
        row["next_possible_at"],
    )


def _choose(
    channel: Channel, purpose: Purpose, template_key: str | None, params: dict[str, Any], text: str | None
) -> tuple[str, dict[str, Any]] | ValidationError:
    """The template and its values, or what is wrong with the request."""
    if channel not in SENDABLE:
        return ValidationError.of("channel", "Only SMS and e-mail can be sent directly.")
    if (text is None) == (template_key is None):
        return ValidationError.of("text", "Give either a template or a text.")
    if template_key is not None:
        return template_key, params
    words = (text or "").strip()
    if not words or len(words) > LONGEST_TEXT:
        return ValidationError.of("text", f"Between 1 and {LONGEST_TEXT} characters.")
    if purpose not in OWN_WORDS:
        return ValidationError.of("text", "A promotion needs an approved template.")
    return OWN_WORDS[purpose], {"text": words}
