"""What the command line says: numbers with their nouns, sentences that begin as such, commands as they can be run."""

import os
import shlex
import shutil
import sys
from pathlib import Path

PLURALS = {
    "baby": "babies", "category": "categories", "call-back": "call-backs", "reply": "replies",
}  # fmt: skip


def counted(number: int, noun: str) -> str:
    """`1 baby`, `2 babies`, `1,200 rows`: the number with its noun, which may have words before it (`new baby`)."""
    before, space, last = noun.rpartition(" ")
    return f"{number:,} {before}{space}{last if number == 1 else PLURALS.get(last, f'{last}s')}"


def sentence(text: str) -> str:
    """The text with a capital at its start; the rest is left as it is."""
    return text[:1].upper() + text[1:]


STARTED_AS = "NESTLING_STARTED_AS"
"""Names what the person typed where that was not our own name: the Makefile says `make demo` in it."""


def this_command() -> str:
    """How this very nestling is called from the folder it was started in: it is on the PATH of few."""
    called = Path(sys.argv[0])
    here = called if called.name == "nestling" else Path(sys.prefix) / "bin" / "nestling"
    if shutil.which("nestling") or not here.exists():
        return "nestling"
    here = here.absolute()
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)


def started_again(**environment: object) -> str:
    """The line that starts this very run again with other settings, as it was started: by make, or by our own name."""
    typed = os.environ.get(STARTED_AS) or shlex.join([this_command(), *sys.argv[1:]])
    return " ".join([*(f"{name}={shlex.quote(str(value))}" for name, value in environment.items()), typed])
