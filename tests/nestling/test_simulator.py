"""The provider simulator: its log is the oracle of the delivery tests, so it must be right itself."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from nestling.simulator.log import Line, Log, now, read
from nestling.simulator.script import SCRIPTS, Turn, story, turn
from tests.workers.stage import TOKEN, simulator

BODY = {"to": "+12125550100", "from": "Nestling", "text": "您好"}


def lines(log: Path) -> list[Line]:
    return list(read(log))


async def post(client: httpx.AsyncClient, url: str, key: str, **more: str) -> int | str:
    """The status, or how the answer was lost."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key}
    try:
        return (await client.post(url, json={**BODY, "client_ref": key, **more}, headers=headers)).status_code
    except httpx.TimeoutException:
        return "timeout"
    except httpx.TransportError:
        return "reset"


async def test_a_key_has_one_effect_whatever_happens_to_its_answers(tmp_path: Path) -> None:
    keys = [str(uuid4()) for _ in range(60)]
    seen: dict[str, list[str]] = {key: [] for key in keys}
    with simulator(tmp_path, script="rough", seed_=3) as provider:
        async with httpx.AsyncClient(timeout=0.5) as client:
            for _ in range(4):
                answers = await asyncio.gather(*(post(client, provider.sms_url, key) for key in keys))
                for key, answer in zip(keys, answers, strict=True):
                    seen[key].append(str(answer))
        written = lines(provider.log)
    for key in keys:
        effects = [line.effect for line in written if line.key == key]
        assert sum(effect in {"accepted", "refused"} for effect in effects) <= 1
        if "timeout" not in seen[key]:  # ours may have been before it was read
            assert [line.answer for line in written if line.key == key] == seen[key]
    assert sum(line.effect == "accepted" for line in written) > len(keys) // 2
    assert {line.answer for line in written} >= {"201", "429", "500", "503", "timeout", "reset"}
    assert BODY["to"] not in provider.log.read_text()


async def test_it_remembers_keys_after_a_restart_and_drops_a_torn_line(tmp_path: Path) -> None:
    key = str(uuid4())
    for n in range(2):
        (tmp_path / "ready.json").unlink(missing_ok=True)
        with simulator(tmp_path, script="calm") as provider:
            async with httpx.AsyncClient(timeout=5) as client:
                assert await post(client, provider.sms_url, key) == 201
                other = await post(client, provider.sms_url, key, text="another text")
                assert other == 409
        if n == 0:
            with provider.log.open("a") as log:
                log.write('{"at": "2026-')
    assert [(line.effect, line.answer) for line in lines(provider.log)] == [
        ("accepted", "201"),
        ("none", "409"),
        ("none", "201"),
        ("none", "409"),
    ]


async def test_what_it_answers_stands_on_the_disk_first(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    made = [Line(now(), "SMS", "sms_http", str(n), str(n), "", "", "accepted", "201", "r") for n in range(50)]

    async def append(line: Line) -> bool:
        await log.append(line)
        return line.key in {json.loads(raw)["key"] for raw in (tmp_path / "log.jsonl").read_text().splitlines()}

    assert all(await asyncio.gather(*(append(line) for line in made)))
    await log.close()


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_seed_tells_the_same_story(name: str) -> None:
    script = SCRIPTS[name]
    keys = [str(n) for n in range(300)]
    first = [(turn(script, 5, key, 0), story(script, 5, key)) for key in keys]
    assert first == [(turn(script, 5, key, 0), story(script, 5, key)) for key in keys]
    turns = {drawn for drawn, _ in first}
    assert turns == {Turn.ACCEPT} if name == "calm" else len(turns) > 4
