import json
import os
from io import StringIO
from pathlib import Path

from rich.console import Console

from nestling.demo.carers import GRACE
from nestling.demo.place import Place
from nestling.demo.progress import Progress
from nestling.demo.ready import remove_ready_file, tell
from nestling.settings import Settings


def test_the_last_screen_leads_to_the_families_and_to_their_paper(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.remember(example_phone="+12125550100", store_phone="+12125550100", tokens={"frontend": "nst_x"})
    said = StringIO()
    tell(Settings(DATA_DIR=tmp_path), place, Progress(Console(file=said)))
    assert GRACE.phone[2:] in said.getvalue()
    assert "docs/people.md" in said.getvalue()


def test_a_stopped_demo_removes_its_own_ready_file_and_no_other(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    remove_ready_file(file, os.getpid())  # never written: nothing to do
    for others in ('{"pids": {"supervisor": 1}}', '{"pids": []}', "[]", "half a fi"):
        file.write_text(others)
        remove_ready_file(file, os.getpid())
        assert file.read_text() == others
    file.write_text(json.dumps({"pids": {"supervisor": os.getpid()}}))
    remove_ready_file(file, os.getpid())
    assert not file.exists()
