"""Consultants doing everything at once: whatever happens in between, leases, outcomes and timelines stay true."""

import asyncio
import random
from datetime import timedelta

import pytest

from domain.care import leases, outcomes, queues
from domain.care.callbacks import CallbackTask, Disposition
from domain.care.leases import Lease
from domain.care.outcomes import OutcomeLogged
from domain.database import connection
from domain.platform.actors import Actor
from domain.platform.clock import real_now, set_business_clock
from tests import factories as make

BROKEN = {
    "a task is leased without a holder or held without a lease": """
        SELECT count(*) AS n FROM callback_tasks
        WHERE (state = 'LEASED') <> (lease_account_id IS NOT NULL AND lease_until IS NOT NULL)""",
    "an attempt that was not taken back is missing from the timeline": """
        SELECT count(*) AS n FROM callback_outcomes o
        WHERE undone_at IS NULL AND NOT EXISTS (SELECT 1 FROM interactions i WHERE i.id = o.interaction_id)""",
    "the timeline shows a call that was taken back": """
        SELECT count(*) AS n FROM interactions i
        WHERE NOT EXISTS (SELECT 1 FROM callback_outcomes o WHERE o.interaction_id = i.id AND o.undone_at IS NULL)""",
    "a task counts other attempts than were logged": """
        SELECT count(*) AS n FROM callback_tasks t WHERE attempts <>
            (SELECT count(*) FROM callback_outcomes o WHERE o.task_id = t.id AND o.undone_at IS NULL)""",
    "one attempt was logged twice": """
        SELECT count(*) AS n FROM (SELECT 1 FROM callback_outcomes WHERE undone_at IS NULL
            GROUP BY task_id, attempt HAVING count(*) > 1) twice""",
    "a promise outlived the outcome that made it": """
        SELECT count(*) AS n FROM callback_tasks t WHERE t.intent_key LIKE 'promise:%' AND NOT EXISTS
            (SELECT 1 FROM callback_outcomes o WHERE 'promise:' || o.id = t.intent_key AND o.undone_at IS NULL)""",
    "a suppression outlived the outcome that made it": """
        SELECT count(*) AS n FROM suppressions s WHERE NOT EXISTS (SELECT 1 FROM callback_outcomes o
            WHERE o.undone_at IS NULL
            AND o.before -> 'suppressions' @> jsonb_build_array(jsonb_build_object('id', s.id)))""",
}


class Ledger:
    """Who was given which fence of which task: the test's own account of it."""

    def __init__(self) -> None:
        self.holders: dict[tuple[str, int], set[str]] = {}

    def note(self, actor: Actor, lease: Lease) -> None:
        self.holders.setdefault((str(lease.task_id), lease.fence), set()).add(str(actor.account_id))


async def consultant(actor: Actor, ledger: Ledger, dice: random.Random, steps: int) -> None:
    """Take or open, then log, release, renew or let it lapse; sometimes take the outcome back."""
    task_ids = [row.id for row in await CallbackTask.all().only("id")]
    for _ in range(steps):
        lease = (
            await queues.take_next(actor)
            if dice.random() < 0.7
            else await leases.open_task(actor, dice.choice(task_ids))
        )
        if not isinstance(lease, Lease):
            continue
        ledger.note(actor, lease)
        match dice.choice(["log", "log", "log", "release", "renew", "lapse"]):
            case "log":
                disposition = dice.choice(list(Disposition))
                later = make.NOON + timedelta(days=1) if disposition is Disposition.CALL_LATER else None
                logged = await outcomes.log_outcome(actor, lease.task_id, lease.fence, disposition, "", later)
                if isinstance(logged, OutcomeLogged) and dice.random() < 0.5:
                    await outcomes.undo_outcome(actor, logged.outcome_id)
            case "release":
                await leases.release(actor, lease.task_id, lease.fence, "storm")
            case "renew":
                await leases.renew(actor, lease.task_id, lease.fence)
            case _:
                await CallbackTask.filter(id=lease.task_id, fence=lease.fence, state="LEASED").update(
                    lease_until=real_now()
                )


async def storm(seed: int, people: int, tasks: int, steps: int) -> None:
    await set_business_clock(make.NOON)
    members = [await make.make_member(phone=f"+1212555{number:04}") for number in range(tasks // 4)]
    for number in range(tasks):
        await make.make_task(members[number % len(members)], priority=float(number), max_attempts=5)
    ledger = Ledger()
    actors = [await make.make_actor() for _ in range(people)]
    await asyncio.gather(
        *(consultant(actor, ledger, random.Random(f"{seed}-{n}"), steps) for n, actor in enumerate(actors))
    )
    assert len(ledger.holders) > tasks // 2
    assert [fence for fence, holders in ledger.holders.items() if len(holders) > 1] == []
    for wrong, sql in BROKEN.items():
        rows = await connection().execute_query_dict(sql)
        assert rows == [{"n": 0}], wrong


async def test_twelve_consultants_in_a_storm_leave_everything_true(db: str) -> None:
    await storm(seed=7, people=12, tasks=40, steps=12)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
async def test_forty_consultants_in_a_long_storm_leave_everything_true(db: str, seed: int) -> None:
    await storm(seed=seed, people=40, tasks=400, steps=60)
