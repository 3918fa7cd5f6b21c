"""Rules a second time, slowly: one member at a time over plain rows, in loops that read as the catalogue's words do."""

import math
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from domain.database import connection
from domain.segments.facts import TIN_DAYS
from domain.stages.engine import BabyDates, read
from domain.stages.rules import Stage

Row = dict[str, Any]
TABLES = (
    "members", "babies", "orders", "order_lines", "order_returns", "order_return_lines", "products", "member_tags",
    "tags", "consents", "interactions", "scores", "segments",
)  # fmt: skip


class Oracle:
    def __init__(self, tables: dict[str, list[Row]], now: datetime, rules: dict[str, Row]) -> None:
        self.tables, self.now, self.rules = tables, now, rules
        self.by: dict[tuple[str, str], dict[Any, list[Row]]] = {}

    @classmethod
    async def of(cls, now: datetime, rules: dict[str, Row] | None = None) -> "Oracle":
        tables = {name: await connection().execute_query_dict(f"SELECT * FROM {name}") for name in TABLES}
        return cls(tables, now, rules or {})

    def rows(self, table: str, column: str, value: Any) -> list[Row]:
        if (table, column) not in self.by:
            found = defaultdict(list)
            for row in self.tables[table]:
                found[row[column]].append(row)
            self.by[(table, column)] = found
        return self.by[(table, column)].get(value, [])

    def members_of(self, rule: Row) -> set[Any]:
        return {m["id"] for m in self.tables["members"] if m["status"] != "ERASED" and self.holds(rule, m)}

    def holds(self, rule: Row, member: Row) -> bool:
        if "rules" in rule:
            met = [self.holds(one, member) for one in rule["rules"]]
            whole = all(met) if rule["combinator"] == "and" else any(met)
            return not whole if rule.get("not") else whole
        field, operator, given = rule["field"], rule["operator"], rule.get("value")
        opposite = {"!=": "=", "notBetween": "between", "notIn": "in", "null": "notNull"}.get(operator)
        if opposite:
            return not self.holds({**rule, "operator": opposite}, member)
        if field == "segments.segment":
            return any(self.holds(self.rules[one], member) for one in given or ())
        narrowed = given if isinstance(given, dict) else {}
        value = narrowed.get("value", None if narrowed else given)
        group, name = field.split(".")
        found: list[Any] = getattr(self, f"_{group}")(name, member, narrowed)
        return any(one is not None and self._meets(one, operator, value) for one in found)

    def _meets(self, one: Any, operator: str, value: Any) -> bool:
        if operator == "notNull":
            return True
        kind = float if isinstance(one, float) else Decimal if isinstance(one, int | Decimal) else type(one)
        read: Any = (
            date.fromisoformat if kind is date else str if kind not in (float, Decimal) else lambda v: kind(str(v))
        )
        one = one if kind is date else str(one) if kind not in (float, Decimal) else kind(one)
        if operator == "between":
            return bool(read(value[0]) <= one <= read(value[1]))
        if operator == "in":
            return one in [read(each) for each in value]
        other = read(value)
        return bool(
            {"=": one == other, "<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[operator]
        )

    def today(self, member: Row) -> date:
        return self.now.astimezone(ZoneInfo(member["time_zone"])).date()

    def day(self, moment: datetime, member: Row) -> date:
        return moment.astimezone(ZoneInfo(member["time_zone"])).date()

    def _member(self, name: str, m: Row, _: Row) -> list[Any]:
        if name == "joined_days_ago":
            return [(self.today(m) - m["joined_on"]).days]
        return [m[{"store": "store_id", "owner": "owner_id"}.get(name, name)]]

    def _baby(self, name: str, m: Row, _: Row) -> list[Any]:
        live = [b for b in self.rows("babies", "household_id", m["household_id"]) if b["stopped_at"] is None]
        if name == "count":
            return [len(live)]
        if name in ("feeding", "sex"):
            return [b[name] for b in live]
        found: list[Any] = []
        for baby in live:
            today, born = self.today(m), baby["born_on"]
            reading = read(BabyDates(born, baby["due_on"], baby["gestation_weeks"]), today)
            if name == "stage":
                found.append(reading.stage.value if reading.stage is not Stage.UNKNOWN else None)
            elif name == "age_months":
                found.append(reading.age.months if reading.age else None)
            elif name == "age_days":
                found.append((today - born).days if born and born <= today else None)
            else:
                found.append((baby["due_on"] - today).days if born is None and baby["due_on"] else None)
        return found

    def _orders(self, name: str, m: Row, narrowed: Row) -> list[Any]:
        days = [(self.day(o["ordered_at"], m), o) for o in self.rows("orders", "member_id", m["id"])]
        if name in ("count", "total"):
            paid = [self._paid(o, narrowed) for day, o in days if self._is_meant(day, o, m, narrowed)]
            known = [one for one in paid if one is not None]
            return [len(known) if name == "count" else sum(known, Decimal(0))]
        if name == "tin_ends_in_days":
            return [self._tin(days, m)]
        last, first = max((d for d, _ in days), default=None), min((d for d, _ in days), default=None)
        if name == "last_on":
            return [last]
        one = last if name == "days_since_last" else first
        return [(self.today(m) - one).days if one else None]

    def _is_meant(self, day: date, order: Row, m: Row, narrowed: Row) -> bool:
        if "days" in narrowed and day <= self.today(m) - timedelta(days=narrowed["days"]):
            return False
        if "channel" in narrowed and order["channel"] != narrowed["channel"]:
            return False
        return "store" not in narrowed or str(order["store_id"]) == narrowed["store"]

    def _paid(self, order: Row, narrowed: Row) -> Decimal | None:
        """What was paid for what the rule means of the order; None: nothing of it is meant."""
        wanted = {name: narrowed[name] for name in ("category", "baby_class") if name in narrowed}
        if not wanted:
            refunds = (one["amount"] for one in self.rows("order_returns", "order_id", order["id"]))
            return order["total"] - sum(refunds, Decimal(0))  # type: ignore[no-any-return]
        amount = None
        for line in self.rows("order_lines", "order_id", order["id"]):
            [product] = self.rows("products", "id", line["product_id"])
            if all(product[name] == value for name, value in wanted.items()):
                refunds = (one["amount"] for one in self.rows("order_return_lines", "order_line_id", line["id"]))
                amount = (amount or Decimal(0)) + line["amount"] - sum(refunds, Decimal(0))
        return amount

    def _tin(self, days: list[tuple[date, Row]], m: Row) -> int | None:
        bought: dict[date, Decimal] = defaultdict(Decimal)
        for day, order in days:
            for line in self.rows("order_lines", "order_id", order["id"]):
                if (
                    self.rows("products", "id", line["product_id"])[0]["baby_class"] == "FORMULA"
                    and line["quantity"] > 0
                ):
                    bought[day] += line["quantity"]
        if not bought:
            return None
        last = max(bought)
        lasts = max(1, math.ceil(bought[last] * TIN_DAYS))
        return int((last - self.today(m)).days) + lasts

    def _tags(self, _name: str, m: Row, _: Row) -> list[Any]:
        now = self.now
        uses = [u for u in self.rows("member_tags", "member_id", m["id"]) if u["removed_at"] is None]
        return [
            self.rows("tags", "id", u["tag_id"])[0]["key"]
            for u in uses
            if u["expires_at"] is None or u["expires_at"] > now
        ]

    def _scores(self, name: str, m: Row, narrowed: Row) -> list[Any]:
        return [
            s["probability"]
            for s in self.rows("scores", "member_id", m["id"])
            if s["model_name"] == name and (name == "churn" or s["category"] == narrowed["category"])
        ]

    def _consents(self, _name: str, m: Row, _: Row) -> list[Any]:
        latest: dict[str, Row] = {}
        for c in sorted(self.rows("consents", "member_id", m["id"]), key=lambda c: (c["given_at"], c["id"])):
            if c["baby_id"] is None:
                latest[f"{c['purpose']}:{c['channel']}"] = c
        return [key for key, c in latest.items() if c["state"] == "GRANTED"]

    def _interactions(self, name: str, m: Row, narrowed: Row) -> list[Any]:
        words = [(self.day(i["occurred_at"], m), i) for i in self.rows("interactions", "member_id", m["id"])]
        if name == "days_since_last":
            last = max((day for day, _ in words), default=None)
            return [(self.today(m) - last).days if last else None]
        if "days" in narrowed:
            words = [one for one in words if one[0] > self.today(m) - timedelta(days=narrowed["days"])]
        if "kind" in narrowed:
            words = [one for one in words if one[1]["kind"] == narrowed["kind"]]
        return [len(words)]
