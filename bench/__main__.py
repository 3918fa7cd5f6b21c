"""`make bench`: every bench against its floor, in turns; results go into bench/results.json.

python -m bench [NAME ...] [--members N] [--orders M] [--seed S] [--rounds R] [--seconds T] [--dry]
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from bench.harness import ROUNDS, Result, measured_commit, report, save, warn_of_changes
from bench.paper import PAPER, draw
from bench.servers import server
from bench.spec import Spec

Suite = Callable[[str, Spec, argparse.Namespace], Awaitable[list[Result]]]


async def _profiles(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.profiles import profiles

    return await profiles(url, spec, seconds=chosen.seconds, rounds=chosen.rounds)


async def _deliver(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.deliver import deliver

    return await deliver(url, spec, rounds=chosen.rounds)


async def _ingest(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.ingest import ingest

    return await ingest(url, spec, rounds=chosen.rounds)


async def _resolve(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.resolve import resolve

    return await resolve(url, spec, rounds=chosen.rounds)


async def _score(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.score import score

    return await score(url, spec, rounds=chosen.rounds)


async def _search(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.searches import search

    return await search(url, spec, seconds=chosen.seconds, rounds=chosen.rounds)


async def _planning(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.planning import first_seen, schema_build

    return [*await first_seen(url, spec, rounds=chosen.rounds), *await schema_build(rounds=chosen.rounds)]


async def _memory(url: str, spec: Spec, _chosen: argparse.Namespace) -> list[Result]:
    from bench.steady import memory

    return await memory(url, spec)


async def _growth(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.steady import growth

    return await growth(url, spec, rounds=chosen.rounds)


async def _stages(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.stages import stages

    return await stages(url, spec, rounds=chosen.rounds)


async def _segments(url: str, spec: Spec, chosen: argparse.Namespace) -> list[Result]:
    from bench.segments import bench_segments

    return await bench_segments(url, spec, rounds=chosen.rounds)


ORDERS_A_MEMBER = 6
SUITES: dict[str, tuple[Suite, int]] = {
    "profiles": (_profiles, 100_000),
    "search": (_search, 100_000),
    "growth": (_growth, 100_000),
    "memory": (_memory, 20_000),
    "planning": (_planning, 20_000),
    "ingest": (_ingest, 100_000),
    "resolve": (_resolve, 100_000),
    "deliver": (_deliver, 100_000),
    "score": (_score, 20_000),
    "stages": (_stages, 20_000),
    "segments": (_segments, 100_000),
}
"""Each with the members of its world."""


async def run(url: str, chosen: argparse.Namespace) -> list[Result]:
    results: list[Result] = []
    for name in chosen.names or SUITES:
        suite, usual = SUITES[name]
        members = chosen.members or usual
        spec = Spec(members, chosen.orders or members * ORDERS_A_MEMBER, chosen.seed)
        found = await suite(url, spec, chosen)
        for result in found:
            print(report(result), flush=True)
            if not chosen.dry:
                save(result)
                PAPER.write_text(draw(), encoding="utf-8")
        results += found
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", choices=[[], *SUITES], help=f"of {', '.join(SUITES)}; none: all"
    )
    parser.add_argument("--members", type=int, help="of the world (100,000; 20,000 for memory, planning and score)")
    parser.add_argument("--orders", type=int, help="of the world (six a member)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a turn, where a turn is a time (5)")
    parser.add_argument("--dry", action="store_true", help="leave results.json as it is")
    chosen = parser.parse_args()
    warn_of_changes(measured_commit())
    with server() as url, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(url, chosen))


if __name__ == "__main__":
    main()
