"""How fast, as a ratio to a floor measured in the same run.

Machines differ and neighbours make noise, so a number of ours means something only beside the number of a floor: the
same work done as directly as we can write it, in turns with ours, on the same data. A bench first asserts that both
give equal results. Reported is the median of the rounds, with the lowest and highest ratio beside it.
"""

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

ROUNDS = 5
HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
BOUND = {"higher": "at least", "lower": "at most"}
MEASURED = (":/", ":(top,exclude)bench/results.json", ":(top,exclude)docs/performance.md")
"""What has a say in the figures: all but what a run itself writes."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured, and the ratio of ours to the floor's that we commit to: at most, where lower is better."""

    name: str
    unit: str  # requests/s, orders/s, ms, ...
    goal: float
    size: str  # of what: the world, the batch, the connections
    better: Literal["higher", "lower"] = "higher"
    cpu_goal: float | None = None  # CPU for a unit of work, ours to the floor's: at most

    def reached_by(self, ratio: float) -> bool:
        return ratio >= self.goal if self.better == "higher" else ratio <= self.goal


class Turn(Protocol):
    """What one side's turn came to, in the bench's unit; and CPU milliseconds for each unit of work, if known."""

    @property
    def value(self) -> float: ...

    @property
    def cpu_ms(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """A turn of which one number is read: milliseconds, bytes."""

    value: float
    cpu_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """A turn as a rate: how much work in how long, and the CPU seconds of the processes that did it, if known."""

    amount: int
    seconds: float
    cpu_seconds: float | None = None

    @property
    def value(self) -> float:
        return self.amount / self.seconds

    @property
    def cpu_ms(self) -> float | None:
        """CPU milliseconds for each unit of work."""
        return None if self.cpu_seconds is None else 1000 * self.cpu_seconds / self.amount


Side = Callable[[], Awaitable[Turn]]


@dataclass(frozen=True, slots=True)
class Result:
    bench: Bench
    ours: list[Turn]
    floor: list[Turn]

    @property
    def ratios(self) -> list[float]:
        return [ours.value / floor.value for ours, floor in zip(self.ours, self.floor, strict=True)]

    @property
    def reaches_goal(self) -> bool:
        return self.bench.reached_by(statistics.median(self.ratios))

    def record(self) -> dict[str, object]:
        """The result as it stands in results.json."""
        record: dict[str, object] = {
            "value": _rounded(statistics.median(r.value for r in self.ours)),
            "floor": _rounded(statistics.median(r.value for r in self.floor)),
            "ratio": _rounded(statistics.median(self.ratios)),
            "spread": [_rounded(min(self.ratios)), _rounded(max(self.ratios))],
            "better": self.bench.better,
            "goal": self.bench.goal,
            "unit": self.bench.unit,
            "size": self.bench.size,
            "commit": measured_commit(),
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        ours, floor = _cpu(self.ours), _cpu(self.floor)
        if ours is not None and floor is not None:
            cpu = {"value": _rounded(ours), "floor": _rounded(floor), "ratio": _rounded(ours / floor)}
            record["cpu_ms"] = cpu if self.bench.cpu_goal is None else {**cpu, "goal": self.bench.cpu_goal}
        return record


async def compare(bench: Bench, ours: Side, floor: Side, *, rounds: int = ROUNDS) -> Result:
    """Both sides in turns, each first as often as the other (within one), after a turn each that does not count."""
    await floor()
    await ours()
    result = Result(bench, [], [])
    for number in range(rounds):
        sides = [(ours, result.ours), (floor, result.floor)]
        for side, turns in sides if number % 2 else reversed(sides):
            turns.append(await side())
        print(f"  {bench.name} round {number + 1}/{rounds}: {result.ratios[-1]:.3f}", flush=True)
    return result


def report(result: Result) -> str:
    """One line for a person."""
    record: dict[str, Any] = result.record()
    verdict, bound = "reaches" if result.reaches_goal else "misses", BOUND[result.bench.better]
    said = (
        f"{result.bench.name}: {record['value']} {result.bench.unit} against a floor of {record['floor']}: "
        f"ratio {record['ratio']} {record['spread']}, {verdict} the goal of {bound} {result.bench.goal}"
    )
    if "cpu_ms" in record:
        said += f"; CPU {record['cpu_ms']['ratio']} of the floor's"
    return said


def save(result: Result, path: Path = RESULTS) -> None:
    """Put the result in the file in place of the last one of its name."""
    records = json.loads(path.read_text()) if path.exists() else {}
    records[result.bench.name] = result.record()
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(dict(sorted(records.items())), indent=2) + "\n")
    draft.replace(path)


def _cpu(turns: list[Turn]) -> float | None:
    known = [turn.cpu_ms for turn in turns if turn.cpu_ms is not None]
    return statistics.median(known) if known else None


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")


def warn_of_changes(commit: str) -> None:
    """Say before a run that its figures will belong to no commit, because files of the checkout differ from it."""
    if commit.endswith("+"):
        print(
            f"WARNING: the tree differs from its commit. What is measured now belongs to no commit and is kept as "
            f"{commit}. Commit first, then measure.",
            file=sys.stderr,
            flush=True,
        )


def measured_commit(place: Path = HERE) -> str:
    """The commit that was measured, with + when the rest of the tree differed from it; empty outside a checkout."""
    if shutil.which("git") is None:
        return ""
    git = ["git", "-C", str(place)]
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "-uno", "--", *MEASURED], capture_output=True, text=True, check=False
    )
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
