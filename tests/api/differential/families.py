"""Families with everything that can be known of them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.care.callbacks import CallbackKind, CallbackOutcome, CallbackState, CallbackTask, Disposition
from domain.care.interactions import Direction, Interaction, InteractionKind, Mood
from domain.care.questions import Question
from domain.commerce.orders import Order, OrderChannel, OrderLine, OrderReturn
from domain.gateway.messages import Message, MessageEvent, MessageState
from domain.insight.scores import Score
from domain.outreach.decisions import Decision, Verdict
from domain.people.babies import Baby, Feeding, Sex
from domain.people.consents import Consent, ConsentState
from domain.people.guardians import GuardianConsent
from domain.people.households import Household
from domain.people.identities import Identity, IdentityKind
from domain.people.identity_blocks import BlockReason, IdentityBlock
from domain.people.members import CarerRole, Member, MemberStatus
from domain.people.merge_suggestions import MergeSuggestion, SuggestionState
from domain.people.merges import Merge, MergeHow
from domain.people.names import name_initials, name_key
from domain.people.owners import OwnerAssignment
from domain.people.tags import MemberTag
from domain.platform.sources import Channel, Purpose, Source
from tests.api.differential.builder import CATEGORIES, NAMES, NOON, TEXTS, Builder, Row
from tests.api.differential.shops import House


async def make_family(make: Builder, house: House, number: int) -> list[Member]:
    household = await make.make(Household, source="till", external_id=make.key())
    babies = await make.many(Baby, 0, 3, lambda: _baby(make, household))
    for tag in house.tags:
        for whose in [{"household_id": household.id}, *({"baby_id": baby.id} for baby in babies)]:
            if make.chance.random() < 0.4:
                await make.make(
                    MemberTag, tag_id=tag.id, source=make.one(Source), evidence=make.text(), set_at=make.at(),
                    expires_at=make.some([make.at(3)], nothing=0.6), **whose,
                )  # fmt: skip
    members = await make.many(Member, 1, 3, lambda: _carer(make, house, household))
    if number == 7:
        members.append(await make.make(Member, **{**_carer(make, house, household), "status": MemberStatus.ERASED}))
    for child in babies:
        await make.many(GuardianConsent, 0, 3, lambda child=child: _guardian(make, house, child, members))
    for n, member in enumerate(members):
        await _names(make, member, f"{number}{n}")
        await _said(make, house, member, babies)
        await _bought(make, house, member)
        await _to_call(make, house, member, babies)
    return members


async def make_doubts(make: Builder, member: Member, members: list[Member]) -> None:
    """Who became part of her, who may be her, and values that name nobody."""
    for is_undone in make.one([[], [False], [False, True], [False, False]]):
        gone = await make.make(
            Member, household_id=member.household_id, status=MemberStatus.MERGED, merged_into_id=member.id,
            joined_on=make.at(400).date(), **_outer_name(make),
        )  # fmt: skip
        undone = (
            {"unmerged_at": make.at(), "unmerged_by": make.id(), "unmerge_reason": make.text()} if is_undone else {}
        )
        await make.make(
            Merge, survivor_id=member.id, absorbed_id=gone.id, how=make.one(MergeHow), reason=make.text(),
            actor_id=make.id(), actor_role="OPERATOR", merged_at=make.at(), **undone,
        )  # fmt: skip
    other = make.one([one for one in members if one.id != member.id])
    evidence = make.one(
        [
            [],
            [{"code": "SHARED_CONTACT", "kinds": ["PHONE", "EMAIL"]}],
            [{"code": "GIVEN_TOGETHER", "kinds": ["CARD"]}, {"code": "SHARED_CONTACT", "kinds": []}],
        ]
    )
    one_id, other_id = sorted((member.id, other.id))
    if not await MergeSuggestion.exists(one_id=one_id, other_id=other_id):
        await make.make(
            MergeSuggestion, one_id=one_id, other_id=other_id, state=make.one(SuggestionState), evidence=evidence,
            confidence=make.one([0.5, 0.5, 0.7, 1.0]), suggested_at=make.at(),
        )  # fmt: skip
        for survivor, absorbed in make.one([[], [(one_id, other_id)], [(one_id, other_id), (other_id, one_id)]]):
            await make.make(
                Merge, survivor_id=survivor, absorbed_id=absorbed, how=MergeHow.STAFF, reason=make.text(),
                actor_id=make.id(), actor_role="OPERATOR", merged_at=make.at(), unmerged_at=make.at(),
                unmerged_by=make.id(), unmerge_reason=make.text(),
            )  # fmt: skip
    lifted = make.one([{}, {"lifted_at": make.at(), "lifted_by": make.id()}])
    await make.make(
        IdentityBlock, kind=make.one(IdentityKind), value=f"{make.key()}@x", reason=make.one(BlockReason),
        members=make.chance.randint(0, 9), note=make.text(), blocked_at=make.at(), **lifted,
    )  # fmt: skip


def _outer_name(make: Builder) -> Row:
    """Two sources number their members alike."""
    make.people += 1
    number, source = divmod(make.people, 2)
    return {"source": ("till", "desk")[source], "external_id": f"{number}7001" if number % 3 == 0 else f"m{number}"}


def _carer(make: Builder, house: House, household: Household) -> Row:
    name = make.one(NAMES)
    return {
        "household_id": household.id, **_outer_name(make),
        "status": make.one([MemberStatus.ACTIVE] * 4 + [MemberStatus.BLOCKED]), "carer_role": make.one(CarerRole),
        "full_name": name, "name_key": name_key(name) if name else None,
        "name_initials": name_initials(name) if name else None, "name_source": make.some(Source) if name else None,
        "owner_id": make.any_of(house.staff), "store_id": make.any_of(house.stores),
        "joined_by_id": make.any_of(house.staff), "joined_on": make.at(400).date(),
        "joined_channel": make.some(Channel), "joined_campaign": make.some(TEXTS), "handling_note": make.some(TEXTS),
        "language": make.one(["en", "zh-Hans"]), "time_zone": make.one(["UTC", "Asia/Shanghai", "Pacific/Auckland"]),
        "jurisdiction": make.one(["US", "CN", "PH"]), "version": make.chance.randint(1, 9),
        "provenance": make.one([None, {"full_name": make.told(), "time_zone": make.told()}]),
    }  # fmt: skip


def _baby(make: Builder, household: Household) -> Row:
    nickname = make.some(["Mia", "豆豆", "Zoë", "o'b", "mia m"])
    due = make.some([NOON.date() + timedelta(days=days) for days in (-100, -3, 0, 5, 100, 200, 270, 400)])
    born = make.some([NOON.date() - timedelta(days=days) for days in (-4, 0, 1, 40, 100, 250, 500, 900, 1500, 3000)])
    return {
        "provenance": make.one([None, {}, {"nickname": make.told(), "sex": make.told()}]),
        "household_id": household.id, "nickname": nickname, "nickname_key": name_key(nickname) if nickname else None,
        "sex": make.one(Sex), "due_on": due, "due_source": make.one(Source) if due else None,
        "due_confidence": make.some([0.1, 1.0, 0.3333333333333333, 1e-05]), "born_on": born,
        "born_source": make.one(Source) if born else None, "born_confidence": make.some([0.0, 0.25, 1.0]),
        "gestation_weeks": make.some([20, 30, 36, 40]), "presence_source": make.one(Source),
        "presence_confidence": make.one([0.5, 1.0, 2 / 3]), "feeding": make.one(Feeding),
        "feeding_since": make.some([date(2017, 1, 31)]), "formula_brand": make.some(TEXTS),
        **make.one([{}, {
            "feeding_source": Source.STAFF, "formula_stage": 2, "formula_stage_since": date(2017, 11, 1),
            "packs_at_home": 0, "packs_counted_on": date(2017, 12, 1), "adopted_on": date(2017, 3, 1),
        }]),
        "allergies": make.some(TEXTS), "stopped_at": make.some([make.at()], nothing=0.8),
        "version": make.chance.randint(1, 5),
    }  # fmt: skip


async def _names(make: Builder, member: Member, number: str) -> None:
    """Her identities; a phone may be a family's, and the latest seen of a kind is alone."""
    for n, (kind, value) in enumerate(
        [
            (IdentityKind.PHONE, f"+120255501{number}"), (IdentityKind.PHONE, "+12025557001"),
            (IdentityKind.EMAIL, f"e{number}.é@example.com"), (IdentityKind.EMAIL, "family@example.com"),
            (IdentityKind.CARD, f"9000{number}7001"), (IdentityKind.POS_ID, f"p{number}"),
            (IdentityKind.WECHAT_OPENID, f"openid-{number}"), (IdentityKind.DEVICE, "d"),
        ]
    ):  # fmt: skip
        if make.chance.random() < 0.35:
            continue
        is_shared = value in ("+12025557001", "family@example.com", "d")
        await make.make(
            Identity, member_id=member.id, kind=kind, value=value, is_primary=not is_shared,
            namespace="" if kind in (IdentityKind.PHONE, IdentityKind.EMAIL) else "mall",
            is_synthetic=make.one([True, False]), verified_at=make.some([make.at()]), first_seen_at=make.at(),
            last_seen_at=NOON - timedelta(days=n + 1),
        )  # fmt: skip


async def _said(make: Builder, house: House, member: Member, babies: list[Baby]) -> None:
    """Tags, consents and their history, interactions, messages with decisions and events, scores."""
    baby = [one.id for one in babies]
    for tag in house.tags:
        for _ in range(make.chance.choice([0, 0, 1, 2])):
            await make.make(
                MemberTag, tag_id=tag.id, member_id=member.id, source=make.one(Source), evidence=make.text(),
                set_at=make.at(), expires_at=make.some([make.at()]), removed_at=make.at(),
            )  # fmt: skip
        if make.chance.random() < 0.5:
            await make.make(
                MemberTag, tag_id=tag.id, member_id=member.id, source=make.one(Source), evidence=make.text(),
                set_at=make.at(), expires_at=make.some([make.at(3)], nothing=0.6),
            )  # fmt: skip
    await make.many(Consent, 0, 6, lambda: _consent(make, house, member, baby))
    for _ in range(make.chance.choice([0, 1, 1, 3])):
        await OwnerAssignment.create(
            member_id=member.id, staff_id=make.any_of(house.staff), previous_id=make.any_of(house.staff),
            assigned_by_id=make.any_of(house.staff), reason=make.text(), assigned_at=make.at(3),
        )  # fmt: skip
    said = await make.many(
        Interaction, 0, 6,
        lambda: {
            "member_id": member.id, "baby_id": make.some(baby), "kind": make.one(InteractionKind),
            "channel": make.one(Channel), "direction": make.one(Direction), "occurred_at": make.at(),
            "topic": make.text(), "note": make.text(), "staff_id": make.any_of(house.staff),
            "store_id": make.any_of(house.stores), "source": "desk", "external_id": make.key(),
            "is_synthetic": make.one([True, False]), "mood": make.some(Mood),
        },
    )  # fmt: skip
    for one in said:
        for place in range(make.chance.choice([0, 0, 1, 3])):
            is_told = make.chance.random() < 0.4
            await make.make(
                Question, interaction_id=one.id, place=place + 1, text=make.text(), asked_at=make.at(3),
                answer=make.text() or "yes" if is_told else "", answered_at=make.at() if is_told else None,
                answered_by_id=make.any_of(house.staff) if is_told else None,
            )  # fmt: skip
    for _ in range(make.chance.randint(0, 5)):
        await _message(make, member, baby)
    for model in house.models:
        for category in [""] if model.name == "churn" else CATEGORIES:
            if make.chance.random() < 0.5:
                await Score.create(
                    member_id=member.id, model_name=model.name, category=category, rank=make.chance.randint(1, 3),
                    probability=make.one([0.0, 0.125, 1 / 3, 1e-07, 1.0]), model_id=model.id, as_of=NOON.date(),
                    reasons=make.one([REASONS, []]),
                )  # fmt: skip


REASONS = [
    {"code": "LAST_PURCHASE", "effect": "RAISES", "values": {"days": 1}},
    {"code": "ALSO_BOUGHT", "effect": "LOWERS", "values": {"because": ["BABY FOODS"], "category": "FROZEN PIZZA"}},
    {"code": "NO_SUCH_CODE", "values": {}},
]


def _consent(make: Builder, house: House, member: Member, baby: list[UUID]) -> Row:
    return {
        "member_id": member.id, "purpose": make.one(Purpose),
        "channel": make.one([Channel.SMS, Channel.EMAIL, Channel.CALL]),
        "state": make.one(ConsentState), "given_at": make.at(3), "source": make.one(Source),
        "how": make.text() or "call",
        "text_version": make.one(["1", "2"]), "text_hash": "-", "store_id": make.any_of(house.stores),
        "baby_id": make.some(baby),
    }  # fmt: skip


def _guardian(make: Builder, house: House, child: Baby, members: list[Member]) -> Row:
    return {
        "baby_id": child.id, "member_id": make.any_of(members), "state": make.one(ConsentState), "given_at": make.at(3),
        "source": make.one(Source), "how": "call", "text_version": make.one(["", "1"]), "text_hash": "-",
        "store_id": make.any_of(house.stores),
    }  # fmt: skip


async def _message(make: Builder, member: Member, baby: list[UUID]) -> None:
    channel, purpose = make.one(Channel), make.one(Purpose)
    decision = await make.make(
        Decision, member_id=member.id, intent_key=make.key(), channel=channel, purpose=purpose,
        verdict=make.one(Verdict), primary_reason="QUIET_HOURS",
        reasons=make.one([[], ["QUIET_HOURS", 'a "b"', "限制"]]),
        next_possible_at=make.some([make.at()]), rules_version="1", decided_at=make.at(),
    )  # fmt: skip
    state = make.one([one for one in MessageState if one is not MessageState.SENDING])
    message = await make.make(
        Message, member_id=member.id, baby_id=make.some(baby), channel=channel, purpose=purpose, intent_key=make.key(),
        provider_key=make.id(), template_key="note", template_version=1, language="en",
        address=make.some(["+12025550142", "emma@example.com", "ab", "é@x"]), subject=make.some(TEXTS),
        body=make.some(TEXTS), body_html=make.some(["<p>é</p>"]), state=state,
        state_reason=make.one(["", "NO_CONSENT"]),
        decision_id=decision.id, not_before=make.at(), expires_at=make.at(), attempt=make.chance.randint(0, 3),
        provider=make.some(["simulator"]), created_at=make.at(10), state_at=make.at(), sent_at=make.some([make.at()]),
    )  # fmt: skip
    await make.many(
        MessageEvent, 0, 4,
        lambda: {
            "message_id": message.id, "at": make.at(), "from_state": make.one(["", "HELD"]), "to_state": state.value,
            "cause": make.text(), "attempt": make.chance.randint(0, 3),
        },
    )  # fmt: skip


async def _bought(make: Builder, house: House, member: Member) -> None:
    for _ in range(make.chance.randint(0, 6)):
        order = await make.make(
            Order, source="till", external_id=make.key(), member_id=make.some([member.id], nothing=0.05),
            store_id=make.any_of(house.stores), served_by_id=make.any_of(house.staff),
            channel=make.one(OrderChannel), ordered_at=make.at(5), currency="USD", total=make.money(), payload_hash="-",
        )  # fmt: skip
        for line_no in range(1, make.chance.randint(1, 5)):
            await OrderLine.create(
                order_id=order.id, line_no=line_no, product_id=make.one(house.products).id,
                quantity=Decimal(make.one(["1.000", "0.005", "2.500"])), amount=make.money(), discount=make.money(),
            )  # fmt: skip
        await make.many(
            OrderReturn, 0, 2,
            lambda order=order: {
                "source": "till", "external_id": make.key(), "order_id": order.id, "returned_at": make.at(2),
                "amount": make.money(), "payload_hash": "-",
            },
        )  # fmt: skip


POINTS = [
    {"kind": "SAY", "code": "hello", "en": "Say 'hello'.", "zh-Hans": "问好。"},
    {"kind": "DO_NOT_SAY", "code": "only_en", "en": 'Not "formula".'},
]
WHYS: list[tuple[str, Row]] = [
    ("COMPLAINT", {"en": "She's \"angry\".", "zh-Hans": "投诉"}),
    ("CARE", {}),
    ("FIRST_PURCHASE", {"known_at": "2017-12-01T00:00:00+00:00", "first_on": "2017-12-01", "category": "BABY FOODS"}),
    ("PROMISED_CALL", {"about": "NEW_FEEDING_STAGE", "known_at": "2017-12-12T00:00:00+00:00", "nickname": "",
                       "months": 6, "on": "2017-12-20"}),
    ("RUNNING_LOW", {"known_at": "2017-11-01T00:00:00+00:00", "last_on": "2017-12-14", "usual_gap": 12.4,
                     "category": "DIAPERS & DISPOSABLES"}),
]  # fmt: skip


async def _to_call(make: Builder, house: House, member: Member, babies: list[Baby]) -> None:
    """Tasks: waiting, held, lapsed or ended; with attempts of today and of days ago, by the machine's clock."""
    now = datetime.now(UTC)
    for _ in range(make.chance.randint(0, 3)):
        state = make.one([CallbackState.OPEN, CallbackState.LEASED, CallbackState.LEASED, *CallbackState])
        holder = make.one(house.accounts)
        code, facts = make.one(WHYS)
        task = await make.make(
            CallbackTask, member_id=member.id, baby_id=make.any_of(babies), kind=make.one(CallbackKind),
            purpose=make.one(Purpose), intent_key=make.key(), reason_code=code, reason=facts,
            talking_points=make.one([POINTS, []]), priority=make.one([0.5, 0.5, 3.0, -1.25, 0.1]),
            owner_id=make.any_of(house.staff, 0.5),
            store_id=make.any_of(house.stores, 0.5), state=state,
            not_before=make.one([NOON - timedelta(hours=1), NOON - timedelta(days=2), NOON + timedelta(days=2)]),
            expires_at=make.one([NOON - timedelta(days=1), NOON + timedelta(days=7)]), created_at=make.at(),
            attempts=make.chance.randint(0, 2), fence=make.chance.randint(0, 4), version=make.chance.randint(1, 5),
            lease_account_id=holder.id if state is CallbackState.LEASED else None,
            lease_until=now + timedelta(hours=make.one([-1, 3, 3])) if state is CallbackState.LEASED else None,
            released_by=make.some([holder.id], nothing=0.8), release_reason=make.some(TEXTS),
            disposition=make.some(Disposition), closed_at=make.some([make.at(5)]),
        )  # fmt: skip
        if make.chance.random() < 0.4:
            await make.make(
                Interaction, member_id=member.id, kind=InteractionKind.VISIT, channel=Channel.STORE,
                direction=Direction.INBOUND, occurred_at=make.at(), source="store", external_id=make.key(),
                promise=make.text(), promised_for=make.at(), promise_task_id=task.id,
            )  # fmt: skip
        for attempt in range(make.chance.randint(0, 3)):
            await make.make(
                CallbackOutcome, task_id=task.id, attempt=attempt // 2, disposition=make.one(Disposition),
                note=make.text(),
                next_step="RETRY", call_later_at=make.some([make.at()]), account_id=make.one(house.accounts).id,
                logged_at=now - timedelta(hours=make.one([1, 20, 30, 90])), undone_at=make.some([now], nothing=0.9),
            )  # fmt: skip
