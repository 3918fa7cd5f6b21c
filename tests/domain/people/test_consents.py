"""What is in force is one indexed look-up, in step with what was said, whoever wrote or moved it."""

import hashlib
import json
from datetime import timedelta

import asyncpg

from domain.care.callbacks import CallbackState, CallbackTask
from domain.database import connection
from domain.gateway.inbound import withdraw_channel
from domain.outreach.contactability import decide
from domain.outreach.intents import Intent
from domain.outreach.reasons import Reason
from domain.outreach.snapshots import take
from domain.outreach.templates import seed
from domain.people import merges
from domain.people.babies import Baby
from domain.people.consent_proofs import ConsentNotFound, ConsentProved, is_genuine, prove
from domain.people.consents import (
    MAY_I,
    Consent,
    ConsentEvidence,
    ConsentInForce,
    ConsentRecorded,
    ConsentState,
    may_i,
    record,
)
from domain.people.failures import BabyNotFound
from domain.people.guardians import GuardianConsent
from domain.people.members import Member
from domain.platform.clock import set_business_clock
from domain.platform.failures import NotPermitted
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose
from domain.sql import statement
from tests import factories as make

GRANTED, WITHDRAWN = ConsentState.GRANTED, ConsentState.WITHDRAWN
SAID = ConsentEvidence("store_form", "v1", "I agree.")
CARE, SMS = Purpose.CARE, Channel.SMS


async def say(member: Member, state: ConsentState, baby: Baby | None = None, **what: object) -> None:
    answer = await record(
        make.member_actor(member), member.id, what.get("purpose", CARE), what.get("channel", SMS), state, SAID,  # type: ignore[arg-type]
        baby.id if baby else None,
    )  # fmt: skip
    assert type(answer).__name__ == "ConsentRecorded", answer


async def test_a_word_about_one_baby_and_a_word_in_general(db: str) -> None:
    await set_business_clock(make.NOON)
    member = await make.make_member()
    ann, ben = await make.make_baby(member), await make.make_baby(member)

    async def may(baby: Baby | None = None) -> ConsentState | None:
        return await may_i(member.id, CARE, SMS, baby.id if baby else None)

    assert [await may(), await may(ann)] == [None, None]
    await say(member, GRANTED, ann)
    assert [await may(), await may(ann), await may(ben)] == [None, GRANTED, None]
    await say(member, GRANTED)
    await say(member, WITHDRAWN, ann)
    assert [await may(), await may(ann), await may(ben)] == [GRANTED, WITHDRAWN, GRANTED]
    await say(member, GRANTED)
    assert await may(ann) is WITHDRAWN, "what she withdrew for a baby only a word about that baby gives back"
    await say(member, GRANTED, ann)
    await say(member, WITHDRAWN)
    assert [await may(), await may(ann), await may(ben)] == [WITHDRAWN, WITHDRAWN, WITHDRAWN]
    await say(member, GRANTED, ben)
    assert [await may(), await may(ann), await may(ben)] == [WITHDRAWN, WITHDRAWN, GRANTED]
    assert await withdraw_channel(member.id, SMS, make.NOON + timedelta(hours=1), how="sms_reply") == 1
    assert await may(ben) is WITHDRAWN
    stranger = await make.make_baby(await make.make_member())
    assert isinstance(
        await record(make.member_actor(member), member.id, CARE, SMS, GRANTED, SAID, stranger.id), BabyNotFound
    )


async def test_contactability_asks_about_the_baby(db: str) -> None:
    await set_business_clock(make.NOON)
    await seed()
    member = await make.make_reachable(await make.make_member())
    ann, ben = await make.make_baby(member), await make.make_baby(member)
    await say(member, WITHDRAWN, ann)
    wishes = [
        Intent(
            member_id=member.id, baby_id=baby, channel=SMS, purpose=CARE, template_key="care.stage",
            intent_key=f"{baby}", not_before=make.NOON, expires_at=make.NOON + timedelta(days=1),
        )
        for baby in (ann.id, ben.id, None)
    ]  # fmt: skip
    reasons = [decide(taken.snapshot).reasons for taken in await take(wishes, make.NOON)]
    assert [Reason.CONSENT_WITHDRAWN in reason for reason in reasons] == [True, False, False]


async def test_withdrawing_calls_about_a_baby_cancels_those_alone(db: str) -> None:
    await set_business_clock(make.NOON)
    member = await make.make_member()
    ann, ben = await make.make_baby(member), await make.make_baby(member)
    about = {baby.id: await make.make_task(member, baby_id=baby.id, purpose=CARE) for baby in (ann, ben)}
    await say(member, WITHDRAWN, ann, channel=Channel.CALL)
    states = {task.baby_id: task.state for task in await CallbackTask.all()}
    assert states == {ann.id: CallbackState.CANCELLED, ben.id: CallbackState.OPEN}
    assert len(about) == 2


async def test_may_i_is_one_look_up_in_the_index(db: str) -> None:
    """Over a table that is worth an index: 20,000 members who said something of everything."""
    session = await asyncpg.connect(db)
    turn = session.transaction()
    await turn.start()
    try:
        await session.execute(
            "INSERT INTO consents_in_force (consent_id, member_id, purpose, channel, state, given_at) "
            "SELECT gen_random_uuid(), m, p, c, 'GRANTED', now() FROM (SELECT gen_random_uuid() AS m "
            "FROM generate_series(1, 20000)) x, unnest(ARRAY['CARE', 'SERVICE', 'PROMOTION']) p, "
            "unnest(ARRAY['SMS', 'EMAIL']) c"
        )
        await session.execute("ANALYZE consents_in_force")
        someone = await session.fetchval("SELECT member_id FROM consents_in_force LIMIT 1")
        asked = await session.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {MAY_I}", someone, "CARE", "SMS", make.any_id())
        plan = "\n".join(row[0] for row in asked)
        deciding = await session.fetch(
            f"EXPLAIN {statement('contact_snapshots')}", [someone], ["SMS"], ["CARE"], ["care.stage"], [None]
        )
    finally:
        await turn.rollback()
        await session.close()
    assert "consents_in_force_key" in plan
    assert "Seq Scan" not in plan
    assert "Bitmap" not in plan
    assert "rows=1" in plan
    assert "consents_in_force_key" in "\n".join(row[0] for row in deciding), "contactability looks it up the same way"


async def test_a_proof_shows_all_and_a_change_is_seen(db: str) -> None:
    await set_business_clock(make.NOON)
    store = await make.make_store(name="Main Street")
    member, advisor = (
        await make.make_member(full_name="Ada Smith"),
        await make.make_actor(Role.ADVISOR, name="Nora Bell"),
    )
    said = ConsentEvidence("store_form", "v7", "We may write about care.", store.id)
    given = await record(advisor, member.id, CARE, SMS, GRANTED, said)
    assert isinstance(given, ConsentRecorded)
    await say(member, WITHDRAWN)
    for stranger in (make.member_actor(await make.make_member()), make.member_actor(await make.make_member(
        household_id=member.household_id
    ))):  # fmt: skip
        assert isinstance(await prove(stranger, given.consent_id), ConsentNotFound)
    assert isinstance(await prove(advisor, given.consent_id), NotPermitted)
    proved = await prove(make.member_actor(member), given.consent_id)
    assert isinstance(proved, ConsentProved)
    proof = json.loads(proved.document)
    assert proof["consent"]["wording"] == {
        "version": "v7", "sha256": hashlib.sha256(b"We may write about care.").hexdigest()
    }  # fmt: skip
    assert (proof["member"]["name"], proof["store"]["name"]) == ("Ada Smith", "Main Street")
    assert (proof["recorded_by"]["name"], proof["in_force"]) == ("Nora Bell", False)
    assert [row["state"] for row in proof["history"]] == ["GRANTED", "WITHDRAWN"]
    assert is_genuine(proved.document)
    assert is_genuine(json.dumps(proof)), "its words count, not its blanks"
    assert not is_genuine(proved.document.replace("Ada", "Eve"))
    assert not is_genuine("{}")
    done = await connection().execute_query_dict("SELECT action, member_ids FROM audit_entries")
    assert [(row["action"], row["member_ids"]) for row in done] == [("prove_consent", [member.id])]


async def in_step() -> None:
    """What is in force is what a slow reader of all that was said would find."""
    latest: dict[tuple[object, ...], Consent] = {}
    for row in sorted(await Consent.all(), key=lambda row: (row.given_at, row.id)):
        latest[row.member_id, row.purpose, row.channel, row.baby_id] = row
    kept = {(row.member_id, row.purpose, row.channel, row.baby_id): row for row in await ConsentInForce.all()}
    assert {key: (row.id, row.state, row.given_at) for key, row in latest.items()} == {
        key: (row.consent_id, row.state, row.given_at) for key, row in kept.items()
    }


async def test_whatever_is_written_moved_or_removed_it_stays_in_step(db: str) -> None:
    """Random inserts (several in a statement), moves to another member, changes of time and removals."""
    from random import Random

    chance = Random(7)
    members = [await make.make_member() for _ in range(3)]
    babies: list[Baby | None] = [None, *[await make.make_baby(member) for member in members]]
    run = connection().execute_query
    for step in range(60):
        rows = [
            {
                "member_id": chance.choice(members).id, "purpose": chance.choice(list(Purpose)),
                "channel": chance.choice([SMS, Channel.CALL]), "baby_id": getattr(chance.choice(babies), "id", None),
                "state": chance.choice([GRANTED, WITHDRAWN]),
                "given_at": make.NOON + timedelta(hours=chance.randint(0, 9)), "source": "MEMBER", "how": "x",
                "text_version": "1", "text_hash": "-",
            }
            for _ in range(chance.randint(1, 5))
        ]  # fmt: skip
        await Consent.bulk_create([Consent(**row) for row in rows])
        if step % 3 == 0:
            await run("UPDATE consents SET member_id = $1 WHERE member_id = $2 AND random() < 0.4",
                      [members[0].id, members[1].id])  # fmt: skip
        if step % 4 == 0:
            await run("UPDATE consents SET given_at = given_at + interval '3 hours' WHERE random() < 0.3")
        if step % 5 == 0:
            await run("DELETE FROM consents WHERE random() < 0.3")
        await in_step()
    assert await ConsentInForce.all().count() > 5


async def test_a_merge_widens_nothing_about_a_baby_and_its_way_back_keeps_step(db: str) -> None:
    await set_business_clock(make.NOON)
    one, other = await make.make_member(), await make.make_member()
    baby = await make.make_baby(other)
    await make.make_guardian_consent(baby, other)
    await make.make_consent(one, CARE, SMS, state=WITHDRAWN, given_at=make.NOON - timedelta(days=9))
    await make.make_consent(other, CARE, SMS, state=GRANTED, baby_id=baby.id, given_at=make.NOON - timedelta(days=3))
    actor = await make.make_actor(Role.OPERATOR)
    merged = await merges.merge(actor, one.id, other.id)
    assert isinstance(merged, merges.MembersMerged), merged
    await in_step()
    assert [await may_i(one.id, CARE, SMS), await may_i(one.id, CARE, SMS, baby.id)] == [WITHDRAWN, WITHDRAWN]
    # What is said under the old name afterwards is hers, and in force for her.
    late = Consent(
        member_id=other.id, purpose=CARE, channel=Channel.EMAIL, state=GRANTED, given_at=make.NOON, source="MEMBER",
        how="x", text_version="1", text_hash="-",
    )  # fmt: skip
    await Consent.bulk_create([late])
    await in_step()
    assert await may_i(one.id, CARE, Channel.EMAIL) is GRANTED
    assert isinstance(await merges.unmerge(actor, merged.merge_id, "Two people."), merges.MembersUnmerged)
    await in_step()
    assert [await may_i(one.id, CARE, SMS), await may_i(other.id, CARE, SMS, baby.id)] == [WITHDRAWN, GRANTED]
    assert (await GuardianConsent.get()).member_id == other.id
