"""Leaves: one condition of a rule as SQL over a member's facts, called `f`. Values are bound, never spliced."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import ceil, floor
from uuid import UUID

from domain.platform.parameters import Parameters
from domain.platform.sources import Channel, Purpose
from domain.segments.facts import consent_bit
from domain.segments.fields import NEGATIONS
from domain.segments.rules import Group, Leaf
from domain.stages.calendar import last_born_at_least
from domain.stages.engine import stage_window
from domain.stages.rules import Stage

OLDEST_MONTHS = 12 * 150
FURTHEST_DAYS = 365 * 150
TIN_ENDS = "orders.tin_ends_in_days"  # the one day that lies ahead
Ends = tuple[int | None, int | None]  # whole numbers, both included; None = open


@dataclass(frozen=True, slots=True)
class Day:
    """A local day, and the time zones in which it is that day."""

    today: date
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a condition is compiled for. `among` holds the placeholder of the only members that are asked, if any."""

    parameters: Parameters
    day: Day
    trees: Mapping[UUID, Group]  # of the segments that rules name
    tree: Callable[[Group, "Setting"], str]  # how a whole tree is compiled
    among: str = ""

    def only(self, column: str) -> str:
        return f" AND {column} = ANY({self.among})" if self.among else ""


def cost(leaf: Leaf) -> int:
    """How dear a condition is to ask of one member: those of a tree are asked from the cheapest on."""
    if leaf.narrowed.keys() - {"days"} or leaf.field.special in COSTS:
        return COSTS.get(leaf.field.special, 40)
    return 10 if leaf.narrowed else 1 if leaf.field.type in ("number", "date") else 2


COSTS = {
    "age_months": 3, "age_days": 3, "tag": 9, "due_in_days": 9, "stage": 12, "feeding": 40, "sex": 40, "churn": 40,
    "cross_sell": 40, "segment": 60,
}  # fmt: skip


def condition(leaf: Leaf, at: Setting) -> str:
    """SQL that is TRUE for the members who meet the leaf, and FALSE or NULL for all others."""
    positive = NEGATIONS.get(leaf.operator)
    if positive is None:
        return MAKERS[leaf.field.special or "sql"](leaf, leaf.operator, at)
    return f"({MAKERS[leaf.field.special or 'sql'](leaf, positive, at)}) IS NOT TRUE"


def number(value: Decimal, at: Setting) -> str:
    """Whole numbers as integers: comparing numerics costs several times as much."""
    return f"{at.parameters(int(value))}::bigint" if value == int(value) else f"{at.parameters(value)}::numeric"


def compared(expression: str, operator: str, values: Sequence[str]) -> str:
    """The comparison in SQL of an expression that may be NULL, with placeholders."""
    if operator == "notNull":
        return f"{expression} IS NOT NULL"
    if operator == "between":
        return f"{expression} BETWEEN {values[0]} AND {values[1]}"
    return f"{expression} {operator} {values[0]}"


def holds_of_nothing(leaf: Leaf, operator: str) -> bool:
    """Whether a count or sum of nothing meets the comparison."""
    if operator == "notNull":
        return True
    first, last = leaf.values[0], leaf.values[-1]
    met: bool = {
        "=": first == 0, "<": first > 0, "<=": first >= 0, ">": first < 0, ">=": first <= 0,
        "between": first <= 0 <= last,
    }[operator]  # fmt: skip
    return met


def ends(leaf: Leaf, operator: str) -> Ends | None:
    """The whole numbers that meet the comparison, as one range; None: there are none."""
    first, last = (leaf.values[0], leaf.values[-1]) if leaf.values else (Decimal(0), Decimal(0))
    if operator == "=":
        return (int(first), int(first)) if first == int(first) else None
    low, high = {
        "notNull": (None, None), "<": (None, ceil(first) - 1), "<=": (None, floor(first)),
        ">": (floor(first) + 1, None), ">=": (ceil(first), None), "between": (ceil(first), floor(last)),
    }[operator]  # fmt: skip
    return (low, high) if low is None or high is None or low <= high else None


def _plain(leaf: Leaf, operator: str, at: Setting) -> str:
    """A value that stands among the facts."""
    of = leaf.field
    if of.day:
        return _of_a_day(leaf, operator, at)
    expression = of.sql.replace("{f}", "f")
    if "{today}" in expression:
        expression = expression.replace("{today}", f"{at.parameters(at.day.today)}::date")
    if of.type == "number":
        return compared(expression, operator, [number(one, at) for one in leaf.values])
    if of.type == "date":
        return compared(expression, operator, [f"{at.parameters(one)}::date" for one in leaf.values])
    if operator == "notNull":
        return f"{expression} IS NOT NULL"
    return f"{expression} = ANY({at.parameters(list(leaf.values))}::{'uuid' if of.type == 'id' else 'text'}[])"


def _of_a_day(leaf: Leaf, operator: str, at: Setting) -> str:
    """So many days before today, or after: one comparison of dates instead of a subtraction for every member."""
    column, found, today = f"f.{leaf.field.day}", ends(leaf, operator), at.day.today
    if found is None:
        return "FALSE"
    low, high = found
    if (low is not None and low > FURTHEST_DAYS) or (high is not None and high < -FURTHEST_DAYS):
        return "FALSE"
    low = low if low is not None and low >= -FURTHEST_DAYS else None
    high = high if high is not None and high <= FURTHEST_DAYS else None
    if leaf.field.key != TIN_ENDS:  # days ago: the more, the earlier
        low, high = None if high is None else -high, None if low is None else -low
    first, last = (None if one is None else at.parameters(today + timedelta(days=one)) for one in (low, high))
    if first and last:
        return f"{column} BETWEEN {first}::date AND {last}::date"
    if first or last:
        return f"{column} >= {first}::date" if first else f"{column} <= {last}::date"
    return f"{column} IS NOT NULL"


# Babies: their dates are sorted arrays, and so a range of dates is two binary searches


def _any_date(column: str, low: date | None, high: date | None, at: Setting) -> str:
    """Some date of the array lies in the range, both ends included."""
    if low is None:
        return f"{column}[1] <= {at.parameters(high)}::date" if high is not None else f"cardinality({column}) > 0"
    below = f"width_bucket({at.parameters(low - timedelta(days=1))}::date, {column})"
    if high is None:
        return f"cardinality({column}) > {below}"
    return f"width_bucket({at.parameters(high)}::date, {column}) > {below}"


def _born_between(low: date | None, high: date, at: Setting) -> str:
    """Some live baby was born in the range, open without `low`. Of one or two, the first and the last say it."""
    if low is None:
        return f"f.oldest_born <= {at.parameters(high)}::date"
    first, last = f"{at.parameters(low)}::date", f"{at.parameters(high)}::date"
    between = f"width_bucket({last}, f.baby_born) > width_bucket({first} - 1, f.baby_born)"
    return (
        f"(f.youngest_born >= {first} AND f.oldest_born <= {last} AND "
        f"(f.oldest_born >= {first} OR f.youngest_born <= {last} OR (f.baby_count > 2 AND {between})))"
    )


def _age_months(leaf: Leaf, operator: str, at: Setting) -> str:
    found, today = ends(leaf, operator), at.day.today
    low, high = found or (1, 0)
    low = max(low or 0, 0)
    if (high is not None and high < low) or low > OLDEST_MONTHS:
        return "FALSE"
    older = last_born_at_least(high + 1, today) if high is not None and high < OLDEST_MONTHS else None
    return _born_between(older and older + timedelta(days=1), last_born_at_least(low, today), at)


def _age_days(leaf: Leaf, operator: str, at: Setting) -> str:
    low, high = ends(leaf, operator) or (1, 0)
    low = max(low or 0, 0)
    if (high is not None and high < low) or low > FURTHEST_DAYS:
        return "FALSE"
    oldest = at.day.today - timedelta(days=high) if high is not None and high <= FURTHEST_DAYS else None
    return _born_between(oldest, at.day.today - timedelta(days=low), at)


def _due_in_days(leaf: Leaf, operator: str, at: Setting) -> str:
    found = ends(leaf, operator)
    if found is None:
        return "FALSE"
    low, high = found
    if (low is not None and low > FURTHEST_DAYS) or (high is not None and high < -FURTHEST_DAYS):
        return "FALSE"
    first = at.day.today + timedelta(days=low) if low is not None and low >= -FURTHEST_DAYS else None
    last = at.day.today + timedelta(days=high) if high is not None and high <= FURTHEST_DAYS else None
    return _any_date("f.baby_due", first, last, at)


def _stage(leaf: Leaf, operator: str, at: Setting) -> str:
    """As the stage engine's own windows say it; a live baby with any date has a stage or is past its due date."""
    stages = [one for one in Stage if one is not Stage.UNKNOWN and (operator == "notNull" or one.value in leaf.values)]
    arms = []
    for stage in stages:
        window = stage_window(stage, at.day.today)
        assert window is not None, stage
        if window.born:
            assert window.born_to is not None, stage
            arms.append(_born_between(window.born_from, window.born_to, at))
        else:
            arms.append(_any_date("f.baby_due", window.due_from, window.due_to, at))
    return f"({' OR '.join(arms)})"


def _of_a_baby(column: str) -> "Maker":
    def make(leaf: Leaf, operator: str, at: Setting) -> str:
        where = "TRUE"  # that it is not known is a value of its own
        if operator != "notNull":
            where = f"b.{column} = ANY({at.parameters(list(leaf.values))}::text[])"
        if at.among:
            where += (
                " AND b.household_id IN (SELECT x.household_id FROM member_facts x "
                f"WHERE x.member_id = ANY({at.among}))"
            )
        return f"f.household_id IN (SELECT b.household_id FROM babies b WHERE b.stopped_at IS NULL AND {where})"

    return make


# Orders and interactions: whole life and windows of days from the facts, all else by one look at the rows


def _cut(leaf: Leaf, at: Setting) -> str:
    """The last local day that lies before the window."""
    return f"{at.parameters(at.day.today - timedelta(days=leaf.narrowed['days']))}::date"


def _order_count(leaf: Leaf, operator: str, at: Setting) -> str:
    if leaf.narrowed.keys() - {"days"}:
        return _of_rows(leaf, operator, at, orders(leaf, at), "count(*)", leaf.values)
    expression = "f.order_count"
    if leaf.narrowed:
        expression = f"(f.order_count - width_bucket({_cut(leaf, at)}, f.order_days))"
    meets = compared(expression, operator, [number(one, at) for one in leaf.values])
    return _if_lately(leaf, operator, meets, at)


def _if_lately(leaf: Leaf, operator: str, meets: str, at: Setting) -> str:
    """The same, but of most members known by one date: where nothing does not meet it, she bought in the window."""
    if not leaf.narrowed or holds_of_nothing(leaf, operator):
        return meets
    return f"(f.last_order_on > {_cut(leaf, at)} AND {meets})"


def _order_total(leaf: Leaf, operator: str, at: Setting) -> str:
    cents = [one * 100 for one in leaf.values]
    if leaf.narrowed.keys() - {"days"}:
        return _of_rows(leaf, operator, at, orders(leaf, at), "sum(o.cents)", cents)
    expression = "f.order_cents"
    if leaf.narrowed:
        expression = f"(f.order_cents - coalesce(f.order_sums[width_bucket({_cut(leaf, at)}, f.order_days)], 0))"
    meets = compared(expression, operator, [number(one, at) for one in cents])
    return _if_lately(leaf, operator, meets, at)


def orders(leaf: Leaf, at: Setting, only: str = "") -> str:
    """Orders that the leaf means, as rows (member_id, cents); of a shelf only what was paid for it, less refunds."""
    named = leaf.narrowed
    where = [f"o.member_id IS NOT NULL{at.only('o.member_id')}{only}", *_since(leaf, at, "o.ordered_at", "o.member_id")]
    if "channel" in named:
        where.append(f"o.channel = {at.parameters(named['channel'])}::text")
    if "store" in named:
        where.append(f"o.store_id = {at.parameters(named['store'])}::uuid")
    if not named.keys() & {"category", "baby_class"}:
        refund = "(SELECT sum(r.amount) FROM order_returns r WHERE r.order_id = o.id)"
        return (
            f"SELECT o.member_id, (o.total - coalesce({refund}, 0)) * 100 AS cents FROM orders o "
            f"WHERE {' AND '.join(where)}"
        )
    where += [f"p.{name} = {at.parameters(named[name])}::text" for name in ("category", "baby_class") if name in named]
    refund = "(SELECT sum(r.amount) FROM order_return_lines r WHERE r.order_line_id = l.id)"
    return (
        f"SELECT o.member_id, sum(l.amount - coalesce({refund}, 0)) * 100 AS cents FROM products p "
        "JOIN order_lines l ON l.product_id = p.id JOIN orders o ON o.id = l.order_id "
        f"WHERE {' AND '.join(where)} GROUP BY o.member_id, o.id"
    )


def _since(leaf: Leaf, at: Setting, moment: str, member: str) -> list[str]:
    """The row's local day lies in the window."""
    if "days" not in leaf.narrowed:
        return []
    first = at.day.today - timedelta(days=leaf.narrowed["days"] - 1)
    if len(at.day.zones) == 1:
        zone = at.parameters(at.day.zones[0])
        return [f"{moment} >= ({at.parameters(first)}::date::timestamp AT TIME ZONE {zone}::text)"]
    day = at.parameters(first)
    return [  # the first is for the index: no zone is a day and a half away
        f"{moment} >= {day}::date::timestamp AT TIME ZONE 'UTC' - interval '36 hours'",
        f"({moment} AT TIME ZONE (SELECT z.time_zone FROM members z WHERE z.id = {member}))::date >= {day}::date",
    ]


def interactions(leaf: Leaf, at: Setting, only: str = "") -> str:
    where = [f"TRUE{at.only('i.member_id')}{only}", *_since(leaf, at, "i.occurred_at", "i.member_id")]
    if "kind" in leaf.narrowed:
        where.append(f"i.kind = {at.parameters(leaf.narrowed['kind'])}::text")
    return f"SELECT i.member_id FROM interactions i WHERE {' AND '.join(where)}"


def _interaction_count(leaf: Leaf, operator: str, at: Setting) -> str:
    if leaf.narrowed:
        return _of_rows(leaf, operator, at, interactions(leaf, at), "count(*)", leaf.values)
    return compared("f.interaction_count", operator, [number(one, at) for one in leaf.values])


def _of_rows(leaf: Leaf, operator: str, at: Setting, rows: str, aggregate: str, values: Sequence[Decimal]) -> str:
    """Her rows together meet the comparison. Whoever has none is met where nothing meets it."""
    having = compared(aggregate, operator, [number(one, at) for one in values])
    found = f"f.member_id IN (SELECT o.member_id FROM ({rows}) o GROUP BY o.member_id HAVING "
    return f"NOT {found}({having}) IS NOT TRUE)" if holds_of_nothing(leaf, operator) else f"{found}{having})"


# Scores, tags, consents, other segments


def _churn(leaf: Leaf, operator: str, at: Setting) -> str:
    return _score(leaf, operator, at, "s.model_name = 'churn'")


def _cross_sell(leaf: Leaf, operator: str, at: Setting) -> str:
    category = at.parameters(leaf.narrowed["category"])
    return _score(leaf, operator, at, f"s.model_name = 'cross_sell' AND s.category = {category}::text")


def _score(leaf: Leaf, operator: str, at: Setting, which: str) -> str:
    values = [f"{at.parameters(float(one))}::float8" for one in leaf.values]
    where = compared("s.probability", operator, values)
    return f"f.member_id IN (SELECT s.member_id FROM scores s WHERE {which} AND {where}{at.only('s.member_id')})"


def _tag(leaf: Leaf, _operator: str, at: Setting) -> str:
    keys = at.parameters(list(leaf.values))
    return f"f.tags && ARRAY(SELECT t.id FROM tags t WHERE t.key = ANY({keys}::text[]))"


def _consent(leaf: Leaf, _operator: str, at: Setting) -> str:
    mask = 0
    for one in leaf.values:
        purpose, channel = one.split(":")
        mask |= 1 << consent_bit(Purpose(purpose), Channel(channel))
    return f"(f.consents & {at.parameters(mask)}::bigint) <> 0"


def _segment(leaf: Leaf, _operator: str, at: Setting) -> str:
    """As that segment's rule reads now, not as it was last worked out."""
    arms = [at.tree(at.trees[one], at) for one in leaf.values if one in at.trees]
    return f"({' OR '.join(arms)})" if arms else "FALSE"


Maker = Callable[[Leaf, str, Setting], str]
MAKERS: dict[str, Maker] = {
    "sql": _plain,
    "age_months": _age_months,
    "age_days": _age_days,
    "due_in_days": _due_in_days,
    "stage": _stage,
    "feeding": _of_a_baby("feeding"),
    "sex": _of_a_baby("sex"),
    "order_count": _order_count,
    "order_total": _order_total,
    "interaction_count": _interaction_count,
    "churn": _churn,
    "cross_sell": _cross_sell,
    "tag": _tag,
    "consent": _consent,
    "segment": _segment,
}
