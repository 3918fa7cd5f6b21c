"""profile_one, profile_fifty, profile_p99: a document as a generated client sends it, against a plain endpoint.

Both are one uvicorn process with one worker and the same pool size on the same database; ours has a bearer token to
check, rights to decide, limits to keep and an audit row to write. Left out of the document is the baby's stage: it is
computed in Python, and the floor is one statement.
"""

from typing import Any

from bench.actors import operator_token
from bench.asking import CONNECTIONS, DOCUMENTS, POOL_SIZE, Asked, assert_equal, body, both_servers, sides
from bench.catalogue import TAGS
from bench.databases import connected
from bench.harness import Bench, Result, compare
from bench.spec import Spec
from bench.world import world

FOR_ONE = {"orders": 5, "words": 10}
FOR_EACH_OF_FIFTY = {"orders": 3, "words": 5}
"""Within the API's limit of rows for one operation."""
CLIENTS = 32
"""Of profile_p99, where latency is asked for and not the rate."""
MEMBERS = 500
"""How many different members are read in turn."""


async def profiles(server_url: str, spec: Spec, *, seconds: float, rounds: int) -> list[Result]:
    """The benches on one world. Raises when the two sides do not answer the same."""
    async with world(server_url, spec, "nestling_bench_profiles") as database:
        token = await operator_token(database)
        ones, fifties = await profile_questions(database), [_fifty(key) for key, *_ in TAGS]
        async with both_servers(database) as (ours, plain):
            of = f"{spec.members:,} members, {spec.orders:,} orders"
            size = f"{of}; {CONNECTIONS} connections, pool of {POOL_SIZE}"
            one, fifty = sides(ones, ours, plain, token), sides(fifties, ours, plain, token)
            results = [
                await compare(
                    Bench("profile_one", "requests/s", goal=0.7, size=size, cpu_goal=2.0),
                    *one.rates(seconds),
                    rounds=rounds,
                ),
                await compare(
                    Bench("profile_fifty", "requests/s", goal=1.0, size=size), *fifty.rates(seconds), rounds=rounds
                ),
                await compare(
                    Bench("profile_p99", "ms", goal=3, size=f"{of}; {CLIENTS} clients", better="lower"),
                    *one.latencies(0.99, seconds, CLIENTS),
                    rounds=rounds,
                ),
            ]
            for question in (ones[0], fifties[0]):
                assert_equal(question, ours.url, plain.url, token)  # nothing was refused on the way
            return results


async def profile_questions(database: str) -> list[Asked]:
    """The profile of many members, in no order."""
    async with connected(database) as connection:
        rows = await connection.fetch("SELECT id FROM members ORDER BY md5(id::text) LIMIT $1", MEMBERS)
    return [_asked("profile_one", {"id": f"Member:{row['id']}"}, FOR_ONE, f"/one?id={row['id']}") for row in rows]


def _fifty(tag: str) -> Asked:
    return _asked("profile_fifty", {"tag": tag}, FOR_EACH_OF_FIFTY, f"/fifty?tag={tag}")


def _asked(document: str, variables: dict[str, Any], limits: dict[str, int], path: str) -> Asked:
    text = (DOCUMENTS / f"{document}.graphql").read_text() + (DOCUMENTS / "profile_parts.graphql").read_text()
    asked_for = "&".join(f"{name}={value}" for name, value in limits.items())
    return Asked(body(text, {**variables, **limits}), f"{path}&{asked_for}")
