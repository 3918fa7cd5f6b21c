"""The channel seam in plain values: all that a channel may know of the domain, and all it may answer.

A channel is a provider seen from here. It sends one message and says what became of it in four words; it turns what the
provider calls back into receipts and inbound messages; it closes. It never touches a table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as it leaves. `key` is the same for every attempt of the same intent, for life."""

    key: UUID
    message_id: UUID
    to: str  # E.164, e-mail address, or the member's id for a task channel
    body: str
    subject: str = ""
    body_html: str = ""
    language: str = "en"
    is_synthetic: bool = False  # the contact was generated: only a test provider may be given it
    unsubscribe_url: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has it and named it."""

    provider_ref: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Definitely not sent, and never will be: not retried."""

    code: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Definitely not sent this time: retried later, not before `retry_after` when the provider said so."""

    code: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have left. Never resent blindly: a look-up, the provider's honoured key or a receipt settles it."""

    code: str


Outcome = Accepted | Rejected | Unavailable | Unknown


@dataclass(frozen=True, slots=True)
class NotReceived:
    """The provider's look-up says that it never got a message with our key."""


LookUp = Accepted | NotReceived | Unavailable
"""What a look-up by our key found; Unavailable when the provider could not say."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """One event in a message's life as its provider tells it, in our words."""

    event_key: str  # the provider's own id of the event: the same event twice is one receipt
    kind: str  # ACCEPTED, DELIVERED, UNDELIVERED, BOUNCED, COMPLAINED
    occurred_at: datetime
    provider_ref: str | None = None
    client_ref: UUID | None = None
    detail: str = ""  # the provider's code, never its prose


@dataclass(frozen=True, slots=True)
class Inbound:
    """Something a person wrote to us."""

    event_key: str
    from_address: str
    text: str
    occurred_at: datetime
    in_reply_to: UUID | None = None  # our key, when the provider knows what she answers


@dataclass(frozen=True, slots=True)
class NotGenuine:
    """The signature is missing or wrong, or no secret is set to check it with: answered 401."""

    why: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Genuine but unreadable: answered 400."""

    why: str


Received = list[Receipt | Inbound] | NotGenuine | Malformed


@dataclass(frozen=True, slots=True)
class Traits:
    """What may be relied upon with this provider; decides how an unknown outcome is settled."""

    honours_keys: bool = False  # the same key twice is one effect
    key_window: timedelta = timedelta(0)  # for how long it remembers our key
    can_look_up: bool = False
    settle_time: timedelta = timedelta(seconds=30)  # after which "not received" can be believed
    receipt_patience: timedelta = timedelta(hours=72)  # how long a receipt may still settle an unknown
    timeout: timedelta = timedelta(seconds=10)  # send() answers within it
    is_test: bool = False  # a sandbox or simulator: it alone accepts synthetic contacts
    concurrency: int = 16  # messages it takes at the same time; more would wait, and waiting eats the lease

    @property
    def can_settle(self) -> bool:
        """Whether anything but a receipt can tell what became of an unknown."""
        return self.honours_keys or self.can_look_up


class Provider(Protocol):
    """A channel's provider. An exception out of `send` counts as Unknown."""

    @property
    def name(self) -> str: ...  # as in messages.provider and /hooks/{name}

    @property
    def channel(self) -> str: ...  # SMS, EMAIL, CALL, ...

    @property
    def traits(self) -> Traits: ...

    async def send(self, message: Outgoing) -> Outcome: ...

    async def look_up(self, key: UUID) -> LookUp: ...

    def receive(self, headers: Mapping[str, str], body: bytes) -> Received: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Providers:
    """The providers of an installation: one a channel, each found by its channel or by its name."""

    by_channel: Mapping[str, Provider] = field(default_factory=dict)

    def named(self, name: str) -> Provider | None:
        return next((one for one in self.by_channel.values() if one.name == name), None)

    async def close(self) -> None:
        for one in self.by_channel.values():
            await one.close()


_FICTION_PHONE = re.compile(r"\+1[2-9]\d{2}55501\d{2}")
_FICTION_DOMAIN = re.compile(r"(^|\.)(example\.(com|net|org)|example|invalid|test|localhost)$")


def is_fictitious(address: str) -> bool:
    """Whether nobody can own this address: +1 NPA 555-0100..0199, and the domains of RFC 2606."""
    if "@" in address:
        return _FICTION_DOMAIN.search(address.rsplit("@", 1)[1].lower()) is not None
    return _FICTION_PHONE.fullmatch(address) is not None


def refused_as_synthetic(message: Outgoing, traits: Traits) -> Rejected | None:
    """A real provider never sees a generated contact, whatever its mark says; a test provider may."""
    if not traits.is_test and (message.is_synthetic or is_fictitious(message.to)):
        return Rejected("SYNTHETIC_CONTACT")
    return None
