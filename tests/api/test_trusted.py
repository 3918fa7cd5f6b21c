"""Trusted documents: named by an id, alone where the installation says so, read at the start."""

import contextlib
import dataclasses
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from typer.testing import CliRunner

from api.app import create_app, reading
from api.config import ApiConfig
from api.documents import DOCUMENTS
from api.graphql import execute
from api.schema import build_schema
from api.trusted import TRUSTED, Trusted, UntrustedManifest, read_manifest
from domain.platform.ids import new_id
from domain.platform.roles import Role
from nestling.cli import app as nestling
from tests.factories import actor_for
from tests.nestling.commands import nestling as command

VIEWER = "query Viewer { viewer { role } }"
KIND = "query Kind($is: Boolean!) { a: __typename @include(if: $is) }"
WATCH = "subscription Watch { callbackListChanged { __typename } }"
HASH = hashlib.sha256(KIND.encode()).hexdigest()
APOLLO = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
    {"id": "viewer-1", "name": "Viewer", "type": "query", "body": VIEWER},
    {"id": "kind-1", "name": "Kind", "type": "query", "body": KIND},
    {"id": "watch-1", "name": "Watch", "type": "subscription", "body": WATCH},
]}  # fmt: skip


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    path.write_bytes(orjson.dumps(APOLLO))
    return path


@contextlib.asynccontextmanager
async def served(config: ApiConfig, manifest: Path, *, only: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    config = dataclasses.replace(config, trusted_documents=str(manifest), trusted_documents_only=only)
    async with reading(config):
        transport = httpx.ASGITransport(app=create_app(config))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["errors"][0]["extensions"]["code"]
    return found


async def test_a_document_is_named_by_the_manifests_id_or_its_hash(config: ApiConfig, manifest: Path) -> None:
    async with served(config, manifest) as client:
        for named in (
            {"documentId": "kind-1"},
            {"documentId": f"sha256:{HASH}"},
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}},
            {"query": KIND, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": HASH}}},
            {"query": "", "documentId": "kind-1"},
        ):
            body: dict[str, Any] = {**named, "variables": {"is": True}}
            assert (await client.post("/graphql", json=body)).json() == {"data": {"a": "Query"}}, named
            params = {
                name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in body.items()
            }
            assert (await client.get("/graphql", params=params)).json() == {"data": {"a": "Query"}}, named
        assert (await client.post("/graphql", json={"query": "{ __typename }"})).json() == {
            "data": {"__typename": "Query"}
        }


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"documentId": "nothing"}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"documentId": f"sha256:{'0' * 64}"}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"documentId": "x" * 200_000}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"documentId": ["kind-1"]}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}, "PERSISTED_QUERY_NOT_FOUND"),
        ({"documentId": "kind-1", "query": KIND}, "BAD_REQUEST"),
        ({"query": VIEWER, "extensions": {"persistedQuery": {"sha256Hash": HASH}}}, "BAD_REQUEST"),
        ({"extensions": {"persistedQuery": {}}}, "BAD_REQUEST"),
        ({}, "BAD_REQUEST"),
    ],
)
async def test_what_names_no_document_is_refused(
    config: ApiConfig, manifest: Path, named: dict[str, Any], said: str
) -> None:
    async with served(config, manifest) as client:
        answer = await client.post("/graphql", json={**named, "variables": {"is": True}})
        assert (answer.status_code, code(answer)) == (400, said)
        assert len(answer.content) < 1_000


async def test_where_only_trusted_documents_are_answered_no_other_is_even_parsed(
    config: ApiConfig, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(config, manifest, only=True) as client:
        with monkeypatch.context() as watched:
            watched.setattr("api.documents.parse", None)  # the trusted ones have been read
            for named in ({"documentId": "kind-1"}, {"query": KIND}):
                answer = await client.post("/graphql", json={**named, "variables": {"is": True}})
                assert answer.json() == {"data": {"a": "Query"}}
            for other in ("{ __typename }", "{ __schema { types { name } } }", f"{KIND} ", "{ me {"):
                for answer in (
                    await client.post("/graphql", json={"query": other}),
                    await client.get("/graphql", params={"query": other}),
                ):
                    assert (answer.status_code, code(answer)) == (400, "DOCUMENT_NOT_TRUSTED"), other
        page = await client.get("/graphql", headers={"accept": "text/html"})
        assert page.status_code == 404
        analyst = actor_for(Role.ANALYST, id=new_id())
        own = await execute("{ viewer { role } }", {}, analyst, config=config)
        assert own["data"] == {"viewer": {"role": "ANALYST"}}, "our own pages ask what they like"
    assert not TRUSTED.is_only


async def test_trusted_documents_are_read_before_the_first_request_and_never_forgotten(
    config: ApiConfig, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.documents.MOST_REMEMBERED", 50)
    async with served(config, manifest) as client:
        for number in range(5):
            await client.post("/graphql", json={"query": f"{{ a{number}: __typename }}"})
        assert DOCUMENTS.pinned.keys() == {VIEWER, KIND, WATCH}
        monkeypatch.setattr("api.documents.parse", None)
        answer = await client.post("/graphql", json={"documentId": "viewer-1"})
        assert code(answer) == "UNAUTHENTICATED"
    assert not DOCUMENTS.pinned


def test_manifests_of_relay_and_of_apollo_are_read(tmp_path: Path, manifest: Path) -> None:
    assert read_manifest(manifest) == {"viewer-1": VIEWER, "kind-1": KIND, "watch-1": WATCH}
    relay = tmp_path / "relay.json"
    relay.write_bytes(orjson.dumps({"f00": VIEWER}))
    assert read_manifest(relay) == {"f00": VIEWER}


BAD_MANIFESTS = {
    "{": "cannot be read as JSON",
    "[]": "expected a JSON object of document id",
    "{}": "expected a JSON object of document id",
    '{"a": 1}': "entry 1 is no id",
    '{"operations": [{"id": "a", "body": "{ __typename }"}, {"id": "b"}]}': "entry 2 is no id",
    '{"operations": [{"id": "a", "body": "{ a }"}, {"id": "a", "body": "{ b }"}]}': "document a stands there twice",
    '{"good": "{ __typename }", "bad": "{ nobody }"}': "document bad is not usable here: Cannot query field 'nobody'",
    '{"broken": "{ me {"}': "document broken is not usable here: Syntax Error",
    '{"deep": "{ me { household { carers { household { carers { household { carers { household { carers { household '
    '{ carers { household { carers { id } } } } } } } } } } } } } }"}': "document deep is not usable here: The request",
}


@pytest.mark.parametrize("content", BAD_MANIFESTS)
def test_a_bad_manifest_names_the_document_and_the_reason(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(UntrustedManifest, match=BAD_MANIFESTS[content].replace("(", r"\(")):
        Trusted().open(str(path), build_schema(), only=False)
    told = CliRunner().invoke(nestling, ["schema", "--documents", str(path)])
    assert told.exit_code == 1
    assert BAD_MANIFESTS[content] in told.output


def test_the_command_says_that_a_manifest_is_usable(manifest: Path) -> None:
    told = CliRunner().invoke(nestling, ["schema", "--documents", str(manifest)])
    assert (told.exit_code, told.output) == (0, f"{manifest}: 3 documents, all usable\n")


@pytest.mark.long
async def test_a_server_does_not_start_with_a_manifest_that_it_cannot_use(db: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"old": "{ nobody }"}')
    for settings, said in (
        ({"TRUSTED_DOCUMENTS": str(path)}, "document old is not usable here: Cannot query field 'nobody'"),
        ({"TRUSTED_DOCUMENTS_ONLY": "true"}, "TRUSTED_DOCUMENTS names no manifest"),
    ):
        refused = await command(tmp_path, db, "serve", **settings)
        assert refused.returncode == 1
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr
