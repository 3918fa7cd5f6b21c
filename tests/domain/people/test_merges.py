"""Merging two who are one, and taking it back to the byte."""

import asyncio
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from tortoise.transactions import in_transaction

from domain.care import losses
from domain.care.losses import BabyContentStopped
from domain.commerce.order_ingest import OrderLanded, ingest_orders
from domain.database import connection
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.people import merge_suggestions, merges
from domain.people.babies import Baby, Sex
from domain.people.consents import Consent, ConsentState
from domain.people.failures import MemberNotFound
from domain.people.households import Household
from domain.people.identities import Identity, IdentityKind, primary_holder
from domain.people.member_landing import member_lander
from domain.people.members import Member, MemberStatus
from domain.people.merges import KeptApart, MembersMerged, MembersUnmerged, MergePreviewed
from domain.people.registrations import GivenIdentity, Registration, register
from domain.people.resolution_plans import Wish
from domain.people.resolutions import resolve
from domain.platform.actors import Actor
from domain.platform.clock import set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.import_rows import LANDED, Row
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose, Source
from tests import factories as make
from tests.domain.people.merging import DAY, every_row, people


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)


async def joined(actor: Actor, survivor: UUID, absorbed: UUID) -> MembersMerged:
    answer = await merges.merge(actor, survivor, absorbed)
    assert isinstance(answer, MembersMerged), answer
    return answer


async def undone(actor: Actor, merge_id: UUID) -> None:
    assert isinstance(await merges.unmerge(actor, merge_id, "Two people."), MembersUnmerged)


async def test_everything_of_hers_moves_and_comes_back_to_the_byte(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    one, other, *_ = await people(4, Random(3))
    before = await every_row()
    merged = await joined(actor, one.id, other.id)
    left = await connection().execute_query_dict(
        " UNION ALL ".join(
            f"SELECT '{table}' AS name FROM {table} WHERE member_id = $1"
            for table in ("orders", "interactions", "messages", "callback_tasks", "decisions", "consents", "identities",
                          "member_tags", "attention_slots", "scores")
        ), [other.id],
    )  # fmt: skip
    assert left == []
    gone = await Member.get(id=other.id)
    assert (gone.status, gone.merged_into_id) == (MemberStatus.MERGED, one.id)
    assert await primary_holder(IdentityKind.CARD, "card-1") == one.id
    await undone(actor, merged.merge_id)
    assert await every_row() == before


async def test_a_preview_counts_what_the_merge_does_and_writes_nothing(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    one, other, *_ = await people(3, Random(5))
    before = await every_row()
    seen = await merges.preview(actor, one.id, other.id)
    assert isinstance(seen, MergePreviewed)
    assert await every_row() == before
    assert await merges.Merge.all().count() == 0
    merged = await joined(actor, one.id, other.id)
    moved = (await merges.Merge.get(id=merged.merge_id)).moved
    assert {table: sum(kinds.values()) for table, kinds in seen.rows.items()} == moved
    assert moved["orders"] == 1


async def test_the_strictest_latest_word_stands_and_suppressions_are_united(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    one, other = await make.make_member(), await make.make_member()
    granted, withdrawn = ConsentState.GRANTED, ConsentState.WITHDRAWN
    said = [
        (one, Purpose.CARE, granted, 1), (other, Purpose.CARE, withdrawn, 9),  # her no is older, and stands
        (one, Purpose.SERVICE, withdrawn, 9), (other, Purpose.SERVICE, granted, 1),
        (one, Purpose.PROMOTION, granted, 5), (other, Purpose.PROMOTION, granted, 1),
    ]  # fmt: skip
    for member, purpose, state, ago in said:
        await make.make_consent(member, purpose, Channel.SMS, state=state, given_at=make.NOON - ago * DAY)
    await make.make_consent(other, Purpose.CARE, Channel.SMS, state=granted, given_at=make.NOON - 20 * DAY)
    await suppress(Channel.SMS, "+12125550101", SuppressionReason.STOP_WORD, member_id=other.id)
    await joined(actor, one.id, other.id)
    now = {}
    for consent in await Consent.filter(member_id=one.id).order_by("given_at", "id"):
        now[consent.purpose] = consent.state
    assert now == {Purpose.CARE: withdrawn, Purpose.SERVICE: withdrawn, Purpose.PROMOTION: granted}
    rows = await connection().execute_query_dict("SELECT member_id, lifted_at FROM suppressions")
    assert rows == [{"member_id": one.id, "lifted_at": None}]


async def test_a_loss_is_absorbing_under_a_merge(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    one, other = await make.make_member(), await make.make_member()
    born = {"born_on": make.NOON.date() - 30 * DAY, "born_source": Source.MEMBER, "born_confidence": 1.0}
    await make.make_baby(one, **born, stopped_at=make.NOON - DAY)
    same, elder = (
        await make.make_baby(other, **born),
        await make.make_baby(other, **(born | {"born_on": make.NOON.date() - 900 * DAY})),
    )
    merged = await joined(actor, other.id, one.id)
    assert (await Baby.get(id=same.id)).stopped_at == make.NOON - DAY
    assert (await Baby.get(id=elder.id)).stopped_at is None
    await undone(actor, merged.merge_id)
    assert (await Baby.get(id=same.id)).stopped_at is None


async def test_what_arrives_under_the_old_names_goes_back_with_her(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    one, other, third = await people(3, Random(1), phones=9)
    await make.make_product("DIAPERS", source="test", external_id="P1")
    first = await joined(actor, one.id, other.id)
    second = await joined(actor, third.id, one.id)

    async def buys(receipt: str, **who: object) -> UUID:
        lines = [{"product": "P1", "quantity": 1, "amount": "5.00"}]
        raw = {"source": "test", "external_id": receipt, "ordered_at": make.NOON.isoformat(), "channel": "POS",
               "currency": "USD", "lines": lines, "member": who}  # fmt: skip
        answer = (await ingest_orders([raw], phone_region="US", currency="USD"))[0]
        assert isinstance(answer, OrderLanded), answer
        assert answer.member_id == third.id
        return answer.order_id

    by_card, by_id = await buys("R1", card="card-1"), await buys("R2", external_id="M1")
    own = await buys("R3", card="card-0")

    async def holders() -> list[UUID]:
        rows = await connection().execute_query_dict(
            "SELECT member_id FROM orders WHERE id = ANY($1::uuid[]) ORDER BY array_position($1::uuid[], id)",
            [[by_card, by_id, own]],
        )
        return [row["member_id"] for row in rows]

    assert await holders() == [third.id] * 3
    await undone(actor, first.merge_id)  # in the middle: the later merge is taken back and made again
    assert await holders() == [other.id, other.id, third.id]
    await undone(actor, second.merge_id)
    assert await holders() == [other.id, other.id, one.id]


async def test_a_pair_that_is_two_people_is_never_merged(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    one, other, third = await people(3, Random(2), phones=9)
    await merge_suggestions.decide(actor, one.id, other.id, is_apart=True)
    assert isinstance(await merges.merge(actor, one.id, other.id), KeptApart)
    await joined(actor, third.id, other.id)
    assert isinstance(await merges.merge(actor, third.id, one.id), KeptApart)  # other is part of third now
    await merge_suggestions.decide(actor, third.id, one.id, is_apart=False)
    assert isinstance(await merges.merge(actor, third.id, one.id), KeptApart)
    assert await merges.merge(actor, other.id, one.id) == MemberNotFound()


async def test_many_who_merge_the_same_people_at_once_neither_deadlock_nor_do_it_twice(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    members = await people(8, Random(7))
    rng = Random(11)
    pairs = [tuple(rng.sample(members, 2)) for _ in range(40)]
    answers = await asyncio.gather(*(merges.merge(actor, a.id, b.id) for a, b in pairs))
    done = [answer for answer in answers if isinstance(answer, MembersMerged)]
    assert {type(answer) for answer in answers} <= {MembersMerged, MemberNotFound}
    gone = await Member.filter(status="MERGED")
    assert {one.absorbed_id for one in done} == {member.id for member in gone}
    assert len(gone) == len(done) >= 5
    alive = {member.id for member in await Member.exclude(status="MERGED")}
    assert {member.merged_into_id for member in gone} <= alive
    assert {identity.member_id for identity in await Identity.all()} <= alive


async def test_a_file_of_a_family_that_was_merged_brings_no_stopped_baby_back_and_goes_back_with_it(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    old = await Household.create(source="old", external_id="household:H1")
    one, other = await make.make_member(), await make.make_member(household_id=old.id)
    await make.make_baby(
        one, born_on=make.NOON.date() - 30 * DAY, born_source=Source.MEMBER, born_confidence=1.0, stopped_at=make.NOON
    )
    merged = await joined(actor, one.id, other.id)
    born = (make.NOON.date() - 31 * DAY).isoformat()
    cells = {"external_id": "C9", "household": "H1", "name": "Papa", "baby_born_on": born}
    land = member_lander(phone_region="US", zone=ZoneInfo("UTC"))
    async with in_transaction():
        assert await land("old", [Row(1, cells)]) == [LANDED]
    papa = await Member.get(external_id="C9")
    assert papa.household_id == one.household_id
    assert await Baby.all().count() == 1
    await undone(actor, merged.merge_id)
    assert (await Member.get(external_id="C9")).household_id == old.id


async def test_what_an_erased_member_left_in_merges_is_forgotten_for_good(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    one, other, third = await people(3, Random(8))
    first = await joined(actor, one.id, other.id)
    await joined(actor, third.id, one.id)
    assert set(await merges.forget(third.id)) == {one.id, other.id}
    assert await merges.MergeChange.all().count() == 0
    await Member.filter(id=third.id).update(status="ERASED")
    assert await merges.unmerge(actor, first.merge_id, "Two people.") == merges.MergeNotFound()


async def test_merging_resolving_and_registering_at_once_never_deadlock(db: str) -> None:
    actor, frontend = await make.make_actor(Role.OPERATOR), make.frontend_actor()
    rng = Random(13)
    members = await people(8, rng)

    async def something() -> object:
        kind, phone = rng.randrange(4), GivenIdentity(IdentityKind.PHONE, f"+1212666010{rng.randrange(4)}")
        card, other = (GivenIdentity(IdentityKind.CARD, f"card-{rng.randrange(12)}", "brand") for _ in range(2))
        if kind == 0:
            one, two = rng.sample(members, 2)
            return await merges.merge(actor, one.id, two.id)
        if kind == 1:
            standing = await merges.Merge.filter(unmerged_at=None).first()
            return await merges.unmerge(actor, standing.id, "Two people.") if standing else None
        if kind == 2:
            return await resolve(frontend, Wish((card, other, phone), rng.choice(["", "pos"])), phone_region="US")
        return await register(actor, Registration((card, phone), phone_region="US"))

    answers = await asyncio.gather(*(something() for _ in range(80)))
    assert not [answer for answer in answers if isinstance(answer, ValidationError | NotPermitted)]
    rows = await connection().execute_query_dict(
        "SELECT (SELECT count(*) FROM identities i JOIN members m ON m.id = i.member_id "
        "WHERE m.status = 'MERGED') AS left_behind, "
        "(SELECT count(*) FROM merges WHERE unmerged_at IS NULL) "
        "- (SELECT count(*) FROM members WHERE status = 'MERGED') AS apart"
    )
    assert rows == [{"left_behind": 0, "apart": 0}]


async def test_a_child_whom_both_families_brought_is_one_and_two_again(db: str) -> None:
    actor = await make.make_actor(Role.OPERATOR)
    one, other = await make.make_member(), await make.make_member()
    born = {"born_on": make.NOON.date() - 30 * DAY, "born_source": Source.MEMBER, "born_confidence": 1.0}
    hers = await make.make_baby(one, **born)
    same = await make.make_baby(
        other, **born, nickname="Bean", nickname_key="bean", sex=Sex.FEMALE, due_on=make.NOON.date() - 33 * DAY,
        due_source=Source.STAFF, due_confidence=0.9,
    )  # fmt: skip
    twin = await make.make_baby(other, **born, nickname="Pea", nickname_key="pea", sex=Sex.MALE)
    task = await make.make_task(other, baby_id=same.id)
    before = await every_row()
    merged = await joined(actor, one.id, other.id)
    assert {baby.id for baby in await Baby.filter(household_id=one.household_id)} == {hers.id, twin.id}
    kept = await Baby.get(id=hers.id)
    assert (kept.nickname, kept.sex, kept.due_source) == ("Bean", Sex.FEMALE, Source.STAFF)
    assert kept.provenance is not None
    assert set(kept.provenance) == {"nickname", "sex", "due_on"}
    assert (await type(task).get(id=task.id)).baby_id == hers.id
    await undone(actor, merged.merge_id)
    assert await every_row() == before

    again = await merges.MergeChange.all().count()
    assert again == 0
    await merge_suggestions.decide(actor, one.id, other.id, is_apart=False)
    merged = await joined(actor, one.id, other.id)
    assert isinstance(await losses.stop(actor, hers.id), BabyContentStopped)
    await undone(actor, merged.merge_id)  # a loss said of the one child is said of both of her rows
    assert (await Baby.get(id=same.id)).stopped_at == (await Baby.get(id=hers.id)).stopped_at is not None
    assert (await Baby.get(id=twin.id)).stopped_at is None
