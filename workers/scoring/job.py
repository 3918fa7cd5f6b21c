"""The scoring job: a process of its own, so that neither the event loop nor the serving machine feels it.

Light to import: pandas and LightGBM are loaded in the child only.
"""

import asyncio
import multiprocessing
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

Progress = Callable[[str], None]
NICENESS = 5
"""Of the daily run: whoever serves a person goes first. Somebody who waits at a terminal is a person."""


class ScoringConfig(Protocol):
    """What the job wants to be told; `WorkerConfig` is one."""

    @property
    def database_url(self) -> str: ...
    @property
    def time_zone(self) -> str: ...


class ScoringFailed(Exception):
    """The child ended without a report; the text says what it said last."""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model of a run. `metrics` is what the registry keeps: figures with intervals, baselines beside."""

    name: str
    version: str
    family: str
    trained_as_of: date
    is_reused: bool
    metrics: dict[str, Any]
    scored: int  # members
    written: int  # live rows; 0 when the run was not to go live
    exported: int


@dataclass(frozen=True, slots=True)
class ScoringReport:
    as_of: date
    members: int
    orders: int
    models: tuple[ModelReport, ...]
    seconds: dict[str, float]

    @property
    def line(self) -> str:
        """One line for a log or a cron row."""
        return "; ".join(f"{m.name} {m.family} {m.version}: {m.scored} scored, {m.written} live" for m in self.models)


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked to do. `keeps_champion`: score with a champion trained within a week, if there is one."""

    database_url: str
    time_zone: str
    as_of: date
    is_live: bool = True
    keeps_champion: bool = False
    export: Path | None = None
    threads: int = 2


async def run(
    config: ScoringConfig,
    as_of: date,
    *,
    is_live: bool = True,
    keeps_champion: bool = False,
    export: Path | None = None,
    say: Progress = lambda _: None,
) -> ScoringReport:
    """Train (or reuse what was trained on the same data as of the same date) and score; live scores swap at once.

    Saw nothing at or after 00:00 of `as_of` in the installation's zone. Idempotent; may be killed anywhere: live
    scores stay the old ones until the transaction that replaces them. Cancelling ends the child. `say` hears progress.
    """
    order = Order(config.database_url, config.time_zone, as_of, is_live, keeps_champion, export)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, order), name="nestling-scoring", daemon=True)
    child.start()
    theirs.close()
    try:
        while True:
            kind, told = await asyncio.to_thread(_receive, ours)
            if kind == "say":
                say(told)
            elif kind == "done":
                return told  # type: ignore[no-any-return]
            else:
                raise ScoringFailed(told)
    finally:
        if child.is_alive():
            child.join(0.5)  # a finished child needs a moment to leave
        if child.is_alive():
            child.kill()
        child.join(5)
        ours.close()


def _receive(ours: Connection) -> tuple[str, Any]:
    try:
        kind, told = ours.recv()
    except EOFError:
        return "failed", "The scoring process was killed."
    return kind, told


def _child(theirs: Connection, order: Order) -> None:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before libgomp loads: threads that wait must not burn a core
    if order.keeps_champion:
        os.nice(NICENESS)
    try:
        from workers.scoring.labour import labour

        report = asyncio.run(labour(order, lambda text: theirs.send(("say", text))))
        theirs.send(("done", report))
    except BaseException:  # noqa: BLE001 - told to the parent, which raises it
        theirs.send(("failed", traceback.format_exc(limit=20)))
        raise SystemExit(1) from None
