"""The shipped limits: what people really ask passes, what is meant to hurt is refused before any SQL, quickly."""

import gc
import json
import re
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import asyncpg
import pytest
from graphql import OperationDefinitionNode, OperationType, Token, get_introspection_query, parse
from strawberry import Schema

from api import limits
from api.config import ApiConfig
from api.context import ApiContext
from api.documents import Document, Documents, read_document
from api.errors import ApiError
from api.graphql import Request, prepare
from api.metrics import FALLBACK
from api.pages.web import document
from api.plans import PLANS
from api.projection.selections import Operation
from api.projection.statements import Statement
from api.reads import close_reads, fetch, open_reads
from api.schema import build_schema
from domain.platform.ids import new_id
from domain.platform.roles import Role
from tests.api.conftest import Ask
from tests.factories import actor_for, make_actor

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.graphql"))
PAGES = sorted((Path(__file__).parents[2] / "api" / "pages" / "documents").glob("*.graphql"))
PAGE_VARIABLES: dict[str, dict[str, Any]] = {
    "desk": {"since": "2017-12-08T12:00:00+00:00"},
    "find_members": {"text": "0100"},
    "outbox_find_member": {"text": "0100"},
    "outbox_member": {"id": "Member:01900000-0000-7000-8000-000000000000"},
    "outbox_mail": {"id": "Message:01900000-0000-7000-8000-000000000000"},
    "store_member": {"id": "Member:01900000-0000-7000-8000-000000000000"},
}


def variables_of(example: str) -> dict[str, Any]:
    """As the example's own comment says them."""
    said = re.search(r"^# Variables: (.*)$", example, re.MULTILINE)
    return json.loads(said[1]) if said else {}


def context(*, is_production: bool = False, role: Role | None = Role.OPERATOR) -> ApiContext:
    actor = actor_for(role, id=new_id()) if role else None
    return ApiContext(caller=actor, config=ApiConfig(database_url="", is_production=is_production))


def codes(query: str, variables: dict[str, Any] | None = None, **who: Any) -> list[str]:
    prepared = prepare(Request(query, variables or {}), context(**who))
    if isinstance(prepared, Operation):
        return []
    return [(error.extensions or {})["code"] for error in prepared]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_pass(example: Path) -> None:
    text = example.read_text()
    assert codes(text, variables_of(text), is_production=True) == []


async def test_the_queries_of_examples_and_pages_answer_on_the_fast_way(ask: Ask) -> None:
    operator, before, asked = await make_actor(Role.OPERATOR), fallbacks(), 0
    pages = {path.stem: document(path.stem) for path in PAGES}
    for name, text in [*((path.stem, path.read_text()) for path in EXAMPLES), *pages.items()]:
        kinds = {getattr(node, "operation", None) for node in parse(text).definitions} - {None}
        if kinds == {OperationType.QUERY}:
            given = PAGE_VARIABLES.get(name, {}) if text is pages.get(name) else variables_of(text)
            answer = await ask(operator, text, **given)
            assert answer.data, name
            asked += 1
    assert asked == 16, "a query more, or less: is it asked here?"
    assert fallbacks() == before


def fallbacks() -> float:
    return sum(sample.value for one in FALLBACK.collect() for sample in one.samples if sample.name.endswith("_total"))


def test_introspection_passes_for_who_may() -> None:
    query = get_introspection_query(descriptions=True, input_value_deprecation=True)
    assert codes(query) == []
    assert codes(query, is_production=True) == []
    assert codes(query, is_production=True, role=Role.MEMBER)[0] == "INTROSPECTION_DISABLED"
    assert codes(query, is_production=True, role=None)[0] == "INTROSPECTION_DISABLED"


def test_production_suggests_no_field_names() -> None:
    for who, is_suggested in ((Role.OPERATOR, True), (None, False)):
        prepared = prepare(Request("{ membr(id: 1) { id } }", {}), context(is_production=True, role=who))
        assert not isinstance(prepared, Operation)
        assert ("Did you mean" in prepared[0].message) is is_suggested


def test_remembered_documents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.documents.MOST_REMEMBERED", 100)
    documents, schema = Documents(), build_schema()
    for number in range(20):
        assert isinstance(documents.get(schema, f"{{ a{number}: __typename }}", may_introspect=True), Document)
    assert sum(len(text) for text, _ in documents.known) == documents.characters <= 100
    assert ("{ a19: __typename }", True) in documents.known


async def test_a_document_that_is_forgotten_takes_its_plans_along(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = await make_actor(Role.OPERATOR)
    for operation in tuple(PLANS._of):  # of tests before this one: so many may be remembered that the oldest go
        PLANS.forget(operation)
    for number in range(20):
        assert (await ask(asks, f"{{ a{number}: stores(first: 1) {{ totalCount }} }}")).codes == []
    assert len(PLANS._known) == 20
    monkeypatch.setattr("api.documents.MOST_REMEMBERED", 100)
    await ask(asks, "{ last: stores(first: 1) { totalCount } }")
    assert len(PLANS._known) <= 3
    assert PLANS._characters == sum(len(plan.statement.sql) for plan in PLANS._known.values())
    assert set(PLANS._of) == {key[0] for key in PLANS._known}


def test_a_remembered_document_holds_none_of_its_tokens() -> None:
    text = (
        "query($n: Int!) { stores(first: $n) { ...F } } fragment F on StoreConnection { totalCount @skip(if: false) }"
    )
    read = read_document(build_schema(), text, may_introspect=True)
    assert isinstance(read, Document)
    waiting: list[object] = [read.named(None)]
    seen: set[int] = set()
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen and not isinstance(thing, type | ModuleType | FunctionType | Schema):
            seen.add(id(thing))
            assert not isinstance(thing, Token)
            waiting += gc.get_referents(thing)
    assert len(seen) > 50


async def test_a_response_beyond_two_megabytes_is_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_RESPONSE_BYTES", 30)
    answer = await ask(await make_actor(Role.OPERATOR), "{ viewer { role permissions } }")
    assert answer.codes == ["LIMIT_EXCEEDED"]
    assert answer.body["data"] is None


async def test_a_slow_statement_ends_at_the_deadline(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.graphql.DEADLINE_S", 0.2)
    monkeypatch.setattr(Statement, "bind", lambda *_: ("SELECT pg_sleep(20)::text", []))
    answer = await ask(await make_actor(Role.OPERATOR), "{ stores(first: 1) { totalCount } }")
    assert answer.codes == ["DEADLINE_EXCEEDED"]


async def test_the_read_pool_ends_statements_itself_and_writes_nothing(config: ApiConfig) -> None:
    context = ApiContext(caller=None, config=config)
    await open_reads(config.database_url, size=1, statement_timeout_s=5, anonymous_timeout_s=0.1)
    try:
        with pytest.raises(ApiError, match="took too long"):
            await fetch(context, "SELECT pg_sleep(5)::text", ())
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await fetch(context, "DELETE FROM demo_steps", ())
        assert (await fetch(context, "SHOW timezone", ()))[0] == "UTC"
    finally:
        await close_reads()


def test_every_operation_of_the_schema_weighs_something() -> None:
    document = parse("{ members(search: {}, first: 100) { edges { node { orders(first: 49) { totalCount } } } } }")
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    schema = build_schema()._schema
    weight = limits.weigh(schema, document, operation)
    assert isinstance(weight, limits.Weight)
    assert (weight.fetched({}), weight.depth) == (100 * (1 + 49), 3)
