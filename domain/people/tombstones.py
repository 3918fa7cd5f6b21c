"""Tombstones: by which names an erased person was known, as keyed hashes, so that no file or replay brings her back.

Not a word of her is kept: who holds the key and meets a name can tell that it was erased, nobody can read it from here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from domain.database import connection
from domain.gateway.suppressions import keyed_hash
from domain.people.identities import SHAREABLE, IdentityKind

if TYPE_CHECKING:
    from domain.people.erasures import Erasure

ANY_ISSUER = "*"
"""Orders name a card without its issuer: then whoever issued it."""


class ErasedIdentity(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    identity_hash = fields.CharField(max_length=64, unique=True)  # HMAC-SHA-256 of kind, issuer and value
    erased_at = fields.DatetimeField()  # business clock: who joins after it came back by her own will
    erasure: fields.ForeignKeyRelation["Erasure"] = fields.ForeignKeyField(
        "nestling.Erasure", related_name="identities", on_delete=fields.RESTRICT
    )
    erasure_id: UUID

    class Meta:
        table = "erased_identities"


@dataclass(frozen=True, slots=True)
class Named:
    """A name by which somebody is known; its value normalised as the house keeps it."""

    kind: IdentityKind
    value: str
    namespace: str = ""

    @property
    def hash(self) -> str:
        return keyed_hash(f"identity:{self.kind.value}:{self.namespace}:{self.value.lower()}")


async def bury(erasure_id: UUID, names: Iterable[Named], at: datetime) -> int:
    """Keep the hashes of her names inside the caller's transaction. `at`: business clock. Answers how many names."""
    hers = list(names)
    marks = {name.hash for name in hers}
    marks |= {Named(name.kind, name.value, ANY_ISSUER).hash for name in hers if name.kind not in SHAREABLE}
    await connection().execute_query(
        "INSERT INTO erased_identities (identity_hash, erased_at, erasure_id) "
        "SELECT mark, $2, $3 FROM unnest($1::text[]) AS mark "
        "ON CONFLICT (identity_hash) DO UPDATE SET erased_at = excluded.erased_at, erasure_id = excluded.erasure_id",
        [sorted(marks), at, erasure_id],
    )
    return len(hers)


async def buried(names: Iterable[Named]) -> dict[Named, datetime]:
    """Those of the names that were an erased person's, with the moment (business clock); one statement for all."""
    marks = {name.hash: name for name in names}
    if not marks:
        return {}
    rows = await connection().execute_query_dict(
        "SELECT identity_hash, erased_at FROM erased_identities WHERE identity_hash = ANY($1::text[])", [sorted(marks)]
    )
    return {marks[row["identity_hash"]]: row["erased_at"] for row in rows}
