"""first_seen and schema_build: what the projection costs before an answer is quick.

first_seen: a profile whose document our server never saw, against the same request planned. schema_build: our schema
with 200 generated types that declare where their fields come from, against strawberry's own build of the same types
without the declarations; each build in a process of its own.
"""

import asyncio
import itertools
import json
import secrets
import statistics
import sys

from bench.actors import operator_token
from bench.asking import Asked, our_requests, our_server
from bench.harness import Bench, Reading, Result, compare
from bench.load import hammer
from bench.processes import process
from bench.profiles import profile_questions
from bench.schemas import TYPES
from bench.spec import Spec
from bench.world import world

DOCUMENTS_A_TURN = 50
BETWEEN = 20
"""Planned requests after each new document: documents that follow each other at once wait for each other on purpose."""


async def first_seen(server_url: str, spec: Spec, *, rounds: int) -> list[Result]:
    """Median latency of one client, both on one server."""
    async with world(server_url, spec, "nestling_bench_plans") as database:
        token, questions = await operator_token(database), await profile_questions(database)
        run, number = secrets.token_hex(4), itertools.count()
        async with our_server(database) as ours:

            async def fresh() -> Reading:
                renamed = [_renamed(one, f"profile_{run}_{next(number)}") for one in questions[:DOCUMENTS_A_TURN]]
                return await turn([asked for one in renamed for asked in (one, *questions[:BETWEEN])], 1 + BETWEEN)

            async def planned() -> Reading:
                return await turn(questions[:DOCUMENTS_A_TURN] * (1 + BETWEEN), 1)

            async def turn(asked: list[Asked], every: int) -> Reading:
                requests = our_requests(asked, ours, token)
                load = await hammer(ours.url, requests, connections=1, times=len(requests))
                return Reading(1000 * statistics.median(load.latencies[::every]))

            size = f"{DOCUMENTS_A_TURN} documents a turn, each with an alias of its own; one client"
            bench = Bench("first_seen", "ms", goal=10, size=size, better="lower")
            return [await compare(bench, fresh, planned, rounds=rounds)]


def _renamed(question: Asked, alias: str) -> Asked:
    """The question with another alias of its root field: another document, and another statement."""
    asked = json.loads(question.post)
    text = asked["query"].replace("profile: member(", f"{alias}: member(")
    assert text != asked["query"]
    return Asked(json.dumps({**asked, "query": text}).encode())


async def schema_build(*, rounds: int) -> list[Result]:
    """Both builds from classes to schema."""
    bench = Bench("schema_build", "ms", goal=2, size=f"{TYPES} generated types beside our own", better="lower")
    return [await compare(bench, lambda: _build("projected"), lambda: _build("plain"), rounds=rounds)]


async def _build(how: str) -> Reading:
    command = [sys.executable, "-m", "bench.schemas", how]
    async with process(command, {}, stdout=asyncio.subprocess.PIPE) as started:
        assert started.stdout is not None
        return Reading(float(await started.stdout.read()))
