"""Segments are checked before they are kept: what a rule may be, who may ask it, what depends on what."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from tortoise.transactions import in_transaction

from domain.commerce.staff import RowScope
from domain.database import connection
from domain.platform.clock import set_business_clock
from domain.platform.failures import NotPermitted, ValidationError, VersionConflict
from domain.platform.parameters import Parameters
from domain.platform.roles import Role
from domain.segments import readings, segments
from domain.segments.compiling import this_moment
from domain.segments.facts import rebuild
from domain.segments.fields import ENUMS, LOOKED_UP, catalogue, values_of
from domain.segments.readings import Counted, Overlap, Why
from domain.segments.rules import Group, parse, read
from domain.segments.segments import (
    SegmentArchived,
    SegmentChanges,
    SegmentInUse,
    SegmentNameTaken,
    SegmentNotFound,
    SegmentSaved,
)
from tests.factories import NOON, make_actor, make_baby, make_member, make_order, make_store
from tests.properties import holds_for

FIELDS = list(catalogue())


def rule_of(*rules: Any, **more: Any) -> str:
    return json.dumps({"combinator": "and", "rules": list(rules), **more})


def leaf(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


BOUGHT = leaf("orders.count", ">=", 1)


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ("{", "rule", "Not JSON"),
        ("[]", "rule", "A group is"),
        ('{"combinator": "and", "rules": []}', "rule.rules", "at least one"),
        (rule_of(BOUGHT, combinator="xor"), "rule.combinator", "and, or"),
        (rule_of(BOUGHT, **{"not": 1}), "rule.not", "true or false"),
        (rule_of(leaf("orders.nothing", "=", 1)), "rule.rules[0].field", "orders.count"),
        (rule_of(BOUGHT, leaf("orders.count", "in", [1])), "rule.rules[1].operator", "between"),
        (rule_of(leaf("orders.count", "=", "many")), "rule.rules[0].value", "A number"),
        (rule_of(leaf("orders.count", "=", True)), "rule.rules[0].value", "A number"),
        (rule_of(leaf("orders.count", "=", 1e30)), "rule.rules[0].value", "A number"),
        (rule_of(leaf("orders.count", "between", [5, 1])), "rule.rules[0].value", "lowest comes first"),
        (rule_of(leaf("orders.count", "=", {"value": 1, "days": 0})), "rule.rules[0].value.days", "1 to"),
        (rule_of(leaf("baby.count", "=", {"value": 1, "days": 3})), "rule.rules[0].value", "plain value"),
        (rule_of(leaf("baby.stage", "=", "TODDLER")), "rule.rules[0].value", "NEWBORN"),
        (rule_of(leaf("tags.tag", "in", [])), "rule.rules[0].value", "1 to 100"),
        (rule_of(leaf("tags.tag", "in", ["a\0"])), "rule.rules[0].value[0]", "A text"),
        (rule_of(leaf("member.joined_on", "<", "yesterday")), "rule.rules[0].value", "2017-12-15"),
        (rule_of(leaf("member.store", "=", "x")), "rule.rules[0].value", "An id"),
        (rule_of(leaf("scores.cross_sell", ">", 0.5)), "rule.rules[0].value", "needs a category"),
        (rule_of({**BOUGHT, "valueSource": "field"}), "rule.rules[0].valueSource", "value"),
        (rule_of({**BOUGHT, "sql": "1"}), "rule.rules[0]", "`sql` is not known"),
        (rule_of(*[BOUGHT] * 65), "rule.rules", "At most 64"),
        (rule_of(*[json.loads(rule_of(*[BOUGHT] * 33))] * 2), "rule", "At most 64"),
    ],
)
def test_a_flaw_says_where_it_is_and_what_would_be_right(given: str, path: str, words: str) -> None:
    found = parse(given)
    assert isinstance(found, ValidationError)
    assert found.errors[0].field == path
    assert words in found.errors[0].message
    assert len(found.errors) == 1


def test_groups_nest_only_so_deep() -> None:
    deep: Any = BOUGHT
    for _ in range(8):
        deep = {"combinator": "or", "rules": [deep]}
    assert isinstance(read(deep), Group)
    found = read({"combinator": "or", "rules": [deep]})
    assert isinstance(found, ValidationError)
    assert "At most 8 groups" in found.errors[0].message
    assert isinstance(parse("[" * 5_000 + "]" * 5_000), ValidationError)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rules", "field", "operator", "value", "combinator", "not", "days", "x"]), inner
        )
    ),
    max_leaves=12,
)
near_rules = st.fixed_dictionaries(
    {
        "combinator": st.sampled_from(["and", "or"]),
        "rules": st.lists(
            st.fixed_dictionaries(
                {
                    "field": st.sampled_from(FIELDS),
                    "operator": st.sampled_from(["=", "in", "between", "null"]),
                    "value": json_values,
                }
            ),
            max_size=2,
        ),
    }
)


@holds_for(json_values | near_rules, examples=300)
def test_any_json_is_a_tree_or_flaws(given: Any) -> None:
    found = read(given)
    assert isinstance(found, Group) or (found.errors and all(one.field.startswith("rule") for one in found.errors))


def test_every_field_has_a_type_both_labels_and_values_that_exist() -> None:
    for field in catalogue().values():
        assert field.operators
        assert "" not in (field.label_en, field.label_zh)
        assert field.label_en != field.label_zh
        assert bool(field.sql) != bool(field.special), field.key
        assert not field.values or field.values in ENUMS or field.values in LOOKED_UP


async def test_the_values_of_the_catalogue_can_be_read(db: str) -> None:
    actor, store = await make_actor(), await make_store(name="Main Street")
    for name in {*ENUMS, *LOOKED_UP}:
        await values_of(actor, name)
    [value] = await values_of(actor, "stores")
    assert (value.name, value.label_en) == (str(store.id), "Main Street")


async def test_a_segment_lives_under_one_name_until_it_is_archived(db: str) -> None:
    actor = await make_actor(Role.ANALYST)
    one = await segments.create(actor, " Bought ", "", rule_of(BOUGHT))
    assert isinstance(one, SegmentSaved)
    assert await segments.create(actor, "Bought", "", rule_of(BOUGHT)) == SegmentNameTaken()
    assert await segments.update(actor, one.segment_id, 7, SegmentChanges(name="B")) == VersionConflict(1)
    assert isinstance(await segments.update(actor, one.segment_id, 1, SegmentChanges()), ValidationError)
    using = rule_of(leaf("segments.segment", "in", [str(one.segment_id)]))
    other = await segments.create(actor, "Using", "", using)
    assert isinstance(other, SegmentSaved)
    assert await segments.archive(actor, one.segment_id) == SegmentInUse(("Using",))
    assert await segments.archive(actor, other.segment_id) == SegmentArchived(other.segment_id)
    assert await segments.archive(actor, other.segment_id) == SegmentNotFound()
    assert await segments.archive(actor, one.segment_id) == SegmentArchived(one.segment_id)
    again = await segments.create(actor, "Bought", "", rule_of(BOUGHT))
    assert isinstance(again, SegmentSaved)
    rows = await connection().execute_query_dict("SELECT place FROM segments WHERE id = $1", [again.segment_id])
    assert rows[0]["place"] == 0, "the place is free again"


async def test_segments_do_not_depend_on_themselves(db: str) -> None:
    actor = await make_actor(Role.OPERATOR)
    one = await segments.create(actor, "One", "", rule_of(BOUGHT))
    assert isinstance(one, SegmentSaved)
    two = await segments.create(actor, "Two", "", rule_of(leaf("segments.segment", "in", [str(one.segment_id)])))
    assert isinstance(two, SegmentSaved)
    for named in (one, two):
        rule = rule_of(BOUGHT, leaf("segments.segment", "notIn", [str(named.segment_id)]))
        found = await segments.update(actor, one.segment_id, 1, SegmentChanges(rule=rule))
        assert isinstance(found, ValidationError)
        assert found.errors[0].field == "rule.rules[1].value[0]"


async def test_a_rule_asks_only_what_the_role_may_read(db: str) -> None:
    analyst, boss = await make_actor(Role.ANALYST), await make_actor(Role.OPERATOR)
    young = rule_of(leaf("baby.age_months", "<", 12))
    for refused in (await segments.create(analyst, "Young", "", young), await readings.count(analyst, young)):
        assert isinstance(refused, ValidationError)
        assert refused.errors[0].field == "rule.rules[0].field"
    made = await segments.create(boss, "Young", "", young)
    assert isinstance(made, SegmentSaved)
    through = rule_of(leaf("segments.segment", "in", [str(made.segment_id)]))
    found = await readings.count(analyst, through)
    assert isinstance(found, ValidationError), "nor by way of another's segment"
    assert await segments.archive(analyst, made.segment_id) == SegmentNotFound()
    for role in (Role.CONSULTANT, Role.ADVISOR, Role.STORE_MANAGER, Role.AUDITOR):
        other = await make_actor(role)
        assert isinstance(await readings.count(other, rule_of(BOUGHT)), NotPermitted)
        assert isinstance(await segments.create(other, "X", "", rule_of(BOUGHT)), NotPermitted)


async def test_counts_overlaps_and_whys_are_of_members_in_scope(db: str) -> None:
    await set_business_clock(NOON)
    shop, other_shop = await make_store(), await make_store()
    mine, other = await make_member(store_id=shop.id), await make_member(store_id=other_shop.id)
    await make_baby(mine, born_on=date(2017, 1, 10), born_source="MEMBER")
    for one in (mine, other):
        await make_order(one, NOON - timedelta(days=2))
    await rebuild()
    actor = await make_actor(Role.OPERATOR, RowScope.STORE, store_id=shop.id)
    everybody = await make_actor(Role.OPERATOR)
    rule = rule_of(leaf("baby.age_months", "between", [11, 12]), leaf("orders.count", ">=", {"value": 2, "days": 30}))
    assert await readings.count(actor, rule_of(BOUGHT)) == Counted(1, 1)
    assert await readings.count(everybody, rule_of(BOUGHT)) == Counted(2, 2)
    young = rule_of(leaf("baby.age_months", "<=", 11))
    assert await readings.overlap(actor, rule_of(BOUGHT), young) == Overlap(1, 1, 1)
    assert await readings.overlap(everybody, rule_of(BOUGHT), young) == Overlap(2, 1, 1)
    assert await readings.why(actor, rule, other.id) is None
    found = await readings.why(actor, rule, mine.id)
    assert isinstance(found, Why)
    assert not found.is_in
    said = [(one.path, one.is_met, one.value) for one in found.reasons]
    assert said == [("rule.rules[0]", True, "11"), ("rule.rules[1]", False, "1")]


async def test_every_field_can_say_what_she_has(db: str) -> None:
    await set_business_clock(NOON)
    actor, member = await make_actor(Role.OPERATOR), await make_member()
    await make_baby(member, born_on=date(2017, 1, 10), born_source="MEMBER")
    await make_baby(member, due_on=date(2018, 1, 10), due_source="MEMBER")
    await rebuild()
    rules = []
    for field in catalogue().values():
        narrowed = {"category": "X", "days": 3, "baby_class": "NONE", "channel": "POS", "kind": "CALL"}
        value: Any = {"value": 1, **{name: narrowed[name] for name in field.narrowing if name in narrowed}}
        operator = "notNull" if "notNull" in field.operators else "in"
        given = ["CARE:SMS"] if field.special == "consent" else ["x"]
        if field.special == "segment":
            continue
        rules.append(leaf(field.key, operator, value if field.narrowing else given if operator == "in" else None))
    found = await readings.why(actor, rule_of(*rules), member.id)
    assert isinstance(found, Why)
    shown = {one.field: one.value for one in found.reasons}
    assert (shown["baby.stage"], shown["baby.due_in_days"], shown["baby.age_days"]) == (
        "MONTHS_6_12, TRIMESTER_3", "26", "339",
    )  # fmt: skip
    assert (shown["orders.count"], shown["orders.total"], shown["member.language"]) == ("0", "0", "en")


@pytest.mark.parametrize(
    ("leaf", "index"),
    [
        ({"field": "baby.age_months", "operator": "between", "value": [6, 11]}, "member_facts_born_idx"),
        ({"field": "baby.stage", "operator": "in", "value": ["MONTHS_6_12"]}, "member_facts_born_idx"),
        ({"field": "orders.days_since_last", "operator": "<=", "value": 60}, "member_facts_last_order_idx"),
        ({"field": "orders.count", "operator": ">=", "value": {"value": 2, "days": 90}}, "member_facts_last_order_idx"),
    ],
)
async def test_a_childs_age_and_the_last_order_are_looked_up(db: str, leaf: dict[str, Any], index: str) -> None:
    """The table is small here: that it is not read whole is all that is asked."""
    tree = read({"combinator": "and", "rules": [leaf]})
    assert isinstance(tree, Group), tree
    parameters = Parameters()
    sql = readings.count_sql(await make_actor(Role.OPERATOR), tree, await this_moment(), parameters)
    async with in_transaction():
        await connection().execute_query("SET LOCAL enable_seqscan = off")
        plan = await connection().execute_query_dict(f"EXPLAIN {sql}", parameters)
    assert index in str(plan)
