"""Expected failures as GraphQL types: union members that say what to do."""

import strawberry


@strawberry.interface(description="Something expected stood in the way; nothing was changed.")
class Failure:
    message: str = strawberry.field(description="One sentence for the person in front of the screen, in English.")


@strawberry.type(description="What is wrong with one input.")
class FieldError:
    field: str = strawberry.field(description="Path of the input, as in the input type: `bornOn`, `consents.text`.")
    message: str = strawberry.field(
        description="What would be right; in the caller's language where people on a page read it, else in English."
    )


@strawberry.type(description="Inputs that cannot be right.")
class ValidationError(Failure):
    errors: list[FieldError] = strawberry.field(description="Every input that is wrong.")


@strawberry.type(description="No such member, or none that the caller may see: the two answer alike.")
class MemberNotFound(Failure):
    pass


@strawberry.type(description="No such baby, or none in a household that the caller may see.")
class BabyNotFound(Failure):
    pass


@strawberry.type(description="Somebody else changed the row first: read it again, then decide.")
class VersionConflict(Failure):
    current_version: int = strawberry.field(description="The version it has now.")


@strawberry.type(description="The idempotency key was used before with another body. A new wish takes a new key.")
class IdempotencyConflict(Failure):
    key: str = strawberry.field(description="The key.")


@strawberry.type(description="A request with this key and body is still being worked on: ask again with the same key.")
class InProgress(Failure):
    key: str = strawberry.field(description="The key.")
