"""E-mail over SMTP. A mail server has no keys and no look-up: after the data has left, a lost answer stays unknown.

Each message carries Message-ID <key@sender's domain>, so that a bounce or a person can name it, and the one-click
unsubscribe headers of RFC 8058.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import formatdate, parseaddr
from uuid import UUID

import aiosmtplib

from domain.gateway.delivery import (
    Accepted,
    LookUp,
    NotGenuine,
    Outcome,
    Outgoing,
    Received,
    Rejected,
    Traits,
    Unavailable,
    Unknown,
    refused_as_synthetic,
)

NAME = "email_smtp"


@dataclass(frozen=True, slots=True)
class EmailSmtpConfig:
    host: str
    port: int
    sender: str = "Nestling <care@nestling.example>"
    username: str = ""
    password: str = ""
    starttls: bool = True
    timeout: timedelta = timedelta(seconds=20)
    connections: int = 4
    is_test: bool = False


class EmailSmtp:
    """Bounded: at most `connections` sessions, kept open between messages; each message answered within `timeout`."""

    name = NAME
    channel = "EMAIL"

    def __init__(self, config: EmailSmtpConfig) -> None:
        self._config = config
        self.traits = Traits(
            settle_time=timedelta(0),  # nothing but a receipt ever settles an unknown e-mail
            timeout=config.timeout,
            is_test=config.is_test,
            concurrency=config.connections,
        )
        self._sender = parseaddr(config.sender)
        self._idle: asyncio.LifoQueue[aiosmtplib.SMTP | None] = asyncio.LifoQueue()
        for _ in range(config.connections):
            self._idle.put_nowait(None)

    async def send(self, message: Outgoing) -> Outcome:
        """One envelope. Until the data is on its way every failure is a definite one."""
        if refused := refused_as_synthetic(message, self.traits):
            return refused
        try:
            data = self.render(message)
        except (ValueError, IndexError, HeaderParseError):
            return Rejected("UNSENDABLE")
        delivery = _Delivery(await self._idle.get())
        try:
            async with asyncio.timeout(self._config.timeout.total_seconds()):
                outcome = await self._deliver(delivery, message, data)
        except TimeoutError:
            delivery.is_healthy = False
            outcome = Unknown("TIMEOUT") if delivery.data_left else Unavailable("TIMEOUT")
        finally:
            session = delivery.session
            if session is not None and not delivery.is_healthy:
                session.close()
            self._idle.put_nowait(session if delivery.is_healthy else None)
        return outcome

    async def _deliver(self, delivery: "_Delivery", message: Outgoing, data: bytes) -> Outcome:
        if (failed := await self._connect(delivery)) is not None:
            return failed
        session = delivery.session
        assert session is not None
        try:
            await session.mail(self._sender[1])
            await session.rcpt(message.to)
            delivery.data_left = True
            answer = await session.data(data)
        except aiosmtplib.SMTPResponseException as refused:
            # The server said no in so many words; only a recipient or a text is refused for good.
            delivery.is_healthy = True
            is_final = 500 <= refused.code < 600 and not isinstance(refused, aiosmtplib.SMTPSenderRefused)
            return (Rejected if is_final else Unavailable)(f"SMTP_{refused.code}")
        except (aiosmtplib.SMTPException, OSError) as error:
            return Unknown(_code(error)) if delivery.data_left else Unavailable(_code(error))
        if not 200 <= answer.code < 300:
            return Unknown(f"SMTP_{answer.code}")
        delivery.is_healthy = True
        return Accepted(str(message.key))  # what its Message-ID says, everywhere

    async def look_up(self, key: UUID) -> LookUp:  # noqa: ARG002 - SMTP has nothing to ask
        return Unavailable("NO_LOOK_UP")

    def receive(self, headers: Mapping[str, str], body: bytes) -> Received:  # noqa: ARG002
        """A mail server calls nobody back."""
        return NotGenuine("this provider has no callbacks")

    async def close(self) -> None:
        for _ in range(self._config.connections):
            session = await self._idle.get()
            if session is not None:
                with suppress(aiosmtplib.SMTPException, TimeoutError, OSError):
                    await session.quit()

    def render(self, message: Outgoing) -> bytes:
        """The message as bytes, once: text, and HTML beside it when there is some. Headers cannot be injected."""
        name, address = self._sender
        local, _, domain = address.partition("@")
        mail = EmailMessage(policy=SMTP_POLICY)
        mail["From"] = Address(name, local, domain)
        mail["To"] = Address(addr_spec=message.to)
        mail["Subject"] = " ".join(message.subject.split())
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.key}@{domain}>"
        if message.unsubscribe_url:
            mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(message.body, cte="base64")
        if message.body_html:
            mail.add_alternative(message.body_html, subtype="html", cte="base64")
        mail["Content-Language"] = message.language  # last: content headers before would move into the first part
        return mail.as_bytes()

    async def _connect(self, delivery: "_Delivery") -> Unavailable | None:
        """A session that has just answered. Nothing of the message has left yet."""
        if delivery.session is not None:
            with suppress(aiosmtplib.SMTPException, OSError):
                await delivery.session.rset()
                return None
            delivery.session.close()
        delivery.session = aiosmtplib.SMTP(
            hostname=self._config.host,
            port=self._config.port,
            timeout=self._config.timeout.total_seconds(),
            start_tls=self._config.starttls,
            username=self._config.username or None,
            password=self._config.password or None,
        )
        try:
            await delivery.session.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            return Unavailable(_code(error))
        return None


@dataclass(slots=True)
class _Delivery:
    """How far one envelope came."""

    session: aiosmtplib.SMTP | None
    data_left: bool = False
    is_healthy: bool = False


def _code(error: Exception) -> str:
    return type(error).__name__.upper()[:64]
