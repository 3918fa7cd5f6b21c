"""What the person at the terminal sees: one line for each step; a spinner with details where there is a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


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
        """Show a step while it runs and one line when it is done; the last detail said stands in that line."""
        details: list[str] = []
        started = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(f"{title} ...") as status:

                def say(detail: str) -> None:
                    details.append(detail)
                    status.update(f"{title}: {detail}")

                yield say
        else:
            self.line(f"  {title} ...")
            yield details.append
        seconds = time.monotonic() - started
        self.line(f"✓ {title}{f': {details[-1]}' if details else ''} ({seconds:.1f} s)")
