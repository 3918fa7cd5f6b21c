"""The table of results in docs/performance.md, drawn from results.json."""

import json
from pathlib import Path
from typing import Any

from bench.harness import HERE, RESULTS

PAPER = HERE.parent / "docs" / "performance.md"
START, END = "<!-- results: drawn by python -m bench -->\n", "<!-- end of results -->\n"


def table(results: Path = RESULTS) -> str:
    """The rows of the file, by name."""
    records: dict[str, dict[str, Any]] = json.loads(results.read_text())
    lines = [
        "| bench | ours | floor | ratio (lowest to highest) | goal | CPU, ours to floor | of | measured |",
        "|---|" + "---|" * 7,
    ]
    for name, one in records.items():
        cpu = _cpu(one["cpu_ms"]) if "cpu_ms" in one else ""
        spread = f"**{one['ratio']:g}** ({one['spread'][0]:g} to {one['spread'][1]:g})"
        goal = _goal(one["ratio"], one["goal"], one["better"])
        cells = [
            f"`{name}`", f"{one['value']:,g} {one['unit']}", f"{one['floor']:,g}", spread, goal, cpu, one["size"],
            f"{one['when'][:10]}, {one['commit']}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _goal(ratio: float, goal: float, better: str) -> str:
    """The bound, with a tick where the ratio keeps it."""
    is_kept = ratio >= goal if better == "higher" else ratio <= goal
    return f"{'≥' if better == 'higher' else '≤'} {goal:g}{' ✓' if is_kept else ''}"


def _cpu(one: dict[str, float]) -> str:
    return f"{one['ratio']:g}" + (f" ({_goal(one['ratio'], one['goal'], 'lower')})" if "goal" in one else "")


def draw(paper: Path = PAPER) -> str:
    """The paper with the table of now."""
    text = paper.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    _, _, tail = rest.partition(END)
    assert tail or text.endswith(END), f"{paper.name} has no place for the results"
    return head + START + table() + END + tail
