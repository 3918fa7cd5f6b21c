"""Every operation of docs/people.md, asked of a running demo: python scripts/tour.py READY_FILE."""

import json
import re
import sys
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import httpx

PAPER = Path(__file__).resolve().parent.parent / "docs" / "people.md"
OPERATION = re.compile(r"^```graphql\n(# as (\w+)\n.*?)^```", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"^(?:query|mutation) (\w+)", re.MULTILINE)
TAKES = re.compile(r"^# \$(\w+): (\S+) of (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked, and whose token asks it."""

    name: str
    role: str
    document: str
    variables: dict[str, str]


def walk(paper: str) -> Generator[Operation, dict[str, Any], None]:
    """The operations in order; send each one's data back in: ids of later ones come out of it. Keys are new ones."""
    answers: dict[str, dict[str, Any]] = {}
    for document, role in OPERATION.findall(paper):
        (name,) = NAME.findall(document)
        variables = {variable: _at(answers[of], path) for variable, path, of in TAKES.findall(document)}
        if "$key:" in document:
            variables["key"] = f"tour-{uuid.uuid4()}"
        answers[name] = yield Operation(name, role, document, variables)


def _at(answer: Any, path: str) -> str:
    return str(reduce(lambda at, step: at[int(step)] if step.isdigit() else at[step], path.split("."), answer))


def main(ready: dict[str, Any]) -> None:
    walking = walk(PAPER.read_text(encoding="utf-8"))
    asked = next(walking)
    while True:
        answer = httpx.post(
            ready["graphql"],
            json={"query": asked.document, "variables": asked.variables},
            headers={"Authorization": f"Bearer {ready['tokens'][asked.role]}"},
        ).json()
        print(f"{asked.name}, as {asked.role}")
        print(json.dumps(answer, indent=1, ensure_ascii=False))
        if "errors" in answer:
            sys.exit(f"{asked.name} was answered with errors.")
        try:
            asked = walking.send(answer["data"])
        except StopIteration:
            return


def read_ready(path: Path) -> dict[str, Any]:
    """What the demo wrote; ends in words where it is not that."""
    wish = "Give the file that a running demo wrote: make demo READY_FILE=ready.json"
    try:
        ready = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"{path} cannot be read ({error.strerror}). {wish}")
    except ValueError:
        sys.exit(f"{path} is no JSON. {wish}")
    if not isinstance(ready, dict) or not {"graphql", "tokens"} <= ready.keys():
        sys.exit(f"{path} names no graphql and tokens. {wish}")
    return ready


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("python scripts/tour.py READY_FILE: the file that the demo writes with --ready-file")
    described = read_ready(Path(sys.argv[1]))
    try:
        main(described)
    except httpx.TransportError as error:
        sys.exit(f"Nobody answers at {described['graphql']} ({error}). Does the demo still run?")
