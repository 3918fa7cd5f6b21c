"""Small questions about processes, asked of the kernel."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path


def command_of(pid: int) -> str:
    """The command line of a living process; empty when it is gone, a zombie or not ours to see."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    ps = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return ps.stdout.strip()


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int = 0, host: str = "127.0.0.1", *, patience: float = 2.0) -> int:
    """A port nobody listens on: the preferred one when it is free within `patience` seconds."""
    until = time.monotonic() + patience
    while preferred:
        if is_free(preferred, host):
            return preferred
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def end(pid: int, polite: signal.Signals, *, patience: float, rude: signal.Signals) -> None:
    """Ask a process to end, insist after `patience` seconds, return when it is gone."""
    for asked, wait in ((polite, patience), (rude, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, asked)
        until = time.monotonic() + wait
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError, OSError):
                os.waitpid(pid, os.WNOHANG)
            if not command_of(pid):
                return
            time.sleep(0.02)
