"""A real Chromium against the real web process on a database of the tests' own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def site_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the web process says."""
    return tmp_path_factory.mktemp("site") / "api.log"


@pytest.fixture(scope="session")
def site(database_url: str, site_log: Path) -> Iterator[str]:
    """The web process of an installation; its URL."""
    port, log = _free_port(), site_log
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": "none",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATA_DIR": str(log.parent),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "nestling", "serve"], cwd=ROOT, env=environment, stdout=out, stderr=out
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            if process.poll() is not None:
                break
            try:
                if httpx.get(f"{url}/live").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        else:
            pytest.fail(log.read_text())
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("No browser: install the package chromium.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()
