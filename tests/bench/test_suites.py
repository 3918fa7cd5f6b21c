"""Every bench runs: on a small world, for a moment, without a look at how fast."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import SUITES

ROOT = Path(__file__).resolve().parents[2]
REPORTED = {"profiles": 3, "planning": 2, "segments": 4}  # of one suite; of all others it is one


@pytest.mark.long
@pytest.mark.parametrize("suite", [name for name in SUITES if name != "memory"])
async def test_a_suite_measures_what_both_sides_did_alike(suite: str) -> None:
    """Each asserts itself that ours and the floor gave the same. `memory` takes minutes whatever its world."""
    command = [sys.executable, "-m", "bench", suite, "--members", "12000", "--rounds", "1", "--seconds", "0.3", "--dry"]
    wide = {**os.environ, "COLUMNS": "140"}
    ran = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=wide, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2_000:]
    assert ran.stdout.count("the goal of") == REPORTED.get(suite, 1), ran.stdout
