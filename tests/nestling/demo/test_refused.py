"""A demo whose database is not for it is refused, and leaves no folder."""

import asyncio
from pathlib import Path

from nestling.embedded.processes import free_port
from tests.factories import make_member
from tests.nestling.commands import nestling


async def test_a_database_that_is_not_for_a_demo_is_refused_before_anything_is_made(db: str, tmp_path: Path) -> None:
    await make_member(full_name="Ada Smith")
    nobody = f"postgresql://nestling:hidden@127.0.0.1:{free_port()}/nestling"
    folders = [tmp_path / "foreign" / ".nestling", tmp_path / "away" / ".nestling"]
    foreign, away = await asyncio.gather(
        *(nestling(tmp_path, url, "demo", DATA_DIR=str(at)) for url, at in zip((db, nobody), folders, strict=True))
    )
    assert (foreign.returncode, away.returncode) == (1, 1)
    assert "members that no demo made. Use an empty database" in foreign.stderr
    assert "does not answer" in away.stderr
    assert "hidden" not in away.stderr
    assert _left(tmp_path) == []


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = await nestling(tmp_path, "", "demo", "--households", "60", DATA_DIR=str(tmp_path / "file" / "x"))
    assert refused.returncode == 1
    assert refused.stderr == f"{tmp_path / 'file' / 'x'}: Not a directory\n"
    assert _left(tmp_path) == ["file"]


def _left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
