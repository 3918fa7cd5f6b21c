"""A rule's SQL means what the rule says: against a slow oracle, on random trees and random members."""

import json

import pytest

from domain.database import connection
from domain.platform.clock import set_business_clock
from domain.platform.parameters import Parameters
from domain.segments.compiling import Moment, compile_rule, days_of
from domain.segments.facts import rebuild
from domain.segments.rules import Group, parse
from tests.domain.segments.oracle import Oracle
from tests.domain.segments.people import THEN, ZONES, People

pytestmark = pytest.mark.usefixtures("db")


@pytest.mark.parametrize(
    ("people", "trees"),
    [
        pytest.param(120, 300, id="few"),
        pytest.param(400, 5_000, id="many", marks=[pytest.mark.long, pytest.mark.timeout(1_200)]),
    ],
)
async def test_the_sql_of_a_random_tree_finds_whom_the_oracle_finds(people: int, trees: int) -> None:
    await set_business_clock(THEN)
    made = await People(trees).make(people)
    await rebuild()
    named = {str(one.id): made.rule(2) for one in made.stores}  # any ids will do for segments
    known = {key: tree for key, rule in named.items() if isinstance(tree := parse(json.dumps(rule)), Group)}
    assert len(known) == len(named)
    moment = Moment(THEN, days_of(THEN, ZONES), {one.id: known[str(one.id)] for one in made.stores})
    oracle, found_somebody = await Oracle.of(THEN, named), 0
    for _ in range(trees):
        rule = made.rule(segments=tuple(named))
        tree = parse(json.dumps(rule))
        assert isinstance(tree, Group), (rule, tree)
        parameters = Parameters()
        sql = compile_rule(tree, moment, parameters)
        rows = await connection().execute_query_dict(f"SELECT f.member_id FROM member_facts f WHERE {sql}", parameters)
        expected = oracle.members_of(rule)
        assert {row["member_id"] for row in rows} == expected, json.dumps(rule)
        found_somebody += 0 < len(expected) < people * 0.8
    assert found_somebody > trees / 3


async def test_each_leaf_alone_and_among_some_members_only() -> None:
    await set_business_clock(THEN)
    made = await People(7).make(60)
    await rebuild()
    moment, oracle = Moment(THEN, days_of(THEN, ZONES), {}), await Oracle.of(THEN)
    some = [
        row["member_id"] for row in await connection().execute_query_dict("SELECT member_id FROM member_facts LIMIT 20")
    ]
    for _ in range(200):
        rule = {"combinator": "and", "rules": [made.leaf()]}
        tree = parse(json.dumps(rule))
        assert isinstance(tree, Group), (rule, tree)
        parameters = Parameters()
        among = f"{parameters(some)}::uuid[]"
        sql = compile_rule(tree, moment, parameters, among)
        rows = await connection().execute_query_dict(
            f"SELECT f.member_id FROM member_facts f WHERE f.member_id = ANY({among}) AND {sql}", parameters
        )
        assert {row["member_id"] for row in rows} == oracle.members_of(rule) & set(some), json.dumps(rule)
