"""Commands in processes of their own, as a person calls them."""

import asyncio
import json
import os
import shlex
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


SEVERAL = """
import json, sys
from typer.testing import CliRunner
from nestling.cli import app
ran = [CliRunner().invoke(app, arguments, input=typed) for arguments, typed in json.load(sys.stdin)]
print(json.dumps([(one.exit_code, one.output, repr(one.exception)) for one in ran]))
"""


async def several(folder: Path, url: str, *commands: tuple[str, str], **environment: str) -> list[tuple[int, str]]:
    """Run commands, each with what the person types, one after another in one process: (exit code, what was said)."""
    lines = json.dumps([(shlex.split(command), typed) for command, typed in commands])
    ran = await run(folder, "-c", SEVERAL, typed=lines, DATABASE_URL=url, **environment)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert all("SystemExit" in failure or failure == "None" for *_, failure in told), told
    return [(code, said) for code, said, _ in told]


TOGETHER = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from nestling.cli import main
ran = []
for arguments in json.load(sys.stdin):
    sys.argv, code = ["nestling", *arguments], 0
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    ran.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(ran))
"""


async def together(folder: Path, url: str, *commands: str, **environment: str) -> list[Ran]:
    """Run commands as a person calls them, one after another in one process: most of a command's time is its start."""
    lines = [shlex.split(command) for command in commands]
    ran = await run(folder, "-c", TOGETHER, typed=json.dumps(lines), DATABASE_URL=url, **environment)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == "", "something was said beside what the commands said"
    told = json.loads(ran.stdout)
    return [Ran(line, code, out, err) for line, (code, out, err) in zip(lines, told, strict=True)]
