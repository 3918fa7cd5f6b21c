"""What a snapshot reads from the tables."""

from dataclasses import replace
from datetime import timedelta

from domain.database import connection
from domain.gateway.suppressions import SuppressionReason, suppress
from domain.outreach.act_rules import ACT_RULES
from domain.outreach.attention import Counts
from domain.outreach.care_ahead import EARLIEST, intents, look
from domain.outreach.next_acts import Today
from domain.outreach.snapshots import take
from domain.outreach.templates import seed
from domain.people.consents import Consent, ConsentState
from domain.people.identities import IdentityKind
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose, Source
from domain.stages.engine import BabyDates
from tests.factories import NOON, make_baby, make_identity, make_member, make_reachable, make_store

TODAY = NOON.date()


async def test_a_snapshot_reads_what_is_in_force(clock: str) -> None:
    await seed()
    store = await make_store(time_zone="America/Denver")
    member = await make_reachable(
        await make_member(language="fr", jurisdiction="GB", time_zone="Europe/Paris", store_id=store.id)
    )
    await make_identity(
        member, IdentityKind.PHONE, "+12025550199", is_primary=False, last_seen_at=NOON + timedelta(days=1)
    )
    baby = await make_baby(member, born_on=TODAY - timedelta(days=40), born_source=Source.MEMBER, gestation_weeks=33)
    await Consent.filter(member_id=member.id, purpose=Purpose.CARE, channel=Channel.SMS).update(
        given_at=NOON - timedelta(days=60)
    )
    await Consent.create(
        member_id=member.id, purpose=Purpose.CARE, channel=Channel.SMS, state=ConsentState.WITHDRAWN,
        given_at=NOON - timedelta(days=5), source=Source.MEMBER, how="sms_reply", text_version="1", text_hash="-",
    )  # fmt: skip
    await suppress(Channel.SMS, "+12025550123", SuppressionReason.STOP_WORD, member_id=member.id)
    await connection().execute_query(
        "INSERT INTO attention_slots (member_id, window_kind, window_start, used) "
        "VALUES ($1, 'WEEK', '2017-12-11', 2), ($1, 'WEEK', '2017-12-04', 4), ($1, 'DAY', '2017-12-15', 1), "
        "($1, 'DAY', '2017-12-14', 1), ($1, 'MONTH', '2017-12-01', 6)",
        [member.id],
    )
    today = Today(new_id(), TODAY, NOON, ACT_RULES)
    [intent] = intents(today, (await look(today, EARLIEST))[0])
    [taken] = await take([replace(intent, channel=Channel.SMS)], NOON)
    snapshot = taken.snapshot
    assert (taken.address, taken.language, taken.is_synthetic) == ("+12025550123", "fr", False)
    assert snapshot.zones == ("Europe/Paris", "America/Denver")
    assert snapshot.consent is ConsentState.WITHDRAWN
    assert snapshot.suppression == "STOP_WORD"
    assert snapshot.touches == Counts(1, 2, 6)
    assert snapshot.wording is not None
    assert (snapshot.wording.language, snapshot.wording.purpose) == ("en", Purpose.CARE)
    assert [child.id for child in snapshot.children] == [baby.id]
    assert snapshot.children[0].dates == BabyDates(baby.born_on, None, 33)
