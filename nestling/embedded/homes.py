"""Where an embedded server's files live, and as whom it runs.

A user's server lives in the data folder. PostgreSQL refuses to run as root, and the folders above root's work are often
private, so as root it runs as the system user `nestling` from /var/lib/nestling; nobody's rights on anything that was
there before are changed.
"""

import contextlib
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nestling.embedded.processes import command_of
from nestling.embedded.shares import Share

SYSTEM_DIR = Path("/var/lib/nestling")
SYSTEM_USER = "nestling"
POINTER = "postgres.where"
PROGRAMS = "programs-"
"""How the names of PostgreSQL's programs begin in the system folder."""
USERS = "programs.users"
"""Who starts a server holds a share of this file of the system folder until its home stands and its server runs."""


@dataclass(frozen=True, slots=True)
class Servant:
    """The unprivileged system user that runs a server for root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Home:
    """A server's own folder, and who runs it (None: we ourselves)."""

    folder: Path
    servant: Servant | None


def find_home(data_dir: Path, system_dir: Path, say: Callable[[str], None]) -> Home:
    """The home of the data folder's server: made when there is none, the same one on every later call."""
    if os.geteuid() != 0:
        folder = data_dir / "postgres"
        folder.mkdir(mode=0o700, exist_ok=True)
        return Home(folder, None)
    pointer = data_dir / POINTER
    known = _pointed_at(pointer)
    folder = known or system_dir / f"{hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]}-{secrets.token_hex(3)}"
    if known is None:
        make_open_folder(system_dir)
        _remove_forgotten(folder, say)
        make_open_folder(folder)
        (folder / "origin").write_text(f"{data_dir}\n")
        pointer.write_text(f"{folder}\n")
        say(f"As root: PostgreSQL runs as the user {servant().name} and keeps its data in {folder}.")
    return Home(folder, servant())


def forget_home(data_dir: Path) -> None:
    """Remove the data folder's server files for good. The server must be stopped.

    With the last home of the system folder go the copies of the programs, unless somebody is just starting a server.
    """
    system = _pointed_at(data_dir / POINTER)
    if system is not None:
        shutil.rmtree(system)
        _remove_programs(system.parent)
    (data_dir / POINTER).unlink(missing_ok=True)
    shutil.rmtree(data_dir / "postgres", ignore_errors=True)


def _remove_programs(system_dir: Path) -> None:
    share = Share(system_dir / USERS)
    try:
        if share.is_last() and not _homes(system_dir):
            for copy in (*system_dir.glob(f"{PROGRAMS}*"), *system_dir.glob("copying-*")):
                shutil.rmtree(copy, ignore_errors=True)
            (system_dir / USERS).unlink(missing_ok=True)
    finally:
        share.give_back()


def _homes(system_dir: Path) -> list[Path]:
    return [mark.parent for mark in sorted(system_dir.glob("*/origin"))]


def orphans(system_dir: Path = SYSTEM_DIR) -> list[Path]:
    """Homes whose data folder is gone, and that no server runs on: nobody finds them any more. Removes nothing."""
    if os.geteuid() != 0:
        return []  # only root has homes there, and only root may look into them
    return [home for home in _homes(system_dir) if not _origin(home).exists() and not _is_in_use(home)]


def _origin(home: Path) -> Path:
    return Path((home / "origin").read_text().strip())


def _is_in_use(home: Path) -> bool:
    mark = home / "data" / "postmaster.pid"
    pid = int(mark.read_text().split("\n")[0] or 0) if mark.exists() else 0
    return bool(pid) and str(home) in command_of(pid)


def _pointed_at(pointer: Path) -> Path | None:
    """The folder a pointer names, when it is ours: a copied checkout carries its original's pointer."""
    try:
        folder = Path(pointer.read_text().strip())
        origin = Path((folder / "origin").read_text().strip())
    except FileNotFoundError:
        return None
    if origin != pointer.parent:
        if (origin / POINTER).exists():
            return None
        (folder / "origin").write_text(f"{pointer.parent}\n")  # the checkout was moved, and its data with it
    return folder


def _remove_forgotten(folder: Path, say: Callable[[str], None]) -> None:
    """Remove what earlier projects at our very place left: deleted with their pointers, so that nobody can find it."""
    for forgotten in folder.parent.glob(f"{folder.name.partition('-')[0]}-*"):
        if _is_in_use(forgotten):
            continue  # still running for somebody
        shutil.rmtree(forgotten, ignore_errors=True)
        say(f"Removed {forgotten}: the data of a project that was deleted from this place.")


def make_open_folder(folder: Path) -> None:
    """Make the folder, which others may enter whatever the umask; existing folders stay as they are."""
    with contextlib.suppress(FileExistsError):  # another start may make it at the same moment
        folder.mkdir()
        folder.chmod(0o755)


def servant() -> Servant:
    """The system user for servers, made when it is missing; `nobody` where users cannot be made."""
    with contextlib.suppress(KeyError):
        return _named(SYSTEM_USER)
    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        subprocess.run(
            [useradd, "--system", "--no-create-home", "--home-dir", str(SYSTEM_DIR), "--shell", "/usr/sbin/nologin",
             "--user-group", SYSTEM_USER],
            capture_output=True, check=False,
        )  # fmt: skip
        with contextlib.suppress(KeyError):
            return _named(SYSTEM_USER)
    return _named("nobody")


def _named(name: str) -> Servant:
    entry = pwd.getpwnam(name)
    return Servant(entry.pw_name, entry.pw_uid, entry.pw_gid)


def run_as(who: Servant | None) -> dict[str, int | list[int]]:
    """Keyword arguments for `subprocess` that run a command as the servant."""
    return {} if who is None else {"user": who.uid, "group": who.gid, "extra_groups": []}
