"""The schema: root fields of every context put together, then given to the projection."""

from functools import lru_cache

import strawberry
from graphql import print_schema
from strawberry.schema.config import StrawberryConfig

import api.schema.enums  # noqa: F401  # names the domain's enums before types use them
from api.declarations import refuse_contradictions
from api.payloads import install
from api.schema.care.callback_queries import CallbackQueries
from api.schema.care.callbacks_mutations import CallbackMutations
from api.schema.care.interactions_mutations import InteractionMutations
from api.schema.commerce.catalogue_queries import CatalogueQueries
from api.schema.commerce.orders_mutations import OrderMutations
from api.schema.commerce.returns_mutations import ReturnMutations
from api.schema.gateway.message_queries import MessageQueries
from api.schema.gateway.messages_mutations import MessageMutations
from api.schema.people.babies_mutations import BabyMutations
from api.schema.people.baby_queries import BabyQueries
from api.schema.people.erasures_mutations import ErasureMutations
from api.schema.people.exports_mutations import ExportMutations
from api.schema.people.feeding_mutations import FeedingMutations
from api.schema.people.identities_mutations import IdentityMutations
from api.schema.people.losses_mutations import LossMutations
from api.schema.people.member_queries import MemberQueries
from api.schema.people.members_mutations import MemberMutations
from api.schema.people.merge_queries import MergeQueries
from api.schema.people.merges_mutations import MergeMutations
from api.schema.people.owners_mutations import OwnerMutations
from api.schema.people.tag_queries import TagQueries
from api.schema.people.tags_mutations import TagMutations
from api.schema.platform.access_mutations import AccessMutations
from api.schema.platform.viewer import PlatformQueries
from api.schema.scalars import SCALARS
from api.schema.segments.segment_queries import SegmentQueries
from api.schema.segments.segments_mutations import SegmentMutations
from api.schema.subscriptions import Subscriptions

# One class of root fields a noun. Order is the order of schema.graphql.
QUERIES: tuple[type, ...] = (
    MemberQueries,
    BabyQueries,
    CallbackQueries,
    MessageQueries,
    CatalogueQueries,
    SegmentQueries,
    MergeQueries,
    TagQueries,
    PlatformQueries,
)
MUTATIONS: tuple[type, ...] = (
    MemberMutations,
    IdentityMutations,
    MergeMutations,
    BabyMutations,
    FeedingMutations,
    LossMutations,
    TagMutations,
    OwnerMutations,
    InteractionMutations,
    OrderMutations,
    ReturnMutations,
    MessageMutations,
    CallbackMutations,
    SegmentMutations,
    AccessMutations,
    ErasureMutations,
    ExportMutations,
)
SUBSCRIPTIONS: tuple[type, ...] = (Subscriptions,)


def _root(name: str, parts: tuple[type, ...], description: str) -> type:
    return strawberry.type(type(name, parts, {}), description=description)


@lru_cache(maxsize=1)
def build_schema() -> strawberry.Schema:
    """The one schema of the process, with every resolver in place."""
    schema = strawberry.Schema(
        query=_root("Query", QUERIES, "What can be read."),
        mutation=_root("Mutation", MUTATIONS, "What can be done. Every mutation takes an idempotency key."),
        subscription=_root("Subscription", SUBSCRIPTIONS, "What can be watched, over graphql-transport-ws."),
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    refuse_contradictions(schema)
    install(schema)
    return schema


def schema_sdl() -> str:
    """The contract as `schema.graphql` keeps it."""
    return print_schema(build_schema()._schema) + "\n"  # noqa: SLF001
