import json
import os
from pathlib import Path

from nestling.demo.ready import remove_ready_file


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
