"""The SMS provider: one effect a key, whatever happens to the answers."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

from nestling.simulator.callbacks import Callbacks
from nestling.simulator.log import Line, Log, now, sha256
from nestling.simulator.script import Script, Story, Turn, reply, story, turn
from nestling.simulator.web import Answer, Ending, Hang, Request, Reset, Truncate

PROVIDER = "sms_http"
LOST = {
    Turn.TIMEOUT_BEFORE: "timeout", Turn.TIMEOUT_AFTER: "timeout",
    Turn.RESET_BEFORE: "reset", Turn.RESET_AFTER: "reset", Turn.TRUNCATE_AFTER: "reset",
    Turn.ERROR_BEFORE: "500", Turn.ERROR_AFTER: "500", Turn.TOO_MANY: "429", Turn.BUSY: "503",
}  # fmt: skip
NOTHING_SENT = {Turn.TOO_MANY, Turn.BUSY, Turn.ERROR_BEFORE, Turn.TIMEOUT_BEFORE, Turn.RESET_BEFORE}


class Memory(StrEnum):
    """What the provider remembers of keys, and whether it can be asked."""

    KEYED = "keyed"  # the same key twice is one effect; look-up
    LOOKUP = "lookup"  # every request is a new effect; look-up
    BLIND = "blind"  # every request is a new effect; no look-up


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a key."""

    provider_ref: str
    body_sha256: str
    is_refused: bool = False


class SmsProvider:
    def __init__(
        self, log: Log, known: list[Line], script: Script, seed: int, token: str, callbacks: Callbacks, memory: Memory
    ) -> None:
        self._log = log
        self._script = script
        self._seed = seed
        self._token = token
        self._callbacks = callbacks
        self._memory = memory
        self._requests: Counter[str] = Counter()
        self._taken: dict[str, Taken] = {}
        self._busy: dict[str, asyncio.Lock] = {}
        for line in known:
            if line.channel == "SMS" and line.to_hash:  # it was understood
                self._requests[line.key] += 1
                if line.effect != "none":
                    taken = Taken(line.provider_ref, line.body_sha256, line.effect == "refused")
                    self._taken.setdefault(line.key, taken)

    async def handle(self, request: Request) -> Ending:
        """POST /messages sends, GET /messages?client_ref= looks up, GET /live says that it is there."""
        if request.path == "/live":
            return Answer(200, {"messages": len(self._taken)})
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return await self._not_taken(request, Answer(401, {"error": "unauthorised"}))
        if request.path != "/messages":
            return Answer(404, {"error": "no such path"})
        if request.method == "GET":
            return self._look_up(request.query.get("client_ref", ""))
        return await self._send(request)

    def _look_up(self, client_ref: str) -> Answer:
        if self._memory is Memory.BLIND:
            return Answer(404, {"error": "no look-up"})
        taken = self._taken.get(client_ref)
        found = [] if taken is None or taken.is_refused else [{"id": taken.provider_ref, "status": "accepted"}]
        return Answer(200, {"messages": found})

    async def _send(self, request: Request) -> Ending:
        try:
            asked = json.loads(request.body)
            to, text, ref = str(asked["to"]), str(asked["text"]), str(asked["client_ref"])
        except (ValueError, KeyError, TypeError):
            return await self._not_taken(request, Answer(400, {"error": "unreadable"}))
        key = request.headers.get("idempotency-key") or ref
        lock = self._busy.setdefault(key, asyncio.Lock())
        async with lock:  # two requests with one key: the second sees what the first did
            ending = await self._take(key, ref, to, text)
        if not lock.locked():
            self._busy.pop(key, None)
        return ending

    async def _not_taken(self, request: Request, answer: Answer) -> Answer:
        if request.method == "POST":
            key, body = request.headers.get("idempotency-key", ""), sha256(request.body)
            await self._log.append(Line(now(), "SMS", PROVIDER, key, "", "", body, "none", str(answer.status), ""))
        return answer

    async def _take(self, key: str, ref: str, to: str, text: str) -> Ending:
        drawn = turn(self._script, self._seed, key, self._requests[key])
        self._requests[key] += 1
        taken = self._taken.get(key) if self._memory is Memory.KEYED else None
        if drawn is Turn.SLOW:
            await asyncio.sleep(self._script.slow_seconds)
        effect, answer, ending = "none", LOST.get(drawn, ""), None
        is_new = False
        if taken is not None and taken.body_sha256 != sha256(text):
            answer, ending = "409", Answer(409, {"error": "another text under this key"})
        elif drawn not in NOTHING_SENT:
            if taken is None:
                is_new = True
                taken = Taken(str(uuid4()), sha256(text), drawn is Turn.REFUSE)
                effect = "refused" if taken.is_refused else "accepted"
            answer = answer or ("422" if taken.is_refused else "201")
        provider_ref = taken.provider_ref if taken is not None else ""
        line = Line(now(), "SMS", PROVIDER, key, ref, sha256(to), sha256(text), effect, answer, provider_ref)
        if is_new and taken is not None:
            self._taken[key] = taken
        await self._log.append(line)
        if is_new and taken is not None and not taken.is_refused:
            await self._tell_its_story(key, ref, to, taken.provider_ref)
        return ending or _ending(drawn, answer, taken)

    async def _tell_its_story(self, key: str, ref: str, to: str, provider_ref: str) -> None:
        told = story(self._script, self._seed, key)

        def event(kind: str, **more: Any) -> dict[str, Any]:
            named = {"event_id": f"{provider_ref}/{kind}", "type": kind, "id": provider_ref, "client_ref": ref}
            return {**named, "at": now(), **more}

        late = self._script.late_seconds
        plan: list[tuple[float, dict[str, Any]]] = {
            Story.PLAIN: [(0.05, event("accepted")), (0.3, event("delivered"))],
            Story.EARLY: [],
            Story.LATE: [(late, event("delivered"))],
            Story.TWICE: [(0.2, event("delivered")), (0.25, event("delivered")), (1.0, event("delivered"))],
            Story.REVERSED: [(0.1, event("delivered")), (0.6, event("accepted"))],
            Story.FAILED: [(0.3, event("undelivered", code="30003"))],
            Story.CHANGED: [(0.2, event("undelivered", code="30003")), (late, event("delivered"))],
            Story.SILENT: [],
        }[told]
        if told is Story.EARLY:
            await self._callbacks.tell_now(event("delivered"))
        for after, one in plan:
            self._callbacks.tell(one, after)
        text = reply(self._script, self._seed, key)
        if text is not None and told not in {Story.FAILED, Story.SILENT}:
            answer = {"event_id": f"{provider_ref}/reply", "type": "inbound", "from": to, "text": text}
            self._callbacks.tell({**answer, "client_ref": ref, "at": now()}, late + 1.0)


def _ending(drawn: Turn, answer: str, taken: Taken | None) -> Ending:
    """What the caller sees; `answer` is what the log says of it."""
    if answer == "timeout":
        return Hang()
    if answer == "reset":
        reached = Answer(201, {"id": taken.provider_ref if taken else ""})
        return Truncate(reached) if drawn is Turn.TRUNCATE_AFTER else Reset()
    if answer == "422":
        return Answer(422, {"error": "this number cannot be reached"})
    if answer == "201" and taken is not None:
        return Answer(201, {"id": taken.provider_ref})
    retry = (("retry-after", "1"),) if answer in {"429", "503"} else ()
    return Answer(int(answer), {"error": "not now"}, retry)
