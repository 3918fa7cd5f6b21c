"""The interface of everything that has a global id."""

import strawberry


@strawberry.interface(description="A row with a global id; `node(id)` finds it again.")
class Node:
    id: strawberry.ID = strawberry.field(description="Global id: `Type:<uuid>`. Opaque.")
