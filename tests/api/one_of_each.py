"""One row of every type, each of its fields filled: what a test of rights expects to read, or not to."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from domain.care.callbacks import CallbackKind, CallbackOutcome, CallbackState, CallbackTask, Disposition
from domain.care.interactions import Direction, Interaction, InteractionKind, Mood
from domain.care.questions import Question
from domain.commerce.orders import Order, OrderChannel, OrderLine, OrderReturn
from domain.commerce.products import BabyClass, Product
from domain.commerce.staff import RowScope, Staff
from domain.commerce.stores import Distributor, Store
from domain.gateway.messages import Message, MessageEvent, MessageState
from domain.insight.models import ScoringModel
from domain.insight.scores import Score
from domain.outreach.decisions import Decision, Verdict
from domain.people.babies import Baby, Feeding, Sex
from domain.people.consents import Consent
from domain.people.guardians import GuardianConsent
from domain.people.households import Household
from domain.people.identities import Identity, IdentityKind
from domain.people.identity_blocks import BlockReason, IdentityBlock
from domain.people.members import CarerRole, Member, MemberStatus
from domain.people.merge_suggestions import MergeSuggestion
from domain.people.merges import Merge, MergeHow
from domain.people.owners import OwnerAssignment
from domain.people.tags import MemberTag, Tag, TagFamily
from domain.platform.accounts import Account
from domain.platform.actors import Actor
from domain.platform.clock import real_now
from domain.platform.ids import new_id
from domain.platform.roles import Permission, Role
from domain.platform.sources import Channel, Purpose, Source
from domain.segments.facts import rebuild
from domain.segments.segments import Segment, SegmentMember
from domain.stages.rules import RULES_2026_1
from tests.api.rights import WHO
from tests.factories import (
    NOON,
    actor_for,
    frontend_actor,
    make_consent,
    make_guardian_consent,
    make_identity,
    make_model,
    member_actor,
)

PHONE, CARD, EMAIL = "+12125550177", "CARD-4711", "mia.bell@example.com"
# as jsonb writes it
RULE = '{"rules": [{"field": "orders.count", "value": 1, "operator": ">="}], "combinator": "and"}'
NAME, NICKNAME, TAG, SHELF = "Mia Bell", "Bean", "care.breastfeeding", "DIAPERS & DISPOSABLES"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class World:
    actors: dict[str, Actor | None]  # role -> who asks; staff of all roles are one person, who sees everybody
    rows: dict[str, Any]  # type -> its row, as `stored` answers


async def one_of_each() -> World:
    shop = await Store.create(
        source="till", external_id="S1", name="Main Street", phone="+12125550100", time_zone="America/New_York",
        distributor_id=(await Distributor.create(name="North")).id,
    )  # fmt: skip
    nora = await Staff.create(source="till", external_id="N1", name="Nora Bell", scope=RowScope.ALL, store_id=shop.id)
    account = await Account.create(login="nora", password_hash="-", role=Role.CONSULTANT, staff_id=nora.id)
    home = await Household.create(source="crm", external_id="H1")
    mother = await Member.create(
        household_id=home.id, carer_role=CarerRole.MOTHER, full_name=NAME, name_key="mia bell",
        name_source=Source.MEMBER, owner_id=nora.id, store_id=shop.id, joined_by_id=nora.id, source="crm",
        external_id="M1", joined_on=date(2017, 1, 2), joined_channel=Channel.STORE, joined_campaign="spring",
        handling_note="Softly.",
    )  # fmt: skip
    baby = await Baby.create(
        household_id=home.id, nickname=NICKNAME, nickname_key="bean", sex=Sex.FEMALE, due_on=date(2017, 6, 1),
        due_source=Source.MEMBER, due_confidence=0.9, born_on=date(2017, 6, 3), born_source=Source.MEMBER,
        born_confidence=1.0, gestation_weeks=39, presence_source=Source.MEMBER, presence_confidence=0.8,
        feeding=Feeding.BREAST, feeding_since=date(2017, 6, 4), formula_brand="None yet", allergies="Nuts",
        feeding_source=Source.MEMBER,
        formula_stage=1, formula_stage_since=date(2017, 6, 5), packs_at_home=2, packs_counted_on=date(2017, 6, 6),
        adopted_on=date(2017, 6, 7),
    )  # fmt: skip
    await make_guardian_consent(baby, mother)
    await OwnerAssignment.create(
        member_id=mother.id, staff_id=nora.id, previous_id=nora.id, assigned_by_id=nora.id, reason="Back from leave.",
        assigned_at=NOON - DAY,
    )  # fmt: skip
    await _trade(mother, nora, shop)
    await _doubt(mother, account)
    await _say_of(mother)
    await _write_to(mother, baby)
    await _call(mother, baby, nora, account)
    said = await Interaction.create(
        member_id=mother.id, baby_id=baby.id, staff_id=nora.id, store_id=shop.id, kind=InteractionKind.VISIT,
        channel=Channel.STORE, direction=Direction.INBOUND, occurred_at=NOON - DAY, topic="Sleep", note="Sleeps well.",
        source="desk", external_id="I1", mood=Mood.TIRED, promise="Call after the vaccine.",
        promised_for=NOON + DAY, promise_task_id=(await CallbackTask.get()).id,
    )  # fmt: skip
    await Question.create(
        interaction_id=said.id, place=1, text="When do teeth come?", asked_at=NOON - DAY,
    )  # fmt: skip
    await _segment(mother)
    place = {"staff_id": nora.id, "store_id": shop.id, "distributor_id": shop.distributor_id}
    actors: dict[str, Actor | None] = {
        role: actor_for(Role(role), id=account.id, account_id=account.id, scope=RowScope.ALL, **place)
        for role in WHO[:-1]
    }
    actors |= {"FRONTEND": frontend_actor(), "MEMBER": member_actor(mother), "NOBODY": None}
    return World(actors, await stored())


async def _doubt(mother: Member, account: Account) -> None:
    """She was two once, may be her sister, and gave a kiosk's card."""
    former = await Member.create(
        household_id=mother.household_id, status=MemberStatus.MERGED, merged_into_id=mother.id, source="crm",
        external_id="M0", joined_on=date(2017, 1, 1),
    )  # fmt: skip
    await Merge.create(
        survivor_id=mother.id, absorbed_id=former.id, how=MergeHow.STAFF, reason="One card.", actor_id=account.id,
        actor_role="OPERATOR",
    )  # fmt: skip
    elsewhere = await Household.create(source="crm", external_id="H2")
    sister = await Member.create(household_id=elsewhere.id, source="crm", external_id="M9", joined_on=date(2017, 1, 9))
    await MergeSuggestion.create(
        one_id=mother.id, other_id=sister.id, confidence=0.7,
        evidence=[{"code": "GIVEN_TOGETHER", "kinds": ["CARD", "POS_ID"], "verified_by": ""}],
    )  # fmt: skip
    await Merge.create(
        survivor_id=sister.id, absorbed_id=mother.id, how=MergeHow.STAFF, reason="One name.", actor_id=account.id,
        actor_role="OPERATOR", merged_at=NOON - 2 * DAY, unmerged_at=NOON - DAY, unmerged_by=account.id,
        unmerge_reason="Two sisters.",
    )  # fmt: skip
    await IdentityBlock.create(
        kind=IdentityKind.CARD, value="CARD-0815", reason=BlockReason.KIOSK, members=2, note="At the door.",
        blocked_by=account.id, blocked_at=NOON - DAY, lifted_at=NOON, lifted_by=account.id,
    )  # fmt: skip


async def _say_of(mother: Member) -> None:
    for kind, value in ((IdentityKind.PHONE, PHONE), (IdentityKind.CARD, CARD), (IdentityKind.EMAIL, EMAIL)):
        await make_identity(mother, kind, value, verified_at=NOON)
    tag = await Tag.create(
        key=TAG,
        family=TagFamily.ATTRIBUTE,
        label_en="Breastfeeding",
        label_zh="母乳喂养",
        description="She breastfeeds.",
        valid_days=90,
        owner_id=(await Staff.get()).id,
    )
    said: dict[str, Any] = {
        "source": Source.STAFF,
        "evidence": "She said so.",
        "set_at": NOON - DAY,
        "expires_at": NOON + 90 * DAY,
    }
    for member, baby, household in (
        (mother.id, None, None), (None, (await Baby.get()).id, None), (None, None, mother.household_id),
    ):  # fmt: skip
        await MemberTag.create(tag_id=tag.id, member_id=member, baby_id=baby, household_id=household, **said)
    await make_consent(mother, Purpose.CARE, Channel.SMS)
    model = await make_model("cross_sell")
    reason = {"code": "LAST_PURCHASE", "effect": "RAISES", "values": {"days": 40.0}}
    await Score.create(
        member_id=mother.id, model_name=model.name, category=SHELF, probability=0.25, rank=1, model_id=model.id,
        as_of=NOON.date(), reasons=[reason],
    )  # fmt: skip


async def _trade(mother: Member, nora: Staff, shop: Store) -> None:
    product = await Product.create(
        source="till", external_id="P1", name="Night diapers", department="BABY", category=SHELF,
        product_type="DIAPERS", package_size="40 CT", brand="Own", baby_class=BabyClass.DIAPER,
    )  # fmt: skip
    order = await Order.create(
        source="till", external_id="O1", member_id=mother.id, channel=OrderChannel.POS, ordered_at=NOON - 2 * DAY,
        currency="USD", total=Decimal("12.50"), payload_hash="-", store_id=shop.id, served_by_id=nora.id,
    )  # fmt: skip
    await OrderLine.create(
        order_id=order.id, line_no=1, product_id=product.id, quantity=2, amount=Decimal("12.50"),
        discount=Decimal("1.10"),
    )  # fmt: skip
    await OrderReturn.create(
        order_id=order.id, source="till", external_id="R1", returned_at=NOON - DAY, amount=Decimal("6.25"),
        payload_hash="-",
    )  # fmt: skip


async def _segment(mother: Member) -> None:
    segment = await Segment.create(
        name="Bought", description="Who bought", rule=json.loads(RULE), needs=[Permission.READ_ORDERS.value], place=0,
        member_count=1, is_stale=False, refreshed_at=NOON, created_at=NOON - DAY,
    )  # fmt: skip
    await SegmentMember.create(segment_id=segment.id, member_id=mother.id, since=NOON)
    await rebuild()


async def _write_to(mother: Member, baby: Baby) -> None:
    decision = await Decision.create(
        member_id=mother.id, intent_key="care:1", channel=Channel.SMS, purpose=Purpose.CARE, verdict=Verdict.SEND,
        primary_reason="OK", reasons=["OK"], next_possible_at=NOON, rules_version="1", decided_at=NOON - 3 * DAY,
    )  # fmt: skip
    message = await Message.create(
        provider_key=new_id(),
        member_id=mother.id, baby_id=baby.id, channel=Channel.SMS, purpose=Purpose.CARE, intent_key="care:1",
        template_key="care", template_version=1, language="en", address=PHONE, subject="Hello", body="Dear Mia",
        body_html="<p>Dear Mia</p>", state=MessageState.DELIVERED, state_reason="OK", decision_id=decision.id,
        not_before=NOON - 3 * DAY, expires_at=NOON + DAY, provider="simulator", created_at=NOON - 3 * DAY,
        state_at=real_now(), sent_at=NOON - 3 * DAY, attempt=1,
    )  # fmt: skip
    await MessageEvent.create(message_id=message.id, from_state="", to_state="PLANNED", cause="intent", attempt=1)


async def _call(mother: Member, baby: Baby, nora: Staff, account: Account) -> None:
    task = await CallbackTask.create(
        member_id=mother.id, baby_id=baby.id, kind=CallbackKind.WIN_BACK, purpose=Purpose.CARE, intent_key="call:1",
        reason_code="CHURN_RISK", reason={"en": "She has not come lately."}, priority=2.5, owner_id=nora.id,
        talking_points=[{"kind": "SAY", "code": "hello", "en": "Say hello."}], store_id=mother.store_id,
        state=CallbackState.LEASED, not_before=NOON - DAY, expires_at=NOON + 7 * DAY, attempts=1,
        lease_account_id=account.id, lease_until=real_now() + timedelta(hours=1), fence=3, release_reason="Lunch",
        disposition=Disposition.NO_ANSWER, created_at=NOON - DAY,
    )  # fmt: skip
    await CallbackOutcome.create(
        task_id=task.id, attempt=1, disposition=Disposition.NO_ANSWER, note="It rang.", next_step="AGAIN",
        call_later_at=NOON + DAY, account_id=account.id, logged_at=real_now(), undone_at=real_now(),
    )  # fmt: skip


async def stored() -> dict[str, Any]:
    """The row that each type shows, from the tables: the latest where a list shows the latest first."""
    order = await Order.all().order_by("-ordered_at", "-id").first()
    message = await Message.all().order_by("-created_at", "-id").first()
    assert order is not None
    assert message is not None
    line = await OrderLine.get(order_id=order.id, line_no=1)
    use, tag = await MemberTag.get(member_id__isnull=False), await Tag.get(key=TAG)
    shown_tag = {name: getattr(tag, name) for name in ("key", "family", "label_en", "label_zh", "description")}
    shown_tag |= {name: getattr(use, name) for name in ("source", "evidence", "set_at", "expires_at", "removed_at")}
    shown_tag["owner_id"] = tag.owner_id
    return {
        "Member": await Member.get(external_id="M1"),
        "Merge": await Merge.get(unmerged_at=None),
        "MergeSuggestion": await MergeSuggestion.get(),
        "IdentityBlock": await IdentityBlock.get(),
        "Household": await Household.get(external_id="H1"),
        "Baby": await Baby.get(),
        "Identity": await Identity.get(kind=IdentityKind.CARD),  # the first of her list
        "Tag": SimpleNamespace(**shown_tag),
        "Consent": await Consent.all().order_by("-given_at", "-id").first(),
        "GuardianConsent": await GuardianConsent.get(),
        "Staff": await Staff.get(),
        "Store": await Store.get(),
        "Product": await Product.get(id=line.product_id),
        "Order": order,
        "OrderLine": line,
        "OrderReturn": await OrderReturn.filter(order_id=order.id).first(),
        "Interaction": await Interaction.all().order_by("-occurred_at", "-id").first(),
        "CatalogueTag": tag,
        "OwnerAssignment": await OwnerAssignment.get(),
        "Question": await Question.all().order_by("-asked_at", "-id").first(),
        "Message": message,
        "MessageEvent": await MessageEvent.filter(message_id=message.id).order_by("id").first(),
        "Decision": await Decision.get(id=message.decision_id),
        "Score": await Score.get(),
        "ScoringModel": await ScoringModel.get(),
        "CallbackTask": await CallbackTask.get(),
        "CallbackOutcome": await CallbackOutcome.get(),
        # what is told of the rows above in words: the sentences themselves are tested where they are made
        "BabyStage": SimpleNamespace(
            stage="MONTHS_6_12",
            name="6-12 months",
            care_stage="MONTHS_6_12",
            age="6 months 12 days",
            week=None,
            age_months=6,
            formula_stage=2,
            next_formula_stage=3,
            next_formula_stage_on=date(2018, 6, 3),
            why_unknown="",
            on=NOON.date(),
            rules_version=RULES_2026_1.version,
        ),
        "NextStage": SimpleNamespace(stage="MONTHS_12_24", name="12-24 months", on=date(2018, 6, 3), is_expected=False),
        "TalkingPoint": SimpleNamespace(kind="SAY", code="hello", text="Say hello."),
        "Segment": await Segment.get(),
        "SegmentCount": SimpleNamespace(members=1, seen=2),
        "SegmentOverlap": SimpleNamespace(one=1, other=1, both=1),
        "SegmentWhy": SimpleNamespace(is_in=True),
        "SegmentCondition": SimpleNamespace(
            path="rule.rules[0]", field="orders.count", operator=">=", is_met=True, value="1"
        ),
        "SegmentCatalogue": SimpleNamespace(),
        "SegmentField": SimpleNamespace(
            name="segments.segment", label="Segment", type="set", operators=["in", "notIn"], narrowing=[]
        ),
        "SegmentValue": SimpleNamespace(name=str((await Segment.get()).id), label="Bought"),
        "Viewer": SimpleNamespace(),
    }


def missing_id(type_name: str) -> str:
    return f"{type_name}:{new_id()}"


def is_now(text: str) -> bool:
    """A moment of the business clock, which goes on from NOON."""
    return timedelta(0) <= datetime.fromisoformat(text) - NOON < timedelta(minutes=10)
