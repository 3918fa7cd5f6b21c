"""The contract: schema.graphql in step and described, error codes documented, vendored files unchanged."""

import hashlib
import json
import re
from pathlib import Path

from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

import api
from api.errors import Code
from api.schema import build_schema, schema_sdl
from api.schema.care.timeline import TimelineChannel, TimelineKind
from domain.care.interactions import InteractionKind
from domain.commerce.orders import OrderChannel
from domain.platform.sources import Channel

ROOT = Path(__file__).parents[2]
STATIC = Path(api.__file__).parent / "static"


def test_schema_graphql_is_in_step() -> None:
    assert (ROOT / "schema.graphql").read_text() == schema_sdl(), "run: nestling schema"


def test_everything_in_the_schema_says_what_it_is() -> None:
    silent = []
    for named in build_schema()._schema.type_map.values():
        if named.name.startswith("__"):
            continue
        if not named.description and not named.name.endswith("Result"):  # a mutation's answers speak for themselves
            silent.append(named.name)
        if isinstance(named, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            silent += [f"{named.name}.{name}" for name, of in named.fields.items() if not of.description]
    assert silent == []


def test_the_documented_error_codes_are_the_shipped_ones_in_the_table_and_in_both_clients() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    table, typescript, python = re.split(r"### (?:TypeScript|Python)", text)
    shipped = sorted(code.value for code in Code)
    assert sorted(re.findall(r"^\| ([A-Z_]+) \|", table, re.MULTILINE)) == shipped
    for client in (typescript, python):
        assert sorted(set(re.findall(r"\b[A-Z][A-Z_]{7,}\b", client))) == shipped  # shorter words are the clients' own


def test_the_documented_limits_are_the_shipped_ones() -> None:
    from api import limits

    text = (ROOT / "docs" / "api.md").read_text()
    for shown in (
        f"| {limits.MOST_BODY_BYTES // 1024} kB | bodyBytes |", f"| {limits.MOST_TOKENS:,} | tokens |",
        f"| {limits.MOST_DEPTH} (introspection {limits.MOST_INTROSPECTION_DEPTH}) | depth |",
        f"| {limits.MOST_ALIASES} | aliases |", f"| {limits.MOST_ROOTS} | roots |", f"| {limits.MOST_ROWS:,} | rows |",
        f"| {limits.MOST_VALUES} | values |", f"| {limits.MOST_RESPONSE_BYTES // 2**20} MB | responseBytes |",
    ):  # fmt: skip
        assert shown in text


def test_vendored_files_are_as_published() -> None:
    found = json.loads((STATIC / "vendor" / "vendored.json").read_text())["packages"]
    listed = set()
    for package in found:
        folder = STATIC / "vendor" / f"{package['name']}-{package['version']}"
        assert package["licence"] == "MIT"
        assert "LICENSE" in package["files"]
        for name, digest in package["files"].items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
            listed.add(folder / name)
    assert listed == {path for path in (STATIC / "vendor").rglob("*") if path.is_file()} - {
        STATIC / "vendor" / "vendored.json"
    }


def test_graphiql_loads_nothing_from_elsewhere() -> None:
    page = (STATIC / "graphiql.html").read_text() + (STATIC / "graphiql.js").read_text()
    assert re.findall(r"https?://[^$`\"]*", page) == []
    for path in re.findall(r'(?:src|href)="/static/([^"]+)"', page):
        assert (STATIC / path).is_file(), path


def test_the_timeline_is_narrowed_by_every_kind_and_channel_there_is() -> None:
    """Its enums say again what the tables hold; a new kind of word or way must be asked for, too."""
    assert {"ORDER", "RETURN", "MESSAGE", "INTERACTION", *InteractionKind} == set(TimelineKind)
    assert {*Channel, *OrderChannel} == set(TimelineChannel)
