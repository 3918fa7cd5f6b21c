"""Where an order was placed."""

from enum import StrEnum


class OrderChannel(StrEnum):
    POS = "POS"
    MALL = "MALL"
    MARKETPLACE = "MARKETPLACE"
    MINI_PROGRAM = "MINI_PROGRAM"
    CALL_CENTRE = "CALL_CENTRE"
