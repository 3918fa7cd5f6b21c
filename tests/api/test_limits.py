"""The shipped limits: what people really ask passes, what is meant to hurt is refused before any SQL, quickly."""

import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse

from api import limits
from api.app import create_app, reading
from api.config import ApiConfig
from api.context import ApiContext
from api.documents import Document, Documents
from api.errors import ApiError
from api.graphql import Request, prepare
from api.projection.selections import Operation
from api.projection.statements import Statement, close_reads, fetch, open_reads
from api.schema import build_schema
from domain.platform.ids import new_id
from domain.platform.roles import Role
from tests.api.conftest import Ask
from tests.factories import actor_for, make_actor

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.graphql"))
VARIABLES: dict[str, dict[str, Any]] = {
    "profile_by_phone": {"phone": "+12125550100"},
    "find_members": {"text": "0100"},
    "members_in_a_stage": {"stage": "NEWBORN"},
    "take_next_callback": {"key": "k"},
    "log_callback_outcome": {"input": {"taskId": "CallbackTask:x", "fence": 1, "disposition": "REACHED"}, "key": "k"},
    "register_member": {"input": {"phone": "+12125550100"}, "key": "k"},
    "record_consent": {
        "input": {"memberId": "Member:x", "purpose": "CARE", "channel": "SMS", "state": "WITHDRAWN", "how": "call"},
        "key": "k",
    },
    "send_message": {
        "input": {"memberId": "Member:x", "channel": "SMS", "purpose": "SERVICE", "text": "Your crib is here."},
        "key": "k",
    },
    "open_member_token": {"identity": {"kind": "PHONE", "value": "+12125550100"}, "key": "k"},
    "timeline_changed": {"member": "Member:x"},
}


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
    assert codes(example.read_text(), VARIABLES.get(example.stem, {}), is_production=True) == []


async def test_the_example_queries_answer(ask: Ask) -> None:
    operator = await make_actor(Role.OPERATOR)
    for example in EXAMPLES:
        document = parse(example.read_text())
        if all(getattr(node, "operation", None) in (None, "query") for node in document.definitions):
            answer = await ask(operator, example.read_text(), **VARIABLES.get(example.stem, {}))
            assert answer.data, example.stem


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


def nest(depth: int, inner: str = "id") -> str:
    return "household { carers { " * depth + inner + " } }" * depth


def doubling(levels: int) -> str:
    steps = "".join(
        f"fragment F{i} on Member {{ ...F{i + 1} a{i}: household {{ carers {{ ...F{i + 1} }} }} }}"
        for i in range(levels)
    )
    return f"{{ me {{ ...F0 }} }} {steps} fragment F{levels} on Member {{ id }}"


REFUSALS = {"LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "BAD_USER_INPUT"}
LISTS = "orders(first: 100) { edges { node { lines(first: 100) { amount } } } }"
ABUSE: dict[str, tuple[str, dict[str, Any]]] = {
    "deep": (f"{{ me {{ {nest(20)} }} }}", {}),
    "deep in fragments": (f"{{ me {{ ...F }} }} fragment F on Member {{ {nest(20)} }}", {}),
    "thirty-one aliases": ("{ me { " + " ".join(f"a{i}: name" for i in range(31)) + " } }", {}),
    "aliases in a fragment spread often": (
        "{ me { ...F household { carers { ...F carers: household { carers { ...F } } } } } } fragment F on Member { "
        + " ".join(f"a{i}: name" for i in range(15)) + " }", {},
    ),
    "eleven roots": ("{ " + " ".join(f"r{i}: me {{ id }}" for i in range(11)) + " }", {}),
    "roots through fragments": (
        "{ ...A ...B } fragment A on Query { " + " ".join(f"a{i}: me {{ id }}" for i in range(6))
        + " } fragment B on Query { " + " ".join(f"b{i}: me {{ id }}" for i in range(6)) + " }", {},
    ),
    "rows multiplied": (f"{{ me {{ {LISTS} }} }}", {}),
    "rows by variable": ("query($n: Int!) { me { " + LISTS.replace("100", "$n") + " } }", {"n": 100}),
    "rows by default": ("query($n: Int! = 100) { me { " + LISTS.replace("100", "$n") + " } }", {}),
    "rows of lists": ("{ me { household { carers(first: 100) { household { carers(first: 100) { id } } } } } }", {}),
    "fragments that double": (doubling(14), {}),
    "cyclic fragments": ("{ me { ...A } } fragment A on Member { ...B } fragment B on Member { ...A }", {}),
    "two thousand tokens": ("{ me { " + "name " * 2_500 + "} }", {}),
    "many directives": ("{ me { name " + "@skip(if: false) " * 700 + "} }", {}),
    "a list of variables": ("query($s: [CallbackState!]) { callbackTasks(states: $s, first: 1) { totalCount } }", {"s": ["OPEN"] * 501}),  # noqa: E501
    "a list of literals": ("{ callbackTasks(states: [" + "OPEN " * 501 + "], first: 1) { totalCount } }", {}),
    "a deep variable": ("query($s: MemberSearch!) { members(search: $s, first: 1) { totalCount } }", {"s": {"text": ["a"] * 600}}),  # noqa: E501
    "two sensitive mutations": (
        "mutation($i: ID!, $k: String!) { " + " ".join(
            f"{name}: revealContact(memberId: $i, kind: PHONE, idempotencyKey: $k) {{ __typename }}" for name in "ab"
        ) + " }", {"i": "x", "k": "x"},
    ),
    "introspection in circles": ("{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }", {}),  # noqa: E501
    "brackets": ("{ me " + "{ household { carers " * 900, {}),
    "unclosed": ("{ me { id", {}),
    "a huge number": ("{ members(search: {}, first: " + "9" * 400 + ") { totalCount } }", {}),
    "unknown fields": ("{ " + " ".join(f"x{i}" for i in range(9)) + " }", {}),
    "overlapping fields": ("{ me { " + "household { id carers { id } } " * 150 + "} " + "me { id } " * 20 + "}", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ABUSE)
async def test_abuse_is_refused_quickly_and_without_sql(ask: Ask, name: str) -> None:
    query, variables = ABUSE[name]
    build_schema()
    started = time.process_time()
    answer = await ask(a_member(), query, **variables)
    spent = time.process_time() - started
    assert "data" not in answer.body or answer.body["data"] is None, name
    assert answer.codes
    assert set(answer.codes) <= {
        "LIMIT_EXCEEDED",
        "GRAPHQL_VALIDATION_FAILED",
        "GRAPHQL_PARSE_FAILED",
        "BAD_USER_INPUT",
    }
    assert answer.statements == 0
    assert len(str(answer.body)) < 10_000
    assert spent < 0.25, f"{name}: {spent * 1000:.0f} ms"  # 50 ms on a quiet machine; this one is shared


def a_member() -> Any:
    return actor_for(Role.MEMBER, id=new_id(), member_id=new_id(), household_id=new_id())


def test_remembered_documents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.documents.MOST_REMEMBERED", 100)
    documents, schema = Documents(), build_schema()
    for number in range(20):
        assert isinstance(documents.get(schema, f"{{ a{number}: __typename }}", may_introspect=True), Document)
    assert sum(len(text) for text, _ in documents.known) == documents.characters <= 100
    assert ("{ a19: __typename }", True) in documents.known


async def test_a_response_beyond_two_megabytes_is_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_RESPONSE_BYTES", 30)
    answer = await ask(await make_actor(Role.OPERATOR), "{ viewer { role permissions } }")
    assert answer.codes == ["LIMIT_EXCEEDED"]
    assert answer.body["data"] is None


async def test_batches_and_multipart_are_not_answered(config: ApiConfig) -> None:
    async with reading(config):
        transport = httpx.ASGITransport(app=create_app(config))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            batch = await client.post("/graphql", json=[{"query": "{ __typename }"}] * 2)
            upload = await client.post("/graphql", files={"operations": b"{}"})
    assert batch.status_code == upload.status_code == 400


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
