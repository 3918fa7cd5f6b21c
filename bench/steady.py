"""What must not grow: our server's memory over many requests, and the cost of a request with the members there are.

The floors are our own: memory after a tenth of the requests, and the same questions on a small world.
"""

import itertools
from contextlib import AsyncExitStack

from bench.actors import operator_token
from bench.asking import our_requests, our_server
from bench.harness import Bench, Reading, Result, Side, compare
from bench.load import hammer
from bench.processes import resident_bytes
from bench.profiles import profile_questions
from bench.searches import search_questions
from bench.spec import Spec
from bench.world import world

REQUESTS = 100_000
WARM = REQUESTS // 10
CLIENTS = 16
HITS = 10
"""On a page of the memory bench: it is about many requests, not about large ones."""
SMALL = 10_000
ORDERS_A_MEMBER = 6
QUESTIONS_A_TURN = 1_000


async def memory(server_url: str, spec: Spec) -> list[Result]:
    """Resident memory of our server after all requests, against after a tenth of them. One run: it takes a while."""
    async with world(server_url, spec, "nestling_bench_memory") as database:
        token = await operator_token(database)
        profiles, searches = await profile_questions(database), search_questions(HITS)
        mixed = [one for pair in zip(profiles, itertools.cycle(searches), strict=False) for one in pair]
        async with our_server(database) as ours:
            requests = our_requests(mixed, ours, token)
            await hammer(ours.url, requests, connections=CLIENTS, times=WARM)
            warm = resident_bytes(ours.pid)
            await hammer(ours.url, requests, connections=CLIENTS, times=REQUESTS - WARM)
            megabytes = [Reading(found / 1e6) for found in (resident_bytes(ours.pid), warm)]
    size = f"after {REQUESTS:,} requests against after {WARM:,}; {len(mixed):,} questions, {CLIENTS} clients"
    bench = Bench("memory_flat", "MB", goal=1.05, size=size, better="lower")
    return [Result(bench, [megabytes[0]], [megabytes[1]])]


async def growth(server_url: str, spec: Spec, *, rounds: int) -> list[Result]:
    """What a profile costs in a large world, against the same in a small one: median latency of one client."""
    small = Spec(SMALL, SMALL * ORDERS_A_MEMBER, spec.seed)
    async with AsyncExitStack() as stack:
        large_side, small_side = [
            await _one_client(stack, server_url, of, f"nestling_bench_{name}")
            for name, of in (("large", spec), ("small", small))
        ]
        size = f"{spec.members:,} members against {small.members:,}; one client"
        bench = Bench("growth_flat", "ms", goal=1.25, size=size, better="lower")
        return [await compare(bench, large_side, small_side, rounds=rounds)]


async def _one_client(stack: AsyncExitStack, server_url: str, spec: Spec, name: str) -> Side:
    database = await stack.enter_async_context(world(server_url, spec, name))
    token, questions = await operator_token(database), await profile_questions(database)
    ours = await stack.enter_async_context(our_server(database))

    async def turn() -> Reading:
        requests = our_requests(questions, ours, token)
        return Reading((await hammer(ours.url, requests, connections=1, times=QUESTIONS_A_TURN)).latency_ms(0.5))

    return turn
