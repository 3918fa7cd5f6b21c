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

SYSTEM_DIR = Path("/var/lib/nestling")
SYSTEM_USER = "nestling"
POINTER = "postgres.where"


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
    """Remove the data folder's server files for good. The server must be stopped."""
    system = _pointed_at(data_dir / POINTER)
    if system is not None:
        shutil.rmtree(system)
    (data_dir / POINTER).unlink(missing_ok=True)
    shutil.rmtree(data_dir / "postgres", ignore_errors=True)


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
        mark = forgotten / "data" / "postmaster.pid"
        pid = int(mark.read_text().split("\n")[0] or 0) if mark.exists() else 0
        if pid and str(forgotten) in command_of(pid):
            continue  # still running for somebody
        shutil.rmtree(forgotten, ignore_errors=True)
        say(f"Removed {forgotten}: the data of a project that was deleted from this place.")


def make_open_folder(folder: Path) -> None:
    """Make the folder, which others may enter whatever the umask; existing folders stay as they are."""
    if not folder.exists():
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
