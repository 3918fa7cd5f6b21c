"""The script: what the provider does with each request, drawn from a seed, so that a run can be repeated."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Turn(StrEnum):
    """What happens to one request. BEFORE: nothing was sent; AFTER: the message is out, only the answer is lost."""

    ACCEPT = "ACCEPT"
    SLOW = "SLOW"
    REFUSE = "REFUSE"  # 422, for this message for ever
    TOO_MANY = "TOO_MANY"  # 429
    BUSY = "BUSY"  # 503 with Retry-After
    ERROR_BEFORE = "ERROR_BEFORE"  # 500
    ERROR_AFTER = "ERROR_AFTER"
    TIMEOUT_BEFORE = "TIMEOUT_BEFORE"
    TIMEOUT_AFTER = "TIMEOUT_AFTER"
    RESET_BEFORE = "RESET_BEFORE"
    RESET_AFTER = "RESET_AFTER"
    TRUNCATE_AFTER = "TRUNCATE_AFTER"


class Story(StrEnum):
    """In which way a message's receipts come."""

    PLAIN = "PLAIN"  # accepted, then delivered
    EARLY = "EARLY"  # delivered, before we answer
    LATE = "LATE"
    TWICE = "TWICE"
    REVERSED = "REVERSED"  # delivered, then accepted
    FAILED = "FAILED"  # undelivered
    CHANGED = "CHANGED"  # undelivered, then delivered after all
    SILENT = "SILENT"


@dataclass(frozen=True, slots=True)
class Script:
    """Weights of turns and stories, and how often people write back. Weights need not add up to anything."""

    turns: dict[Turn, float]
    stories: dict[Story, float]
    stop_replies: float  # probability that a delivered SMS is answered by an opt-out
    other_replies: float
    slow_seconds: float = 0.3
    late_seconds: float = 3.0


T, S = Turn, Story

SCRIPTS = {
    # Everything works at once: benches and quiet tests.
    "calm": Script({T.ACCEPT: 1}, {S.PLAIN: 1}, 0, 0),
    # A provider on an ordinary day: the demo.
    "demo": Script(
        {T.ACCEPT: 900, T.SLOW: 60, T.REFUSE: 12, T.TOO_MANY: 8, T.BUSY: 5, T.ERROR_BEFORE: 4, T.ERROR_AFTER: 3,
         T.TIMEOUT_BEFORE: 3, T.TIMEOUT_AFTER: 2, T.RESET_BEFORE: 2, T.RESET_AFTER: 1},
        {S.PLAIN: 60, S.LATE: 20, S.EARLY: 5, S.TWICE: 5, S.REVERSED: 4, S.FAILED: 3, S.CHANGED: 1, S.SILENT: 2},
        stop_replies=0.004,
        other_replies=0.03,
    ),
    # A provider on its worst: the storms.
    "rough": Script(
        {T.ACCEPT: 50, T.SLOW: 8, T.REFUSE: 2, T.TOO_MANY: 6, T.BUSY: 5, T.ERROR_BEFORE: 5, T.ERROR_AFTER: 5,
         T.TIMEOUT_BEFORE: 3, T.TIMEOUT_AFTER: 4, T.RESET_BEFORE: 4, T.RESET_AFTER: 4, T.TRUNCATE_AFTER: 4},
        {S.PLAIN: 30, S.LATE: 15, S.EARLY: 15, S.TWICE: 10, S.REVERSED: 10, S.FAILED: 8, S.CHANGED: 6, S.SILENT: 6},
        stop_replies=0.0,
        other_replies=0.02,
        late_seconds=1.5,
    ),
}  # fmt: skip

STOP_WORDS = ("STOP", "stop", "T", "TD", "退订", "Ｔ", "R", " 退订。", "Unsubscribe")
OTHER_WORDS = ("Thank you!", "谢谢", "OK", "When is the store open on Saturday?", "我家宝宝已经会坐了")


def turn(script: Script, seed: int, key: str, nth: int) -> Turn:
    """What happens to the nth request (from 0) with this key. The same seed says the same."""
    drawn = random.Random(f"{seed}/{key}/{nth}")
    return drawn.choices(list(script.turns), list(script.turns.values()))[0]


def story(script: Script, seed: int, key: str) -> Story:
    drawn = random.Random(f"{seed}/{key}/story")
    return drawn.choices(list(script.stories), list(script.stories.values()))[0]


def reply(script: Script, seed: int, key: str) -> str | None:
    """What the person writes back, if anything."""
    drawn = random.Random(f"{seed}/{key}/reply")
    chance = drawn.random()
    if chance < script.stop_replies:
        return drawn.choice(STOP_WORDS)
    return drawn.choice(OTHER_WORDS) if chance < script.stop_replies + script.other_replies else None
