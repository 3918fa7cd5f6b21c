"""Asking our server and a plain one the same questions: servers, requests, and whether the answers are equal."""

import json
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.harness import Reading, Round, Side
from bench.load import Load, hammer, prepared
from bench.processes import Served, cpu_seconds, served

DOCUMENTS = Path(__file__).resolve().parent / "documents"
POOL_SIZE = 10
CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """The same question on both sides."""

    post: bytes  # the body of ours
    path: str = ""  # of the plain endpoint


def body(text: str, variables: dict[str, Any]) -> bytes:
    """The body as a generated client sends it. The document's first operation is the one that runs."""
    name = text.split("query ", 1)[1].split("(", 1)[0]
    return json.dumps({"query": text, "operationName": name, "variables": variables}).encode()


@asynccontextmanager
async def our_server(database: str) -> AsyncIterator[Served]:
    """Our web process as an installation runs it, one worker."""
    environment = {
        "DATABASE_URL": database, "REDIS_URL": "none", "ENVIRONMENT": "development", "LOG_JSON": "true",
        "DATABASE_POOL_SIZE": str(POOL_SIZE),
    }  # fmt: skip
    async with served(["nestling.asgi:app"], environment) as nestling:
        yield nestling


@asynccontextmanager
async def both_servers(database: str) -> AsyncIterator[tuple[Served, Served]]:
    """Ours and the plain one."""
    plainly = {"BENCH_PLAIN_URL": database, "DATABASE_POOL_SIZE": str(POOL_SIZE)}
    async with our_server(database) as nestling, served(["bench.plain:make_app", "--factory"], plainly) as plain:
        yield nestling, plain


@dataclass(frozen=True, slots=True)
class Sides:
    """The questions as requests to both servers."""

    ours: Served
    plain: Served
    posts: list[bytes]
    gets: list[bytes]

    def rates(self, seconds: float, connections: int = CONNECTIONS) -> tuple[Side, Side]:
        """Requests a second."""

        def side(server: Served, requests: list[bytes]) -> Side:
            async def turn() -> Round:
                load, cpu = await measured(server, requests, seconds, connections)
                return Round(load.requests, load.seconds, cpu)

            return turn

        return side(self.ours, self.posts), side(self.plain, self.gets)

    def latencies(self, share: float, seconds: float, connections: int) -> tuple[Side, Side]:
        """The latency that this share of the requests kept."""

        def side(server: Served, requests: list[bytes]) -> Side:
            async def turn() -> Reading:
                load, cpu = await measured(server, requests, seconds, connections)
                return Reading(load.latency_ms(share), 1000 * cpu / load.requests)

            return turn

        return side(self.ours, self.posts), side(self.plain, self.gets)


async def measured(server: Served, requests: list[bytes], seconds: float, connections: int) -> tuple[Load, float]:
    """A burst, and the CPU seconds that the server took for it."""
    before = cpu_seconds(server.pid)
    load = await hammer(server.url, requests, connections=connections, seconds=seconds)
    return load, cpu_seconds(server.pid) - before


def sides(questions: Sequence[Asked], ours: Served, plain: Served, token: str) -> Sides:
    """Both sides of the questions. Raises when one is not answered the same by both."""
    for question in questions:
        assert_equal(question, ours.url, plain.url, token)
    return Sides(
        ours, plain, our_requests(questions, ours, token), [prepared(plain.url + asked.path) for asked in questions]
    )


def our_requests(questions: Sequence[Asked], ours: Served, token: str) -> list[bytes]:
    headers = {"Authorization": f"Bearer {token}"}
    return [prepared(f"{ours.url}/graphql", body=asked.post, headers=headers) for asked in questions]


def answer(question: Asked, ours: str, token: str) -> Any:
    """What our server answers."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{ours}/graphql", data=question.post, headers=headers)
    with urllib.request.urlopen(request) as answered:
        return json.loads(answered.read(), parse_int=float)  # 1 and 1.0 are one number in JSON


def assert_equal(question: Asked, ours: str, plain: str, token: str) -> None:
    """Both sides answer the same values in the same order."""
    mine = answer(question, ours, token)
    with urllib.request.urlopen(plain + question.path) as answered:
        theirs = json.loads(answered.read(), parse_int=float)
    if json.dumps(mine) != json.dumps(theirs):
        raise AssertionError(f"the sides differ on {question.path}:\n{first_difference(mine, theirs)}")


def first_difference(ours: Any, plain: Any, where: str = "$") -> str:
    """Where the answers part first, values or order."""
    if isinstance(ours, dict) and isinstance(plain, dict) and list(ours) == list(plain):
        pairs = [(ours[key], plain[key], f"{where}.{key}") for key in ours]
    elif isinstance(ours, list) and isinstance(plain, list) and len(ours) == len(plain):
        pairs = [(a, b, f"{where}[{n}]") for n, (a, b) in enumerate(zip(ours, plain, strict=True))]
    else:
        return f"{where}: ours {json.dumps(ours)[:300]}, plain {json.dumps(plain)[:300]}"
    return next(first_difference(a, b, path) for a, b, path in pairs if json.dumps(a) != json.dumps(b))
