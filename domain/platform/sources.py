"""Who said it: the provenance that every fact about a person carries."""

from enum import StrEnum


class Source(StrEnum):
    """Where a fact comes from, most trusted first."""

    MEMBER = "MEMBER"
    STAFF = "STAFF"
    RULE = "RULE"
    MODEL = "MODEL"
    IMPORT = "IMPORT"
    INFERRED = "INFERRED"  # read out of baskets: a hint with a confidence, never a statement
    SYNTHETIC = "SYNTHETIC"  # generated for the demo; never measured, never sent to by a real provider


class Channel(StrEnum):
    """A way to reach a person, or the way she reached us."""

    SMS = "SMS"
    EMAIL = "EMAIL"
    CALL = "CALL"
    WECHAT = "WECHAT"
    WECOM = "WECOM"
    PUSH = "PUSH"
    POS_PROMPT = "POS_PROMPT"
    DIRECT_MAIL = "DIRECT_MAIL"
    STORE = "STORE"


class Purpose(StrEnum):
    """Why we contact her; consent is given for each purpose and channel. Scarce attention goes in this order."""

    CARE = "CARE"
    SERVICE = "SERVICE"
    PROMOTION = "PROMOTION"
