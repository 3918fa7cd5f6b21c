"""Test data: one small function a noun, each filling what the test does not care about."""

import secrets
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.care.callbacks import CallbackKind, CallbackTask
from domain.commerce.orders import Order, OrderChannel, OrderLine
from domain.commerce.products import Product
from domain.commerce.staff import RowScope, Staff
from domain.commerce.stores import Distributor, Store
from domain.insight.models import ModelState, ScoringModel
from domain.insight.scores import Score
from domain.people.babies import Baby
from domain.people.consents import Consent, ConsentState
from domain.people.guardians import GuardianConsent
from domain.people.households import Household
from domain.people.identities import Identity, IdentityKind
from domain.people.members import Member
from domain.platform.accounts import Account
from domain.platform.actors import Actor
from domain.platform.ids import new_id
from domain.platform.roles import PERMISSIONS, Role
from domain.platform.sources import Channel, Purpose, Source

NOON = datetime(2017, 12, 15, 12, 0, tzinfo=UTC)  # a Friday of the demo's data; set the business clock to it


def _key() -> str:
    return secrets.token_hex(6)


async def make_store(**fields: Any) -> Store:
    if "distributor_id" not in fields:
        fields["distributor_id"] = (await Distributor.create(name=f"Distributor {_key()}")).id
    return await Store.create(**{"source": "test", "external_id": _key(), "name": "Store", **fields})


async def make_staff(**fields: Any) -> Staff:
    return await Staff.create(
        **{"source": "test", "external_id": _key(), "name": "Nora Bell", "scope": RowScope.ALL, **fields}
    )


def actor_for(role: Role, **who: Any) -> Actor:
    """An actor with exactly the permissions of its role."""
    return Actor(role=role, permissions=PERMISSIONS[role], **who)


async def make_actor(role: Role = Role.CONSULTANT, scope: RowScope = RowScope.ALL, **place: Any) -> Actor:
    """A person with an account; `store_id`, `distributor_id` and `name` say who and where."""
    staff = await make_staff(scope=scope, **place)
    account = await Account.create(login=f"login-{_key()}", password_hash="-", role=role, staff_id=staff.id)
    return actor_for(
        role,
        id=account.id,
        scope=scope,
        account_id=account.id,
        staff_id=staff.id,
        store_id=staff.store_id,
        distributor_id=staff.distributor_id,
    )


def member_actor(member: Member) -> Actor:
    return actor_for(Role.MEMBER, id=member.id, member_id=member.id, household_id=member.household_id)


def frontend_actor() -> Actor:
    token = new_id()
    return actor_for(Role.FRONTEND, id=token, token_id=token, scope=RowScope.ALL)


async def make_member(*, phone: str | None = None, **fields: Any) -> Member:
    if "household_id" not in fields:
        fields["household_id"] = (await Household.create(source="test", external_id=_key())).id
    member = await Member.create(
        **{
            "source": "test",
            "external_id": _key(),
            "full_name": "Emma Johnson",
            "name_source": Source.MEMBER,
            "joined_on": date(2017, 1, 1),
            **fields,
        }
    )
    if phone is not None:
        await make_identity(member, IdentityKind.PHONE, phone)
    return member


async def make_identity(member: Member, kind: IdentityKind, value: str, **fields: Any) -> Identity:
    return await Identity.create(
        member_id=member.id, kind=kind, value=value, **{"first_seen_at": NOON, "last_seen_at": NOON, **fields}
    )


async def make_baby(member: Member, **fields: Any) -> Baby:
    return await Baby.create(household_id=member.household_id, **{"presence_source": Source.MEMBER, **fields})


async def make_guardian_consent(baby: Baby, member: Member, **fields: Any) -> GuardianConsent:
    return await GuardianConsent.create(
        baby_id=baby.id,
        member_id=member.id,
        **{
            "state": ConsentState.GRANTED,
            "given_at": NOON - timedelta(days=30),
            "source": Source.MEMBER,
            "how": "store_form",
            "text_version": "1",
            "text_hash": "-",
            **fields,
        },
    )


async def make_task(member: Member, **fields: Any) -> CallbackTask:
    return await CallbackTask.create(
        member_id=member.id,
        **{
            "kind": CallbackKind.WIN_BACK,
            "purpose": Purpose.PROMOTION,
            "intent_key": f"test:{_key()}",
            "reason_code": "CHURN_RISK",
            "owner_id": member.owner_id,
            "store_id": member.store_id,
            "not_before": NOON - timedelta(days=1),
            "expires_at": NOON + timedelta(days=7),
            "created_at": NOON - timedelta(days=1),
            **fields,
        },
    )


def any_id() -> UUID:
    """An id that belongs to nobody."""
    return new_id()


async def make_consent(member: Member, purpose: Purpose, channel: Channel, **fields: Any) -> Consent:
    return await Consent.create(
        member_id=member.id,
        purpose=purpose,
        channel=channel,
        **{
            "state": ConsentState.GRANTED,
            "given_at": NOON - timedelta(days=30),
            "source": Source.MEMBER,
            "how": "store_form",
            "text_version": "1",
            "text_hash": "-",
            **fields,
        },
    )


async def make_reachable(member: Member, *, phone: str = "+12025550123", email: str = "emma@example.com") -> Member:
    """She has both addresses and allows every purpose on SMS, e-mail and calls."""
    await make_identity(member, IdentityKind.PHONE, phone)
    await make_identity(member, IdentityKind.EMAIL, email)
    for purpose in Purpose:
        for channel in (Channel.SMS, Channel.EMAIL, Channel.CALL):
            await make_consent(member, purpose, channel)
    return member


async def make_product(category: str, **fields: Any) -> Product:
    return await Product.create(
        **{"source": "test", "external_id": _key(), "name": category.title(), "category": category, **fields}
    )


async def make_order(member: Member, at: datetime, total: str = "25.00", product: Product | None = None) -> Order:
    order = await Order.create(
        source="test",
        external_id=_key(),
        member_id=member.id,
        channel=OrderChannel.POS,
        ordered_at=at,
        currency="USD",
        total=Decimal(total),
        payload_hash="-",
    )
    if product is not None:
        await OrderLine.create(order_id=order.id, line_no=1, product_id=product.id, quantity=1, amount=Decimal(total))
    return order


async def make_model(name: str, **fields: Any) -> ScoringModel:
    return await ScoringModel.create(
        **fields,
        name=name,
        version="1",
        family="lightgbm",
        state=ModelState.CHAMPION,
        as_of=NOON.date(),
        horizon_days=30,
        feature_hash="-",
        data_hash="-",
        artifact="-",
        trained_at=NOON,
    )


async def make_score(model: ScoringModel, member: Member, probability: float, category: str = "") -> Score:
    return await Score.create(
        member_id=member.id,
        model_name=model.name,
        category=category,
        probability=probability,
        rank=1,
        model_id=model.id,
        as_of=NOON.date(),
    )
