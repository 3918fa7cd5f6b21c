"""Tokens of members, contacts in full, and what leaks when something breaks: nothing."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from api.app import create_app, reading
from api.auth import CREDENTIALS
from api.config import ApiConfig
from domain.database import connection
from domain.people.identities import IdentityKind
from domain.people.members import Member
from domain.platform.roles import Role
from domain.platform.tokens import issue_service_token
from tests.api.conftest import Ask
from tests.factories import frontend_actor, make_actor, make_identity, make_member, member_actor

OPEN = """mutation($kind: IdentityKind!, $value: String!, $key: String!) {
  openMemberToken(identity: { kind: $kind, value: $value }, idempotencyKey: $key) {
    __typename ... on MemberTokenOpened { token expiresAt } ... on Failure { message }
  }
}"""
REVEAL = """mutation($id: ID!, $kind: IdentityKind!, $key: String = "k") {
  revealContact(memberId: $id, kind: $kind, idempotencyKey: $key) {
    __typename ... on ContactRevealed { kind values } ... on Failure { message }
  }
}"""


@pytest_asyncio.fixture
async def client(config: ApiConfig) -> AsyncIterator[httpx.AsyncClient]:
    CREDENTIALS.clear()
    async with reading(config):
        transport = httpx.ASGITransport(app=create_app(config))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as found:
            yield found


async def test_a_service_opens_a_quarter_of_an_hour_for_the_member_it_verified(client: httpx.AsyncClient) -> None:
    member, other = await make_member(phone="+12125550101"), await make_member(phone="+12125550102")
    await make_identity(member, IdentityKind.WECHAT_OPENID, "o-123", namespace="mini")
    service = {"authorization": f"Bearer {(await issue_service_token('mini-program')).secret}"}
    for kind, value in (("PHONE", "(212) 555-0101"), ("WECHAT_OPENID", "o-123")):
        body = {"query": OPEN, "variables": {"kind": kind, "value": value, "key": kind}}
        opened = (await client.post("/graphql", json=body, headers=service)).json()["data"]["openMemberToken"]
        assert opened["__typename"] == "MemberTokenOpened"
        herself = {"authorization": f"Bearer {opened['token']}"}
        query = f'{{ me {{ id }} member(id: "Member:{other.id}") {{ id }} viewer {{ role }} }}'
        seen = (await client.post("/graphql", json={"query": query}, headers=herself)).json()["data"]
        assert seen == {"me": {"id": f"Member:{member.id}"}, "member": None, "viewer": {"role": "MEMBER"}}
    body = {"query": OPEN, "variables": {"kind": "PHONE", "value": "+12125550199", "key": "nobody"}}
    nobody = (await client.post("/graphql", json=body, headers=service)).json()["data"]["openMemberToken"]
    assert nobody["__typename"] == "MemberNotFound"
    await connection().execute_query("UPDATE api_tokens SET expires_at = now() - interval '1 s' WHERE role = 'MEMBER'")
    CREDENTIALS.clear()
    assert (await client.post("/graphql", json={"query": "{ me { id } }"}, headers=herself)).status_code == 401
    audited = await connection().execute_query_dict(
        "SELECT member_ids, detail->>'by' AS by FROM audit_entries WHERE action = 'open_member_token' ORDER BY id"
    )
    assert [(row["member_ids"], row["by"]) for row in audited] == [
        ([member.id], "PHONE"),
        ([member.id], "WECHAT_OPENID"),
    ]


async def test_nobody_but_a_service_opens_member_tokens(ask: Ask) -> None:
    member = await make_member(phone="+12125550101")
    for actor in (await make_actor(Role.OPERATOR), member_actor(member)):
        assert (await ask(actor, OPEN, kind="PHONE", value="+12125550101", key="k")).codes == ["FORBIDDEN"]


async def test_a_contact_in_full_is_an_audited_act(ask: Ask) -> None:
    member = await make_member(phone="+12125550101")
    consultant = await make_actor(Role.CONSULTANT)
    answer = await ask(consultant, REVEAL, id=f"Member:{member.id}", kind="PHONE")
    assert answer.data["revealContact"] == {
        "__typename": "ContactRevealed", "kind": "PHONE", "values": ["+12125550101"],
    }  # fmt: skip
    assert (await ask(await make_actor(Role.ADVISOR), REVEAL, id=f"Member:{member.id}", kind="PHONE")).codes == [
        "FORBIDDEN"
    ]
    stranger = await make_actor(Role.CONSULTANT, scope="OWN")  # type: ignore[arg-type]
    refused = await ask(stranger, REVEAL, id=f"Member:{member.id}", kind="PHONE")
    assert refused.data["revealContact"]["__typename"] == "MemberNotFound"
    rows = await connection().execute_query_dict(
        "SELECT actor_id, member_ids, detail FROM audit_entries WHERE action = 'reveal_contact'"
    )
    assert [(row["actor_id"], row["member_ids"]) for row in rows] == [(consultant.id, [member.id])]
    assert "0101" not in str(rows[0]["detail"])


async def test_a_key_binds_a_secret_to_its_wish_without_storing_it(ask: Ask) -> None:
    member, other = await make_member(phone="+12125550101"), await make_member(phone="+12125550102")
    service, consultant = frontend_actor(), await make_actor(Role.CONSULTANT)

    async def opened(value: str) -> dict[str, Any]:
        answer: dict[str, Any] = (await ask(service, OPEN, kind="PHONE", value=value, key="k")).data["openMemberToken"]
        return answer

    async def revealed(of: Member) -> str:
        answer = await ask(consultant, REVEAL, id=f"Member:{of.id}", kind="PHONE")
        return str(answer.data["revealContact"]["__typename"])

    first, again = await opened("+12125550101"), await opened("+12125550101")
    assert {first["__typename"], again["__typename"]} == {"MemberTokenOpened"}
    assert first["token"] != again["token"]
    assert (await opened("+12125550102"))["__typename"] == "IdempotencyConflict"
    assert [await revealed(of) for of in (member, member, other)] == [
        "ContactRevealed", "ContactRevealed", "IdempotencyConflict",
    ]  # fmt: skip
    rows = await connection().execute_query_dict("SELECT to_jsonb(k)::text AS row FROM idempotency_keys k")
    assert len(rows) == 2
    assert not any(secret in str(rows) for secret in (first["token"], again["token"], "5550101"))
    done = await connection().execute_query_dict("SELECT action, member_ids FROM audit_entries ORDER BY id")
    assert [row["action"] for row in done] == ["open_member_token"] * 2 + ["reveal_contact"] * 2
    assert {tuple(row["member_ids"]) for row in done} == {(member.id,)}


async def test_a_mistake_of_ours_says_nothing_of_itself(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("secret +12125550101")

    monkeypatch.setattr("api.projection.operations.fetch", broken)
    with capture_logs() as logs:
        answer = await ask(await make_actor(Role.OPERATOR), "{ stores(first: 1) { totalCount } }")
    assert answer.codes == ["INTERNAL_ERROR"]
    assert "0101" not in str(answer.body) + str(logs)
    request_id = answer.body["errors"][0]["extensions"]["requestId"]
    assert [(entry["request_id"], entry["failure"]) for entry in logs] == [(request_id, "RuntimeError")]


async def test_pages_elsewhere_may_call_only_where_they_are_named(config: ApiConfig) -> None:
    import dataclasses

    named = create_app(dataclasses.replace(config, cors_origins=("https://shop.example",)))
    preflight = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=named), base_url="http://test") as client:
        for origin, allowed in (("https://shop.example", "https://shop.example"), ("https://evil.example", None)):
            answer = await client.options("/graphql", headers={"origin": origin, **preflight})
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers
