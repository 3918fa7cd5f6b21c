"""Child processes that never outlive the one that started them, even when it is killed."""

import os
import signal
import threading
import time

LIFELINE = "NESTLING_LIFELINE"
"""Names a file descriptor: a pipe's reading end, whose other end only the supervisor holds."""

GRACE_SECONDS = 20.0


def end_with_supervisor() -> None:
    """When a supervisor started this process, end it politely as soon as the supervisor is gone."""
    handle = os.environ.pop(LIFELINE, "")
    if handle:
        threading.Thread(target=_watch, args=(int(handle),), daemon=True, name="lifeline").start()


def _watch(handle: int) -> None:
    os.set_inheritable(handle, False)
    while os.read(handle, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
