"""A real Chromium against the real web process on a database of the tests' own."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

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


class Proxy:
    """Passes bytes on to the site and keeps of each request what the logs of proxies keep: its line, its referrer."""

    def __init__(self, site: str) -> None:
        self.url = ""
        self._site = urlsplit(site)
        self._heard: list[bytearray] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = bytearray()
        self._heard.append(heard)
        from_site, to_site = await asyncio.open_connection(self._site.hostname, self._site.port)
        await asyncio.gather(self._pass_on(reader, to_site, heard), self._pass_on(from_site, writer, bytearray()))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                heard += piece
                writer.write(piece)
                await writer.drain()
        writer.close()

    def seen(self) -> str:
        """A line for each request and each referrer, as they came over the wire."""
        said = "\r\n".join(heard.decode(errors="replace") for heard in self._heard)
        return "\n".join(re.findall(r"(?:GET|POST) \S+ HTTP/1\.1|(?i:^referer: .*$)", said, re.MULTILINE))


@pytest_asyncio.fixture
async def proxy(site: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the site, and what it saw."""
    made = Proxy(site)
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made


@pytest_asyncio.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("No browser: install the package chromium.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """The run's browser; what a test opened in it, with its cookies and caches, is gone afterwards."""
    yield chromium
    for context in chromium.contexts:
        await context.close()
