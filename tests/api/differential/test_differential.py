"""Random documents for random actors, answered by the projection and by graphql-core over plain rows: equal as JSON."""

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from tortoise import Tortoise

from api import metrics
from api.config import ApiConfig
from api.context import ApiContext
from api.graphql import Request, run
from api.plans import PLANS
from api.reads import close_reads, open_reads
from domain.database import connection, tortoise_config
from domain.platform.actors import Actor
from domain.platform.clock import set_business_clock
from domain.platform.roles import Permission
from tests.api.differential.builder import NOON
from tests.api.differential.compared import difference
from tests.api.differential.coverage import reachable, reached
from tests.api.differential.documents import Writer
from tests.api.differential.pieces import Document
from tests.api.differential.reference import answer, contract
from tests.api.differential.values import Pools, pools_of
from tests.api.differential.world import World, build_world
from tests.conftest import EMPTY_FILLED_TABLES

MOST_LATE = 5  # times that one document may miss its deadline


class Town:
    """The world, open for reading, with what documents may ask for."""

    def __init__(self, world: World, config: ApiConfig) -> None:
        self.world, self.config = world, config
        self.pools = Pools({}, [], {})
        self.asked = self.refused = 0

    async def ask(self, actor: Actor | None, document: Document) -> dict[str, Any]:
        context = ApiContext(caller=actor, config=self.config, language=document.language)
        return (await run(Request(document.text, document.variables), context)).body

    async def compare(self, seed: int, actor: Actor | None, document: Document) -> None:
        """Fail with all that is needed to see a difference again."""
        for _ in range(MOST_LATE):
            body = await self.ask(actor, document)
            codes = {error["extensions"]["code"] for error in body.get("errors", ())}
            if "DEADLINE_EXCEEDED" not in codes:
                break  # a machine that stands still for a second is no difference
        self.asked += 1
        assert not codes & {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED"}, (seed, body, document.text)
        if codes == {"LIMIT_EXCEEDED"} and "data" not in body:
            self.refused += 1
            return
        told = answer(self.world, actor, document.language, document.text, document.variables)
        found = difference(body, told)
        if found:
            who = f"{actor.role} {actor.scope} {actor.id}" if actor else "nobody"
            pytest.fail(f"seed {seed}, {who}: {found}\n{document.text}\nvariables: {document.variables}", pytrace=False)


# A page of each list, whose cursors other documents ask for.
EARLIER = """
query($id: ID!) {
  members(search: {}, first: 50) { edges { cursor } __typename }
  callbackTasks(first: 50) { edges { cursor } __typename }
  messages(first: 50) { edges { cursor } __typename }
  mergeSuggestions(states: [OPEN, NEVER, MERGED], first: 50) { edges { cursor } __typename }
  identityBlocks(first: 50) { edges { cursor } __typename }
  born: stageEntries(stage: NEWBORN, from: "2017-01-01", to: "2017-12-31", first: 50) { edges { cursor } __typename }
  older: stageEntries(stage: YEARS_3_6, from: "2016-01-01", to: "2016-12-31", first: 50) { edges { cursor } __typename }
  products(first: 50) { edges { cursor } __typename }
  member(id: $id) {
    orders(first: 50) { edges { cursor } __typename }
    timeline(first: 50) { edges { cursor } __typename }
    consentHistory(first: 50) { edges { cursor } __typename }
    tagHistory(first: 50) { edges { cursor } __typename }
  }
}
"""
EARLIER_TOO = """
{
  tagCatalogue(first: 50) { edges { cursor } __typename }
  stores(first: 50) { edges { cursor } __typename }
  segments(first: 50) { edges { cursor } __typename }
}
"""


async def _earlier(town: Town, operator: Actor) -> dict[str, list[str]]:
    """Cursors of answers, by the type of their connection."""
    found: dict[str, list[str]] = {}
    asked = [Document(EARLIER, {"id": f"Member:{member['id']}"}, "en") for member in town.world.tables["members"]]
    for document in (Document(EARLIER_TOO, {}, "en"), *asked):
        data = (await town.ask(operator, document))["data"]
        for page in [*data.values(), *(data.get("member") or {}).values()]:
            if page and "edges" in page:
                found.setdefault(page["__typename"], []).extend(edge["cursor"] for edge in page["edges"])
    return {name: sorted(set(cursors)) for name, cursors in found.items()}


@pytest_asyncio.fixture(scope="module")
async def town(database_url: str) -> AsyncIterator[Town]:
    await Tortoise.init(config=tortoise_config(database_url), _enable_global_fallback=True)
    await set_business_clock(NOON)
    world = await build_world()
    await open_reads(database_url, size=4, statement_timeout_s=5)
    found = Town(world, ApiConfig(database_url=database_url, service_reads_per_minute=10**9))
    operator = next(one for one in world.actors if one and one.role == "OPERATOR" and one.scope == "ALL")
    found.pools = pools_of(world, await _earlier(found, operator))
    yield found
    await close_reads()
    await connection().execute_script(EMPTY_FILLED_TABLES)
    await Tortoise.close_connections()


async def _many(town: Town, seeds: Iterator[int] | range) -> None:
    """Each document for somebody, some at once for others too: plans are warm and shared when they ask."""
    before, asked = _fallbacks(), town.asked
    refused = town.refused
    for seed in seeds:
        chance = random.Random(seed)
        document = Writer(contract(), town.pools, seed).document()
        for actor in chance.sample(town.world.actors, 1 + (seed % 8 == 0) * 2):
            await town.compare(seed, actor, document)
    asked = town.asked - asked
    assert (_fallbacks() - before) / asked < 0.01
    assert (town.refused - refused) / asked < 0.03, "too many documents beyond the limits: nothing was compared"


def _fallbacks() -> float:
    return sum(
        sample.value for one in metrics.FALLBACK.collect() for sample in one.samples if sample.name.endswith("_total")
    )


async def test_random_documents_are_answered_as_plain_resolvers_answer_them(town: Town) -> None:
    await _many(town, range(300))


# What random documents found once.
FOUND = [
    "{ stores(first: 2) { pageInfo { __typename } } }",
    "{ messages(first: 2) { pageInfo { hasPreviousPage } totalCount } }",
    "{ stores(first: 50) { edges { node { distributor } } } }",
    "query($no: Boolean = false) { products(first: 1) { pageInfo { hasNextPage @include(if: $no) } } }",
    '{ products(first: 0) { totalCount } stores(first: 1, after: "no") { totalCount } viewer { role } }',
    "query($yes: Boolean = true) { viewer @include(if: $yes) { role } }",
    "query($n: Int = 1) { stores(first: $n) { totalCount __typename } }",
    "{ all: segmentFields { fields { name } } none: segmentFields(keys: []) { fields { name } } }",
]


@pytest.mark.parametrize("text", FOUND)
async def test_what_was_found_once_is_answered_alike(town: Town, text: str) -> None:
    for actor in town.world.actors:
        for variables in [{}, {"n": None}, {"yes": None}]:
            await town.compare(-1, actor, Document(text, variables, "en"))


OF_A_RULE = """
query($rule: String!, $other: String!, $her: ID!) {
  segmentCount(rule: $rule) { members seen }
  segmentSample(rule: $rule, first: 100) { totalCount edges { cursor node { id } } }
  segmentOverlap(one: $other, other: $rule) { one other both }
  segmentWhy(rule: $rule, memberId: $her) { isIn conditions { path field operator isMet value } }
}
"""


@pytest.mark.parametrize(
    ("most", "each"),
    [
        pytest.param(90, 1, id="some"),
        pytest.param(10_000, 4, id="all", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
async def test_a_rule_means_for_each_what_the_oracle_tells_her(town: Town, most: int, each: int) -> None:
    chance, rules = random.Random(5), town.pools.rules
    askers = [actor for actor in town.world.actors if actor is not None and actor.may(Permission.READ_SEGMENTS)]
    assert len({(actor.role, actor.scope) for actor in askers}) >= 4
    of_segments = [rule for rule in rules if "segments.segment" in rule]  # what one may not read hides in these
    for rule in [*of_segments, *chance.sample(rules, min(most, len(rules)))]:
        variables = {"rule": rule, "other": chance.choice(rules), "her": chance.choice(town.pools.ids["Member"])}
        for actor in chance.sample(askers, each):
            await town.compare(-1, actor, Document(OF_A_RULE, variables, "en"))


HERS = """
query($first: Int!) {
  viewer { staff { id store { id } } }
  members(search: {}, first: $first) { totalCount edges { node { id name phone orders(first: 3) { totalCount } } } }
  callbackTasks(first: $first) { totalCount edges { node { id isMine why member { id } } } }
}
"""


async def test_people_of_the_same_rights_share_a_warm_plan_and_nothing_else(town: Town) -> None:
    document = Document(HERS, {"first": 50}, "en")
    alike: dict[object, list[Actor]] = {}
    for actor in town.world.actors:
        if actor is not None and actor.is_staff and actor.scope != "ALL" and actor.store_id is not None:
            alike.setdefault((actor.role, actor.scope), []).append(actor)
    groups = [group for group in alike.values() if len(group) > 1]
    assert len(groups) >= 3
    for group in groups:
        await town.compare(-1, group[0], document)
        warm = len(PLANS._known)
        seen = []
        for actor in [*group, *reversed(group)]:
            await town.compare(-1, actor, document)
            data = (await town.ask(actor, document))["data"]
            assert data["viewer"]["staff"]["id"] == f"Staff:{actor.staff_id}"
            seen.append(frozenset(edge["node"]["id"] for edge in data["members"]["edges"]))
        assert len(PLANS._known) == warm, "all of them asked through one plan"
        assert len(set(seen)) == len(group), "each has members that the others do not see"
    for actor in town.world.actors:  # one text, every right
        await town.compare(-1, actor, document)


def test_random_documents_reach_every_field_and_argument(town: Town) -> None:
    schema, seen = contract(), set[str]()
    for seed in range(600):
        seen |= reached(schema, Writer(schema, town.pools, seed).document().text)
    assert reachable(schema) - seen == set()


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_ten_thousand_random_documents_are_answered_as_plain_resolvers_answer_them(town: Town) -> None:
    await _many(town, range(1_000, 11_000))
