"""The demo's processes: started, watched, started again when they die, stopped in order."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from nestling.opening import NotReady
from nestling.processes import LIFELINE

RESTARTS_AT_MOST = 5
RESTART_WINDOW_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclass
class Child:
    """One process of the demo. Its log keeps what it said in every life."""

    name: str
    arguments: list[str]  # after python -m
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self, lifeline: int) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **self.environment, LIFELINE: str(lifeline)}, pass_fds=(lifeline,),
            )  # fmt: skip

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()[-8:] if self.log.exists() else []
        return "\n".join(lines)


class Children:
    """All of them. They hold the reading end of a pipe whose writing end is here: killed or not, we leave none."""

    def __init__(self) -> None:
        self.lifeline, self._held = os.pipe()
        self._children: list[Child] = []

    def add(self, child: Child) -> Child:
        """Start a child; it is watched from now on and stopped in reverse order."""
        child.start(self.lifeline)
        self._children.append(child)
        return child

    def pids(self) -> dict[str, int]:
        return {child.name: child.pid for child in self._children}

    def mend(self) -> list[str]:
        """Start again whatever died; the names of those. Raises NotReady when one cannot stay alive."""
        dead = [child for child in self._children if not child.is_alive()]
        for child in dead:
            now = time.monotonic()
            child.deaths = [*(at for at in child.deaths if now - at < RESTART_WINDOW_SECONDS), now]
            if len(child.deaths) > RESTARTS_AT_MOST:
                raise NotReady(
                    f"The {child.name} process ended {len(child.deaths)} times within a minute. Its last words:\n"
                    f"{child.last_words()}\nIts log: {child.log}"
                )
            child.start(self.lifeline)
        return [child.name for child in dead]

    def restart_with(self, environment: dict[str, str]) -> None:
        """A server came back elsewhere: every child reads the new settings."""
        self._end(signal.SIGTERM)
        for child in self._children:
            child.environment |= environment
            child.start(self.lifeline)

    def stop(self) -> None:
        """End all, politely first, in reverse order; none is left when this returns."""
        self._end(signal.SIGTERM)
        with contextlib.suppress(OSError):
            os.close(self._held)
            os.close(self.lifeline)

    def _end(self, polite: signal.Signals) -> None:
        for child in reversed(self._children):
            _send(child, polite)
        until = time.monotonic() + STOP_SECONDS
        for child in reversed(self._children):
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                _send(child, signal.SIGKILL)
                child.process.wait()


def _send(child: Child, what: signal.Signals) -> None:
    """To the child's whole session: a web server's own workers too."""
    if child.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, what)
