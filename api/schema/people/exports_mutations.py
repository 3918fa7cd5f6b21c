"""Exports: everything about a member in one document. The answer is never kept; each is written down."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from typing import Annotated

import strawberry

from api.context import Info
from api.ids import decode_id
from api.schema.failures import Failure, IdempotencyConflict, MemberNotFound, ValidationError
from api.schema.mutations import SecretKey, at_most, granted_anew, translates
from domain.people import consent_proofs, exports

MOST_SECTIONS = len(exports.SECTIONS)


@strawberry.type(description="All that is known of her and of her household's babies, complete against the tables.")
class MemberExported:
    document: str = strawberry.field(
        description="JSON as text: `format`, `exported_at`, then for each section its rows, columns named as in the "
        "data model. Save it as it is."
    )
    exported_at: datetime = strawberry.field(description="The moment that it shows (real clock).")


@strawberry.type(description="Too much for one answer: ask for fewer sections, or run `nestling member export`.")
class ExportTooLarge(Failure):
    bytes: int = strawberry.field(description="What it would have been.")
    limit: int = strawberry.field(description="What an answer may be.")


ExportMemberResult = Annotated[
    MemberExported | ExportTooLarge | MemberNotFound | ValidationError | IdempotencyConflict,
    strawberry.union("ExportMemberResult"),
]


@strawberry.type(description="All that shows that one consent was given, sealed.")
class ConsentProved:
    document: str = strawberry.field(
        description="JSON as text: the consent with its wording's version and SHA-256, the member, the store, who "
        "wrote it down, what was said before and after, and the house's seal over all of it."
    )


@strawberry.type(description="No such consent, or none that the caller may prove: the two answer alike.")
class ConsentNotFound(Failure):
    pass


ProveConsentResult = Annotated[
    ConsentProved | ConsentNotFound | ValidationError | IdempotencyConflict, strawberry.union("ProveConsentResult")
]


@strawberry.input(description="Whose data, and which of them.")
class ExportMemberInput:
    member_id: strawberry.ID = strawberry.field(description="Who; a member herself alone.")
    sections: list[str] = strawberry.field(
        default_factory=list, description=f"Left out: all. Of: {', '.join(exports.SECTIONS)}."
    )


@strawberry.type
class ExportMutations:
    @strawberry.mutation(
        description="Everything about a member, her babies, consents with evidence, messages, calls and orders, for "
        "herself or an operator. Audited; at most one in a document."
    )
    async def export_member(
        self, info: Info, input: ExportMemberInput, idempotency_key: SecretKey
    ) -> ExportMemberResult:
        actor, member = info.context.actor, decode_id("Member", input.member_id)
        sections = at_most(MOST_SECTIONS, "sections", input.sections)
        return await granted_anew(
            info, idempotency_key, input,
            lambda: exports.export(actor, member, sections, most_bytes=exports.MOST_BYTES),
            lambda made: MemberExported(document=made.document, exported_at=made.exported_at),
        )  # fmt: skip

    @strawberry.mutation(
        description="The proof of one consent as a document, for the member herself or an operator. Audited."
    )
    async def prove_consent(
        self, info: Info, consent_id: strawberry.ID, idempotency_key: SecretKey
    ) -> ProveConsentResult:
        actor, consent = info.context.actor, decode_id("Consent", consent_id)
        return await granted_anew(
            info, idempotency_key, {"consentId": str(consent)},
            lambda: consent_proofs.prove(actor, consent),
            lambda proved: ConsentProved(document=proved.document),
        )  # fmt: skip


@translates(consent_proofs.ConsentNotFound)
def _consent_not_found(_: consent_proofs.ConsentNotFound) -> ConsentNotFound:
    return ConsentNotFound(message="No such consent.")


@translates(exports.ExportTooLarge)
def _too_large(failure: exports.ExportTooLarge) -> ExportTooLarge:
    return ExportTooLarge(
        message="This is too much for one answer. Ask for fewer sections.", bytes=failure.bytes, limit=failure.limit
    )
