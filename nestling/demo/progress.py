"""What the person at the terminal sees: one line for each step; a spinner with details where there is a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


class Unfinished(Exception):
    """Raised in a step: what it waited for did not come. The text stands in the step's line; the program goes on."""


class Progress:
    def __init__(self, console: Console | None = None) -> None:
        found = console or Console(highlight=False, soft_wrap=True)
        if not found.is_terminal:
            found.width = 140  # a file has no edge, tables want one
        self.console = found

    def line(self, text: str) -> None:
        self.console.print(text, markup=False)

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show a step while it runs and one line when it ended: with ✓ and the last detail said when it is done, with ✗
        and the reason where `Unfinished` was raised, which goes no further."""
        details: list[str] = []
        started = time.monotonic()
        sign = "✓"
        try:
            if self.console.is_terminal:
                with self.console.status(f"{title} ...") as status:

                    def say(detail: str) -> None:
                        details.append(detail)
                        status.update(f"{title}: {detail}")

                    yield say
            else:
                self.line(f"  {title} ...")
                yield details.append
        except Unfinished as why:
            sign = "✗"
            details.append(str(why))
        seconds = time.monotonic() - started
        self.line(f"{sign} {title}{f': {details[-1]}' if details else ''} ({seconds:.1f} s)")
