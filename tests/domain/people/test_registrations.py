"""Registering: one identity, one member, whoever comes first; a family phone is shared inside its family only."""

import asyncio

import pytest

from domain.database import connection
from domain.people import registrations
from domain.people.consents import Consent, ConsentEvidence
from domain.people.failures import MemberNotFound
from domain.people.identities import Identity, IdentityKind, primary_holder
from domain.people.members import Member
from domain.people.registrations import AlreadyRegistered, GivenConsent, GivenIdentity, MemberRegistered, Registration
from domain.platform.clock import set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose
from tests import factories as make

PHONE = "+12125550142"


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)


def by_phone(text: str = PHONE, **more: object) -> Registration:
    return Registration((GivenIdentity(IdentityKind.PHONE, text),), phone_region="US", **more)  # type: ignore[arg-type]


async def test_a_member_joins_with_consent_and_attribution(db: str) -> None:
    store = await make.make_store()
    actor = await make.make_actor(Role.ADVISOR, store_id=store.id)
    wording = ConsentEvidence("store_form", "care-sms-1", "We may send care messages.", store.id)
    answer = await registrations.register(
        actor,
        Registration(
            (GivenIdentity(IdentityKind.PHONE, "(212) 555-0142"), GivenIdentity(IdentityKind.CARD, " 8800 ", "brand")),
            phone_region="US",
            full_name="王小丽",
            language="zh-Hans",
            time_zone="Asia/Shanghai",
            channel=Channel.STORE,
            campaign="opening",
            consents=(GivenConsent(Purpose.CARE, Channel.SMS, wording),),
        ),
    )
    assert isinstance(answer, MemberRegistered)
    member = await Member.get(id=answer.member_id)
    assert (member.name_key, member.store_id, member.owner_id, member.joined_by_id, member.joined_campaign) == (
        "wangxiaoli", store.id, actor.staff_id, actor.staff_id, "opening",
    )  # fmt: skip
    consent = await Consent.get(member_id=member.id)
    assert (consent.text_version, len(consent.text_hash), consent.recorded_by) == ("care-sms-1", 64, actor.account_id)
    assert await primary_holder(IdentityKind.PHONE, PHONE) == member.id
    assert await primary_holder(IdentityKind.CARD, "8800") == member.id
    assert (await Identity.get(kind=IdentityKind.PHONE)).is_synthetic


async def test_addresses_set_aside_for_examples_are_marked_as_such(db: str) -> None:
    given = tuple(GivenIdentity(IdentityKind.EMAIL, text) for text in ("grace@example.com", "grace@grace-lin.net"))
    await registrations.register(make.frontend_actor(), Registration(given, phone_region="US"))
    marked = {one.value: one.is_synthetic for one in await Identity.all()}
    assert marked == {"grace@example.com": True, "grace@grace-lin.net": False}


async def test_thirty_tills_registering_one_phone_make_one_member(db: str) -> None:
    actors = [await make.make_actor(Role.ADVISOR) for _ in range(30)]
    spellings = [PHONE, "212-555-0142", "(212) 5550142"]
    answers = await asyncio.gather(
        *(registrations.register(actor, by_phone(spellings[n % 3])) for n, actor in enumerate(actors))
    )
    winners = [answer for answer in answers if isinstance(answer, MemberRegistered)]
    assert len(winners) == 1
    others = [answer for answer in answers if answer is not winners[0]]
    assert others == [AlreadyRegistered(IdentityKind.PHONE, winners[0].member_id)] * 29
    rows = await connection().execute_query_dict(
        "SELECT (SELECT count(*) FROM members) AS members, (SELECT count(*) FROM households) AS households, "
        "(SELECT count(*) FROM identities) AS identities"
    )
    assert rows == [{"members": 1, "households": 1, "identities": 1}]


async def test_overlapping_identities_in_any_order_end_without_deadlock(db: str) -> None:
    actor = await make.make_actor()
    cards = [GivenIdentity(IdentityKind.CARD, f"card-{n}", "brand") for n in range(6)]

    async def join(number: int) -> object:
        chosen = (cards[number % 6], cards[(number * 5 + 1) % 6], cards[(number + 3) % 6])
        return await registrations.register(actor, Registration(chosen, phone_region="US"))

    answers = await asyncio.gather(*(join(n) for n in range(40)))
    assert all(isinstance(answer, MemberRegistered | AlreadyRegistered) for answer in answers)
    rows = await connection().execute_query_dict("SELECT count(*) - count(DISTINCT value) AS doubled FROM identities")
    assert rows == [{"doubled": 0}]
    members = await Member.all().count()
    assert members == sum(isinstance(answer, MemberRegistered) for answer in answers)


async def test_a_grandmother_shares_the_family_phone_inside_the_family_only(db: str) -> None:
    actor = await make.make_actor()
    mother = await registrations.register(actor, by_phone())
    assert isinstance(mother, MemberRegistered)
    stranger = await registrations.register(actor, by_phone())
    assert stranger == AlreadyRegistered(IdentityKind.PHONE, mother.member_id)
    grandmother = await registrations.register(actor, by_phone(household_of=mother.member_id))
    assert isinstance(grandmother, MemberRegistered)
    assert grandmother.household_id == mother.household_id
    assert await primary_holder(IdentityKind.PHONE, PHONE) == mother.member_id
    nobody = await registrations.register(actor, by_phone("+12125550143", household_of=make.any_id()))
    assert nobody == MemberNotFound()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (by_phone("12345"), "identities.PHONE"),
        (by_phone("1.38E+10"), "identities.PHONE"),
        (Registration((), phone_region="US"), "identities"),
        (Registration((GivenIdentity(IdentityKind.CARD, "0000"),), phone_region="US"), "identities.CARD"),
        (by_phone(full_name="  "), "fullName"),
        (by_phone(time_zone="Mars/Olympus"), "timeZone"),
        (by_phone(jurisdiction="usa"), "jurisdiction"),
        (by_phone(jurisdiction="XX"), "jurisdiction"),
        (by_phone(language="klingonish"), "language"),
        (
            by_phone(consents=(GivenConsent(Purpose.CARE, Channel.SMS, ConsentEvidence("form")),)),
            "consents.text",
        ),
    ],
)
async def test_what_cannot_be_right_is_named_and_nothing_is_written(db: str, given: Registration, field: str) -> None:
    answer = await registrations.register(await make.make_actor(), given)
    assert isinstance(answer, ValidationError)
    assert [error.field for error in answer.errors] == [field]
    assert await Member.all().count() == 0


async def test_a_stores_own_number_is_nobodys(db: str) -> None:
    await make.make_store(phone=PHONE)
    answer = await registrations.register(await make.make_actor(), by_phone())
    assert isinstance(answer, ValidationError)
    analyst = await make.make_actor(Role.ANALYST)
    assert isinstance(await registrations.register(analyst, by_phone()), NotPermitted)
