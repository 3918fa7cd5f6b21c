"""Every error that the API answers: a code, a sentence, and nothing of what went wrong inside."""

from enum import StrEnum
from typing import Any

from graphql import GraphQLError

from domain.platform.roles import Permission


class Code(StrEnum):
    """`extensions.code` of an error. docs/api.md says for each what it means and what a client does."""

    BAD_REQUEST = "BAD_REQUEST"
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    DOCUMENT_NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    INTROSPECTION_DISABLED = "INTROSPECTION_DISABLED"
    RATE_LIMITED = "RATE_LIMITED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class ApiError(GraphQLError):
    """An error that the caller may read as it is."""

    def __init__(self, code: Code, message: str, **extensions: Any) -> None:
        super().__init__(message, extensions={"code": code.value, **extensions})
        self.code = code


def unauthenticated() -> ApiError:
    return ApiError(Code.UNAUTHENTICATED, "Sign in, or send a valid token.")


def forbidden(permission: Permission) -> ApiError:
    return ApiError(Code.FORBIDDEN, "Your role may not do this.", permission=permission.value)


def bad_user_input(message: str) -> ApiError:
    """An argument that cannot be right, in words that repeat none of its content."""
    return ApiError(Code.BAD_USER_INPUT, message)


def unstorable() -> ApiError:
    """NUL: PostgreSQL has no place for it."""
    return bad_user_input("A text holds a character that cannot be stored.")


def limit_exceeded(limit: str, allowed: int) -> ApiError:
    return ApiError(
        Code.LIMIT_EXCEEDED, f"The request is beyond the limit of {allowed} ({limit}).", limit=limit, allowed=allowed
    )


def deadline_exceeded() -> ApiError:
    return ApiError(Code.DEADLINE_EXCEEDED, "The answer took too long. Ask for less, or try again.")


def rate_limited(retry_after_s: int) -> ApiError:
    return ApiError(Code.RATE_LIMITED, "Too many requests. Wait, then try again.", retryAfterSeconds=retry_after_s)
