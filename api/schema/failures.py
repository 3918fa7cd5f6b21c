"""Expected failures as GraphQL types: union members that say what to do."""

import strawberry


@strawberry.interface(description="Something expected stood in the way; nothing was changed.")
class Failure:
    message: str = strawberry.field(description="One sentence for the person in front of the screen, in English.")
