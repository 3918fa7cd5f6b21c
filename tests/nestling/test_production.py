"""What production refuses: processes of their own on a database that is not fit for it."""

import asyncio
from datetime import timedelta
from pathlib import Path

from domain.platform.clock import advance_business_clock
from nestling.embedded.processes import free_port
from tests.nestling.commands import PRODUCTION, nestling, run


async def test_it_never_works_on_a_moved_clock(db: str, tmp_path: Path) -> None:
    await advance_business_clock(timedelta(days=-3000))
    asgi = ("-m", "uvicorn", "nestling.asgi:app", "--port", str(free_port()))
    for refused in await asyncio.gather(
        nestling(tmp_path, db, "serve", **PRODUCTION),
        nestling(tmp_path, db, "worker", **PRODUCTION),
        run(tmp_path, *asgi, DATABASE_URL=db, **PRODUCTION),
    ):
        assert refused.returncode != 0
        assert "Production refuses to start" in refused.stderr
        assert "The business clock reads 20" in refused.stderr
        assert 'psql "$DATABASE_URL" -c "DELETE FROM clock_offsets"' in refused.stderr
        assert "demo account" not in refused.stderr
