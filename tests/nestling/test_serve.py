"""The web process as `nestling serve` starts it."""

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from domain.database import connection
from domain.platform.sessions import hash_secret
from nestling.embedded.processes import free_port
from tests.workers.stage import ADDRESS_KEY, SECRET_KEY, process


@pytest.mark.long
@pytest.mark.parametrize(("trusted", "counted"), [("10.9.9.0/24, 127.0.0.1", "203.0.113.9"), ("10.9.9.9", "127.0.0.1")])
async def test_only_a_trusted_proxy_says_where_a_client_is(db: str, tmp_path: Path, trusted: str, counted: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    environment = {
        "DATABASE_URL": db, "REDIS_URL": "none", "SECRET_KEY": SECRET_KEY, "ADDRESS_HASH_KEY": ADDRESS_KEY,
        "PORT": url.rpartition(":")[2], "PUBLIC_URL": url, "TRUSTED_PROXIES": trusted,
    }  # fmt: skip
    with process([sys.executable, "-m", "nestling", "serve"], environment, tmp_path, "serve") as one:
        async with httpx.AsyncClient(base_url=url, headers={"origin": url, "x-forwarded-for": "203.0.113.9"}) as client:
            for _ in range(300):
                try:
                    await client.get("/live")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
            answer = await client.post("/login", data={"login": "nobody", "password": "guess"})
        assert answer.status_code == 401, one.words
        one.end()
    rows = await connection().execute_query_dict(
        "SELECT detail->>'address' AS address FROM audit_entries WHERE action = 'login_tried'"
    )
    assert [row["address"] for row in rows] == [hash_secret(f"address:{counted}")[:32]]
