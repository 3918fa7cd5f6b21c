"""The only maker of ids: UUIDv7, so that primary keys grow with time and indexes stay dense."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7. Ordered by real time to the millisecond; ties are random."""
    return uuid7()
