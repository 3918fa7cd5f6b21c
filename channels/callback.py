"""The consultant call-back as a channel: the message is a task, a person does it, her logged outcome is the receipt."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from uuid import UUID

from domain.gateway.delivery import (
    Accepted,
    LookUp,
    NotGenuine,
    Outcome,
    Outgoing,
    Received,
    Rejected,
    Traits,
    Unavailable,
)

NAME = "callback"

OpenTask = Callable[[UUID], Awaitable[UUID | None]]
"""Makes the task of a message and answers its id: the same one when called again; None when it cannot be made."""


class Callback:
    """Handing over is one transaction in our own database: idempotent on the message, so nothing stays unknown."""

    name = NAME
    channel = "CALL"
    # A task list shows a synthetic person as such; whoever calls is one of us.
    traits = Traits(
        honours_keys=True,
        key_window=timedelta(days=3650),
        settle_time=timedelta(0),
        timeout=timedelta(seconds=2),
        is_test=True,
        concurrency=4,
    )

    def __init__(self, open_task: OpenTask) -> None:
        self._open_task = open_task

    async def send(self, message: Outgoing) -> Outcome:
        task_id = await self._open_task(message.message_id)
        return Rejected("NO_TASK") if task_id is None else Accepted(str(task_id))

    async def look_up(self, key: UUID) -> LookUp:  # noqa: ARG002 - sending again is the look-up
        return Unavailable("NO_LOOK_UP")

    def receive(self, headers: Mapping[str, str], body: bytes) -> Received:  # noqa: ARG002
        """Outcomes arrive as rows, not as requests."""
        return NotGenuine("this provider has no callbacks")

    async def close(self) -> None:
        """Nothing is open."""
