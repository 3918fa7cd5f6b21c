"""Shown: what a member has of what a condition asks, for whoever wonders why she is in a segment or not."""

from datetime import date
from typing import Any

from domain.segments.facts import CHANNELS, PURPOSES, consent_bit
from domain.segments.leaves import Setting, interactions, orders
from domain.segments.rules import Leaf
from domain.stages.engine import BabyDates
from domain.stages.engine import read as read_stage


def shown(leaf: Leaf, at: Setting) -> str:
    """SQL for what the member has of what the leaf asks: a text, or an array of texts. NULL: nothing is known."""
    of = leaf.field
    if not of.special:
        expression = of.sql.replace("{f}", "f")
        if "{today}" in expression:
            expression = expression.replace("{today}", f"{at.parameters(at.day.today)}::date")
        return f"({expression})::text"
    named = leaf.narrowed.keys() - {"days"}
    if of.special in ("order_count", "order_total"):
        aggregate = "count(*)" if of.special == "order_count" else "trim_scale(coalesce(sum(o.cents), 0) / 100)"
        if named or leaf.narrowed:
            return f"(SELECT ({aggregate})::text FROM ({orders(leaf, at, ' AND o.member_id = f.member_id')}) o)"
        return "f.order_count::text" if of.special == "order_count" else "trim_scale(f.order_cents / 100.0)::text"
    if of.special == "interaction_count":
        rows = interactions(leaf, at, " AND i.member_id = f.member_id")
        return f"(SELECT count(*)::text FROM ({rows}) o)"
    if of.special in ("churn", "cross_sell"):
        where = f"s.member_id = f.member_id AND s.model_name = '{of.special}'"
        if of.special == "cross_sell":
            where += f" AND s.category = {at.parameters(leaf.narrowed['category'])}::text"
        return f"(SELECT round(s.probability::numeric, 4)::text FROM scores s WHERE {where} LIMIT 1)"
    if of.special == "segment":  # of those that it names: of others not everybody may know
        asked = f"{at.parameters(list(leaf.values))}::uuid[]"
        return (
            f"ARRAY(SELECT g.name::text FROM segments g WHERE g.id = ANY({asked}) AND EXISTS ("
            "SELECT FROM segment_members i WHERE i.segment_id = g.id AND i.member_id = f.member_id) ORDER BY g.name)"
        )
    return SHOWN[of.special]


_A_BABY = "FROM babies b WHERE b.household_id = f.household_id AND b.stopped_at IS NULL ORDER BY b.id"
_IN_FORCE = ", ".join(
    f"CASE WHEN f.consents & {1 << consent_bit(purpose, channel)}::bigint <> 0 "
    f"THEN '{purpose.value}:{channel.value}' END"
    for purpose in PURPOSES
    for channel in CHANNELS
)
SHOWN = {
    "age_months": "f.baby_born::text[]",
    "age_days": "f.baby_born::text[]",
    "due_in_days": "f.baby_due::text[]",
    "stage": "(SELECT array_agg('born ' || d) FROM unnest(f.baby_born) d) "
    "|| (SELECT array_agg('due ' || d) FROM unnest(f.baby_due) d)",
    "feeding": f"ARRAY(SELECT b.feeding::text {_A_BABY})",
    "sex": f"ARRAY(SELECT b.sex::text {_A_BABY})",
    "tag": "ARRAY(SELECT t.key::text FROM tags t WHERE t.id = ANY(f.tags) ORDER BY t.key)",
    "consent": f"array_remove(ARRAY[{_IN_FORCE}], NULL)",
}


def said(leaf: Leaf, value: Any, today: date) -> str:
    """What she has, as short text: values side by side, ages and stages as the engine reads them."""
    if value is None:
        return ""
    if not isinstance(value, list):
        return str(value)
    what = leaf.field.special
    if what == "stage":
        return ", ".join(_stage_of(one, today) for one in value)
    if what in ("age_months", "age_days", "due_in_days"):
        return ", ".join(_of_dates(what, [date.fromisoformat(one) for one in value], today))
    return ", ".join(str(one) for one in value)


def _stage_of(known: str, today: date) -> str:
    """`born 2017-06-03` or `due 2017-06-03` as the stage engine reads it."""
    kind, day = known.split()
    given = date.fromisoformat(day)
    dates = BabyDates(born_on=given) if kind == "born" else BabyDates(due_on=given)
    return read_stage(dates, today).stage.value


def _of_dates(what: str, given: list[date], today: date) -> list[str]:
    if what == "due_in_days":
        return [str((one - today).days) for one in given]
    if what == "age_days":
        return [str((today - one).days) for one in given if one <= today]
    ages = [read_stage(BabyDates(born_on=one), today).age for one in given if one <= today]
    return [str(age.months) for age in ages if age is not None]
