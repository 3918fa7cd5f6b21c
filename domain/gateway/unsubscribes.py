"""One-click unsubscribe: a token that names one message, valid for as long as the message is kept, signed by us."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from uuid import UUID

from tortoise.transactions import in_transaction

from domain.database import connection
from domain.gateway.inbound import withdraw_channel
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.platform import changes
from domain.platform.clock import business_now
from domain.platform.sources import Channel

SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class UnsubscribeLinks:
    """Makes and reads the links. The token holds no address and no name, so it may stand in a URL and in a log."""

    base_url: str  # https://crm.example.com
    key: bytes

    def url(self, message_id: UUID) -> str:
        return f"{self.base_url.rstrip('/')}/u/{self.token(message_id)}"

    def token(self, message_id: UUID) -> str:
        return urlsafe_b64encode(message_id.bytes + self._signature(message_id.bytes)).decode().rstrip("=")

    def read(self, token: str) -> UUID | None:
        """The message, or None for a token that we did not make. Constant time."""
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (NotBase64, ValueError):
            return None
        if len(raw) != 16 + SIGNATURE_BYTES or not hmac.compare_digest(raw[16:], self._signature(raw[:16])):
            return None
        return UUID(bytes=raw[:16])

    def _signature(self, message: bytes) -> bytes:
        return hmac.new(self.key, b"unsubscribe:" + message, "sha256").digest()[:SIGNATURE_BYTES]


async def language_of(message_id: UUID) -> str | None:
    """The language of a message that left, for the page; None when there is no such message."""
    rows = await connection().execute_query_dict(
        "SELECT language FROM messages WHERE id = $1 AND address IS NOT NULL", [message_id]
    )
    return str(rows[0]["language"]) if rows else None


async def unsubscribe(message_id: UUID) -> str | None:
    """Stop the message's channel for the address that it went to: suppressed at once, consents withdrawn.

    One transaction, idempotent. Answers the message's language, or None when there is no such message.
    """
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "SELECT member_id, channel, address, language FROM messages WHERE id = $1 AND address IS NOT NULL",
            [message_id],
        )
        if not rows:
            return None
        row = rows[0]
        channel = Channel(row["channel"])
        await suppress(channel, row["address"], SuppressionReason.UNSUBSCRIBED, member_id=row["member_id"])
        await withdraw_channel(row["member_id"], channel, await business_now(), how="unsubscribe_link")
        await changes.announce(changes.MEMBER_TIMELINE, row["member_id"])
    return str(row["language"])
