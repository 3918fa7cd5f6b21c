"""profile_one and profile_fifty: a document as a generated client sends it, against a plain endpoint's one statement.

Both are one uvicorn process with one worker and the same pool size on the same database; ours has a bearer token to
check, rights to decide and limits to keep. Left out of the document is the baby's stage: it is computed in Python, and
the floor is one statement.
"""

import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.actors import operator_token
from bench.catalogue import TAGS
from bench.databases import connected
from bench.harness import Bench, Result, Round, Side, compare
from bench.load import hammer, prepared
from bench.processes import Served, cpu_seconds, served
from bench.spec import Spec
from bench.world import world

DOCUMENTS = Path(__file__).resolve().parent / "documents"
FOR_ONE = {"orders": 5, "words": 10}
FOR_EACH_OF_FIFTY = {"orders": 3, "words": 5}
"""Within the API's limit of rows for one operation."""
POOL_SIZE = 10
CONNECTIONS = 8
MEMBERS = 500
"""How many different members are read in turn."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The same question on both sides."""

    post: bytes  # the body of ours
    path: str  # of the plain endpoint


async def profiles(server_url: str, spec: Spec, *, seconds: float, rounds: int) -> list[Result]:
    """Both benches on one world. Raises when the two sides do not answer the same."""
    async with world(server_url, spec, "nestling_bench_profiles") as database:
        token = await operator_token(database)
        one, fifty = await _questions(database)
        async with _sides(database) as (ours, plain):
            size = f"{spec.members:,} members, {spec.orders:,} orders; {CONNECTIONS} connections, pool of {POOL_SIZE}"
            results = []
            for name, questions in (("profile_one", one), ("profile_fifty", fifty)):
                for question in questions:
                    _assert_equal(question, ours.url, plain.url, token)
                headers = {"Authorization": f"Bearer {token}"}
                posts = [prepared(f"{ours.url}/graphql", body=one.post, headers=headers) for one in questions]
                gets = [prepared(plain.url + one.path) for one in questions]
                results.append(
                    await compare(
                        Bench(name, "requests/s", goal=0.7, size=size),
                        _side(ours, posts, seconds),
                        _side(plain, gets, seconds),
                        rounds=rounds,
                    )
                )
                _assert_equal(questions[0], ours.url, plain.url, token)  # nothing was refused on the way
            return results


async def _questions(database: str) -> tuple[list[Asked], list[Asked]]:
    async with connected(database) as connection:
        rows = await connection.fetch("SELECT id FROM members ORDER BY md5(id::text) LIMIT $1", MEMBERS)
    parts = (DOCUMENTS / "profile_parts.graphql").read_text()

    def asked(document: str, variables: dict[str, Any], limits: dict[str, int], path: str) -> Asked:
        text = (DOCUMENTS / f"{document}.graphql").read_text() + parts
        name = "".join(word.capitalize() for word in document.split("_"))
        body = {"query": text, "operationName": name, "variables": {**variables, **limits}}
        asked_for = "&".join(f"{name}={value}" for name, value in limits.items())
        return Asked(json.dumps(body).encode(), f"{path}&{asked_for}")

    one = [asked("profile_one", {"id": f"Member:{row['id']}"}, FOR_ONE, f"/one?id={row['id']}") for row in rows]
    fifty = [asked("profile_fifty", {"tag": key}, FOR_EACH_OF_FIFTY, f"/fifty?tag={key}") for key, *_ in TAGS]
    return one, fifty


@asynccontextmanager
async def _sides(database: str) -> AsyncIterator[tuple[Served, Served]]:
    pool = {"DATABASE_POOL_SIZE": str(POOL_SIZE)}
    ours = {"DATABASE_URL": database, "REDIS_URL": "none", "ENVIRONMENT": "development", "LOG_JSON": "true", **pool}
    async with (
        served(["nestling.asgi:app"], ours) as nestling,
        served(["bench.plain:make_app", "--factory"], {"BENCH_PLAIN_URL": database, **pool}) as plain,
    ):
        yield nestling, plain


def _side(server: Served, requests: list[bytes], seconds: float) -> Side:
    async def turn() -> Round:
        before = cpu_seconds(server.pid)
        load = await hammer(server.url, requests, connections=CONNECTIONS, seconds=seconds)
        return Round(load.requests, load.seconds, cpu_seconds(server.pid) - before)

    return turn


def _assert_equal(question: Asked, ours: str, plain: str, token: str) -> None:
    """Both sides answer the same values in the same order."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{ours}/graphql", data=question.post, headers=headers)
    with urllib.request.urlopen(request) as answer:
        mine = json.loads(answer.read(), parse_int=float)  # 1 and 1.0 are one number in JSON
    with urllib.request.urlopen(plain + question.path) as answer:
        theirs = json.loads(answer.read(), parse_int=float)
    if json.dumps(mine) != json.dumps(theirs):
        raise AssertionError(f"the sides differ on {question.path}:\n{_first_difference(mine, theirs)}")


def _first_difference(ours: Any, plain: Any, where: str = "$") -> str:
    """Where the answers part first, values or order."""
    if isinstance(ours, dict) and isinstance(plain, dict) and list(ours) == list(plain):
        pairs = [(ours[key], plain[key], f"{where}.{key}") for key in ours]
    elif isinstance(ours, list) and isinstance(plain, list) and len(ours) == len(plain):
        pairs = [(a, b, f"{where}[{n}]") for n, (a, b) in enumerate(zip(ours, plain, strict=True))]
    else:
        return f"{where}: ours {json.dumps(ours)[:300]}, plain {json.dumps(plain)[:300]}"
    return next(_first_difference(a, b, path) for a, b, path in pairs if json.dumps(a) != json.dumps(b))
