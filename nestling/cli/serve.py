"""nestling serve and nestling worker: the two processes of an installation."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

from nestling.settings import NO_REDIS, Settings, settings


@contextmanager
def _opened() -> Iterator[Settings]:
    """The servers of this installation; refuses what may not start. The URLs go into the environment, because web
    processes that are started from here read their settings again."""
    from nestling.opening import refuse_demo_leftovers, refuse_pending, services

    with services(settings(), redis=True) as opened:
        asyncio.run(refuse_pending(opened))
        asyncio.run(refuse_demo_leftovers(opened))
        os.environ |= {"DATABASE_URL": opened.DATABASE_URL, "REDIS_URL": opened.REDIS_URL or NO_REDIS}
        settings.cache_clear()
        yield opened


def _refuse_untrusted(opened: Settings) -> None:
    """Raise NotReady when the manifest of trusted documents cannot be used."""
    if not (opened.TRUSTED_DOCUMENTS or opened.TRUSTED_DOCUMENTS_ONLY):
        return
    from api.schema import build_schema
    from api.trusted import Trusted, UntrustedManifest
    from nestling.opening import NotReady

    try:
        Trusted.read(opened.TRUSTED_DOCUMENTS, build_schema(), only=opened.TRUSTED_DOCUMENTS_ONLY)
    except UntrustedManifest as wrong:
        raise NotReady(str(wrong)) from None


def serve() -> None:
    """Serve the API and the pages on HOST:PORT."""
    import uvicorn

    from nestling.logs import configure_logs
    from nestling.opening import refuse_taken_port

    with _opened() as opened:
        refuse_taken_port(opened)
        _refuse_untrusted(opened)
        configure_logs(opened)
        uvicorn.run(
            "nestling.asgi:app",
            host=opened.HOST,
            port=opened.PORT,
            workers=opened.WEB_PROCESSES if opened.WEB_PROCESSES > 1 else None,
            log_config=None,  # as ours
            forwarded_allow_ips=list(opened.TRUSTED_PROXIES),
            access_log=False,  # paths carry no personal data, but who asked what is in the audit
            server_header=False,
            ws_max_size=256 * 1024,  # bytes of a message: the API's limit for a request
            timeout_graceful_shutdown=10,
        )


def worker() -> None:
    """Deliver messages, hear receipts and run the daily jobs, until SIGTERM. Any number of workers may run."""
    from nestling.logs import configure_logs
    from nestling.wiring import worker_config
    from workers.process import run_worker

    with _opened() as opened:
        configure_logs(opened)
        run_worker(worker_config(opened))
