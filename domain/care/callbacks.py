"""Call-back tasks: who to call, why, and what came of it. One live lease a task."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields
from tortoise.migrations.constraints import CheckConstraint
from tortoise.models import Model

from domain.platform.constraints import one_of
from domain.platform.ids import new_id
from domain.platform.sources import Purpose

if TYPE_CHECKING:
    from domain.commerce.staff import Staff
    from domain.commerce.stores import Store
    from domain.people.babies import Baby
    from domain.people.members import Member


class CallbackKind(StrEnum):
    NEW_CUSTOMER_RETURN = "NEW_CUSTOMER_RETURN"
    CROSS_BUY = "CROSS_BUY"
    CAN_FINISH = "CAN_FINISH"
    STAGE_SWITCH = "STAGE_SWITCH"
    WIN_BACK = "WIN_BACK"
    PROMISE = "PROMISE"
    COMPLAINT = "COMPLAINT"
    CARE_VISIT = "CARE_VISIT"


class CallbackState(StrEnum):
    OPEN = "OPEN"
    LEASED = "LEASED"
    DONE = "DONE"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Disposition(StrEnum):
    REACHED = "REACHED"
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    WRONG_NUMBER = "WRONG_NUMBER"
    CALL_LATER = "CALL_LATER"
    REFUSED = "REFUSED"
    DO_NOT_CALL = "DO_NOT_CALL"


class CallbackTask(Model):
    id = fields.UUIDField(primary_key=True, default=new_id)
    member: fields.ForeignKeyRelation["Member"] = fields.ForeignKeyField(
        "nestling.Member", related_name="callback_tasks", on_delete=fields.RESTRICT
    )
    member_id: UUID
    baby: fields.ForeignKeyNullableRelation["Baby"] = fields.ForeignKeyField(
        "nestling.Baby", related_name="callback_tasks", null=True, on_delete=fields.RESTRICT
    )
    baby_id: UUID | None
    kind = fields.CharEnumField(CallbackKind, max_length=32)
    purpose = fields.CharEnumField(Purpose, max_length=16)
    intent_key = fields.CharField(max_length=200, unique=True)  # the same wish made twice is one task
    message_id = fields.UUIDField(null=True, unique=True)  # the CALL message through which the gateway handed it over
    reason_code = fields.CharField(max_length=64)
    reason: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)  # values for the sentence in her language
    talking_points: fields.JSONField[list[dict[str, Any]]] = fields.JSONField(default=list)
    priority = fields.FloatField(default=0.0)  # higher first
    owner: fields.ForeignKeyNullableRelation["Staff"] = fields.ForeignKeyField(
        "nestling.Staff", related_name="callback_tasks", null=True, on_delete=fields.SET_NULL
    )
    owner_id: UUID | None  # she who serves the member goes first
    store: fields.ForeignKeyNullableRelation["Store"] = fields.ForeignKeyField(
        "nestling.Store", related_name="callback_tasks", null=True, on_delete=fields.SET_NULL
    )
    store_id: UUID | None  # then her store; without both it is the pool's
    state = fields.CharEnumField(CallbackState, max_length=16, default=CallbackState.OPEN)
    not_before = fields.DatetimeField()  # business clock
    expires_at = fields.DatetimeField()  # business clock
    attempts = fields.SmallIntField(default=0)
    max_attempts = fields.SmallIntField(default=3)
    lease_account_id = fields.UUIDField(null=True)
    lease_until = fields.DatetimeField(null=True)  # real clock
    fence = fields.IntField(default=0)  # grows with each lease; a late writer carries an old one
    released_by = fields.UUIDField(null=True)  # the account that gave it back last: it is offered to her last
    release_reason = fields.CharField(max_length=200, null=True)
    disposition = fields.CharEnumField(Disposition, max_length=16, null=True)
    decision_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()  # business clock
    closed_at = fields.DatetimeField(null=True)  # business clock
    version = fields.IntField(default=1)

    class Meta:
        table = "callback_tasks"
        constraints = [
            one_of("callback_tasks", "kind", CallbackKind),
            one_of("callback_tasks", "state", CallbackState),
            one_of("callback_tasks", "purpose", Purpose),
            one_of("callback_tasks", "disposition", Disposition),
            CheckConstraint(
                name="callback_tasks_a_lease_has_a_holder",
                check="(state = 'LEASED') = (lease_account_id IS NOT NULL AND lease_until IS NOT NULL)",
            ),
        ]


class CallbackOutcome(Model):
    """One attempt and what came of it; `before` restores the task when the consultant takes it back."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    task: fields.ForeignKeyRelation["CallbackTask"] = fields.ForeignKeyField(
        "nestling.CallbackTask", related_name="outcomes", on_delete=fields.RESTRICT
    )
    task_id: UUID
    attempt = fields.SmallIntField()
    disposition = fields.CharEnumField(Disposition, max_length=16)
    note = fields.TextField(default="")
    next_step = fields.CharField(max_length=64)  # what the disposition made of the task
    call_later_at = fields.DatetimeField(null=True)  # business clock
    account_id = fields.UUIDField()
    interaction_id = fields.UUIDField(null=True)
    suppression_id = fields.UUIDField(null=True)
    before: fields.JSONField[dict[str, Any]] = fields.JSONField(default=dict)
    logged_at = fields.DatetimeField()  # real clock: the ten seconds of undo run on it
    undone_at = fields.DatetimeField(null=True)  # real clock

    class Meta:
        table = "callback_outcomes"
        constraints = [one_of("callback_outcomes", "disposition", Disposition)]
