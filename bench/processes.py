"""Processes of a bench: started for it, ended with it, and what CPU time they took."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 60.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """CPU time that the process and its ended children have taken so far. Linux only: elsewhere it is not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return float("nan")
    return sum(int(field) for field in fields[11:15]) / TICKS_A_SECOND


def resident_bytes(pid: int) -> int:
    """The process's memory that is in RAM, without what its children have. Linux only."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024


@dataclass(frozen=True, slots=True)
class Served:
    url: str
    pid: int


@asynccontextmanager
async def process(
    command: list[str], environment: dict[str, str], stdout: int | None = None, stderr: int | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of our own from the root of the checkout, ended at the end."""
    started = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, **environment}, stdout=stdout, stderr=stderr
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await started.wait()


@asynccontextmanager
async def served(app: list[str], environment: dict[str, str], port: int = 0) -> AsyncIterator[Served]:
    """One uvicorn process with one worker serving the application, given as uvicorn wants it."""
    port = port or free_port()
    command = [
        sys.executable, "-m", "uvicorn", *app, "--host", "127.0.0.1", "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    # It logs as it would in earnest, to nowhere.
    async with process(command, environment, stderr=asyncio.subprocess.DEVNULL) as started:
        await _answers(port, started)
        yield Served(f"http://127.0.0.1:{port}", started.pid)


async def _answers(port: int, server: asyncio.subprocess.Process) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if server.returncode is not None:
            raise RuntimeError(f"the server ended with {server.returncode} before it answered")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError("the server does not answer")
