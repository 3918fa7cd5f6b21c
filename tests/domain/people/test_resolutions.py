"""Resolving: exactly one member for what is known of her, whoever asks at once; a phone alone never joins two."""

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from uuid import UUID

import pytest

from domain.database import connection
from domain.people.failures import MemberNotFound
from domain.people.identities import Identity, IdentityKind, primary_holder
from domain.people.identity_blocks import (
    BlockLifted,
    BlockReason,
    IdentityBlock,
    IdentityBlocked,
    block,
    flaw_of,
    lift,
    limit,
)
from domain.people.members import Member
from domain.people.merge_suggestions import MergeSuggestion
from domain.people.merges import Merge, MergeHow, unmerge
from domain.people.registrations import GivenIdentity, Registration, register
from domain.people.resolution_plans import LeftOut, Wish
from domain.people.resolutions import MemberResolved, NothingToGoBy, resolve, resolve_all
from domain.platform.clock import advance_business_clock, set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Role
from tests import factories as make
from tests.domain.people.merging import DAY

K = IdentityKind


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)


def card(number: object) -> GivenIdentity:
    return GivenIdentity(K.CARD, f"card-{number}", "brand")


def openid(number: object) -> GivenIdentity:
    return GivenIdentity(K.WECHAT_OPENID, f"openid-{number}", "wx1")


def phone(number: int) -> GivenIdentity:
    return GivenIdentity(K.PHONE, f"+1212666{number:04}")


async def found(*identities: GivenIdentity, verified_by: str = "", role: Role = Role.FRONTEND) -> MemberResolved:
    actor = make.frontend_actor() if role is Role.FRONTEND else await make.make_actor(role)
    answer = await resolve(actor, Wish(identities, verified_by), phone_region="US")
    assert isinstance(answer, MemberResolved), answer
    return answer


@pytest.mark.parametrize(
    ("kind", "value", "is_synthetic", "reason"),
    [
        (K.CARD, "0000000", False, BlockReason.PLACEHOLDER),
        (K.CARD, "NULL", False, BlockReason.PLACEHOLDER),
        (K.WECHAT_UNIONID, "undefined", True, BlockReason.PLACEHOLDER),
        (K.PHONE, "+8613800000000", False, BlockReason.PLACEHOLDER),
        (K.PHONE, "+12222222222", False, BlockReason.PLACEHOLDER),
        (K.PHONE, "+12125550142", False, BlockReason.TEST_NUMBER),
        (K.PHONE, "+12125550142", True, None),
        (K.PHONE, "+12126660142", False, None),
        (K.EMAIL, "noreply@shop.com", False, BlockReason.PLACEHOLDER),
        (K.EMAIL, "mia@example.com", False, BlockReason.TEST_NUMBER),
        (K.EMAIL, "mia@gmail.com", False, None),
        (K.CARD, "8800-0000-1234", False, None),
    ],
)
def test_what_names_nobody(kind: IdentityKind, value: str, is_synthetic: bool, reason: BlockReason | None) -> None:
    assert flaw_of(kind, value, is_synthetic=is_synthetic) is reason


async def test_every_kind_has_a_limit() -> None:
    assert all(limit(kind) > 0 for kind in IdentityKind)


async def test_blocked_values_are_not_kept_and_alone_find_nobody(db: str) -> None:
    store = await make.make_store(phone="+12126660100")
    operator = await make.make_actor(Role.OPERATOR)
    kiosk = await block(operator, K.CARD, " card-kiosk ", BlockReason.KIOSK, "The till at the door.")
    assert isinstance(kiosk, IdentityBlocked)
    assert isinstance(await block(operator, K.CARD, "x" * 999, BlockReason.SHARED), ValidationError)
    assert isinstance(await block(make.frontend_actor(), K.CARD, "1", BlockReason.KIOSK), NotPermitted)
    wish = Wish((phone(100), card("kiosk"), GivenIdentity(K.PHONE, "+1 212 555 0142")))
    answer = await resolve(make.frontend_actor(), wish, phone_region="US")
    left_out = {LeftOut(K.PHONE, "STORE_PHONE"), LeftOut(K.CARD, "KIOSK"), LeftOut(K.PHONE, "TEST_NUMBER")}
    assert isinstance(answer, NothingToGoBy)
    assert set(answer.left_out) == left_out
    kept = await found(*wish.identities, card(1))
    assert set(kept.left_out) == left_out
    assert [one.value for one in await Identity.filter(member_id=kept.member_id)] == ["card-1"]
    assert store.phone == "+12126660100"


async def test_a_phone_of_more_than_three_in_thirty_days_is_quarantined_until_somebody_lifts_it(db: str) -> None:
    shared = phone(200)
    first = await found(card(0), shared)
    assert await primary_holder(K.PHONE, shared.value) == first.member_id
    for number in (1, 2):
        await found(card(number), shared)
    assert await IdentityBlock.all().count() == 0
    fourth = await found(card(3), shared)
    quarantine = await IdentityBlock.get()
    assert (quarantine.reason, quarantine.value, quarantine.members) == (BlockReason.SHARED, shared.value, 4)
    assert await primary_holder(K.PHONE, shared.value) is None
    assert await Identity.filter(kind=K.PHONE, member_id=fourth.member_id).count() == 1  # evidence
    assert await resolve(make.frontend_actor(), Wish((shared,)), phone_region="US") == NothingToGoBy(())
    fifth = await found(card(4), shared)
    assert not (await Identity.get(kind=K.PHONE, member_id=fifth.member_id)).is_primary
    joined = await register(await make.make_actor(), Registration((shared,), phone_region="US"))
    assert not (await Identity.get(kind=K.PHONE, member_id=joined.member_id)).is_primary  # type: ignore[union-attr]
    lifted = await lift(await make.make_actor(Role.STORE_MANAGER), quarantine.id)
    assert lifted == BlockLifted(quarantine.id, first.member_id)
    assert (await found(shared)).member_id == first.member_id


async def test_four_at_once_are_too_many_and_four_in_two_months_are_not(db: str) -> None:
    await asyncio.gather(*(found(card(n), phone(201)) for n in range(4)))
    assert [one.value for one in await IdentityBlock.all()] == [phone(201).value]
    for number in range(4, 8):
        await found(card(number), phone(202))
        await advance_business_clock(11 * DAY)
    assert await IdentityBlock.all().count() == 1


async def test_a_phone_alone_never_joins_two(db: str) -> None:
    mother = await found(card(1), phone(1))
    daughter = await found(openid(2), phone(1))
    assert daughter.is_new
    assert (daughter.merged, daughter.suggested) == (0, 1)
    suggestion = await MergeSuggestion.get()
    assert suggestion.evidence == [{"code": "SHARED_CONTACT", "kinds": ["PHONE"], "verified_by": ""}]
    assert {suggestion.one_id, suggestion.other_id} == {mother.member_id, daughter.member_id}
    assert (await found(phone(1))).member_id == mother.member_id
    assert (await found(openid(2), phone(1))).suggested == 0  # known evidence is no news
    verified = await found(card(3), phone(1), verified_by="pos")
    assert verified.is_new  # she has another card of that issuer: her mother's phone
    assert (await found(openid(4), phone(2))).is_new
    assert not (await found(GivenIdentity(K.WECHAT_UNIONID, "u4", "wx"), phone(2), verified_by="wechat")).is_new


async def test_what_is_vouched_for_together_is_merged_and_an_unmerge_is_remembered(db: str) -> None:
    one, other = await found(card(1)), await found(openid(1))
    doubt = await found(card(1), openid(1))
    assert (doubt.member_id, doubt.merged, doubt.suggested) == (other.member_id, 0, 1)
    proof = await found(card(1), openid(1), verified_by="mini_program")
    assert (proof.member_id, proof.merged) == (other.member_id, 1)
    merge = await Merge.get()
    assert (merge.how, merge.survivor_id, merge.absorbed_id) == (MergeHow.AUTOMATIC, other.member_id, one.member_id)
    await unmerge(await make.make_actor(Role.OPERATOR), merge.id, "Her sister's card.")
    again = await found(card(1), openid(1), verified_by="mini_program")
    assert (again.member_id, again.merged, again.suggested) == (other.member_id, 0, 1)
    assert await primary_holder(K.CARD, "card-1") == one.member_id


async def test_nobody_is_found_out_of_scope_and_limits_hold(db: str) -> None:
    from domain.commerce.staff import RowScope

    await found(card(1))
    narrow = await make.make_actor(Role.ADVISOR, scope=RowScope.OWN)
    assert await resolve(narrow, Wish((card(1), phone(9))), phone_region="US") == MemberNotFound()
    assert await Identity.filter(kind=K.PHONE).count() == 0
    answer = await found(card(1), *(phone(300 + n) for n in range(limit(K.PHONE) + 2)))
    assert answer.left_out == (LeftOut(K.PHONE, "LIMIT"),) * 2
    assert await Identity.filter(kind=K.PHONE).count() == limit(K.PHONE)


def components(asked: Iterable[tuple[GivenIdentity, ...]]) -> int:
    """How many people are meant: identities of one person each that came together are one."""
    parent: dict[GivenIdentity, GivenIdentity] = {}

    def root(one: GivenIdentity) -> GivenIdentity:
        while parent.setdefault(one, one) != one:
            one = parent[one]
        return one

    for identities in asked:
        strong = [one for one in identities if one.kind is not K.PHONE]
        for one in strong:
            parent[root(one)] = root(strong[0])
    return len({root(one) for one in list(parent)})


async def test_200_resolves_at_once_end_in_the_right_number_of_people(db: str) -> None:
    rng = Random(4)
    of = {n: [card(n), openid(n), GivenIdentity(K.WECHAT_UNIONID, f"u{n}", "wx"), GivenIdentity(K.POS_ID, f"p{n}", "t")]
          for n in range(25)}  # fmt: skip
    asked = [(*rng.sample(of[rng.randrange(25)], rng.randrange(1, 4)), phone(rng.randrange(90))) for _ in range(200)]
    actor = make.frontend_actor()
    answers = await asyncio.gather(
        *(resolve(actor, Wish(identities, "mini_program"), phone_region="US") for identities in asked)
    )
    assert {type(answer) for answer in answers} == {MemberResolved}
    alive = await Member.exclude(status="MERGED")
    # a phone vouched for beside a new card may name her who has none of that issuer: never more people than this
    assert len(alive) <= components(asked)
    holders: dict[GivenIdentity, set[UUID]] = {}
    for identity in await Identity.filter(is_primary=True):
        holders.setdefault(GivenIdentity(identity.kind, identity.value, identity.namespace), set()).add(
            identity.member_id
        )
    assert all(len(held) == 1 for held in holders.values())
    for identities in asked:
        strong = [one for one in identities if one.kind is not K.PHONE]
        assert len({frozenset(holders[one]) for one in strong}) == 1, strong
    assert {member for held in holders.values() for member in held} == {member.id for member in alive}


async def test_200_unverified_resolves_make_one_member_for_each_spine(db: str) -> None:
    rng = Random(9)
    asked: list[tuple[GivenIdentity, ...]] = []
    for n in range(200):
        more = (openid(n % 20),) if rng.random() < 0.5 else ()
        asked.append((card(n % 20), *more, phone(500 + rng.randrange(12))))
    rng.shuffle(asked)
    actor = make.frontend_actor()
    answers = await asyncio.gather(*(resolve(actor, Wish(one), phone_region="US") for one in asked))
    assert {type(answer) for answer in answers} == {MemberResolved}
    assert await Member.all().count() == components(asked) == 20
    assert await Merge.all().count() == 0
    rows = await connection().execute_query_dict("SELECT count(*) AS n FROM households")
    assert rows == [{"n": 20}]


async def test_a_batch_is_what_one_after_the_other_is(db: str) -> None:
    rng = Random(6)
    makers: list[Callable[[int], GivenIdentity]] = [
        card,
        openid,
        phone,
        lambda n: GivenIdentity(K.WECHAT_UNIONID, f"u{n}", "wx"),
    ]
    wishes = [
        Wish(tuple(rng.choice(makers)(rng.randrange(30)) for _ in range(rng.randrange(1, 4))), rng.choice(["", "pos"]))
        for _ in range(120)
    ]
    actor = make.frontend_actor()

    async def people() -> list[list[str]]:
        rows = await connection().execute_query_dict(
            "SELECT array_agg(kind || value || is_primary ORDER BY kind, value) AS held FROM identities "
            "GROUP BY member_id ORDER BY 1"
        )
        return [row["held"] for row in rows]

    for wish in wishes:
        await resolve(actor, wish, phone_region="US")
    one_by_one = await people()
    await connection().execute_script(
        "DELETE FROM merge_changes; DELETE FROM merges; DELETE FROM merge_suggestions; DELETE FROM identities; "
        "DELETE FROM identity_blocks; DELETE FROM members; DELETE FROM households"
    )
    answers = await resolve_all(actor, wishes)
    assert len(answers) == 120
    assert await people() == one_by_one
