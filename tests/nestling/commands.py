"""Commands in processes of their own, as a person calls them."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from nestling.embedded.processes import free_port
from nestling.settings import KEYS

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    **dict.fromkeys(KEYS, "x" * 40),
    "ENVIRONMENT": "production",
    "COOKIE_SECURE": "true",
    "PUBLIC_URL": "https://crm.example",
}
"""Settings with which production starts."""

Ran = subprocess.CompletedProcess[str]


async def run(folder: Path, *command: str, typed: str = "", **environment: str) -> Ran:
    """Run Python with these arguments in a folder; `typed` is what the person answers."""
    given = {"REDIS_URL": "none", "PORT": str(free_port()), "COLUMNS": "140", "PYTHONPATH": str(ROOT)}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *command],
        cwd=folder, env={**os.environ, **given, **environment}, input=typed, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip


async def nestling(folder: Path, url: str, *arguments: str, typed: str = "", **environment: str) -> Ran:
    """Run a command of ours on the database at `url`."""
    return await run(folder, "-m", "nestling", *arguments, typed=typed, DATABASE_URL=url, **environment)
