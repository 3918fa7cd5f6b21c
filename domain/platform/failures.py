"""Failures that every context may answer. A failure is a value with a name; the name is the GraphQL type."""

from dataclasses import dataclass

from domain.platform.roles import Permission


@dataclass(frozen=True, slots=True)
class NotPermitted:
    """The actor's role does not have this permission, whatever the row."""

    permission: Permission


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one input, in words that repeat none of its content.

    `message_zh` is there for what people type on our pages; clients' programmers read English.
    """

    field: str
    message: str
    message_zh: str = ""


@dataclass(frozen=True, slots=True)
class ValidationError:
    """Inputs that cannot be right; nothing was written."""

    errors: tuple[FieldError, ...]

    @classmethod
    def of(cls, field: str, message: str, message_zh: str = "") -> "ValidationError":
        return cls((FieldError(field, message, message_zh),))


@dataclass(frozen=True, slots=True)
class VersionConflict:
    """Somebody else changed the row first: read it again, then decide."""

    current_version: int
