"""The PostgreSQL that benches run on: BENCH_DATABASE_URL's, else an embedded one of the bench's own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nestling.embedded.postgres import start_postgres

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def server() -> Iterator[str]:
    """A server that benches may make databases on. The embedded one keeps its worlds for the next run."""
    given = os.environ.get("BENCH_DATABASE_URL")
    if given:
        yield given
        return
    with start_postgres(ROOT / ".nestling" / "bench") as postgres:
        yield postgres.url
