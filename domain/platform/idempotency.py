"""Idempotency: same key and body, same answer; other body, an error; still running, a conflict."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from tortoise import fields
from tortoise.models import Model
from tortoise.transactions import in_transaction

from domain.database import connection
from domain.platform.actors import Actor
from domain.platform.clock import real_now
from domain.platform.failures import ValidationError

Answer = TypeVar("Answer")
KEY_LENGTH = 200
KEPT_FOR = timedelta(days=2)  # real clock


class IdempotencyKey(Model):
    id = fields.BigIntField(primary_key=True, generated=True)
    actor_id = fields.UUIDField()
    key = fields.CharField(max_length=200)
    operation = fields.CharField(max_length=100)
    request_hash = fields.CharField(max_length=64)
    answer: fields.JSONField[dict[str, Any] | None] = fields.JSONField(
        null=True
    )  # type name and keys; null while running
    created_at = fields.DatetimeField(auto_now_add=True)  # real clock

    class Meta:
        table = "idempotency_keys"
        unique_together = (("actor_id", "key"),)


@dataclass(frozen=True, slots=True)
class IdempotencyConflict:
    """The key was used before for something else; nothing was done. Use a new key for a new wish."""

    key: str


@dataclass(frozen=True, slots=True)
class InProgress:
    """The same request is still being worked on; ask again with the same key."""

    key: str


async def once(
    actor: Actor,
    key: str,
    operation: str,
    body: object,
    answers: Sequence[type[Answer]],
    verb: Callable[[], Awaitable[Answer]],
) -> Answer | IdempotencyConflict | InProgress | ValidationError:
    """Run `verb` at most once for the actor's key; the same key and body get the same answer, also after a crash.

    The key's row and all that the verb wrote commit in one transaction: a process that dies leaves neither. `answers`
    are the frozen dataclasses that the verb may return, their values plain; `body` is the operation's whole input.
    Failures are answers too. A verb that raises leaves no key, so it may be tried again.
    """
    if (refused := _refusal(key)) is not None:
        return refused
    digest = request_hash(operation, body)
    async with in_transaction():
        if not await _lock(actor, key):
            return InProgress(key)
        claimed = await connection().execute_query_dict(
            "INSERT INTO idempotency_keys (actor_id, key, operation, request_hash) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (actor_id, key) DO NOTHING RETURNING id",
            [actor.id, key, operation, digest],
        )
        if not claimed:
            return await _earlier(actor, key, digest, answers)
        answer = await verb()
        await connection().execute_query(
            "UPDATE idempotency_keys SET answer = $2 WHERE id = $1", [claimed[0]["id"], _to_json(answer)]
        )
        return answer


async def anew(
    actor: Actor, key: str, operation: str, body: object, verb: Callable[[], Awaitable[Answer]]
) -> Answer | IdempotencyConflict | ValidationError:
    """Run `verb` each time that the actor sends the key with this body: for answers that are secrets, never stored.

    The key binds its first body: another one is a conflict and runs nothing. Repeats at once run one after the other.
    A verb that raises leaves no key.
    """
    if (refused := _refusal(key)) is not None:
        return refused
    async with in_transaction():
        rows = await connection().execute_query_dict(
            "INSERT INTO idempotency_keys AS k (actor_id, key, operation, request_hash) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (actor_id, key) DO UPDATE SET key = k.key RETURNING request_hash = $4 AS is_same",
            [actor.id, key, operation, request_hash(operation, body)],
        )
        return await verb() if rows[0]["is_same"] else IdempotencyConflict(key)


async def forget_keys(limit: int = 10_000) -> int:
    """Delete up to `limit` keys that no honest retry can still send; answers how many. Safe to run beside anything."""
    rows = await connection().execute_query_dict(
        "DELETE FROM idempotency_keys WHERE id IN (SELECT id FROM idempotency_keys WHERE created_at < $1 "
        "ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
        [real_now() - KEPT_FOR, limit],
    )
    return len(rows)


def request_hash(operation: str, body: object) -> str:
    """SHA-256 over the operation and its input, whatever the order of keys."""
    text = orjson.dumps(to_jsonable_python(body), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(operation.encode() + b"\0" + text).hexdigest()


def _refusal(key: str) -> ValidationError | None:
    if 0 < len(key) <= KEY_LENGTH and key.isprintable():
        return None
    return ValidationError.of(
        "idempotencyKey", f"1 to {KEY_LENGTH} printable characters.", f"须为1到{KEY_LENGTH}个可打印字符。"
    )


async def _lock(actor: Actor, key: str) -> bool:
    """The key is this transaction's until it ends; false while another works on it."""
    rows = await connection().execute_query_dict(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS is_mine", [f"idempotency:{actor.id}:{key}"]
    )
    return bool(rows[0]["is_mine"])


async def _earlier(
    actor: Actor, key: str, digest: str, answers: Sequence[type[Answer]]
) -> Answer | IdempotencyConflict:
    rows = await connection().execute_query_dict(
        "SELECT request_hash, answer::text AS answer FROM idempotency_keys WHERE actor_id = $1 AND key = $2",
        [actor.id, key],
    )
    if rows[0]["request_hash"] != digest:
        return IdempotencyConflict(key)
    stored = orjson.loads(rows[0]["answer"])
    kind = next(kind for kind in answers if kind.__name__ == stored["type"])
    return TypeAdapter(kind).validate_python(stored["values"])


def _to_json(answer: object) -> str:
    return orjson.dumps({"type": type(answer).__name__, "values": to_jsonable_python(answer)}).decode()
