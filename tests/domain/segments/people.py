"""Random members with everything that rules ask, in several time zones, around every edge that a day has."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain.care.interactions import Direction, Interaction, InteractionKind
from domain.commerce.orders import Order, OrderChannel, OrderLine, OrderReturn, OrderReturnLine
from domain.commerce.products import BabyClass, FormulaClass, Product
from domain.commerce.stores import Store
from domain.people.babies import Baby, Feeding, Sex
from domain.people.consents import Consent, ConsentState
from domain.people.households import Household
from domain.people.members import CarerRole, Member, MemberStatus
from domain.people.tags import MemberTag, Tag, TagFamily
from domain.platform.ids import new_id
from domain.platform.sources import Channel, Purpose, Source
from domain.segments.fields import ENUMS, catalogue
from tests.factories import make_model, make_store

THEN = datetime(2017, 12, 15, 23, 30, tzinfo=UTC)  # two days stand in the world
ZONES = ("UTC", "America/New_York", "Asia/Shanghai", "Pacific/Kiritimati")
CATEGORIES = ("FORMULA 1", "DIAPERS", "TOYS")
TAGS = ("test.first", "test.second", "test.third")
CAMPAIGNS = ("spring", "x' OR 1=1 --")


class People:
    """The same seed makes the same people. Rows are made in bulk: many members in a second."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.rows: dict[type[Any], list[Any]] = {}
        self.stores: list[Store] = []
        self.tags: list[Tag] = []
        self.products: list[Product] = []

    async def make(self, count: int) -> "People":
        self.stores = [await make_store() for _ in range(3)]
        self.tags = [await Tag.create(key=key, family=TagFamily.ATTRIBUTE, label_en=key, label_zh=key) for key in TAGS]
        classes = {
            "FORMULA 1": (BabyClass.FORMULA, FormulaClass.FOLLOW_ON),
            "DIAPERS": (BabyClass.DIAPER, FormulaClass.NONE),
        }
        for number, category in enumerate(CATEGORIES * 2):
            baby, formula = classes.get(category, (BabyClass.NONE, FormulaClass.NONE))
            self.products.append(
                await Product.create(
                    source="test",
                    external_id=f"p{number}",
                    name=category,
                    category=category,
                    baby_class=baby,
                    formula_class=formula,
                )
            )
        self.models = {name: (await make_model(name)).id for name in ("churn", "cross_sell")}
        for number in range(count):
            if number % 2 == 0 or self.chance.random() < 0.4:
                home = self._add(Household, source="test", external_id=f"h{number}")
                for _ in range(self.chance.choice((0, 1, 1, 2, 3))):
                    self._baby(home.id)
            self._member(home.id, number)
        from domain.insight.scores import Score

        order = [Household, Member, Baby, Order, MemberTag, Consent, Interaction, Score, OrderReturn]
        for kind in order:
            await kind.bulk_create(self.rows.get(kind, []))
        await self._lines()
        return self

    def _add(self, table: type[Any], /, **values: Any) -> Any:
        row = table(**values)
        self.rows.setdefault(table, []).append(row)
        return row

    def moment(self) -> datetime:
        """Mostly of late, and often within hours of midnight somewhere."""
        days = self.chance.choice((0, 1, 2, 5, 6, 7, 29, 30, 31, 90, 200, self.chance.randint(0, 500)))
        return THEN - timedelta(
            days=days, minutes=self.chance.choice((0, 29, 30, 31, 600, self.chance.randint(0, 1439)))
        )

    def _baby(self, household: UUID) -> None:
        day = THEN.date() - timedelta(
            days=self.chance.choice((-200, -30, -1, 0, 1, 30, 31, 180, 330, 350, 365, 366, 700))
        )
        day -= timedelta(days=self.chance.randint(-3, 3))
        born = day if self.chance.random() < 0.7 else None
        due = day + timedelta(days=self.chance.randint(-20, 20)) if born is None or self.chance.random() < 0.3 else None
        if self.chance.random() < 0.05:
            born = due = None
        self._add(
            Baby, household_id=household, presence_source=Source.MEMBER, born_on=born, due_on=due,
            born_source=Source.MEMBER if born else None, due_source=Source.MEMBER if due else None,
            gestation_weeks=self.chance.choice((None, None, 32, 39)) if born else None,
            feeding=self.chance.choice(list(Feeding)), sex=self.chance.choice(list(Sex)),
            stopped_at=THEN - timedelta(days=1) if self.chance.random() < 0.1 else None,
        )  # fmt: skip

    def _member(self, household: UUID, number: int) -> None:
        pick = self.chance.choice
        member = self._add(
            Member, household_id=household, source="test", external_id=f"m{number}", full_name=None,
            carer_role=pick(list(CarerRole)), language=pick(["en", "zh-Hans"]), time_zone=pick(ZONES),
            status=pick([MemberStatus.ACTIVE] * 8 + [MemberStatus.BLOCKED, MemberStatus.ERASED]),
            jurisdiction=pick(["US", "CN"]), store_id=pick([None, *(one.id for one in self.stores)]),
            joined_on=self.moment().date(), joined_channel=pick([None, *Channel]),
            joined_campaign=pick([None, *CAMPAIGNS]),
        )  # fmt: skip
        for n in range(pick((0, 0, 1, 2, 3, 8))):
            self._order(member, f"{number}-{n}")
        for tag in self.chance.sample(self.tags, pick((0, 0, 1, 2))):
            self._add(
                MemberTag, tag_id=tag.id, member_id=member.id, source=Source.STAFF, set_at=self.moment(),
                expires_at=pick([None, THEN + timedelta(days=1), THEN - timedelta(hours=1)]),
                removed_at=pick([None, None, THEN - timedelta(hours=2)]),
            )  # fmt: skip
        for _ in range(pick((0, 1, 2, 4))):
            self._add(
                Consent, member_id=member.id, purpose=pick(list(Purpose)), channel=pick([Channel.SMS, Channel.CALL]),
                state=pick(list(ConsentState)), given_at=self.moment(), source=Source.MEMBER, how="t",
                text_version="1", text_hash="-",
            )  # fmt: skip
        for _ in range(pick((0, 0, 1, 3))):
            key = str(new_id())
            self._add(
                Interaction, member_id=member.id, kind=pick(list(InteractionKind)), channel=Channel.CALL,
                direction=Direction.INBOUND, occurred_at=self.moment(), source="test", external_id=key, topic="t",
            )  # fmt: skip
        self._scores(member)

    def _scores(self, member: Member) -> None:
        from domain.insight.scores import Score

        scored = [("churn", "")] * self.chance.randint(0, 1)
        scored += [("cross_sell", one) for one in self.chance.sample(CATEGORIES, self.chance.randint(0, 2))]
        for model, category in scored:
            self._add(
                Score, member_id=member.id, model_name=model, category=category, rank=1, model_id=self.models[model],
                probability=self.chance.choice((0.0, 0.25, 0.5, 0.75, 1.0)), as_of=THEN.date(), reasons=[],
            )  # fmt: skip

    def _order(self, member: Member, key: str) -> None:
        self._add(
            Order, source="test", external_id=key, member_id=member.id, channel=self.chance.choice(list(OrderChannel)),
            store_id=self.chance.choice([None, *(one.id for one in self.stores)]), ordered_at=self.moment(),
            currency="USD", total=Decimal(0), payload_hash="-",
        )  # fmt: skip

    async def _lines(self) -> None:
        lines = []
        for order in self.rows.get(Order, []):
            for n in range(self.chance.randint(1, 3)):
                amount = Decimal(self.chance.choice((500, 999, 1000, 5000))) / 100
                order.total += amount
                quantity = Decimal(self.chance.choice(("0", "1", "2", "1.5")))
                product = self.chance.choice(self.products)
                lines.append(
                    OrderLine(order_id=order.id, line_no=n, product_id=product.id, quantity=quantity, amount=amount)
                )
        await OrderLine.bulk_create(lines)
        await Order.bulk_update(self.rows.get(Order, []), ["total"])
        back = []
        for line in await OrderLine.all():
            if self.chance.random() < 0.1:
                key = f"r{line.id}"
                given = await OrderReturn.create(
                    source="test", external_id=key, order_id=line.order_id, returned_at=THEN, amount=line.amount / 2,
                    payload_hash="-",
                )  # fmt: skip
                back.append(
                    OrderReturnLine(order_return_id=given.id, order_line_id=line.id, quantity=1, amount=line.amount / 2)
                )
        await OrderReturnLine.bulk_create(back)

    # Rules about them

    def rule(self, depth: int = 3, segments: tuple[str, ...] = ()) -> dict[str, Any]:
        """A random tree over all fields, with values that some of the people have."""
        rules: list[Any] = []
        for _ in range(self.chance.randint(1, 4)):
            nest = depth > 1 and self.chance.random() < 0.3
            rules.append(self.rule(depth - 1, segments) if nest else self.leaf(segments))
        return {"combinator": self.chance.choice(("and", "or")), "not": self.chance.random() < 0.25, "rules": rules}

    def leaf(self, segments: tuple[str, ...] = ()) -> dict[str, Any]:
        field = self.chance.choice([one for one in catalogue().values() if segments or one.special != "segment"])
        operator = self.chance.choice(field.operators)
        value = self._value(field, operator, segments)
        if field.narrowing and (field.special == "cross_sell" or self.chance.random() < 0.6):
            value = {"value": value, **self._narrowed(field)}
        if operator in ("null", "notNull") and not isinstance(value, dict):
            return {"field": field.key, "operator": operator}
        return {"field": field.key, "operator": operator, "value": value}

    def _value(self, field: Any, operator: str, segments: tuple[str, ...]) -> Any:
        if operator in ("between", "notBetween"):
            return sorted((self._one(field, segments), self._one(field, segments)))
        if operator in ("in", "notIn"):
            return [self._one(field, segments) for _ in range(self.chance.randint(1, 3))]
        return self._one(field, segments)

    def _one(self, field: Any, segments: tuple[str, ...]) -> Any:
        pick = self.chance.choice
        if field.special == "order_total":
            return pick((0, 10, 15.5, 100, 250))
        if field.special in ("churn", "cross_sell"):
            return pick((0, 0.25, 0.3, 0.5, 0.75, 1))
        if field.type == "number":
            return pick((0, 1, 2, 3, 5, 6, 7, 11, 12, 30, 31, 1.5, -1, -30, 180, 365, 10**9))
        if field.type == "date":
            return str(self.moment().date())
        if field.type == "id":
            return str(pick(self.stores).id)
        given = {
            "tags": TAGS, "campaigns": CAMPAIGNS, "time_zones": ZONES, "segments": segments, "": ("en", "US", "CN"),
            "consents": ("CARE:SMS", "PROMOTION:CALL", "SERVICE:SMS"),
        }  # fmt: skip
        return pick(given.get(field.values) or ENUMS[field.values])

    def _narrowed(self, field: Any) -> dict[str, Any]:
        pick = self.chance.choice
        made: dict[str, Any] = {
            "days": pick((1, 2, 7, 30, 31, 365)), "category": pick(CATEGORIES), "baby_class": pick(("FORMULA", "NONE")),
            "channel": pick(("POS", "MALL")), "store": str(pick(self.stores).id), "kind": pick(("CALL", "VISIT")),
        }  # fmt: skip
        names = [name for name in field.narrowing if self.chance.random() < 0.4]
        if field.special == "cross_sell":
            names = ["category"]
        return {name: made[name] for name in names}
