"""Proofs: one consent as one document with all that shows that it was given, sealed so that a change would be seen."""

import hmac
from dataclasses import dataclass
from uuid import UUID

import orjson
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.gateway.suppressions import keyed_hash
from domain.people.scopes import sees_member
from domain.platform.actors import Actor
from domain.platform.clock import real_now
from domain.platform.failures import NotPermitted
from domain.platform.parameters import Parameters
from domain.platform.roles import Permission

FORMAT = "nestling-consent-1"

# $1 the consent. Who wrote it down is a person who works here; what came before and after is of the same key.
PROOF = """
SELECT m.id AS member_id, jsonb_build_object(
    'consent', jsonb_build_object(
        'id', c.id, 'purpose', c.purpose, 'channel', c.channel, 'baby_id', c.baby_id, 'state', c.state,
        'given_at', c.given_at, 'said_by', c.source, 'how', c.how,
        'wording', jsonb_build_object('version', c.text_version, 'sha256', c.text_hash)
    ),
    'member', jsonb_build_object(
        'id', m.id, 'name', m.full_name, 'source', m.source, 'external_id', m.external_id,
        'jurisdiction', m.jurisdiction
    ),
    'store', (SELECT jsonb_build_object('id', s.id, 'name', s.name) FROM stores s WHERE s.id = c.store_id),
    'recorded_by', (
        SELECT jsonb_build_object('account', a.id, 'role', a.role, 'name', w.name)
        FROM accounts a LEFT JOIN staff w ON w.id = a.staff_id WHERE a.id = c.recorded_by
    ),
    'in_force', EXISTS (SELECT FROM consents_in_force f WHERE f.consent_id = c.id),
    'history', (
        SELECT jsonb_agg(jsonb_build_object('id', o.id, 'state', o.state, 'given_at', o.given_at, 'how', o.how)
            ORDER BY o.given_at, o.id)
        FROM consents o
        WHERE o.member_id = c.member_id AND o.purpose = c.purpose AND o.channel = c.channel
            AND o.baby_id IS NOT DISTINCT FROM c.baby_id
    )
)::text AS proof
FROM consents c JOIN members m ON m.id = c.member_id
WHERE c.id = {consent} AND m.status <> 'ERASED' AND {is_visible}
"""


@dataclass(frozen=True, slots=True)
class ConsentProved:
    consent_id: UUID
    document: str  # JSON; its last word is the seal over all before it


@dataclass(frozen=True, slots=True)
class ConsentNotFound:
    """No such consent, or none of a member that the actor may see."""


async def prove(actor: Actor, consent_id: UUID) -> ConsentProved | ConsentNotFound | NotPermitted:
    """The proof of one consent: who, what for, on which way, when, where, how, which wording, and what came of it.

    For the member herself and operators; each leaves an audit row.
    """
    if not actor.may(Permission.EXPORT_MEMBERS):
        return NotPermitted(Permission.EXPORT_MEMBERS)
    parameters = Parameters()
    statement = PROOF.format(consent=parameters(consent_id), is_visible=sees_member(actor, parameters))
    if actor.member_id is not None:
        statement += f" AND m.id = {parameters(actor.member_id)}"
    async with in_transaction():
        rows = await connection().execute_query_dict(statement, parameters)
        if not rows:
            return ConsentNotFound()
        await connection().execute_query(
            "INSERT INTO audit_entries (actor_id, actor_role, action, member_ids, detail) "
            "VALUES ($1, $2, 'prove_consent', $3, jsonb_build_object('consent', $4::text))",
            [actor.id, actor.role.value, [rows[0]["member_id"]], str(consent_id)],
        )
    proof = {"format": FORMAT, "issued_at": real_now().isoformat(), **orjson.loads(rows[0]["proof"])}
    document = orjson.dumps(proof | {"seal": _seal(proof)}, option=orjson.OPT_INDENT_2).decode()
    return ConsentProved(consent_id, document)


def is_genuine(document: str) -> bool:
    """Whether a proof is as this house (its key) wrote it, word for word."""
    try:
        proof = orjson.loads(document)
        seal = proof.pop("seal")
    except (orjson.JSONDecodeError, AttributeError, KeyError):
        return False
    return isinstance(seal, str) and hmac.compare_digest(seal, _seal(proof))


def _seal(proof: dict[str, object]) -> str:
    return keyed_hash("consent-proof:" + orjson.dumps(proof, option=orjson.OPT_SORT_KEYS).decode())
