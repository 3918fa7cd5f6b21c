"""A message from the wish to its end, as far as rows go: planning, claiming, recording, settling, expiring."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest

from channels.email_smtp import EmailSmtp, EmailSmtpConfig
from channels.sms_http import SmsHttp, SmsHttpConfig
from domain.commerce.products import BabyClass, FormulaClass
from domain.database import connection
from domain.gateway import sweeps
from domain.gateway.attempts import MAX_ATTEMPTS, Attempt, NotPosted, backoff, record_attempts
from domain.gateway.claims import Claimed, claim
from domain.gateway.delivery import Accepted, NotReceived, Outcome, Rejected, Traits, Unavailable, Unknown
from domain.gateway.direct_messages import MessagePlanned, send_to_member
from domain.gateway.messages import Message, MessageState, plan
from domain.gateway.outbox import relay_messages
from domain.gateway.renderings import Letterhead
from domain.gateway.settling import Unsettled, _write, take_unsettled
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.gateway.unsubscribes import UnsubscribeLinks
from domain.outreach.attention import Window
from domain.outreach.intents import Intent
from domain.people.failures import MemberNotFound
from domain.people.members import Member
from domain.platform.clock import advance_business_clock, business_now
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose
from tests.factories import any_id, frontend_actor, make_actor, make_consent, make_product, make_store
from tests.workers.stage import make_people, plan_notes

LETTERHEAD = Letterhead("Nestling", UnsubscribeLinks("https://crm.example", b"k" * 32))
LEASE = timedelta(seconds=30)
PROVIDER = SmsHttp(
    SmsHttpConfig("http://127.0.0.1:1/messages", "t", "s", honours_keys=True, can_look_up=True, is_test=True)
)


async def queue(count: int) -> list[Member]:
    """So many members, each with one SMS in the queue."""
    people = await make_people(count, Channel.SMS)
    assert (await plan_notes(people, Channel.SMS)).sent == count
    await relay_messages()
    return people


async def lease(owner: str = "one", limit: int = 100) -> list[Claimed]:
    claimed, _ = await claim(owner, PROVIDER, limit, LEASE, LETTERHEAD)
    return claimed


async def answer(
    one: Claimed, outcome: Outcome | NotPosted, owner: str = "one", traits: Traits = PROVIDER.traits
) -> int:
    return len(
        await record_attempts(
            owner, [Attempt(one.outgoing.message_id, one.attempt, one.may_have_left, outcome)], traits
        )
    )


async def state_of(message_id: UUID) -> tuple[MessageState, str]:
    message = await Message.get(id=message_id)
    return message.state, message.state_reason


async def slots() -> int:
    """How many are taken: of every window the same number."""
    rows = await connection().execute_query_dict(
        "SELECT w AS window, coalesce(sum(used), 0)::int AS n FROM unnest($1::text[]) AS w "
        "LEFT JOIN attention_slots ON window_kind = w GROUP BY w",
        [[window.value for window in Window]],
    )
    (n,) = {row["n"] for row in rows}
    return int(n)


async def make_due() -> None:
    await connection().execute_query("UPDATE messages SET next_attempt_at = NULL WHERE state = 'QUEUED'")


async def test_every_intent_is_counted_once_and_planned_once(db: str) -> None:
    willing = await make_people(3, Channel.SMS)
    unwilling = await make_people(2)
    gone = await make_people(1, Channel.SMS)
    numbers = await connection().execute_query_dict(
        "SELECT value FROM identities WHERE kind = 'PHONE' AND member_id = $1", [gone[0].id]
    )
    await suppress(Channel.SMS, numbers[0]["value"], SuppressionReason.STOP_WORD)
    first = await plan_notes([*willing, *unwilling, *gone], Channel.SMS)
    assert (first.eligible, first.sent, first.held, first.suppressed, first.known) == (6, 3, 0, 3, 0)
    assert first.reasons == Counter({("SMS", "OK"): 3, ("SMS", "NO_CONSENT"): 2, ("SMS", "SUPPRESSED_ADDRESS"): 1})
    again = await plan_notes([*willing, *unwilling, *gone], Channel.SMS)
    assert (again.eligible, again.known) == (0, 6)
    rows = await connection().execute_query_dict(
        "SELECT (SELECT count(*) FROM messages)::int AS messages, (SELECT count(*) FROM outbox)::int AS outbox, "
        "(SELECT count(*) FROM decisions d JOIN messages m ON m.decision_id = d.id)::int AS decisions"
    )
    assert rows == [{"messages": 6, "outbox": 3, "decisions": 6}]


async def test_two_plans_at_once_make_one_message(db: str) -> None:
    people = await make_people(20, Channel.SMS)
    await asyncio.gather(*(plan_notes(people, Channel.SMS) for _ in range(4)))
    assert await Message.all().count() == 20


async def test_a_result_counts_only_under_its_own_lease(db: str) -> None:
    await queue(1)
    (one,) = await lease()
    assert await lease("two") == []
    assert await answer(one, Accepted("x"), owner="two") == 0
    await connection().execute_query("UPDATE messages SET lease_until = clock_timestamp() - interval '1 second'")
    assert await sweeps.release_lapsed_leases({PROVIDER.name: timedelta(0)}, timedelta(0)) == 1
    assert await answer(one, Accepted("x")) == 0
    assert await state_of(one.outgoing.message_id) == (MessageState.UNKNOWN, "LEASE_LAPSED")


async def test_workers_share_the_queue_without_overlap(db: str) -> None:
    await queue(60)
    batches = await asyncio.gather(*(lease(f"w{n}", 10) for n in range(8)))
    ids = [one.outgoing.message_id for batch in batches for one in batch]
    assert len(ids) == len(set(ids)) == 60


async def test_the_cap_binds_under_32_concurrent_workers(db: str) -> None:
    people = await make_people(4, Channel.SMS)
    now = await business_now()
    wishes = [
        Intent(
            p.id,
            Channel.SMS,
            Purpose.CARE,
            "note.care",
            f"cap:{p.id}:{n}",
            now,
            now + timedelta(hours=6),
            params={"text": "x"},
        )
        for p in people
        for n in range(8)
    ]
    await plan(wishes)
    await relay_messages()
    leased: list[Claimed] = []
    for _ in range(10):
        rounds = await asyncio.gather(*(claim(f"w{n}", PROVIDER, 8, LEASE, LETTERHEAD) for n in range(32)))
        leased += [one for claimed, _ in rounds for one in claimed]
        if not sum(looked_at for _, looked_at in rounds):
            await advance_business_clock(timedelta(minutes=2))  # those that let others go first ask again
            if not await sweeps.wake_held():
                break
    rows = await connection().execute_query_dict(
        "SELECT member_id, count(*)::int AS n FROM messages WHERE state = 'SENDING' GROUP BY 1"
    )
    cap = rows[0]["n"]
    assert [row["n"] for row in rows] == [cap] * 4
    assert 0 < cap < 8
    assert len(leased) == await slots() == cap * 4
    others = Counter([message.state_reason for message in await Message.exclude(state=MessageState.SENDING)])
    assert others == Counter({"DAILY_CAP": 32 - cap * 4})


async def test_scarce_slots_go_to_what_matters_most_whatever_came_first(db: str) -> None:
    """On any channel: care before promotion, and of equals the one of most value."""
    (member,) = await make_people(1, Channel.SMS, Channel.EMAIL)
    await make_consent(member, Purpose.SERVICE, Channel.SMS)
    now = await business_now()

    async def wish(key: str, channel: Channel, purpose: Purpose, value: float) -> None:
        template = "note.care" if purpose is Purpose.CARE else "note.service"
        until, text = now + timedelta(days=2), {"text": "x"}
        await plan([Intent(member.id, channel, purpose, template, key, now, until, params=text, value=value)])
        await relay_messages()

    await wish("last", Channel.SMS, Purpose.SERVICE, 1.0)
    await wish("first of its kind", Channel.SMS, Purpose.SERVICE, 2.0)
    await wish("letter", Channel.EMAIL, Purpose.CARE, 0.0)
    await connection().execute_query(
        "INSERT INTO attention_slots (member_id, window_kind, window_start, used) VALUES ($1, 'DAY', $2, 1)",
        [member.id, now.date()],
    )
    assert await lease() == [], "one slot is left, and the letter on another channel is care"
    first = await Message.get(intent_key="first of its kind")
    assert (first.state, first.state_reason) == (MessageState.HELD, "YIELDS")
    assert first.not_before == pytest.approx(await business_now() + timedelta(minutes=1), abs=timedelta(seconds=20))
    letters = EmailSmtp(EmailSmtpConfig("127.0.0.1", 1, is_test=True))
    ((sent,), _) = await claim("one", letters, 10, LEASE, LETTERHEAD)
    assert sent.outgoing.message_id == (await Message.get(intent_key="letter")).id
    await advance_business_clock(timedelta(minutes=2))
    assert await sweeps.wake_held() == 1
    assert await lease() == []
    states = {one.intent_key: one.state_reason for one in await Message.filter(channel=Channel.SMS)}
    assert states["first of its kind"] == "DAILY_CAP"


async def test_a_slot_of_yesterday_is_returned_before_todays_is_taken(db: str) -> None:
    (member,) = await make_people(1, Channel.SMS)
    now = await business_now()
    until = now + timedelta(days=3)
    await plan([Intent(member.id, Channel.SMS, Purpose.CARE, "note.care", "twice", now, until, params={"text": "x"})])
    await relay_messages()
    (one,) = await lease()
    await answer(one, Unavailable("HTTP_429"))
    assert await slots() == 1
    before = await Message.get(id=one.outgoing.message_id)
    await advance_business_clock(timedelta(hours=24))
    await make_due()
    (again,) = await lease()
    assert again.outgoing.message_id == before.id
    after = await Message.get(id=before.id)
    assert before.slot_window is not None
    assert after.slot_window == before.slot_window + timedelta(days=1)
    assert await slots() == 1


@pytest.mark.parametrize(
    ("outcome", "state", "keeps_slot"),
    [
        (Accepted("r"), MessageState.ACCEPTED, True),
        (Rejected("HTTP_422"), MessageState.FAILED, False),
        (Unavailable("HTTP_429"), MessageState.QUEUED, True),
        (Unknown("READ_ERROR"), MessageState.UNKNOWN, True),
        (NotPosted("STOPPING"), MessageState.QUEUED, True),
        (NotPosted("EXPIRED", is_expired=True), MessageState.EXPIRED, False),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, MessageState | bool) else str(value),
)
async def test_what_each_outcome_makes_of_a_message(
    db: str, outcome: Outcome | NotPosted, state: MessageState, keeps_slot: bool
) -> None:
    await queue(1)
    (one,) = await lease()
    assert await slots() == 1
    assert await answer(one, outcome) == 1
    assert (await state_of(one.outgoing.message_id))[0] is state
    assert await slots() == keeps_slot


async def test_what_may_have_left_never_becomes_unsent(db: str) -> None:
    """After an unknown outcome no refusal, expiry or opt-out makes it look as if nothing had been sent."""
    await queue(1)
    (one,) = await lease()
    message_id = one.outgoing.message_id
    await answer(one, Unknown("READ_ERROR"))
    await connection().execute_query("UPDATE messages SET next_attempt_at = clock_timestamp()")
    (unsettled,) = await take_unsettled(PROVIDER.name, 10)
    await _write(unsettled, Unavailable("HTTP_500"), PROVIDER.traits)  # the look-up could not say; the key is honoured
    assert await state_of(message_id) == (MessageState.QUEUED, "KEY_HONOURED")
    await make_due()
    (again,) = await lease()
    assert again.may_have_left
    assert again.outgoing.key == one.outgoing.key
    assert again.outgoing.body == one.outgoing.body
    await answer(again, Unavailable("HTTP_429"))
    assert (await state_of(message_id))[0] is MessageState.UNKNOWN
    assert await slots() == 1
    await connection().execute_query("UPDATE messages SET state = 'QUEUED', next_attempt_at = NULL")
    await advance_business_clock(timedelta(days=1))
    await sweeps.expire()
    assert (await state_of(message_id))[0] is MessageState.UNKNOWN


async def test_an_unknown_that_nobody_can_settle_waits_and_ends_visibly(db: str) -> None:
    await queue(1)
    (one,) = await lease()
    blind = Traits(settle_time=timedelta(0))
    await answer(one, Unknown("TIMEOUT"), traits=blind)
    (unsettled,) = await take_unsettled(PROVIDER.name, 10)
    await _write(unsettled, None, blind)
    assert await take_unsettled(PROVIDER.name, 10) == []
    assert await sweeps.give_unknown_up(timedelta(hours=72)) == 0
    await connection().execute_query("UPDATE messages SET unknown_since = unknown_since - interval '73 hours'")
    assert await sweeps.give_unknown_up(timedelta(hours=72)) == 1
    assert (await state_of(one.outgoing.message_id))[0] is MessageState.UNKNOWN_FINAL


async def test_a_look_up_settles_it_either_way_and_a_stale_one_changes_nothing(db: str) -> None:
    await queue(2)
    first, second = await lease()
    await answer(first, Unknown("TIMEOUT"))
    await answer(second, Unknown("TIMEOUT"))
    await connection().execute_query("UPDATE messages SET next_attempt_at = clock_timestamp()")
    by_id = {one.message_id: one for one in await take_unsettled(PROVIDER.name, 10)}
    assert await take_unsettled(PROVIDER.name, 10) == []
    found, missing = by_id[first.outgoing.message_id], by_id[second.outgoing.message_id]
    stale = Unsettled(found.message_id, found.key, found.attempt - 1, found.unknown_since)
    await _write(stale, NotReceived(), PROVIDER.traits)
    assert (await state_of(found.message_id))[0] is MessageState.UNKNOWN
    await _write(found, Accepted("ref"), PROVIDER.traits)
    await _write(missing, NotReceived(), PROVIDER.traits)
    assert await state_of(found.message_id) == (MessageState.ACCEPTED, "LOOK_UP_FOUND")
    assert await state_of(missing.message_id) == (MessageState.QUEUED, "LOOK_UP_NOT_RECEIVED")


async def test_too_many_refusals_end_in_the_dead_letters(db: str) -> None:
    await queue(1)
    for number in range(1, MAX_ATTEMPTS + 1):
        await make_due()
        (one,) = await lease()
        assert one.attempt == number
        await answer(one, Unavailable("CONNECT_ERROR"))
    assert await state_of(one.outgoing.message_id) == (MessageState.DEAD, "CONNECT_ERROR")
    assert await slots() == 0


async def test_whoever_opts_out_after_planning_gets_nothing(db: str) -> None:
    await queue(1)
    rows = await connection().execute_query_dict("SELECT value FROM identities WHERE kind = 'PHONE'")
    await suppress(Channel.SMS, rows[0]["value"], SuppressionReason.STOP_WORD)
    assert await lease() == []
    (message,) = await Message.all()
    assert (message.state, message.state_reason) == (MessageState.SUPPRESSED, "SUPPRESSED_ADDRESS")
    assert await slots() == 0


async def test_too_late_is_expired_at_claim(db: str) -> None:
    await queue(2)
    await advance_business_clock(timedelta(days=1))
    assert await lease() == []
    assert Counter([m.state for m in await Message.all()]) == Counter({MessageState.EXPIRED: 2})


async def test_held_messages_wake_at_their_hour(db: str) -> None:
    people = await make_people(1, Channel.SMS)
    now = await business_now()
    wish = Intent(
        people[0].id,
        Channel.SMS,
        Purpose.CARE,
        "note.care",
        "later",
        now + timedelta(hours=2),
        now + timedelta(days=1),
        params={"text": "x"},
    )
    assert (await plan([wish])).held == 1
    assert await sweeps.wake_held() == 0
    await advance_business_clock(timedelta(hours=2, minutes=1))
    assert await sweeps.wake_held() == 1
    assert len(await lease()) == 1


async def test_a_wording_that_fails_fails_its_message_only(db: str) -> None:
    people = await queue(2)
    await connection().execute_query("UPDATE messages SET params = '{}' WHERE member_id = $1", [people[0].id])
    assert len(await lease()) == 1
    assert Counter([m.state_reason for m in await Message.all()]) == Counter({"CLAIMED": 1, "TEMPLATE_ERROR": 1})
    assert await slots() == 1


def test_back_off_is_jittered_bounded_and_believes_the_provider() -> None:
    waits = [backoff(30) for _ in range(200)]
    assert max(waits) <= timedelta(minutes=15)
    assert len(set(waits)) > 100
    assert all(timedelta(seconds=7) <= backoff(1, timedelta(seconds=7)) <= timedelta(seconds=14) for _ in range(100))


async def test_a_direct_message_is_answered_with_its_decision(db: str) -> None:
    people = await make_people(1, Channel.SMS)
    actor = await make_actor(Role.OPERATOR)
    sent = await send_to_member(actor, people[0].id, Channel.SMS, Purpose.CARE, text="See you on Friday")
    assert isinstance(sent, MessagePlanned)
    assert (sent.state, sent.reason) == (MessageState.PLANNED, "OK")
    no_consent = await send_to_member(actor, people[0].id, Channel.SMS, Purpose.SERVICE, text="See you on Friday")
    assert isinstance(no_consent, MessagePlanned)
    assert (no_consent.state, no_consent.reason) == (MessageState.SUPPRESSED, "NO_CONSENT")
    await relay_messages()
    (one,) = await lease()
    assert one.outgoing.body.endswith("See you on Friday")


async def test_a_direct_message_that_cannot_be_right_is_refused(db: str) -> None:
    people = await make_people(1, Channel.SMS)
    actor = await make_actor(Role.OPERATOR)
    member_id = people[0].id
    assert isinstance(await send_to_member(actor, any_id(), Channel.SMS, Purpose.CARE, text="x"), MemberNotFound)
    assert isinstance(
        await send_to_member(frontend_actor(), member_id, Channel.SMS, Purpose.CARE, text="x"), NotPermitted
    )
    assert isinstance(
        await send_to_member(actor, member_id, Channel.SMS, Purpose.PROMOTION, text="Buy!"), ValidationError
    )
    assert isinstance(await send_to_member(actor, member_id, Channel.CALL, Purpose.CARE, text="x"), ValidationError)
    assert isinstance(await send_to_member(actor, member_id, Channel.SMS, Purpose.CARE, text=" "), ValidationError)
    assert isinstance(await send_to_member(actor, member_id, Channel.SMS, Purpose.CARE), ValidationError)
    assert await Message.all().count() == 0


async def test_an_offer_names_a_shelf_of_ours_and_the_law_judges_that_shelf(db: str) -> None:
    people = await make_people(1, Channel.SMS)
    await make_consent(people[0], Purpose.PROMOTION, Channel.SMS)
    actor = await make_actor(Role.OPERATOR)
    await make_product("BERRIES")
    await make_product("BEERS/ALES")
    await make_product("NEVER NAMED")
    await make_product("INFANT FORMULA", baby_class=BabyClass.FORMULA, formula_class=FormulaClass.UNKNOWN)
    await make_store(name="Store 31")

    async def offer(**params: str) -> object:
        return await send_to_member(
            actor, people[0].id, Channel.SMS, Purpose.PROMOTION, template_key="offer.cross_sell", params=params
        )

    for category in ("stage 1 infant formula, 20% off with coupon", "BEERS/ALES", "NEVER NAMED", "berries", ""):
        assert isinstance(await offer(category=category, store=""), ValidationError), category
    assert isinstance(await offer(category="BERRIES", store="Stage 1 formula, 20% off"), ValidationError)
    assert isinstance(await offer(category="BERRIES", store="", text="stage 1"), ValidationError)
    assert await Message.all().count() == 0
    formula = await offer(category="INFANT FORMULA", store="")
    assert isinstance(formula, MessagePlanned)
    assert (formula.state, formula.reason) == (MessageState.SUPPRESSED, "FORMULA_LAW")
    berries = await offer(category="BERRIES", store="Store 31")
    assert isinstance(berries, MessagePlanned)
    assert berries.reason == "OK"
    assert (await Message.get(id=berries.message_id)).params == {"category": "berries", "store": "Store 31"}


async def test_own_words_that_advertise_formula_are_refused_by_either_way(db: str) -> None:
    people = await make_people(1, Channel.SMS)
    actor = await make_actor(Role.OPERATOR)
    text = "Stage 1 formula is 20% off this week"
    for words in ({"text": text}, {"template_key": "note.care", "params": {"text": text}}):
        refused = await send_to_member(actor, people[0].id, Channel.SMS, Purpose.CARE, **words)
        assert isinstance(refused, ValidationError)
        assert "formula law" in refused.errors[0].message
        assert "Leave out" in refused.errors[0].message
    long = {"text": "x" * 601}
    too_long = await send_to_member(
        actor, people[0].id, Channel.SMS, Purpose.CARE, template_key="note.care", params=long
    )
    assert isinstance(too_long, ValidationError)
    assert await Message.all().count() == 0
