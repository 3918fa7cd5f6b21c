"""A PostgreSQL data folder: made whole or not at all; and what its programs say when they fail, in words."""

import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path

from nestling.embedded.failures import EmbeddedFailed, disk_full
from nestling.embedded.homes import Home, run_as

USER = "nestling"
DATABASE = "nestling"
BARE_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
"""The server's: nothing of ours, whose variables may hold secrets."""


def initialise(home: Home, programs: Path) -> None:
    """Make the data folder, whole or not at all."""
    done = home.folder / "data"
    if done.exists():
        return
    making = home.folder / "data.new"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    password_file = home.folder / "password.new"
    password_file.unlink(missing_ok=True)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if home.servant is not None:
        os.chown(making, home.servant.uid, home.servant.gid)
        os.chown(password_file, home.servant.uid, home.servant.gid)
    try:
        _make_cluster(home, programs, making, password_file)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        password_file.unlink(missing_ok=True)
        raise
    if home.servant is not None:
        os.chown(password_file, os.geteuid(), os.getegid())
    password_file.rename(home.folder / "password")
    making.rename(done)


def _make_cluster(home: Home, programs: Path, making: Path, password_file: Path) -> None:
    _run(
        home, programs, "initdb", "-D", str(making), "-U", USER, f"--pwfile={password_file}", "--auth=scram-sha-256",
        "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions",
    )  # fmt: skip
    _run(home, programs, "postgres", "--single", "-D", str(making), "postgres", stdin=f"CREATE DATABASE {DATABASE}\n")


def _run(home: Home, programs: Path, program: str, *args: str, stdin: str = "") -> None:
    ran = subprocess.run(  # type: ignore[call-overload]
        [str(programs / program), *args], input=stdin, text=True, capture_output=True, check=False,
        cwd=home.folder, env=BARE_ENVIRONMENT, **run_as(home.servant),
    )  # fmt: skip
    if ran.returncode != 0 or "FATAL" in ran.stderr or "ERROR" in ran.stderr:
        raise failure(home, f"{ran.stdout}\n{ran.stderr}")


def failure(home: Home, said: str) -> EmbeddedFailed:
    """What a program of PostgreSQL said, as what is wrong and how to mend it."""
    if "No space left on device" in said or "could not extend file" in said:
        return disk_full(home.folder)
    if "Permission denied" in said:
        who = f"The user {home.servant.name}" if home.servant else "PostgreSQL"
        return EmbeddedFailed(f"{who} may not read or write in {home.folder}. Check the rights of that folder.")
    if re.search(r"database files are incompatible|initialized by PostgreSQL version", said):
        return EmbeddedFailed(
            f"{home.folder} was made by another version of PostgreSQL. Remove the demo's data (nestling demo reset) or "
            "install the version of Nestling that made it."
        )
    last = "\n".join(said.strip().splitlines()[-6:])
    return EmbeddedFailed(
        f"The embedded PostgreSQL did not start. Its last words:\n{last}\nIts log: {home.folder / 'log'}"
    )
