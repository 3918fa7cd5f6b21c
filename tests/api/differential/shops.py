"""Where and by whom families are served: stores, people with accounts, products, tags, models."""

from dataclasses import dataclass

from domain.commerce.products import BabyClass, FormulaClass, Product
from domain.commerce.staff import RowScope, Staff
from domain.commerce.stores import Distributor, Store
from domain.insight.models import ModelState, ScoringModel
from domain.people.tags import Tag, TagFamily
from domain.platform.accounts import Account
from domain.platform.actors import Actor
from domain.platform.roles import Role
from tests.api.differential.builder import CATEGORIES, NOON, Builder
from tests.factories import actor_for


@dataclass(slots=True)
class House:
    """Where and by whom families are served."""

    stores: list[Store]
    staff: list[Staff]
    accounts: list[Account]
    products: list[Product]
    tags: list[Tag]
    models: list[ScoringModel]


async def make_house(make: Builder) -> tuple[House, list[Actor]]:
    north, south = [await make.make(Distributor, name=name) for name in ("North 北", "South & Sons")]
    stores = [
        await make.make(
            Store, source="till", external_id=make.key(), name=f"Store {n} {make.text()}", distributor_id=of.id,
            phone=make.some(["+12025550199"]),
        )
        for n, of in enumerate((north, north, south))
    ]  # fmt: skip
    staff, accounts, actors = [], [], []
    for role, scope, place in PEOPLE:
        at = stores[place] if place is not None else None
        person = await make.make(
            Staff, source="till", external_id=make.key(), name=f"{role.value} {make.text()}", scope=scope,
            store_id=at.id if at else None, distributor_id=at.distributor_id if at else None,
        )  # fmt: skip
        account = await make.make(
            Account, login=f"login-{make.key()}", password_hash="-", role=role, staff_id=person.id
        )
        staff.append(person)
        accounts.append(account)
        actors.append(
            actor_for(
                role, id=account.id, scope=scope, account_id=account.id, staff_id=person.id, store_id=person.store_id,
                distributor_id=person.distributor_id,
            )
        )  # fmt: skip
    gone = await make.make(
        Staff, source="till", external_id=make.key(), name="Gone", scope=RowScope.OWN, is_active=False
    )
    models = [await _model(make, name) for name in ("churn", "cross_sell")]
    products = [await _product(make, category) for category in CATEGORIES for _ in range(3)]
    tags = [
        await make.make(
            Tag,
            key=f"tag.{n}",
            family=make.one(TagFamily),
            label_en=make.text(),
            label_zh="标签",
            description=make.text(),
            valid_days=make.some([1, 90]),
            owner_id=make.any_of(staff),
            retired_at=make.some([make.at()], nothing=0.7),
        )
        for n in range(6)
    ]
    return House(stores, [*staff, gone], accounts, products, tags, models), actors


# role, scope, number of the store: each scope twice, so that two people share their plans and nothing else
PEOPLE: list[tuple[Role, RowScope, int | None]] = [
    (Role.CONSULTANT, RowScope.OWN, 0),
    (Role.CONSULTANT, RowScope.OWN, 2),
    (Role.CONSULTANT, RowScope.OWN, None),
    (Role.ADVISOR, RowScope.STORE, 0),
    (Role.ADVISOR, RowScope.STORE, 1),
    (Role.ADVISOR, RowScope.STORE, 2),
    (Role.STORE_MANAGER, RowScope.DISTRIBUTOR, 1),
    (Role.STORE_MANAGER, RowScope.DISTRIBUTOR, 2),
    (Role.OPERATOR, RowScope.ALL, None),
    (Role.OPERATOR, RowScope.OWN, None),
    (Role.ANALYST, RowScope.ALL, None),
    (Role.ANALYST, RowScope.STORE, 1),
    (Role.AUDITOR, RowScope.ALL, None),
    (Role.AUDITOR, RowScope.DISTRIBUTOR, 0),
]


async def _model(make: Builder, name: str) -> ScoringModel:
    return await make.make(
        ScoringModel, name=name, version="1", family="lightgbm", state=ModelState.CHAMPION, as_of=NOON.date(),
        horizon_days=30, feature_hash="-", data_hash="-", artifact="-", trained_at=NOON,
    )  # fmt: skip


KNOWN_TO_LAW = [FormulaClass.INFANT_FORMULA, FormulaClass.FOLLOW_ON]


async def _product(make: Builder, category: str) -> Product:
    is_formula = category == "INFANT FORMULA"
    return await make.make(
        Product, source="till", external_id=make.key(), name=f"{category.title()} {make.text()}", category=category,
        department=make.text(), brand=make.text(), is_merchandise=make.chance.random() > 0.2,
        baby_class=BabyClass.FORMULA if is_formula else BabyClass.NONE if "PIZZA" in category else BabyClass.DIAPER,
        formula_class=make.one(KNOWN_TO_LAW) if is_formula else FormulaClass.NONE,
        formula_stage=make.some([1, 2, 3]) if is_formula else None,
    )  # fmt: skip
