"""The domain's enums as GraphQL enums. A member's name is its value."""

from enum import Enum

import strawberry

from domain.care.callbacks import CallbackKind, CallbackState, Disposition
from domain.care.interactions import Direction, InteractionKind, Mood
from domain.care.promises import PromiseState
from domain.care.queues import CallbackQueue
from domain.commerce.orders import OrderChannel
from domain.commerce.products import BabyClass, FormulaClass
from domain.commerce.staff import RowScope
from domain.gateway.messages import MessageState
from domain.outreach.decisions import Verdict
from domain.people.babies import Feeding, Sex
from domain.people.consents import ConsentState
from domain.people.erasures import ErasureReason
from domain.people.identities import IdentityKind
from domain.people.identity_blocks import BlockReason
from domain.people.members import CarerRole, MemberStatus
from domain.people.merge_suggestions import SuggestionState
from domain.people.merges import MergeHow
from domain.people.tag_catalogue import TagFamily
from domain.platform.roles import Permission, Role
from domain.platform.sources import Channel, Purpose, Source
from domain.stages.care_plans import CareKind
from domain.stages.rules import AgeBasis, Stage

DESCRIPTIONS: dict[type[Enum], str] = {
    AgeBasis: "Which of a preterm baby's two ages counts, until 24 months; all others have only one.",
    BabyClass: "What a product is to the nursery.",
    BlockReason: "Why a value names nobody.",
    CallbackKind: "Why a call-back exists.",
    CallbackQueue: "Whose turn a call-back is, in the order in which they are given out.",
    CallbackState: "Where a call-back stands.",
    CareKind: "What kind of care is due.",
    CarerRole: "Who the member is to the baby.",
    Channel: "A way to reach a person, or the way she reached us.",
    ConsentState: "What she said last.",
    Direction: "Who spoke.",
    Disposition: "What came of a call.",
    ErasureReason: "Why an operator erases somebody; a member's own wish is MEMBER_ASKED.",
    Feeding: "How the baby is fed.",
    FormulaClass: "What formula law asks of a product; UNKNOWN is treated as INFANT_FORMULA.",
    IdentityKind: "What kind of name a channel knows her by.",
    InteractionKind: "What kind of word passed.",
    MemberStatus: "Whether the member is served.",
    MergeHow: "Who decided that two are one.",
    MessageState: "Where a message stands.",
    Mood: "How she was, as whoever spoke with her felt it.",
    OrderChannel: "Where an order was placed.",
    Permission: "What a role may do.",
    PromiseState: "What became of a promise.",
    Purpose: "Why we contact her.",
    Role: "What kind of caller this is.",
    RowScope: "Whose members a person may see.",
    Sex: "The baby's sex, where it was told.",
    Source: "Who said so, most trusted first.",
    Stage: "Where a baby stands, in the order of life.",
    SuggestionState: "What was said of two who may be one.",
    TagFamily: "What a tag speaks of.",
    Verdict: "What contactability answered.",
}

for enum, text in DESCRIPTIONS.items():
    strawberry.enum(enum, description=text)
