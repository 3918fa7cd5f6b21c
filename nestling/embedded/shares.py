"""Who uses an embedded server: the last to leave switches it off.

Locks are the kernel's (flock), so a process that is killed has left.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Share:
    """One user's share of a server. Taken before the server is looked at, given back once."""

    def __init__(self, path: Path) -> None:
        self._fd = _locked(path, fcntl.LOCK_SH)

    def is_last(self) -> bool:
        """Nobody else holds a share. Call it under `exclusive`, or the answer may be old."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give_back(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@contextmanager
def exclusive(path: Path, *, patience: float = 120.0) -> Iterator[None]:
    """Hold the lock at `path`: starts and stops of one server happen one after another."""
    until = time.monotonic() + patience
    while True:
        try:
            fd = _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError(f"another process has held {path} for {patience:.0f} s") from None
            time.sleep(0.05)
    try:
        yield
    finally:
        os.close(fd)


def _locked(path: Path, how: int) -> int:
    """The file at `path`, locked. Whoever removed it meanwhile held it: then its lock is worth nothing, and the new
    file's is taken."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, how)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), path.stat()):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
