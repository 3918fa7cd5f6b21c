"""The papers: links lead somewhere, what is drawn is in step, and each decision names what enforces it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.paper import PAPER, draw

ROOT = Path(__file__).resolve().parents[2]
PAPERS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


def _anchor(heading: str) -> str:
    """The anchor that a forge makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(paper: Path) -> None:
    broken = []
    for groups in LINK.findall(FENCE.sub("", paper.read_text(encoding="utf-8"))):
        link = groups[0] or groups[1]
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (paper.parent / name).resolve() if name else paper
        if not target.exists():
            broken.append(link)
        elif anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            if anchor not in {_anchor(heading) for heading in headings}:
                broken.append(link)
    assert not broken


def test_the_picture_of_the_tables_is_in_step_with_the_tables() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "data_model.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_the_numbers_in_the_paper_are_those_that_were_measured() -> None:
    assert PAPER.read_text(encoding="utf-8") == draw()


def test_every_decision_names_what_enforces_it_and_that_exists() -> None:
    assert len(DECISIONS) >= 10
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for path in DECISIONS:
        last = path.read_text(encoding="utf-8").strip().splitlines()[-1]
        assert last.startswith("Enforced by: "), path.name
        named = re.findall(r"`((?:tests|scripts|migrations|pyproject)[^`: ]*)", last)
        assert named, path.name
        assert all((ROOT / name).exists() for name in named), last
