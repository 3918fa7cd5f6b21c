"""The mail catcher: takes every letter, keeps none of its text, and writes into the log that it came."""

import email
import email.policy
import re
from typing import Any
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session

from nestling.simulator.log import Line, Log, now, sha256

PROVIDER = "email_smtp"
KEY = re.compile(r"<([0-9a-f-]{36})@")
REFUSED = re.compile(r"^(bounce|nobody)[+@]", re.IGNORECASE)  # addresses that the catcher does not know


class Catcher:
    """aiosmtpd's handler; each letter is one accepted effect, since a mail server knows no keys."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[Any]
    ) -> str:
        if REFUSED.match(address):  # before the letter, which alone says its key
            await self._log.append(Line(now(), "EMAIL", PROVIDER, "", "", sha256(address), "", "refused", "550", ""))
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        letter = email.message_from_bytes(raw, policy=email.policy.default)
        found = KEY.match(str(letter.get("Message-ID", "")))
        key = found.group(1) if found else ""
        part = letter.get_body(preferencelist=("plain",))
        text = str(part.get_content()).replace("\r\n", "\n").rstrip("\n") if part is not None else ""
        for to in envelope.rcpt_tos:
            ref = str(uuid4())
            line = Line(now(), "EMAIL", PROVIDER, key, key, sha256(to), sha256(text), "accepted", "250", ref)
            await self._log.append(line)
        return "250 OK"
