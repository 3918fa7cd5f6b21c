"""Inbound: what people write back. It lands on the timeline; an opt-out suppresses the address at once."""

import re
import unicodedata
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.care.interactions import Direction, InteractionKind
from domain.database import connection
from domain.gateway.delivery import Inbound
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.people.consents import ConsentEvidence, ConsentState, write_consent
from domain.people.identities import IdentityKind
from domain.platform import changes
from domain.platform.clock import business_now
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose, Source

# CTIA's words, and those that Chinese carriers print under every promotion (回T退订, 拒收请回复R).
STOP_WORDS = frozenset(
    {
        "stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout",
        "t", "td", "r", "退订", "退", "停止", "取消订阅", "拒收", "t退订", "td退订", "回t退订",
    }
)  # fmt: skip
_NOT_A_WORD = re.compile(r"[^\w]|_")


def is_opt_out(text: str) -> bool:
    """Whether the whole text is an opt-out: whatever its case, width, spaces, punctuation and invisible characters."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    visible = "".join(c for c in plain if unicodedata.category(c) != "Cf")
    return _NOT_A_WORD.sub("", visible) in STOP_WORDS


async def hear(provider: str, channel: Channel, inbound: Inbound) -> bool:
    """Put a reply on its member's timeline; an opt-out also suppresses the address and withdraws consents.

    One transaction, idempotent on the provider's event. A stranger's opt-out is honoured too; her words are not kept.
    Answers whether it was new.
    """
    opts_out = is_opt_out(inbound.text)
    async with in_transaction():
        who = await _writer(channel, inbound)
        if who is None:
            if opts_out:
                await suppress(channel, inbound.from_address, SuppressionReason.STOP_WORD)
            return opts_out
        at = await business_now()
        if not await _put_on_timeline(provider, channel, inbound, who, at, "opt_out" if opts_out else "reply"):
            return False
        if opts_out:
            await suppress(channel, inbound.from_address, SuppressionReason.STOP_WORD, member_id=who["member_id"])
            await withdraw_channel(who["member_id"], channel, at, how="sms_reply")
        await changes.announce(changes.MEMBER_TIMELINE, who["member_id"])
    return True


async def _writer(channel: Channel, inbound: Inbound) -> dict[str, Any] | None:
    """Whom the address belongs to: she whom we wrote to there last, else its primary holder."""
    address = inbound.from_address.strip().lower()
    kind = IdentityKind.EMAIL if channel is Channel.EMAIL else IdentityKind.PHONE
    rows = await connection().execute_query_dict(
        "SELECT i.member_id, coalesce(i.home_id, i.member_id) AS written_as, i.is_synthetic, "
        "last.id AS message_id FROM identities i LEFT JOIN LATERAL ("
        "SELECT m.id, m.created_at, m.provider_key = $4 AS is_answered FROM messages m "
        "WHERE m.member_id = i.member_id AND m.channel = $3 AND m.address = i.value AND m.attempt > 0 "
        "ORDER BY is_answered DESC NULLS LAST, m.created_at DESC, m.id DESC LIMIT 1) last ON true "
        "WHERE i.value = $1 AND i.kind = $2 "
        "ORDER BY last.is_answered DESC NULLS LAST, last.created_at DESC NULLS LAST, i.is_primary DESC LIMIT 1",
        [address, kind.value, channel.value, inbound.in_reply_to],
    )
    return rows[0] if rows else None


async def _put_on_timeline(
    provider: str, channel: Channel, inbound: Inbound, who: dict[str, Any], at: datetime, topic: str
) -> bool:
    rows = await connection().execute_query_dict(
        "INSERT INTO interactions (id, member_id, kind, channel, direction, occurred_at, topic, note, message_id, "
        "source, external_id, is_synthetic) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
        "ON CONFLICT (source, external_id) DO NOTHING RETURNING id",
        [
            new_id(), who["written_as"], InteractionKind.REPLY.value, channel.value, Direction.INBOUND.value, at, topic,
            inbound.text, who["message_id"], provider, inbound.event_key, who["is_synthetic"],
        ],
    )  # fmt: skip
    return bool(rows)


async def withdraw_channel(member_id: UUID, channel: Channel, at: datetime, *, how: str) -> int:
    """Withdraw all that the member allows on this channel, in general or about babies. Idempotent; in a transaction."""
    await connection().execute_query("SELECT 1 FROM members WHERE id = $1 FOR UPDATE", [member_id])
    granted = await connection().execute_query_dict(
        "SELECT purpose, baby_id FROM consents_in_force WHERE member_id = $1 AND channel = $2 AND state = 'GRANTED' "
        "ORDER BY purpose, baby_id",
        [member_id, channel.value],
    )
    for row in granted:
        evidence, state = ConsentEvidence(how), ConsentState.WITHDRAWN
        await write_consent(
            member_id, Purpose(row["purpose"]), channel, state, evidence, source=Source.MEMBER, now=at,
            recorded_by=None, baby_id=row["baby_id"],
        )  # fmt: skip
    return len(granted)
