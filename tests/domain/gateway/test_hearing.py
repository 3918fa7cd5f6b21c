"""What providers call back: receipts in any order, early, twice and forged; replies and opt-outs."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from domain.care.interactions import Interaction
from domain.database import connection
from domain.gateway import hearing
from domain.gateway.delivery import Accepted, Inbound, Receipt, Unknown
from domain.gateway.inbound import is_opt_out
from domain.gateway.messages import Message, MessageEvent, MessageState
from domain.gateway.receipts import Receipt as ReceiptRow
from domain.gateway.suppressions import Suppression, SuppressionReason
from domain.people.consents import Consent, ConsentState
from domain.platform.sources import Channel
from tests.domain.gateway.test_delivering import answer, lease, queue
from tests.workers.stage import make_people

AT = datetime(2026, 3, 1, tzinfo=UTC)


async def state(message_id: UUID) -> MessageState:
    return (await Message.get(id=message_id)).state


def told(kind: str, ref: str, n: int = 0) -> Receipt:
    return Receipt(f"{ref}/{kind}/{n}", kind, AT + timedelta(seconds=n), ref)


async def test_every_order_of_five_receipts_ends_the_same(db: str) -> None:
    orders = list(permutations(["ACCEPTED", "UNDELIVERED", "DELIVERED", "DELIVERED", "ACCEPTED"]))
    assert len(orders) == 120
    await queue(120)
    claimed = await lease(limit=200)
    for n, one in enumerate(claimed):
        await answer(one, Accepted(f"r{n}"))
    for position in range(5):
        events = [told(order[position], f"r{n}", position) for n, order in enumerate(orders)]
        assert await hearing.record("sms_http", "SMS", events) == 120
    assert {m.state for m in await Message.all()} == {MessageState.DELIVERED}
    regress = await MessageEvent.filter(from_state=MessageState.DELIVERED).count()
    assert regress == 0


async def test_a_receipt_that_comes_before_the_answer_waits_for_it(db: str) -> None:
    await queue(2)
    by_ref, by_key = await lease()
    early = [told("DELIVERED", "ref-a"), Receipt("e-b", "DELIVERED", AT, "ref-b", by_key.outgoing.key)]
    await hearing.record("sms_http", "SMS", early)
    assert await ReceiptRow.filter(applied_at=None).count() == 2
    assert await state(by_key.outgoing.message_id) is MessageState.SENDING
    await answer(by_ref, Accepted("ref-a"))
    await answer(by_key, Unknown("READ_ERROR"))
    assert {m.state for m in await Message.all()} == {MessageState.DELIVERED}
    assert (await Message.get(id=by_key.outgoing.message_id)).provider_ref == "ref-b"
    assert await ReceiptRow.filter(applied_at=None).count() == 0


async def test_the_same_event_twice_is_one_receipt(db: str) -> None:
    await queue(1)
    (one,) = await lease()
    await answer(one, Accepted("r"))
    assert await hearing.record("sms_http", "SMS", [told("DELIVERED", "r"), told("DELIVERED", "r")]) == 1
    assert await hearing.record("sms_http", "SMS", [told("DELIVERED", "r")]) == 0
    moves = await MessageEvent.filter(to_state=MessageState.DELIVERED).count()
    assert moves == 1


async def test_a_receipt_of_another_provider_or_of_nobody_changes_nothing(db: str) -> None:
    await queue(1)
    (one,) = await lease()
    await answer(one, Accepted("r"))
    await hearing.record("email_smtp", "EMAIL", [Receipt("f1", "DELIVERED", AT, "r", one.outgoing.key)])
    await hearing.record("sms_http", "SMS", [Receipt("f2", "DELIVERED", AT, "r", uuid4()), told("DELIVERED", "other")])
    assert await hearing.apply_parked() == 0
    assert await state(one.outgoing.message_id) is MessageState.ACCEPTED


async def test_a_receipt_settles_what_was_unknown(db: str) -> None:
    await queue(1)
    (one,) = await lease()
    await answer(one, Unknown("TIMEOUT"))
    await hearing.record("sms_http", "SMS", [Receipt("e", "UNDELIVERED", AT, "r", one.outgoing.key)])
    message = await Message.get(id=one.outgoing.message_id)
    assert (message.state, message.unknown_since, message.provider_ref) == (MessageState.UNDELIVERED, None, "r")


@pytest.mark.parametrize("kind", ["BOUNCED", "COMPLAINED"])
async def test_a_bounce_or_a_complaint_suppresses_the_address(db: str, kind: str) -> None:
    await queue(1)
    (one,) = await lease()
    await answer(one, Accepted("r"))
    await hearing.record("sms_http", "SMS", [told(kind, "r")])
    (suppression,) = await Suppression.all()
    assert suppression.reason is SuppressionReason(kind)
    assert suppression.address_hash != one.outgoing.to


OPT_OUTS = [
    "STOP",
    "stop",
    " Stop. ",
    "ＳＴＯＰ",
    "S\u200bTOP",
    "T",
    "TD",
    "td",
    "Ｔ",
    "R",
    "退订",
    "退订。",
    "【退订】",
    "stop all",
    "unsubscribe",
    "回T退订",
]
REPLIES = [
    "",
    "Stop by on Friday?",
    "Thanks",
    "t-shirt size L",
    "不退订",
    "谢谢",
    "END of the month is fine",
    "Tuesday",
    "3",
]


def test_opt_outs_are_known_in_every_spelling_and_nothing_else_is() -> None:
    assert [text for text in OPT_OUTS if not is_opt_out(text)] == []
    assert [text for text in REPLIES if is_opt_out(text)] == []


async def test_an_opt_out_suppresses_withdraws_and_lands_on_the_timeline_once(db: str) -> None:
    people = await queue(1)
    (one,) = await lease()
    await answer(one, Accepted("r"))
    stop = Inbound("reply-1", one.outgoing.to, "退订", AT, one.outgoing.key)
    assert await hearing.record("sms_http", "SMS", [stop]) == 1
    assert await hearing.record("sms_http", "SMS", [stop]) == 0
    (reply,) = await Interaction.all()
    assert (reply.member_id, reply.note, reply.topic, reply.message_id) == (
        people[0].id, "退订", "opt_out", one.outgoing.message_id
    )  # fmt: skip
    assert reply.is_synthetic
    last = await Consent.filter(member_id=people[0].id).order_by("-given_at", "-id").first()
    assert last is not None
    assert (last.state, last.how) == (ConsentState.WITHDRAWN, "sms_reply")
    assert await Suppression.filter(lifted_at=None).count() == 1


async def test_a_strangers_opt_out_is_honoured_and_her_words_are_not_kept(db: str) -> None:
    await make_people(1, Channel.SMS)
    assert await hearing.record("sms_http", "SMS", [Inbound("x", "+8613800138000", "STOP", AT)]) == 1
    assert await hearing.record("sms_http", "SMS", [Inbound("y", "+8613800138000", "who is this", AT)]) == 0
    assert await Suppression.all().count() == 1
    assert await Interaction.all().count() == 0


async def test_a_reply_goes_to_whom_we_wrote_on_a_shared_phone(db: str) -> None:
    people = await queue(1)
    (one,) = await lease()
    await answer(one, Accepted("r"))
    other = await make_people(1, Channel.SMS)
    await connection().execute_query("DELETE FROM identities WHERE member_id = $1 AND kind = 'PHONE'", [other[0].id])
    await connection().execute_query(
        "INSERT INTO identities (id, member_id, kind, value, is_primary, first_seen_at, last_seen_at) "
        "SELECT gen_random_uuid(), $1, kind, value, false, first_seen_at, last_seen_at FROM identities "
        "WHERE value = $2",
        [other[0].id, one.outgoing.to],
    )
    await hearing.record("sms_http", "SMS", [Inbound("z", one.outgoing.to, "Thank you!", AT)])
    (reply,) = await Interaction.all()
    assert reply.member_id == people[0].id
