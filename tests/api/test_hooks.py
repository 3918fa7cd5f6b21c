"""What providers and mail programs may call without a login: callbacks and one-click unsubscribe."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import httpx

from api.hooks import LARGEST_BODY
from channels.sms_http import sign
from domain.database import connection
from domain.gateway.delivery import Accepted
from domain.gateway.messages import Message, MessageState
from domain.gateway.receipts import Receipt
from domain.gateway.suppressions import Suppression, SuppressionReason
from domain.gateway.unsubscribes import UnsubscribeLinks
from domain.people.consents import Consent, ConsentState
from tests.domain.gateway.test_delivering import answer, lease, queue
from tests.workers.stage import SECRET_KEY, WEBHOOK_SECRET, web

LINKS = UnsubscribeLinks("https://crm.example", SECRET_KEY.encode())


def signed(body: bytes) -> dict[str, str]:
    return {"X-Signature": sign(WEBHOOK_SECRET, body)}


async def test_a_genuine_callback_is_stored_before_it_is_answered(db: str) -> None:
    await queue(1)
    (one,) = await lease()
    await answer(one, Accepted("ref"))
    event = {"event_id": "e1", "type": "delivered", "id": "ref", "at": datetime.now(UTC).isoformat()}
    body = json.dumps({"events": [event]}).encode()
    async with web(db) as url, httpx.AsyncClient(base_url=url) as client:
        for _ in range(2):
            assert (await client.post("/hooks/sms_http", content=body, headers=signed(body))).status_code == 204
            assert (await Message.get(id=one.outgoing.message_id)).state is MessageState.DELIVERED
    assert await Receipt.all().count() == 1


CASES: dict[str, tuple[str, bytes, bool, int]] = {
    "no signature": ("/hooks/sms_http", b'{"events": []}', False, 401),
    "not JSON": ("/hooks/sms_http", b"\xff\xfe", True, 400),
    "empty": ("/hooks/sms_http", b"", True, 400),
    "deep": ("/hooks/sms_http", b"[" * 5000, True, 400),
    "an event that is no object": ("/hooks/sms_http", b'{"events": [1]}', True, 400),
    "a provider that we have not": ("/hooks/other", b"{}", True, 404),
    "too long": ("/hooks/sms_http", b" " * (LARGEST_BODY + 1), True, 413),
    "nothing in it": ("/hooks/sms_http", b'{"events": []}', True, 204),
}


async def test_what_is_forged_or_unreadable_is_refused_and_never_a_server_error(db: str) -> None:
    async with web(db) as url, httpx.AsyncClient(base_url=url) as client:
        answers = {}
        for case, (path, body, is_signed, _) in CASES.items():
            response = await client.post(path, content=body, headers=signed(body) if is_signed else {})
            answers[case] = response.status_code
    assert answers == {case: expected for case, (_, _, _, expected) in CASES.items()}
    assert await Receipt.all().count() == 0


async def test_a_mail_scanner_that_follows_the_link_unsubscribes_nobody(db: str) -> None:
    await queue(1)
    (one,) = await lease()
    async with web(db) as url, httpx.AsyncClient(base_url=url) as client:
        page = await client.get(f"/u/{LINKS.token(one.outgoing.message_id)}")
        assert page.status_code == 200
        assert "<form" in page.text
        assert await Suppression.all().count() == 0
        assert await Consent.filter(state=ConsentState.WITHDRAWN).count() == 0


async def test_one_click_stops_the_channel_at_once_and_twice_is_once(db: str) -> None:
    people = await queue(1)
    (one,) = await lease()
    await connection().execute_query("UPDATE messages SET language = 'zh-Hans'")
    path = f"/u/{LINKS.token(one.outgoing.message_id)}"
    async with web(db) as url, httpx.AsyncClient(base_url=url) as client:
        for _ in range(2):
            done = await client.post(path, data={"List-Unsubscribe": "One-Click"})
            assert done.status_code == 200
            assert "已为您退订" in done.text
            assert "<form" not in done.text
    (suppression,) = await Suppression.all()
    assert (suppression.reason, suppression.member_id) == (SuppressionReason.UNSUBSCRIBED, people[0].id)
    assert await Consent.filter(state=ConsentState.WITHDRAWN, how="unsubscribe_link").count() == 1


async def test_a_token_that_is_not_ours_does_nothing(db: str) -> None:
    await queue(1)
    (one,) = await lease()
    ours = LINKS.token(one.outgoing.message_id)
    bent = ours[:-3] + ("AAA" if ours[-3:] != "AAA" else "BBB")
    strangers = UnsubscribeLinks("https://crm.example", b"another key").token(one.outgoing.message_id)
    tokens = [bent, ours[:10], "x", "é", strangers, LINKS.token(uuid4())]
    async with web(db) as url, httpx.AsyncClient(base_url=url) as client:
        for token in tokens:
            assert (await client.post(f"/u/{token}")).status_code == 404
            assert (await client.get(f"/u/{token}")).status_code == 404
    assert await Suppression.all().count() == 0
