"""Fields that share a response key: judged as graphql-core judges them, without its cost."""

import random
import time

import pytest
from graphql import OperationDefinitionNode, OverlappingFieldsCanBeMergedRule, parse, validate

from api.documents import Document, read_document
from api.errors import ApiError
from api.schema import build_schema

LEAVES = ("id", "name", "name: id", "id: name", "x: name", "x: id", "x: externalId", "__typename", "x: __typename")
BRANCHES = (
    "household { %s }", "h: household { %s }", "h: household { carers { %s } }", "household { carers { %s } }",
    "household { carers(first: 2) { %s } }", "household { carers(first: 3) { %s } }",
    "... on Member { %s }", "... { %s }", "babies { %s }", "babies(first: 1) { %s }",
)  # fmt: skip
LEADS_TO = {"household { %s }": "Household", "h: household { %s }": "Household"}
LEADS_TO |= {"babies { %s }": "Baby", "babies(first: 1) { %s }": "Baby"}


def selections(chance: random.Random, depth: int, fragments: list[str], on: str = "Member") -> str:
    found = []
    for _ in range(chance.randint(1, 3)):
        kind = chance.random()
        if on != "Member" or depth == 0 or kind < 0.5:
            found.append(
                chance.choice(LEAVES if on == "Member" else ("id", "x: id", "id: __typename", "x: __typename"))
            )
        elif kind < 0.85 or not fragments:
            branch = chance.choice(BRANCHES)
            found.append(branch % selections(chance, depth - 1, fragments, LEADS_TO.get(branch, "Member")))
        else:
            found.append(f"...{chance.choice(fragments)}")
    return " ".join(found)


def document(chance: random.Random) -> str:
    texts, names = [], list[str]()
    for number in range(chance.randint(0, 3)):
        texts.append(f"fragment F{number} on Member {{ {selections(chance, 2, names)} }}")
        names = [*names, f"F{number}"]
    spreads = " ".join(f"...{name}" for name in names)
    return f"{{ me {{ {selections(chance, 3, names)} }} node(id: 1) {{ {spreads} id }} }} {' '.join(texts)}"


def test_random_documents_are_merged_or_refused_as_graphql_core_says() -> None:
    schema, chance, said = build_schema(), random.Random(3), {True: 0, False: 0}
    for _ in range(1_000):
        text = document(chance)
        conflicts = validate(schema._schema, parse(text), [OverlappingFieldsCanBeMergedRule], max_errors=10)
        read = read_document(schema, text, may_introspect=True)
        if isinstance(read, list) and isinstance(read[0], ApiError):
            continue  # beyond another limit
        found = [] if isinstance(read, Document) else [one for one in read if "conflict" in one.message]
        told = [one.message for one in conflicts if "conflict" in one.message]
        assert [one.message for one in found] == told, text
        said[bool(conflicts)] += 1
    assert min(said.values()) > 100, said


@pytest.mark.parametrize(
    "inner",
    ["household { id carers { id } } " * 90, "name " * 400, "name id " * 150],
    ids=["branches", "one leaf", "two leaves"],
)
def test_the_same_field_over_and_over_costs_no_comparison_of_all_pairs(inner: str) -> None:
    text, schema = f"{{ me {{ {inner} }} }}", build_schema()
    whole = parse(text)
    assert isinstance(whole.definitions[0], OperationDefinitionNode)
    started = time.process_time()
    validate(schema._schema, whole, [OverlappingFieldsCanBeMergedRule])
    rule = time.process_time() - started
    started = time.process_time()
    read = read_document(schema, text, may_introspect=True)
    spent = time.process_time() - started
    assert spent < rule
    assert isinstance(read, Document) or "overlaps" in read[0].message
