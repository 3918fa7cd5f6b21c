"""What every mutation shares: the idempotency key, and the way from a failure to the GraphQL type of its name."""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import strawberry

from api.context import Info
from api.errors import bad_user_input, forbidden
from api.schema import failures as types
from domain.people.failures import BabyNotFound, MemberNotFound
from domain.platform.failures import NotPermitted, ValidationError, VersionConflict
from domain.platform.idempotency import IdempotencyConflict, InProgress, anew, once
from domain.stages.wording import is_chinese

IdempotencyKey = Annotated[
    str,
    strawberry.argument(
        description="Chosen by the caller, one a wish. The same key and body get the same answer, "
        "and nothing is done twice."
    ),
]
SecretKey = Annotated[
    str,
    strawberry.argument(
        description="Chosen by the caller, one a wish. The same key with another body is an IdempotencyConflict. The "
        "same key and body may act again and is answered anew: a secret is never stored."
    ),
]

Answer = TypeVar("Answer")
Verb = Callable[[], Awaitable[Any]]
TRANSLATIONS: dict[type[Any], Callable[[Any], types.Failure]] = {}


def translates(failure: type[Answer]) -> Callable[[Callable[[Answer], Any]], Callable[[Answer], Any]]:
    """The function makes the GraphQL type of this failure."""

    def register(make: Callable[[Answer], Any]) -> Callable[[Answer], Any]:
        assert failure not in TRANSLATIONS, failure
        TRANSLATIONS[failure] = make
        return make

    return register


async def granted(
    info: Info, key: str, body: object, answers: tuple[type[Any], ...], verb: Verb, success: Callable[[Any], Any]
) -> Any:
    """Run the verb once for the key; its success as `success` makes it, a failure as its GraphQL type.

    `answers` are the verb's own successes and failures beside those that every verb may have. A role that may not do
    this reads FORBIDDEN, whatever the row.
    """
    common = (NotPermitted, ValidationError, MemberNotFound)
    answer = await once(info.context.actor, key, info.field_name, plain(body), (*answers, *common), verb)
    return _translated(info, answer, success)


async def granted_anew(info: Info, key: str, body: object, verb: Verb, success: Callable[[Any], Any]) -> Any:
    """As `granted`, for answers that are secrets: they are not stored, and the verb acts each time."""
    return _translated(info, await anew(info.context.actor, key, info.field_name, plain(body), verb), success)


def _translated(info: Info, answer: Any, success: Callable[[Any], Any]) -> Any:
    if isinstance(answer, NotPermitted):
        raise forbidden(answer.permission)
    if isinstance(answer, ValidationError):
        return _validation_error(answer, info.context.language)
    translate = TRANSLATIONS.get(type(answer))
    return success(answer) if translate is None else translate(answer)


def plain(value: object) -> Any:
    """An input as values that can be hashed; what the caller left out is left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: plain(of) for name, of in pairs if of is not strawberry.UNSET}
    if isinstance(value, list):
        return [plain(of) for of in value]
    return value


def at_most(limit: int, field: str, given: list[Answer]) -> list[Answer]:
    """The list, or BAD_USER_INPUT when it is longer."""
    if len(given) > limit:
        raise bad_user_input(f"{field}: at most {limit}.")
    return given


def _validation_error(failure: ValidationError, language: str) -> types.ValidationError:
    errors = [
        types.FieldError(field=error.field, message=(is_chinese(language) and error.message_zh) or error.message)
        for error in failure.errors
    ]
    return types.ValidationError(message="Please look at what you entered.", errors=errors)


@translates(MemberNotFound)
def _member_not_found(_: MemberNotFound) -> types.MemberNotFound:
    return types.MemberNotFound(message="No such member.")


@translates(BabyNotFound)
def _baby_not_found(_: BabyNotFound) -> types.BabyNotFound:
    return types.BabyNotFound(message="No such baby.")


@translates(VersionConflict)
def _version_conflict(failure: VersionConflict) -> types.VersionConflict:
    return types.VersionConflict(
        message="Somebody else changed this first. Look at it again.", current_version=failure.current_version
    )


@translates(IdempotencyConflict)
def _idempotency_conflict(failure: IdempotencyConflict) -> types.IdempotencyConflict:
    return types.IdempotencyConflict(message="This key was used for something else.", key=failure.key)


@translates(InProgress)
def _in_progress(failure: InProgress) -> types.InProgress:
    return types.InProgress(message="Still being worked on. Ask again with the same key.", key=failure.key)
