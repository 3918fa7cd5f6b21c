"""The golden table of the SMTP channel, against a real server that misbehaves, and what a letter looks like."""

import asyncio
import email
import email.policy
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiosmtpd.smtp import SMTP

from channels.email_smtp import EmailSmtp, EmailSmtpConfig
from domain.gateway.delivery import Accepted, Outgoing, Rejected, Unavailable, Unknown

KEY = UUID("6e657374-0000-4000-8000-000000000002")
TIMEOUT = timedelta(seconds=0.8)


class Server:
    """aiosmtpd with one answer of its own, or none at all."""

    def __init__(self, at: str, answer: str) -> None:
        self._at = at
        self._answer = answer
        self.letters: list[bytes] = []
        self.sessions = 0

    async def _say(self, at: str, server: Any, otherwise: str) -> str:
        if at != self._at:
            return otherwise
        if self._answer == "hang":
            await asyncio.sleep(30)
        if self._answer == "reset":
            server.transport.abort()
            await asyncio.sleep(0.05)
        return self._answer

    async def handle_EHLO(
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        envelope.mail_from = address
        return await self._say("MAIL", server, "250 OK")

    async def handle_RCPT(self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        envelope.rcpt_tos.append(address)
        return await self._say("RCPT", server, "250 OK")

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        said = await self._say("DATA", server, "250 OK")
        self.letters.append(envelope.content)
        return said


@asynccontextmanager
async def server(at: str = "", answer: str = "") -> AsyncIterator[tuple[Server, int]]:
    handler = Server(at, answer)
    loop = asyncio.get_running_loop()
    open_: list[SMTP] = []

    def connected() -> SMTP:
        open_.append(SMTP(handler, loop=loop, hostname="test"))
        return open_[-1]

    listening = await loop.create_server(connected, "127.0.0.1", 0)
    try:
        yield handler, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for one in open_:
            if one.transport is not None:
                one.transport.close()
        await asyncio.sleep(0.05)


def channel(port: int, *, is_test: bool = False) -> EmailSmtp:
    return EmailSmtp(
        EmailSmtpConfig(
            "127.0.0.1",
            port,
            "Nestling 母婴 <care@brand.shop>",
            starttls=False,
            timeout=TIMEOUT,
            connections=1,
            is_test=is_test,
        )
    )


def outgoing(to: str = "mother@mail.shop", **more: Any) -> Outgoing:
    fields: dict[str, Any] = {"subject": "A word", "body": "Hello,\n您好", "body_html": "<p>Hello</p>"}
    return Outgoing(key=KEY, message_id=uuid4(), to=to, **{**fields, **more})


GOLDEN: dict[str, tuple[str, str, object]] = {
    "taken": ("", "", Accepted(str(KEY))),
    "greylisted recipient": ("RCPT", "450 later", Unavailable("SMTP_450")),
    "no such mailbox": ("RCPT", "550 unknown", Rejected("SMTP_550")),
    "our sender is refused": ("MAIL", "550 not you", Unavailable("SMTP_550")),
    "busy at MAIL": ("MAIL", "421 busy", Unavailable("SMTP_421")),
    "content refused": ("DATA", "554 spam", Rejected("SMTP_554")),
    "content later": ("DATA", "451 later", Unavailable("SMTP_451")),
    "reset at MAIL": ("MAIL", "reset", Unavailable("SMTPSERVERDISCONNECTED")),
    "reset at RCPT": ("RCPT", "reset", Unavailable("SMTPSERVERDISCONNECTED")),
    "hangs at RCPT": ("RCPT", "hang", Unavailable("TIMEOUT")),
    "reset after the data": ("DATA", "reset", Unknown("SMTPSERVERDISCONNECTED")),
    "no answer to the data": ("DATA", "hang", Unknown("TIMEOUT")),
}


@pytest.mark.parametrize("case", GOLDEN)
async def test_each_failure_means_what_the_table_says(case: str) -> None:
    at, answer, expected = GOLDEN[case]
    async with server(at, answer) as (_, port):
        mail = channel(port)
        outcome = await mail.send(outgoing())
        await mail.close()
    if isinstance(outcome, Unavailable | Unknown) and "TIMEOUT" in outcome.code:
        outcome = type(outcome)("TIMEOUT")  # the client's own or ours, whichever is first
    assert outcome == expected


async def test_no_connection_is_no_sending() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        mail = channel(taken.getsockname()[1])
        assert await mail.send(outgoing()) == Unavailable("SMTPCONNECTERROR")
        await mail.close()


async def test_a_session_is_kept_and_a_dead_one_is_replaced() -> None:
    async with server() as (handler, port):
        mail = channel(port)
        assert [type(await mail.send(outgoing())) for _ in range(3)] == [Accepted] * 3
        assert handler.sessions == 1
    async with server("RCPT", "550 no") as (handler, again):
        mail._config = channel(again)._config
        assert await mail.send(outgoing()) == Rejected("SMTP_550")
        assert handler.sessions == 1
        await mail.close()


async def test_a_letter_can_be_named_unsubscribed_from_and_not_injected_into() -> None:
    async with server() as (handler, port):
        mail = channel(port)
        url = "https://crm.brand.shop/u/token"
        await mail.send(outgoing(subject="您好\r\nBcc: everybody@mail.shop", unsubscribe_url=url, language="zh-Hans"))
        await mail.close()
    letter = email.message_from_bytes(handler.letters[0], policy=email.policy.default)
    assert letter["Message-ID"] == f"<{KEY}@brand.shop>"
    assert letter["List-Unsubscribe"] == f"<{url}>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["Subject"] == "您好 Bcc: everybody@mail.shop"
    assert letter["Bcc"] is None
    assert letter["Content-Language"] == "zh-Hans"
    plain, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().strip().replace("\r\n", "\n") == "Hello,\n您好"
    assert html.get_content().strip() == "<p>Hello</p>"


@pytest.mark.parametrize("to", ["a@b@c", "no address", "x@y.shop\r\nBcc: z@y.shop", "", "@"])
async def test_what_is_not_an_address_is_never_sent(to: str) -> None:
    async with server() as (handler, port):
        mail = channel(port)
        assert isinstance(await mail.send(outgoing(to)), Rejected)
        await mail.close()
    assert handler.letters == []


@pytest.mark.parametrize("to", ["a@example.com", "b@mail.example", "c@x.test", "d@EXAMPLE.ORG"])
async def test_a_real_server_never_sees_an_address_that_belongs_to_nobody(to: str) -> None:
    mail = channel(1)
    assert await mail.send(outgoing(to)) == Rejected("SYNTHETIC_CONTACT")
    assert await mail.send(outgoing(is_synthetic=True)) == Rejected("SYNTHETIC_CONTACT")
    assert isinstance(await channel(1, is_test=True).send(outgoing(to)), Unavailable)
    await mail.close()
