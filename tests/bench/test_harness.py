"""The measuring itself: turns, medians, and a load generator that does not take an error for an answer."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from bench.harness import Bench, Reading, Result, Round, compare, measured_commit, report, save, warn_of_changes
from bench.load import hammer, prepared
from bench.paper import table

BENCH = Bench("made_up", "things/s", goal=0.5, size="five things")


async def test_sides_take_turns_and_neither_is_always_first() -> None:
    order: list[str] = []

    async def ours() -> Round:
        order.append("ours")
        return Round(10, 2.0, 1.0)

    async def floor() -> Round:
        order.append("floor")
        return Round(10, 1.0, 0.25)

    result = await compare(BENCH, ours, floor, rounds=4)
    assert order[:2] == ["floor", "ours"]  # these do not count
    assert [order[at] for at in (2, 4, 6, 8)] == ["floor", "ours", "floor", "ours"]
    assert result.ratios == [0.5] * 4
    assert result.reaches_goal


def test_a_result_is_the_median_with_its_spread_and_replaces_the_last_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"other": {"ratio": 1}, "made_up": {"ratio": 9}}))
    slow, fast = Round(100, 4.0, 1.0), Round(100, 1.0, 0.5)
    save(Result(BENCH, [slow, fast, Round(100, 2.0, 1.0)], [fast, fast, fast]), path)
    found = json.loads(path.read_text())
    assert found["other"] == {"ratio": 1}
    one = found["made_up"]
    assert (one["value"], one["floor"], one["ratio"], one["spread"]) == (50.0, 100.0, 0.5, [0.25, 1.0])
    assert one["cpu_ms"] == {"value": 10.0, "floor": 5.0, "ratio": 2.0}
    assert {"better", "goal", "unit", "size", "commit", "when"} <= set(one)


def test_a_tree_that_differs_from_its_commit_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True, capture_output=True)

    git("init", "-q")
    results = tmp_path / "bench" / "results.json"
    results.parent.mkdir()
    for path in (tmp_path / "code.py", results):
        path.write_text("fast")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "One")
    results.write_text("what the run before wrote")
    clean = measured_commit(tmp_path)
    assert len(clean) == 12
    warn_of_changes(clean)
    assert capsys.readouterr().err == ""
    (tmp_path / "code.py").write_text("faster")
    assert measured_commit(tmp_path) == f"{clean}+"
    warn_of_changes(f"{clean}+")
    assert f"belongs to no commit and is kept as {clean}+." in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", ""])
async def test_anything_but_200_ends_the_run(answer: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode())
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(RuntimeError, match="the server"):
            await hammer(url, [prepared(url)], connections=1, seconds=5)


async def test_answers_are_counted_whole_however_they_arrive() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            for piece in (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 10\r\n\r\n01234", b"56789"):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        load = await hammer(url, [prepared(url, body=b"{}")], connections=2, seconds=0.2)
    assert load.requests > 10


def test_where_lower_is_better_the_goal_is_a_ceiling(tmp_path: Path) -> None:
    bench = Bench("made_up_ms", "ms", goal=3, size="one thing", better="lower", cpu_goal=2.0)
    path = tmp_path / "results.json"
    for ours, goal, cpu in ((20.0, "≤ 3 ✓", "1.5 (≤ 2 ✓)"), (40.0, "≤ 3", "3 (≤ 2)")):
        result = Result(bench, [Reading(ours, ours * 0.75)], [Reading(10.0, 10.0)])
        assert result.reaches_goal is ("✓" in goal)
        assert "at most 3" in report(result)
        save(result, path)
        assert json.loads(path.read_text())["made_up_ms"]["better"] == "lower"
        assert f"| {goal} | {cpu} |" in table(path)


async def test_a_load_of_so_many_requests_sends_just_these_and_knows_how_long_each_took() -> None:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while await reader.read(65536):
            asked += 1
            await asyncio.sleep(0.05 if asked == 7 else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        load = await hammer(url, [prepared(url)], connections=3, times=100)
    assert load.requests == asked == len(load.latencies) == 100
    assert load.latency_ms(0.99) >= 45 > load.latency_ms(0.5)  # a timer may fire a little early
