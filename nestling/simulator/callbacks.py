"""What the provider calls back: signed events, in batches, tried again until somebody takes them."""

import asyncio
import json
import logging
from typing import Any

import httpx

from channels.sms_http import sign

log = logging.getLogger("nestling.simulator")

PATIENCE = 200  # tries
LARGEST_BATCH = 100


class Callbacks:
    """At least once: an event is posted until it is answered 2xx, or refused for good with 400."""

    def __init__(self, url: str, secret: str) -> None:
        self._url = url
        self._secret = secret
        self._queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._soon: set[asyncio.Task[None]] = set()
        self._client = httpx.AsyncClient(trust_env=False, timeout=10.0, limits=httpx.Limits(max_connections=8))
        self._posters = [asyncio.create_task(self._post_queued(), name=f"callbacks-{n}") for n in range(2)]

    def tell(self, event: dict[str, Any], after: float = 0.0) -> None:
        """Post an event, `after` seconds from now."""
        if not self._url:
            return
        if after <= 0:
            self._queue.put_nowait(event)
            return
        task = asyncio.create_task(self._tell_later(event, after))
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def tell_now(self, event: dict[str, Any]) -> None:
        """Post one event and return when it was taken or refused once."""
        if self._url and not await self._post([event]):
            self.tell(event, after=1.0)

    async def close(self) -> None:
        for task in (*self._posters, *self._soon):
            task.cancel()
        await self._client.aclose()

    async def _tell_later(self, event: dict[str, Any], after: float) -> None:
        await asyncio.sleep(after)
        self._queue.put_nowait(event)

    async def _post_queued(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < LARGEST_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            wait = 0.2
            for _ in range(PATIENCE):
                if await self._post(batch):
                    break
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5.0)
            else:
                log.warning("gave %d events up", len(batch))

    async def _post(self, events: list[dict[str, Any]]) -> bool:
        body = json.dumps({"events": events}).encode()
        headers = {"X-Signature": sign(self._secret, body), "Content-Type": "application/json"}
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.is_success or answer.status_code == 400
