"""Working the call-back list: take, open, renew, release, log the outcome, take it back."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# strawberry.mutation answers Any, and so does what is shared by mutations: the unions are checked against the schema.

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.context import Info
from api.ids import decode_id, encode_id
from api.payloads import project
from api.schema.failures import Failure, IdempotencyConflict, InProgress, ValidationError
from api.schema.mutations import IdempotencyKey, granted, translates
from domain.care import leases, outcomes, queues
from domain.care.callbacks import CallbackState, Disposition
from domain.care.dispositions import FURTHEST_PROMISE, NextStep
from domain.care.interactions import Heard, Mood

if TYPE_CHECKING:
    from api.schema.care.callbacks import CallbackTask
    from api.schema.care.interactions import Interaction
    from api.schema.people.members import Member

strawberry.enum(NextStep, description="What a call's outcome made of its task.")

Task = Annotated["CallbackTask", strawberry.lazy("api.schema.care.callbacks")]
ItsMember = Annotated["Member", strawberry.lazy("api.schema.people.members")]


@strawberry.type(description="The call-back is the caller's to make until `leaseUntil`.")
class CallbackLeased:
    task: Task | None = strawberry.field(description="Whom to call, why and what may be said.")
    fence: int = strawberry.field(description="Names this lease: send it with whatever you do to the task.")
    lease_until: datetime = strawberry.field(description="Then the task goes to somebody else (real clock).")


@strawberry.type(description="The call-back is on the list again.")
class CallbackReleased:
    task: Task | None = strawberry.field(description="As it is now.")


@strawberry.type(description="The outcome is on the member's timeline and its next step is done.")
class CallbackOutcomeLogged:
    outcome_id: strawberry.ID = strawberry.field(description="To take it back.")
    next_step: NextStep = strawberry.field(description="What it made of the task.")
    retry_at: datetime | None = strawberry.field(description="When the task is due again (business clock).")
    undo_until: datetime = strawberry.field(description="Until then it can be taken back (real clock).")
    task: Task | None = strawberry.field(description="As it is now.")
    promise: Task | None = strawberry.field(description="The new task of a promised call.")
    interaction: Annotated["Interaction", strawberry.lazy("api.schema.care.interactions")] | None = strawberry.field(
        description="The attempt on the timeline; null when the caller no longer sees the member."
    )
    member: ItsMember | None = strawberry.field(
        description="Null when the caller no longer sees her: the lease is over."
    )


@strawberry.type(description="The outcome was taken back: every row is as it was before.")
class CallbackOutcomeUndone:
    task: Task | None = strawberry.field(description="As it is now.")
    disposition: Disposition = strawberry.field(description="What had been logged.")
    note: str = strawberry.field(description="What had been written, so that nobody types it twice.")


@strawberry.type(description="No call-back is due for the caller.")
class NothingToCall(Failure):
    next_due_at: datetime | None = strawberry.field(
        description="When the next one is (business clock); null: none waits."
    )


@strawberry.type(description="No such call-back, or none that the caller may work on.")
class TaskNotFound(Failure):
    pass


@strawberry.type(description="The call-back came to its end.")
class TaskClosed(Failure):
    state: CallbackState = strawberry.field(description="How it ended.")


@strawberry.type(description="The member may not be called at this hour.")
class TaskWaits(Failure):
    not_before: datetime = strawberry.field(description="From then on she may (business clock).")


@strawberry.type(description="The caller holds as many calls as one may: finish or release one first.")
class TooManyLeases(Failure):
    limit: int = strawberry.field(description="How many.")


@strawberry.type(description="Somebody else is making this call.")
class LeaseHeld(Failure):
    holder_name: str = strawberry.field(description="Who.")
    until: datetime = strawberry.field(description="How long at most, unless renewed (real clock).")


@strawberry.type(description="The caller's lease ran out, or somebody else has the task now.")
class LeaseLost(Failure):
    holder_name: str | None = strawberry.field(description="Who holds it now; null: nobody, so it can be opened again.")
    until: datetime | None = strawberry.field(description="How long at most, unless renewed (real clock).")


@strawberry.type(description="No such outcome, or not the caller's own.")
class OutcomeNotFound(Failure):
    pass


@strawberry.type(description="The ten seconds are over.")
class UndoTooLate(Failure):
    until: datetime = strawberry.field(description="When they ended (real clock).")


@strawberry.type(description="Somebody has already gone on from this outcome.")
class OutcomeOvertaken(Failure):
    pass


TakeNextCallbackResult = Annotated[
    CallbackLeased | NothingToCall | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("TakeNextCallbackResult"),
]
OpenCallbackResult = Annotated[
    CallbackLeased
    | TaskNotFound
    | TaskClosed
    | TaskWaits
    | LeaseHeld
    | TooManyLeases
    | ValidationError
    | IdempotencyConflict
    | InProgress,
    strawberry.union("OpenCallbackResult"),
]
RenewCallbackResult = Annotated[
    CallbackLeased | TaskNotFound | TaskClosed | LeaseLost | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("RenewCallbackResult"),
]
ReleaseCallbackResult = Annotated[
    CallbackReleased | TaskNotFound | TaskClosed | LeaseLost | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("ReleaseCallbackResult"),
]
LogCallbackOutcomeResult = Annotated[
    CallbackOutcomeLogged | TaskNotFound | TaskClosed | LeaseLost | ValidationError | IdempotencyConflict | InProgress,
    strawberry.union("LogCallbackOutcomeResult"),
]
UndoCallbackOutcomeResult = Annotated[
    CallbackOutcomeUndone
    | OutcomeNotFound
    | UndoTooLate
    | OutcomeOvertaken
    | ValidationError
    | IdempotencyConflict
    | InProgress,
    strawberry.union("UndoCallbackOutcomeResult"),
]


@strawberry.input(description="A lease of the caller's.")
class RenewCallbackInput:
    task_id: strawberry.ID = strawberry.field(description="The call-back.")
    fence: int = strawberry.field(description="Of the lease.")


@strawberry.input(description="A call-back to give back without an attempt.")
class ReleaseCallbackInput:
    task_id: strawberry.ID = strawberry.field(description="The call-back.")
    fence: int = strawberry.field(description="Of the lease.")
    reason: str = strawberry.field(description="Why, for whoever takes it next: 1 to 200 characters.")


@strawberry.input(description="What came of a call.")
class LogCallbackOutcomeInput:
    task_id: strawberry.ID = strawberry.field(description="The call-back.")
    fence: int = strawberry.field(description="Of the lease.")
    disposition: Disposition = strawberry.field(description="What came of it.")
    note: str = strawberry.field(default="", description="What was said: at most 4,000 characters.")
    call_later_at: datetime | None = strawberry.field(
        default=None,
        description="Business clock. Must be there for CALL_LATER; with REACHED it promises another call. Ahead of now "
        f"by at most {FURTHEST_PROMISE.days} days, and within the contact hours of where she lives and of her store: "
        "outside them it is refused with the next open moment, so that she can be asked while she is on the line.",
    )
    promise: str = strawberry.field(
        default="",
        description="What was promised for `callLaterAt`, in at most 200 characters: it is that call's reason.",
    )
    mood: Mood | None = strawberry.field(default=None, description="How she was, as the caller felt it.")
    questions: list[str] = strawberry.field(
        default_factory=list,
        description="What she asked: at most 10, each of 1 to 500 characters; open until `answerQuestion`.",
    )


@strawberry.type
class CallbackMutations:
    @strawberry.mutation(
        description="Lease the best due call-back: the caller's own members first, then her store's, then the pool "
        "(tasks of nobody, and those that their owner let wait). "
        "While she holds a live lease she gets that one again, renewed."
    )
    async def take_next_callback(self, info: Info, idempotency_key: IdempotencyKey) -> TakeNextCallbackResult:
        actor = info.context.actor
        answers = (leases.Lease, queues.NothingToCall)
        return await granted(
            info, idempotency_key, None, answers, lambda: queues.take_next(actor), lambda lease: _leased(info, lease)
        )

    @strawberry.mutation(description="Lease this call-back, due or not, beside any other that the caller holds.")
    async def open_callback(
        self, info: Info, task_id: strawberry.ID, idempotency_key: IdempotencyKey
    ) -> OpenCallbackResult:
        actor, task = info.context.actor, decode_id("CallbackTask", task_id)
        answers = (
            leases.Lease,
            leases.TaskNotFound,
            leases.TaskClosed,
            leases.TaskWaits,
            leases.LeaseHeld,
            leases.TooManyLeases,
        )
        return await granted(
            info,
            idempotency_key,
            task,
            answers,
            lambda: leases.open_task(actor, task),
            lambda lease: _leased(info, lease),
        )

    @strawberry.mutation(description="Keep the caller's live lease for another while.")
    async def renew_callback(
        self, info: Info, input: RenewCallbackInput, idempotency_key: IdempotencyKey
    ) -> RenewCallbackResult:
        actor, task = info.context.actor, decode_id("CallbackTask", input.task_id)
        answers = (leases.Lease, leases.TaskNotFound, leases.TaskClosed, leases.LeaseLost)
        return await granted(
            info, idempotency_key, input, answers,
            lambda: leases.renew(actor, task, input.fence), lambda lease: _leased(info, lease),
        )  # fmt: skip

    @strawberry.mutation(description="Give the call-back back without an attempt; others are offered it first.")
    async def release_callback(
        self, info: Info, input: ReleaseCallbackInput, idempotency_key: IdempotencyKey
    ) -> ReleaseCallbackResult:
        actor, task = info.context.actor, decode_id("CallbackTask", input.task_id)
        answers = (leases.Released, leases.TaskNotFound, leases.TaskClosed, leases.LeaseLost)
        return await granted(
            info, idempotency_key, input, answers,
            lambda: leases.release(actor, task, input.fence, input.reason),
            lambda _: CallbackReleased(task=project(info, "CallbackTask", task)),
        )  # fmt: skip

    @strawberry.mutation(
        description="Log what came of the call. Each disposition has its next step: REACHED closes; NO_ANSWER and BUSY "
        "try again later until the attempts are spent; WRONG_NUMBER suppresses the number; CALL_LATER makes a new task "
        "at that time; REFUSED withdraws consent for calls of this purpose; DO_NOT_CALL ends all calls to her."
    )
    async def log_callback_outcome(
        self, info: Info, input: LogCallbackOutcomeInput, idempotency_key: IdempotencyKey
    ) -> LogCallbackOutcomeResult:
        actor, task = info.context.actor, decode_id("CallbackTask", input.task_id)
        heard = Heard(input.mood, tuple(input.questions), input.promise)
        answers = (outcomes.OutcomeLogged, leases.TaskNotFound, leases.TaskClosed, leases.LeaseLost)
        return await granted(
            info, idempotency_key, input, answers,
            lambda: outcomes.log_outcome(
                actor, task, input.fence, input.disposition, input.note, input.call_later_at, heard
            ),
            lambda logged: _logged(info, logged),
        )  # fmt: skip

    @strawberry.mutation(description="Take an outcome back within ten seconds, as if it had never been logged.")
    async def undo_callback_outcome(
        self, info: Info, outcome_id: strawberry.ID, idempotency_key: IdempotencyKey
    ) -> UndoCallbackOutcomeResult:
        actor, outcome = info.context.actor, decode_id("CallbackOutcome", outcome_id)
        answers = (outcomes.OutcomeUndone, outcomes.OutcomeNotFound, outcomes.UndoTooLate, outcomes.OutcomeOvertaken)
        return await granted(
            info, idempotency_key, outcome, answers,
            lambda: outcomes.undo_outcome(actor, outcome),
            lambda undone: CallbackOutcomeUndone(
                task=project(info, "CallbackTask", undone.task_id), disposition=undone.disposition, note=undone.note
            ),
        )  # fmt: skip


def _leased(info: Info, lease: leases.Lease) -> CallbackLeased:
    return CallbackLeased(task=project(info, "CallbackTask", lease.task_id), fence=lease.fence, lease_until=lease.until)


def _logged(info: Info, logged: outcomes.OutcomeLogged) -> CallbackOutcomeLogged:
    promise = logged.promise_task_id
    return CallbackOutcomeLogged(
        outcome_id=strawberry.ID(encode_id("CallbackOutcome", logged.outcome_id)),
        next_step=logged.next_step,
        retry_at=logged.retry_at,
        undo_until=logged.undo_until,
        task=project(info, "CallbackTask", logged.task_id),
        promise=project(info, "CallbackTask", promise) if promise else None,
        interaction=project(info, "Interaction", logged.interaction_id),
        member=project(info, "Member", logged.member_id),
    )


@translates(queues.NothingToCall)
def _nothing_to_call(failure: queues.NothingToCall) -> NothingToCall:
    return NothingToCall(message="Nobody is waiting for a call from you now.", next_due_at=failure.next_due_at)


@translates(leases.TaskNotFound)
def _task_not_found(_: leases.TaskNotFound) -> TaskNotFound:
    return TaskNotFound(message="No such call-back.")


@translates(leases.TaskClosed)
def _task_closed(failure: leases.TaskClosed) -> TaskClosed:
    return TaskClosed(message="This call-back is closed.", state=failure.state)


@translates(leases.TaskWaits)
def _task_waits(failure: leases.TaskWaits) -> TaskWaits:
    return TaskWaits(message="She may not be called at this hour.", not_before=failure.not_before)


@translates(leases.TooManyLeases)
def _too_many_leases(failure: leases.TooManyLeases) -> TooManyLeases:
    return TooManyLeases(message=f"You hold {failure.limit} calls already. Finish one first.", limit=failure.limit)


@translates(leases.LeaseHeld)
def _lease_held(failure: leases.LeaseHeld) -> LeaseHeld:
    return LeaseHeld(
        message=f"{failure.holder_name} is making this call.", holder_name=failure.holder_name, until=failure.until
    )


@translates(leases.LeaseLost)
def _lease_lost(failure: leases.LeaseLost) -> LeaseLost:
    who = f"{failure.holder_name} has it now." if failure.holder_name else "Nobody has it: open it again."
    return LeaseLost(
        message=f"Your time for this call ran out. {who}", holder_name=failure.holder_name, until=failure.until
    )


@translates(outcomes.OutcomeNotFound)
def _outcome_not_found(_: outcomes.OutcomeNotFound) -> OutcomeNotFound:
    return OutcomeNotFound(message="No such outcome of yours.")


@translates(outcomes.UndoTooLate)
def _undo_too_late(failure: outcomes.UndoTooLate) -> UndoTooLate:
    return UndoTooLate(message="The ten seconds to take it back are over.", until=failure.until)


@translates(outcomes.OutcomeOvertaken)
def _outcome_overtaken(_: outcomes.OutcomeOvertaken) -> OutcomeOvertaken:
    return OutcomeOvertaken(message="Somebody has already gone on from this outcome.")
