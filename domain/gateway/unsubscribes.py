"""One-click unsubscribe: a token that names one message, valid for as long as the message is kept, signed by us."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from uuid import UUID

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
