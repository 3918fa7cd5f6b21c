"""A disk that runs full: what is said, what is left, and that the same command goes on when there is space."""

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.database import connection
from domain.platform.accounts import Account
from nestling.embedded.clusters import failure
from nestling.embedded.failures import EmbeddedFailed, explain
from nestling.embedded.homes import Home
from nestling.embedded.postgres import remove_postgres, start_postgres
from tests.nestling.commands import nestling

TIGHT, ROOMY = "size=24m,mode=755", "size=200m,mode=755"
"""Less than a new PostgreSQL needs, and enough."""
FULL = "No space left on device"


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small disk of its own, where this machine lets us mount one."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", TIGHT, "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("No right to mount a small disk here.")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def test_a_first_start_on_a_full_disk_leaves_nothing_and_goes_on_when_there_is_space(disk: Path) -> None:
    data_dir, system = disk / "data", disk / "system"
    with pytest.raises(EmbeddedFailed, match=r"is full\. Free some space there .* goes on where it stopped"):
        start_postgres(data_dir, system_dir=system)
    assert [path for what in ("*/data*", "*/password*", "copying-*") for path in system.glob(what)] == []
    subprocess.run(["mount", "-o", f"remount,{ROOMY}", str(disk)], check=True)
    with start_postgres(data_dir, system_dir=system) as server:
        assert server.is_alive()
    remove_postgres(data_dir)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, FULL),
        OSError(errno.EDQUOT, "Quota"),
        shutil.Error([("a", "b", f"[Errno 28] {FULL}: 'b'")]),
    ],
    ids=str,
)
def test_an_error_of_the_kernel_and_the_words_of_a_program_say_the_same(error: OSError, tmp_path: Path) -> None:
    said = str(explain(error, tmp_path))
    assert f"The disk that holds {tmp_path} is full" in said
    for words in (f"could not write to file: {FULL}", 'could not extend file "base/5/2619"'):
        assert str(failure(Home(tmp_path, None), words)) == said


@pytest.mark.long
async def test_a_database_whose_disk_is_full_is_told_in_words_and_the_command_goes_on_later(
    db: str, tmp_path: Path
) -> None:
    await connection().execute_script(
        "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
        "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
        "CREATE TRIGGER full_disk BEFORE INSERT ON accounts EXECUTE FUNCTION is_full()"
    )
    command = ("user", "add", "nora", "--role", "advisor", "--password", "a long password")
    try:
        refused = await nestling(tmp_path, db, *command)
    finally:
        await connection().execute_script("DROP FUNCTION is_full CASCADE")
    assert refused.returncode == 1
    assert "The disk of the database is full. Free some space there" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (await nestling(tmp_path, db, *command)).returncode == 0
    assert [account.login for account in await Account.all()] == ["nora"]
