"""What tests of merges share: families with rows in every table that a merge touches, and every row as text."""

from datetime import timedelta
from random import Random
from typing import Any

from domain.care.interactions import Direction, Interaction, InteractionKind
from domain.database import connection
from domain.gateway.messages import Message, MessageState
from domain.gateway.suppressions import Suppression, SuppressionReason
from domain.insight.models import ScoringModel
from domain.outreach.decisions import AttentionSlot, Decision, Verdict
from domain.people.babies import Baby
from domain.people.consents import ConsentState
from domain.people.guardians import GuardianConsent
from domain.people.identities import IdentityKind
from domain.people.members import CarerRole, Member, MemberStatus
from domain.people.merge_rules import RULES, Rule
from domain.people.owners import OwnerAssignment
from domain.people.tags import MemberTag, Tag, TagFamily
from domain.platform.clock import real_now
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose, Source
from tests import factories as make

DAY = timedelta(days=1)
TABLES = sorted({table for (table, _), rule in RULES.items() if rule is not Rule.STAYS} | {"households", "losses"})


async def every_row() -> dict[str, list[str]]:
    """Each table that a merge may touch, every row as PostgreSQL writes it."""
    parts = " UNION ALL ".join(f"SELECT '{table}' AS name, t::text AS row FROM {table} t" for table in TABLES)
    found: dict[str, list[str]] = {table: [] for table in TABLES}
    for one in await connection().execute_query_dict(f"{parts} ORDER BY 1, 2"):
        found[one["name"]].append(one["row"])
    return found


async def digest() -> dict[str, str]:
    """As `every_row`, a hash a table: equal when every row is, to the byte."""
    parts = " UNION ALL ".join(
        f"SELECT '{table}' AS name, md5(string_agg(t::text, E'\\n' ORDER BY t::text)) AS hash FROM {table} t"
        for table in TABLES
    )
    return {one["name"]: one["hash"] for one in await connection().execute_query_dict(parts)}


async def people(count: int, rng: Random, *, phones: int = 3, village: int = 0) -> list[Member]:
    """Members in as many families or fewer, each with something in every table; phones and tags overlap.

    Villages have nothing in common: no family, card or phone of one is another's.
    """
    model = await ScoringModel.filter(name="churn").first() or await make.make_model("churn")
    tags = [
        (
            await Tag.get_or_create(
                key=f"t.{n}", defaults={"family": TagFamily.ATTRIBUTE, "label_en": str(n), "label_zh": str(n)}
            )
        )[0]
        for n in range(3)
    ]
    first = village * count
    members: list[Member] = []
    held: set[str] = set()
    for n in range(count):
        family: dict[str, Any] = {"household_id": rng.choice(members).household_id} if members and n % 4 == 3 else {}
        name = rng.choice([None, "Ada Smith", "Mia Bell"])
        member = await make.make_member(
            external_id=f"M{first + n}", full_name=name, name_source=Source.STAFF if name else None,
            carer_role=rng.choice([CarerRole.UNKNOWN, CarerRole.MOTHER]),
            handling_note=rng.choice([None, f"Note {n}."]),
            status=MemberStatus.BLOCKED if rng.random() < 0.1 else MemberStatus.ACTIVE, **family,
        )  # fmt: skip
        members.append(member)
        await make.make_identity(member, IdentityKind.CARD, f"card-{first + n}", namespace="brand")
        phone = f"+12125550{village + 1}0{rng.randrange(phones)}"
        await make.make_identity(
            member, IdentityKind.PHONE, phone, is_primary=phone not in held, last_seen_at=make.NOON + n * DAY
        )
        held.add(phone)
        await _said(member, rng, tags)
        if rng.random() < 0.7:
            await make.make_score(model, member, 0.25)
        await _happened(member, rng)
    homes = [member.household_id for member in members]
    for row in await Baby.filter(household_id__in=homes).order_by("created_at", "id"):
        await _tagged(rng, tags, baby_id=row.id)
    for household_id in dict.fromkeys(homes):
        await _tagged(rng, tags, household_id=household_id)
    return members


async def _tagged(rng: Random, tags: list[Tag], **of: Any) -> None:
    """Tags of a baby or a family, some of them taken off."""
    for tag in rng.sample(tags, rng.randrange(3)):
        await MemberTag.create(
            tag_id=tag.id, source=Source.STAFF, set_at=make.NOON - rng.randrange(9) * DAY,
            removed_at=rng.choice([None, None, make.NOON]), **of,
        )  # fmt: skip


async def _said(member: Member, rng: Random, tags: list[Tag]) -> None:
    for purpose in Purpose:
        for step in range(rng.randrange(3)):
            await make.make_consent(
                member, purpose, Channel.SMS, state=rng.choice(list(ConsentState)),
                given_at=make.NOON - rng.randrange(60) * DAY + step * timedelta(minutes=1),
            )  # fmt: skip
    for tag in rng.sample(tags, rng.randrange(3)):
        await MemberTag.create(
            tag_id=tag.id, member_id=member.id, source=Source.STAFF, set_at=make.NOON - rng.randrange(9) * DAY
        )


async def _happened(member: Member, rng: Random) -> None:
    baby = None
    if rng.random() < 0.6:
        stopped = make.NOON - DAY if rng.random() < 0.3 else None
        baby = await make.make_baby(
            member, born_on=make.NOON.date() - rng.choice([10, 20, 400]) * DAY, born_source=Source.MEMBER,
            born_confidence=1.0, stopped_at=stopped,
        )  # fmt: skip
    await make.make_order(member, make.NOON - rng.randrange(50) * DAY, total="12.50")
    await make.make_task(member)
    await AttentionSlot.create(
        member_id=member.id, window_kind="WEEK", window_start=(make.NOON - rng.randrange(2) * 7 * DAY).date(),
        used=rng.randrange(3),
    )  # fmt: skip
    await Interaction.create(
        member_id=member.id, kind=InteractionKind.VISIT, channel=Channel.STORE, direction=Direction.INBOUND,
        occurred_at=make.NOON - DAY, topic="Sleep", source="desk", external_id=new_id().hex,
    )  # fmt: skip
    await _wrote(member, baby)
    await _served(member, baby)


async def _served(member: Member, baby: Baby | None) -> None:
    """Whose she is, what she asked never to get, what she allowed about her child."""
    await OwnerAssignment.create(member_id=member.id, reason="Moved.", assigned_at=make.NOON - DAY)
    await Suppression.create(
        member_id=member.id, channel=Channel.SMS, address_hash=new_id().hex, reason=SuppressionReason.STOP_WORD,
        since=make.NOON - DAY,
    )  # fmt: skip
    if baby is not None:
        await GuardianConsent.create(
            member_id=member.id, baby_id=baby.id, state=ConsentState.GRANTED, given_at=make.NOON - DAY,
            source=Source.MEMBER, how="form", text_version="1", text_hash="-",
        )  # fmt: skip


async def _wrote(member: Member, baby: Baby | None) -> None:
    key = new_id().hex
    decision = await Decision.create(
        member_id=member.id, intent_key=key, channel=Channel.SMS, purpose=Purpose.CARE, verdict=Verdict.SEND,
        primary_reason="OK", reasons=["OK"], rules_version="1", decided_at=make.NOON,
    )  # fmt: skip
    await Message.create(
        provider_key=new_id(), member_id=member.id, baby_id=baby.id if baby else None, channel=Channel.SMS,
        purpose=Purpose.CARE, intent_key=key, template_key="care", template_version=1, language="en",
        state=MessageState.DELIVERED, state_reason="OK", decision_id=decision.id, not_before=make.NOON,
        expires_at=make.NOON + DAY, created_at=make.NOON, state_at=real_now(),
    )  # fmt: skip
