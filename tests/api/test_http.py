"""GraphQL over HTTP: media types, status codes, credentials, headers."""

import asyncio
import dataclasses
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from argon2 import DEFAULT_MEMORY_COST, DEFAULT_TIME_COST

from api.app import create_app, reading
from api.auth import CREDENTIALS, Credentials
from api.config import ApiConfig
from domain.database import connection
from domain.platform.accounts import Account, create_account, set_active
from domain.platform.credentials import Credential
from domain.platform.ids import new_id
from domain.platform.roles import Role
from domain.platform.sessions import TRIES_PER_ADDRESS, LoggedIn, TooManyTries, WrongLogin, log_in, log_out
from domain.platform.tokens import Issued, issue_personal_token, issue_service_token, revoke_token
from tests.factories import actor_for, make_member, make_staff, make_store

ORIGIN = "http://test"
ROOT = Path(__file__).resolve().parents[2]


@pytest_asyncio.fixture
async def client(config: ApiConfig) -> AsyncIterator[httpx.AsyncClient]:
    CREDENTIALS.clear()
    app = create_app(config)
    async with reading(config):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as found:
            yield found


@pytest_asyncio.fixture
async def account(db: str) -> Account:
    staff = await make_staff()
    made = await create_account("Nora", "correct horse battery", Role.CONSULTANT, staff_id=staff.id)
    assert isinstance(made, Account)
    return made


async def post(client: httpx.AsyncClient, query: str, token: str | None = None, **extra: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await client.post("/graphql", json={"query": query, **extra}, headers=headers)


async def test_a_token_is_its_account_until_it_is_revoked(client: httpx.AsyncClient, account: Account) -> None:
    issued = await issue_personal_token("nora", "script")
    assert isinstance(issued, Issued)
    answer = await post(client, "{ viewer { role staff { name } permissions } }", issued.secret)
    assert answer.json()["data"]["viewer"]["role"] == "CONSULTANT"
    assert answer.json()["data"]["viewer"]["staff"] == {"name": "Nora Bell"}
    await revoke_token(issued.id)
    CREDENTIALS.clear()  # what the notification does where it arrives, and 30 seconds do elsewhere
    refused = await post(client, "{ viewer { role } }", issued.secret)
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_shutting_an_account_out_ends_its_session_at_once(client: httpx.AsyncClient, account: Account) -> None:
    opened = await log_in("nora", "correct horse battery", "203.0.113.9")
    assert isinstance(opened, LoggedIn)
    headers = {"cookie": f"nestling={opened.secret}", "origin": ORIGIN}
    body = {"query": "{ viewer { role } }"}
    assert (await client.post("/graphql", json=body, headers=headers)).json()["data"]["viewer"]
    await set_active("nora", is_active=False)
    for _ in range(50):
        answer = await client.post("/graphql", json=body, headers=headers)
        if answer.json().get("errors"):
            break
        await asyncio.sleep(0.05)
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_cookie_works_from_our_own_pages_only(client: httpx.AsyncClient, account: Account) -> None:
    opened = await log_in("nora", "correct horse battery", "203.0.113.9")
    assert isinstance(opened, LoggedIn)
    body = {"query": "{ viewer { role } }"}
    cookie = {"cookie": f"nestling={opened.secret}"}
    for foreign in ({"origin": "https://evil.example"}, {"origin": "null"}, {}, {"sec-fetch-site": "cross-site"}):
        answer = await client.post("/graphql", json=body, headers={**cookie, **foreign})
        assert answer.status_code == 403, foreign
        assert "data" not in answer.json()
    own = await client.post("/graphql", json=body, headers={**cookie, "origin": ORIGIN})
    assert own.json()["data"]["viewer"]["role"] == "CONSULTANT"
    await log_out(opened.secret)
    CREDENTIALS.clear()
    ended = await client.post("/graphql", json=body, headers={**cookie, "origin": ORIGIN})
    assert ended.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_the_sixth_wrong_password_in_five_minutes_is_not_looked_at(account: Account) -> None:
    for _ in range(5):
        assert await log_in("nora", "guess", "203.0.113.9") == WrongLogin()
    assert isinstance(await log_in("nora", "correct horse battery", "198.51.100.1"), TooManyTries)
    assert await log_in("somebody", "guess", "203.0.113.9") == WrongLogin()


def test_passwords_are_argon2id_at_the_librarys_cost_and_none_is_made_at_a_start() -> None:
    program = (
        "import argon2; made = []; hash = argon2.PasswordHasher.hash; "
        "argon2.PasswordHasher.hash = lambda *given: made.append(hash(*given)) or made[-1]; "
        "from domain.platform.accounts import nobodys_hash; assert made == []; print(nobodys_hash())"
    )
    made = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert made.startswith(f"$argon2id$v=19$m={DEFAULT_MEMORY_COST},t={DEFAULT_TIME_COST},")


async def test_signing_in_clears_the_count(account: Account) -> None:
    for _ in range(4):
        await log_in("nora", "guess", "203.0.113.9")
    assert isinstance(await log_in("Nora ", "correct horse battery", "203.0.113.9"), LoggedIn)
    for _ in range(4):
        assert await log_in("nora", "guess", "203.0.113.9") == WrongLogin()
    assert isinstance(await log_in("nora", "correct horse battery", "203.0.113.9"), LoggedIn)


async def test_an_office_behind_one_address_signs_in_and_its_wrong_passwords_still_count(account: Account) -> None:
    office = "203.0.113.9"
    for _ in range(TRIES_PER_ADDRESS + 1):
        assert isinstance(await log_in("nora", "correct horse battery", office), LoggedIn)
    for number in range(TRIES_PER_ADDRESS):
        assert await log_in(f"login-{number}", "guess", office) == WrongLogin()
    assert isinstance(await log_in("nora", "correct horse battery", office), TooManyTries)
    assert isinstance(await log_in("nora", "correct horse battery", "198.51.100.1"), LoggedIn)


@pytest.mark.parametrize(
    ("accept", "media", "status"),
    [
        ("application/json", "application/json", 200),
        ("application/graphql-response+json", "application/graphql-response+json", 400),
        ("*/*", "application/json", 200),
        ("", "application/json", 200),
    ],
)
async def test_a_document_that_cannot_run_has_no_data(
    client: httpx.AsyncClient, accept: str, media: str, status: int
) -> None:
    answer = await client.post("/graphql", json={"query": "{ nothing }"}, headers={"accept": accept})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith(media)
    assert "data" not in answer.json()
    assert answer.json()["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_get_runs_queries_and_nothing_else(client: httpx.AsyncClient) -> None:
    query = "query($x: Boolean!) { a: __typename @include(if: $x) }"
    answer = await client.get("/graphql", params={"query": query, "variables": '{"x": true}'})
    assert answer.json() == {"data": {"a": "Query"}}
    answer = await client.get("/graphql", params={"query": "mutation { __typename }"})
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_a_credential_is_looked_up_once_in_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    known, asked, now = Credentials(), [], [1000.0]
    monkeypatch.setattr("api.auth.time.monotonic", lambda: now[0])
    credential = Credential(actor_for(Role.ANALYST, id=new_id()), None, "en")

    async def look_up(secret: str) -> Credential | None:
        asked.append(secret)
        return credential if secret == "good" else None

    for secret, at, looked_up in (
        ("good", 0, 1), ("good", 29, 1), ("good", 31, 2), ("bad", 32, 3), ("bad", 33, 4), ("good", 34, 4),
    ):  # fmt: skip
        now[0] = 1000.0 + at
        assert await known.find(secret, look_up) == (credential if secret == "good" else None)
        assert len(asked) == looked_up, at
    known.clear()
    await known.find("good", look_up)
    assert len(asked) == 5


async def test_odd_requests_are_refused_in_words(client: httpx.AsyncClient) -> None:
    for body in (
        b"[]",
        b"{",
        b"1",
        b'{"query": 1}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "extensions": 0}',
    ):
        answer = await client.post("/graphql", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    form = await client.post("/graphql", data={"query": "{ __typename }"})
    assert form.status_code == 400
    large = await client.post("/graphql", content=b" " * 300_000, headers={"content-type": "application/json"})
    assert large.json()["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"


async def test_a_service_reads_by_phone_and_is_braked_and_audited(config: ApiConfig, db: str) -> None:
    member = await make_member(phone="+12125550123")
    service = await issue_service_token("mini-program")
    query = "query($p: String!) { member(phone: $p) { id phone } members(search: {}, first: 1) { totalCount } }"
    app = create_app(dataclasses.replace(config, service_reads_per_minute=18))
    async with reading(config), httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) as client:
        answer = (await post(client, query, service.secret, variables={"p": "(212) 555-0123"})).json()
        assert answer["data"]["member"] == {"id": f"Member:{member.id}", "phone": "***0123"}
        assert answer["data"]["members"] is None
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        found = [await post(client, query, service.secret, variables={"p": "+12125550199"}) for _ in range(3)]
    assert [one.json()["data"]["member"] for one in found] == [None, None, None]
    assert found[-1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert int(found[-1].headers["retry-after"]) >= 1
    rows = await connection().execute_query_dict(
        "SELECT actor_id, member_ids, detail FROM audit_entries WHERE action = 'look_up_member' ORDER BY id"
    )
    assert [row["member_ids"] for row in rows] == [[member.id], [], []]
    assert rows[0]["actor_id"] == service.id


async def test_no_other_way_to_a_member_is_free_for_a_service(config: ApiConfig, db: str) -> None:
    member, store = await make_member(phone="+12125550123"), await make_store()
    service = (await issue_service_token("mini-program")).secret
    query = "query($id: ID!) { node(id: $id) { __typename ... on Household { carers { name } } } }"
    update = """mutation($id: ID!) { updateMember(input: { memberId: $id, version: 1, language: "en" },
      idempotencyKey: "k") { __typename ... on MemberUpdated { member { name } } } }"""
    app = create_app(dataclasses.replace(config, service_reads_per_minute=18))
    ways = (f"Member:{member.id}", f"Household:{member.household_id}", f"Order:{member.id}", f"Member:{member.id}")
    async with reading(config), httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=ORIGIN) as client:
        free = [await post(client, query, service, variables={"id": f"Store:{store.id}"}) for _ in range(5)]
        found = [await post(client, query, service, variables={"id": way}) for way in ways]
        answer = await post(client, update, service, variables={"id": f"Member:{member.id}"})
    assert [one.json()["data"]["node"] for one in free] == [{"__typename": "Store"}] * 5
    carers = {"__typename": "Household", "carers": [{"name": "Emma Johnson"}]}
    assert [one.json()["data"]["node"] for one in found] == [{"__typename": "Member"}, carers, None, None]
    assert found[-1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert answer.json()["data"]["updateMember"]["__typename"] == "MemberUpdated"
    rows = await connection().execute_query_dict(
        "SELECT member_ids, detail->>'by' AS by FROM audit_entries WHERE action = 'look_up_member' ORDER BY id"
    )
    seen = [(row["member_ids"], row["by"]) for row in rows]
    assert seen == [([member.id], '["node"]'), ([member.id], '["node"]'), ([], '["node"]'), ([member.id], "[]")]


async def test_health_metrics_and_headers(client: httpx.AsyncClient) -> None:
    assert (await client.get("/live")).json() == {"live": True}
    ready = await client.get("/ready")
    assert ready.status_code == 200, ready.json()
    assert ready.json()["redis"] == "not used"
    await post(client, "{ __typename }")
    assert "nestling_graphql_operations_total" in (await client.get("/metrics")).text
    for name in ("x-content-type-options", "content-security-policy", "referrer-policy", "x-request-id"):
        assert name in ready.headers
    assert (
        "access-control-allow-origin"
        not in (await client.get("/live", headers={"origin": "https://a.example"})).headers
    )
