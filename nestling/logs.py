"""Logs: one line an event, to standard error; JSON when asked. Ids only: whoever logs never passes a person's data."""

import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor

from nestling.settings import Settings


def configure_logs(settings: Settings) -> None:
    """Every logger of the process, ours and the libraries', in one form."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _where_it_failed,
    ]
    render: Processor = (
        structlog.processors.JSONRenderer(serializer=_json)
        if settings.LOG_JSON
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.LOG_LEVEL)
    for noisy in ("httpx", "httpcore", "tortoise", "asyncio", "arq"):  # they log addresses, queries or every tick
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    # Ours do not go through the standard library's: a line a request is most of what is logged.
    structlog.configure(
        processors=[*shared, render],
        logger_factory=Lines,
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )


class Lines:
    """A logger with a name that writes finished lines to standard error."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def write(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")

    debug = info = warning = error = critical = write


def _json(event: EventDict, default: Callable[[Any], Any]) -> str:
    return orjson.dumps(event, default=default).decode()


def _where_it_failed(_: object, __: str, event: EventDict) -> EventDict:
    """An exception as its class and where it was raised, without its text: a database's quotes the row it refused."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else sys.exc_info()[1] if given is True else given
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        event["failed_in"] = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-8:]))
        event["failure"] = type(error).__name__
        if state := getattr(error.__cause__ or error, "sqlstate", None):
            event["sqlstate"] = state
    return event
