"""The relay: outbox lines become queued messages, and every worker is woken for them."""

from uuid import UUID

from domain.gateway.outbox import relay_messages
from workers.database import step
from workers.doorbell import DELIVER, Doorbell, Waker

BATCH = 500


async def relay(doorbell: Doorbell, waker: Waker, seconds: float) -> None:
    """Until cancelled. Any number of relays may run: a line is taken once."""
    while True:
        moved = await step("relay", lambda: relay_messages(BATCH), list[UUID]())
        if moved:
            doorbell.ring(DELIVER)
            await waker.wake(DELIVER, [str(message_id) for message_id in moved])
        if len(moved) < BATCH:
            await doorbell.wait(DELIVER, seconds)
