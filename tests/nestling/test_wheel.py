"""The wheel as a stranger gets it: built, installed in an empty folder, and the demo started from there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import httpx
import pytest

from nestling.embedded.processes import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_wheel_in_an_empty_folder_is_installed_and_serves_the_demo() -> None:
    folder = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="nestling-wheel-"))
    try:
        subprocess.run(
            [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder / "dist"), str(ROOT)],
            check=True, capture_output=True,
        )  # fmt: skip
        (wheel,) = (folder / "dist").glob("nestling-*.whl")
        venv.create(folder / "venv", with_pip=True)
        binaries = folder / "venv" / "bin"
        pip = [str(binaries / "pip"), "install", "-q", "--disable-pip-version-check"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

        subprocess.run([*pip, str(wheel)], check=True, cwd=folder, env=clean)
        bare = subprocess.run(
            [str(binaries / "nestling"), "demo"], cwd=folder, env=clean, capture_output=True, text=True, check=False
        )
        assert bare.returncode == 2
        assert "nestling[demo]" in bare.stderr

        subprocess.run([*pip, f"{wheel}[demo]"], check=True, cwd=folder, env=clean)
        serve_the_demo(binaries / "nestling", folder, {**clean, "PORT": str(free_port())})
        assert "is gone" in subprocess.check_output(
            [binaries / "nestling", "demo", "reset", "--yes"], cwd=folder, text=True
        )
    finally:
        shutil.rmtree(folder)


def serve_the_demo(program: Path, folder: Path, environment: dict[str, str]) -> None:
    ready_file = folder / "ready.json"
    demo = subprocess.Popen(
        [str(program), "demo", "--households", "60", "--ready-file", str(ready_file)], cwd=folder, env=environment
    )
    try:
        until = time.monotonic() + 300
        while not ready_file.exists():
            assert demo.poll() is None, "the demo ended"
            assert time.monotonic() < until, "the demo did not serve in time"
            time.sleep(0.2)
        ready = json.loads(ready_file.read_text())
        assert httpx.get(f"{ready['url']}/ready").status_code == 200
        answer = httpx.post(
            ready["graphql"],
            json={"query": "{ stores(first: 3) { edges { node { id } } } }"},
            headers={"Authorization": f"Bearer {ready['tokens']['operator']}"},
        )
        assert answer.json()["data"]["stores"]["edges"]
        assert httpx.get(ready["outbox"], follow_redirects=True).status_code == 200
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
