"""What may become of a message, as two tables. Nothing else changes a state.

MOVES lists every step that the house itself takes. AFTER_RECEIPT says what a provider's word makes of a state; late,
repeated and reversed words are normal, so every pair has an answer, and the end is the same in any order.
"""

from domain.gateway.messages import MessageState
from domain.gateway.receipts import ReceiptKind

S = MessageState

MOVES: frozenset[tuple[MessageState, MessageState]] = frozenset(
    {
        (S.PLANNED, S.QUEUED),  # relayed from the outbox
        (S.PLANNED, S.EXPIRED),
        (S.PLANNED, S.CANCELLED),
        (S.HELD, S.QUEUED),  # its time has come
        (S.HELD, S.EXPIRED),
        (S.HELD, S.CANCELLED),
        (S.QUEUED, S.SENDING),  # claimed
        (S.QUEUED, S.HELD),  # decided again at claim
        (S.QUEUED, S.SUPPRESSED),
        (S.QUEUED, S.EXPIRED),
        (S.QUEUED, S.CANCELLED),
        (S.QUEUED, S.FAILED),  # its wording cannot be rendered
        (S.QUEUED, S.UNKNOWN),  # may have left before, and may not be posted again now
        (S.SENDING, S.ACCEPTED),
        (S.SENDING, S.FAILED),  # refused for good
        (S.SENDING, S.QUEUED),  # provably unsent, later
        (S.SENDING, S.EXPIRED),  # too late at the moment of the post
        (S.SENDING, S.DEAD),  # provably unsent, too many attempts
        (S.SENDING, S.UNKNOWN),  # may have left, or its lease ran out
        (S.UNKNOWN, S.ACCEPTED),  # a look-up found it
        (S.UNKNOWN, S.QUEUED),  # not received, or the provider honours our key
        (S.UNKNOWN, S.UNKNOWN_FINAL),  # nobody will ever know; never resent
    }
)

# The house may have believed anything when the provider tells: its word counts from every state it can come in.
_OPEN = (
    S.QUEUED,
    S.HELD,
    S.UNKNOWN,
    S.UNKNOWN_FINAL,
    S.ACCEPTED,
    S.FAILED,
    S.DEAD,
    S.EXPIRED,
    S.CANCELLED,
    S.SUPPRESSED,
)

AFTER_RECEIPT: dict[tuple[MessageState, ReceiptKind], MessageState] = {
    **{(state, ReceiptKind.ACCEPTED): S.ACCEPTED for state in _OPEN},
    **{(state, ReceiptKind.DELIVERED): S.DELIVERED for state in (*_OPEN, S.UNDELIVERED)},
    **{(state, ReceiptKind.UNDELIVERED): S.UNDELIVERED for state in _OPEN},
    **{(state, ReceiptKind.BOUNCED): S.UNDELIVERED for state in _OPEN},
    **{(state, ReceiptKind.COMPLAINED): S.DELIVERED for state in (*_OPEN, S.UNDELIVERED)},  # whoever complains has it
}

MUST_WAIT = frozenset({S.PLANNED, S.SENDING})
"""While a worker holds the message its receipts wait; the recording of the answer applies them."""


def after_receipt(state: MessageState, kind: ReceiptKind) -> MessageState:
    """The state after the provider's word; the same state when it says nothing new (DELIVERED never regresses)."""
    return AFTER_RECEIPT.get((state, kind), state)
