"""After an erasure nobody is left: not in any table, not by any file, not by what was under way."""

import asyncio
import csv
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.care.callbacks import CallbackOutcome, CallbackState, CallbackTask, Disposition
from domain.care.interactions import Direction, Interaction, InteractionKind
from domain.commerce.order_ingest import OrderLanded, ingest_orders
from domain.database import connection
from domain.gateway.messages import Message, MessageState, plan
from domain.gateway.suppressions import Suppression, SuppressionReason, address_hash, suppress
from domain.outreach.decisions import Decision
from domain.outreach.facts import snapshot_from_json
from domain.outreach.intents import Intent
from domain.people import erasures, merge_suggestions, merges
from domain.people.babies import Baby
from domain.people.consents import Consent
from domain.people.erasure_rules import RULES, Deed
from domain.people.erasures import Erasure, ErasureAsked, ErasureReason, KeyNotValid, MemberErased
from domain.people.failures import MemberNotFound
from domain.people.guardians import GuardianConsent
from domain.people.identities import Identity, IdentityKind
from domain.people.members import Member, MemberStatus
from domain.people.registrations import GivenIdentity, MemberRegistered, Registration, register
from domain.platform.actors import Actor
from domain.platform.clock import real_now, set_business_clock
from domain.platform.failures import NotPermitted, ValidationError
from domain.platform.roles import Role
from domain.platform.sources import Channel, Purpose
from domain.platform.tokens import ApiToken, issue_member_token
from nestling.embedded.programs import find_programs
from nestling.imports.run import KINDS, import_file
from nestling.settings import Settings
from tests import factories as make

pytestmark = pytest.mark.usefixtures("db")
SETTINGS = Settings(TIME_ZONE="UTC", PHONE_REGION="US", CURRENCY="USD", _env_file=None)  # type: ignore[call-arg]
HERS = {
    "external_id": "crm-quillwen-77", "name": "Quillwen Zorvath", "phone": "+1 212-555-0143", "card": "QZ-4711-0815",
    "email": "q.zorvath@example.com", "joined_on": "2017-01-05", "tags": "vip", "consents": "CARE:SMS",
    "consent_at": "2017-01-05", "consent_version": "v1", "consent_text": "I agree.", "baby_nickname": "Pumpernickel",
    "baby_born_on": "2017-08-01",
}  # fmt: skip
NEEDLES = (
    "crm-quillwen-77", "quillwen", "zorvath", "2125550143", "(212) 555 0143", "qz-4711-0815", "pumpernickel",
    "wx-union-quill", "strawberry rash",
)  # fmt: skip
OPERATOR_ROLES = {Role.OPERATOR, Role.MEMBER}


@pytest.fixture(autouse=True)
async def noon(db: str) -> None:
    await set_business_clock(make.NOON)


async def land(folder: Path, kind: str, *rows: dict[str, str], source: str = "crm") -> Any:
    path = folder / f"{kind}.csv"
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return (await import_file(KINDS[kind], path, source, SETTINGS)).counts


async def a_life(folder: Path) -> Member:
    """A member of whom every room knows something; and rows of files about her that wait for a person."""
    await land(folder, "members", HERS)
    await land(folder, "members", HERS | {"name": "Quillwen Z.", "phone": "(212) 555 0143"})  # changed: waits
    await land(folder, "members", {"external_id": "x", "name": "Q", "email": HERS["email"], "joined_on": "31.2.2017"})
    await land(
        folder, "orders", {"order_id": "R-1", "ordered_at": "2017-12-01", "phone": "2125550143", "product": "no"}
    )
    hers = await Member.get(source="crm", external_id=HERS["external_id"])
    baby = await Baby.get(household_id=hers.household_id)
    await Baby.filter(id=baby.id).update(allergies="strawberry rash")
    await Member.filter(id=hers.id).update(handling_note="Zorvath prefers mornings")
    await make.make_identity(hers, IdentityKind.WECHAT_UNIONID, "wx-union-quill", namespace="wx")
    await make.make_order(hers, make.NOON - timedelta(days=3), product=await make.make_product("DIAPERS"))
    await make.make_score(await make.make_model("churn"), hers, 0.4)
    wish = Intent(
        member_id=hers.id, baby_id=baby.id, channel=Channel.SMS, purpose=Purpose.CARE, template_key="care.stage",
        intent_key="direct:quillwen", params={"nickname": "Pumpernickel"}, not_before=make.NOON,
        expires_at=make.NOON + timedelta(days=2),
    )  # fmt: skip
    await plan([wish])
    message = await Message.get(intent_key="direct:quillwen")
    await Message.filter(id=message.id).update(
        state=MessageState.QUEUED, address="+12125550143", body="Dear Quillwen, Pumpernickel is 4 months.",
        subject="Pumpernickel", body_html="<p>Quillwen</p>",
    )  # fmt: skip
    task = await make.make_task(
        hers,
        baby_id=baby.id,
        reason={"nickname": "Pumpernickel"},
        release_reason="Zorvath sleeps",
        intent_key="p:zorvath",
    )
    await CallbackOutcome.create(
        task_id=task.id, attempt=1, disposition=Disposition.NO_ANSWER, note="Quillwen's mother answered",
        next_step="AGAIN", account_id=make.any_id(), logged_at=real_now(), before={"nickname": "Pumpernickel"},
    )  # fmt: skip
    await Interaction.create(
        member_id=hers.id, baby_id=baby.id, kind=InteractionKind.VISIT, channel=Channel.STORE,
        direction=Direction.INBOUND, occurred_at=make.NOON, topic="Pumpernickel", note="Quillwen asked for wipes",
        source="desk", external_id="by-quillwen-77",
    )  # fmt: skip
    await connection().execute_query(
        "INSERT INTO audit_entries (actor_role, action, member_ids, detail) "
        """VALUES ('OPERATOR', 'noted', $1, '{"by": ["phone"], "said": "Quillwen Zorvath"}')""",
        [[hers.id]],
    )
    await connection().execute_query(
        "INSERT INTO idempotency_keys (actor_id, key, operation, request_hash, created_at) "
        "VALUES ($1, 'reg-+12125550143', 'registerMember', '-', now())",
        [make.any_id()],
    )
    await suppress(Channel.EMAIL, HERS["email"], SuppressionReason.UNSUBSCRIBED, member_id=hers.id)
    await issue_member_token(hers.id)
    return hers


async def dump(url: str) -> str:
    """The whole database as its own program writes it for a backup."""
    program = find_programs(None, Path()) / "pg_dump"
    ran = await asyncio.to_thread(subprocess.run, [str(program), url], capture_output=True, text=True, check=True)
    assert "COPY public.members" in ran.stdout
    return ran.stdout.lower()


async def erase(
    actor: Actor, member_id: UUID, reason: ErasureReason | None = ErasureReason.MEMBER_ASKED
) -> MemberErased:
    asked = await erasures.ask(actor, member_id, reason)
    assert isinstance(asked, ErasureAsked)
    answer = await erasures.erase(actor, member_id, asked.key)
    assert isinstance(answer, MemberErased)
    return answer


async def test_a_dump_of_the_database_finds_nothing_of_her(db: str, tmp_path: Path) -> None:
    hers, bystander = await a_life(tmp_path), await make.make_member(phone="+12125550199", full_name="Ann Bystander")
    before = await dump(db)
    assert [needle for needle in (*NEEDLES, HERS["email"]) if needle not in before] == []
    asked = await erasures.ask(make.member_actor(hers), hers.id)
    assert isinstance(asked, ErasureAsked)
    assert (asked.babies, asked.orders, asked.messages) == (1, 1, 1)
    answer = await erasures.erase(make.member_actor(hers), hers.id, asked.key)
    assert isinstance(answer, MemberErased)
    assert (answer.messages, answer.calls, answer.babies, answer.orders) == (1, 1, 1, 1)
    after = await dump(db)
    assert [needle for needle in (*NEEDLES, HERS["email"]) if needle in after] == []
    assert "ann bystander" in after
    assert "2125550199" in after

    stone = await Member.get(id=hers.id)
    assert (stone.status, stone.full_name, stone.external_id) == (MemberStatus.ERASED, None, str(hers.id))
    assert await Identity.filter(member_id=hers.id).count() == await Consent.filter(member_id=hers.id).count() == 0
    order = (await connection().execute_query_dict("SELECT member_id, total FROM orders"))[0]
    assert (order["member_id"], str(order["total"])) == (None, "25.00")
    message, task = await Message.get(), await CallbackTask.get()
    assert (message.state, message.state_reason) == (MessageState.CANCELLED, "MEMBER_ERASED")
    assert message.body is message.address is None
    assert (task.state, task.reason) == (CallbackState.CANCELLED, {})
    assert snapshot_from_json((await Decision.get()).snapshot).children == ()
    assert await ApiToken.filter(member_id=hers.id).count() == 0
    kept = await Suppression.get()
    assert (kept.member_id, kept.address_hash) == (None, address_hash(Channel.EMAIL, HERS["email"]))
    assert await Member.filter(id=bystander.id, status="ACTIVE").exists()
    audit = await connection().execute_query_dict(
        "SELECT action, detail::text AS detail FROM audit_entries ORDER BY id"
    )
    assert [(row["action"], "said" in row["detail"]) for row in audit] == [("noted", False), ("erase_member", False)]


async def test_whoever_was_merged_into_her_goes_with_her(db: str, tmp_path: Path) -> None:
    hers, operator = await a_life(tmp_path), await make.make_actor(Role.OPERATOR)
    same = await make.make_member(full_name="Quilla Vex", phone="+12125550188")
    await Member.filter(id=same.id).update(source="mall", external_id="mall-vex-9")
    other = await make.make_member(full_name="Ann Apart")
    await merge_suggestions.decide(operator, hers.id, other.id, is_apart=True)
    assert isinstance(await merges.merge(operator, hers.id, same.id), merges.MembersMerged)
    needles = (*NEEDLES, HERS["email"], "quilla vex", "2125550188", "mall-vex-9")
    assert [needle for needle in needles if needle not in await dump(db)] == []
    await erase(make.member_actor(hers), hers.id)
    assert [needle for needle in needles if needle in await dump(db)] == []
    stones = await Member.filter(id__in=[hers.id, same.id]).values_list("status", "merged_into_id")
    assert stones == [(MemberStatus.ERASED, None)] * 2
    back = {"external_id": "mall-vex-9", "name": "Quilla Vex", "joined_on": "2017-01-05"}
    again = await land(tmp_path, "members", back, source="mall")
    assert (again.landed, again.repeated, again.waiting) == (0, 1, 0)


async def test_no_file_and_no_till_brings_her_back(db: str, tmp_path: Path) -> None:
    hers = await a_life(tmp_path)
    await erase(make.member_actor(hers), hers.id)
    stale = {name: value for name, value in HERS.items() if name != "joined_on"}
    again = [
        await land(tmp_path, "members", HERS),
        await land(tmp_path, "members", HERS | {"name": "Quillwen Other", "consent_at": "torn"}),
        await land(tmp_path, "members", stale | {"external_id": "mall-9", "card": ""}, source="mall"),
        await land(tmp_path, "members", {"external_id": "mall-8", "card": HERS["card"]}, source="mall"),
    ]
    assert [(c.landed, c.repeated, c.waiting) for c in again] == [(0, 1, 0)] * 4
    product = await make.make_product("WIPES", source="crm")
    receipt = {
        "source": "crm", "channel": "POS", "ordered_at": make.NOON.isoformat(),
        "lines": [{"product": product.external_id, "quantity": "1", "amount": "9.00"}],
    }  # fmt: skip
    landed = await ingest_orders(
        [receipt | {"external_id": "R-9", "member": {"card": HERS["card"]}},
         receipt | {"external_id": "R-10", "member": {"external_id": HERS["external_id"]}},
         receipt | {"external_id": "R-11", "member": {"card": "of nobody"}}],
        phone_region="US", currency="USD",
    )  # fmt: skip
    assert [isinstance(one, OrderLanded) and one.member_id is None for one in landed] == [True, True, False]
    assert [needle for needle in (*NEEDLES, HERS["email"]) if needle in await dump(db)] == []
    # She herself may join again, by file or at a till; and whoever has her number now is another person.
    back = await land(tmp_path, "members", HERS | {"joined_on": "2017-12-16", "external_id": "crm-2"})
    assert (back.landed, back.waiting) == (0, 0), "a flawed row does not wait with her names in it either"
    await set_business_clock(make.NOON + timedelta(days=3))
    assert (await land(tmp_path, "members", HERS | {"joined_on": "2017-12-17"})).landed == 1
    assert await Member.filter(status="ACTIVE").count() == 1


async def test_she_may_register_again_as_somebody_new(db: str) -> None:
    hers = await make.make_member(phone="+12125550143")
    await erase(make.member_actor(hers), hers.id)
    phone = GivenIdentity(IdentityKind.PHONE, "+12125550143")
    again = await register(await make.make_actor(), Registration((phone,), "US"))
    assert isinstance(again, MemberRegistered)
    assert again.member_id != hers.id


async def test_the_family_that_is_left_keeps_its_babies_and_loses_her(db: str, tmp_path: Path) -> None:
    await land(tmp_path, "members", HERS)
    hers = await Member.get(external_id=HERS["external_id"])
    home = hers.household_id
    granny = await make.make_member(household_id=home, full_name="Granny")
    await make.make_identity(granny, IdentityKind.PHONE, "+12125550143", is_primary=False)
    baby = await Baby.get()
    await make.make_guardian_consent(baby, hers, how="quillwen-77 at the till")
    operator = await make.make_actor(Role.OPERATOR)
    assert (await erase(operator, hers.id)).babies == 0
    assert (await Baby.get()).id == baby.id
    allowed = await GuardianConsent.get()
    assert (allowed.state, allowed.member_id, allowed.how) == ("GRANTED", None, "")
    assert (await Member.get(id=hers.id)).household_id != home
    assert "crm-quillwen-77" not in await dump(db), "the household was named after her"
    assert (await erase(operator, granny.id)).babies == 1
    assert await Baby.all().count() == await GuardianConsent.all().count() == 0


async def test_two_steps_a_reason_and_the_right_person(db: str) -> None:
    hers, other = await make.make_member(phone="+12125550143"), await make.make_member()
    operator, herself = await make.make_actor(Role.OPERATOR), make.member_actor(hers)
    for role in set(Role) - OPERATOR_ROLES - {Role.FRONTEND}:
        assert isinstance(await erasures.ask(await make.make_actor(role), hers.id, ErasureReason.LAW), NotPermitted)
    assert isinstance(await erasures.ask(make.frontend_actor(), hers.id, ErasureReason.LAW), NotPermitted)
    assert isinstance(await erasures.ask(operator, hers.id), ValidationError)
    for reference in ("T-12125550143", "a letter", "x" * 41):
        assert isinstance(await erasures.ask(operator, hers.id, ErasureReason.LAW, reference), ValidationError)
    sister = await make.make_member(household_id=hers.household_id)
    assert isinstance(await erasures.ask(make.member_actor(sister), hers.id), MemberNotFound)
    assert isinstance(await erasures.erase(operator, hers.id, "never asked"), KeyNotValid)
    first = await erasures.ask(operator, hers.id, ErasureReason.LAW, "CASE-7")
    assert isinstance(first, ErasureAsked)
    assert isinstance(await erasures.erase(operator, other.id, first.key), KeyNotValid)
    await Erasure.all().update(expires_at=real_now() - timedelta(seconds=1))
    assert isinstance(await erasures.erase(operator, hers.id, first.key), KeyNotValid)
    second = await erasures.ask(herself, hers.id)
    assert isinstance(second, ErasureAsked)
    answers = await asyncio.gather(*(erasures.erase(herself, hers.id, second.key) for _ in range(4)))
    assert sorted(type(answer).__name__ for answer in answers) == ["MemberErased", *["MemberNotFound"] * 3] or sorted(
        type(answer).__name__ for answer in answers
    ) == ["KeyNotValid", "KeyNotValid", "KeyNotValid", "MemberErased"]
    assert await Member.filter(status="ERASED").count() == 1


async def test_what_was_under_way_is_erased_behind_her(db: str) -> None:
    hers = await make.make_reachable(await make.make_member())
    baby = await make.make_baby(hers, nickname="Pumpernickel")
    await erase(make.member_actor(hers), hers.id)
    # A care run that read her a moment before lands now.
    late = Intent(
        member_id=hers.id, baby_id=None, channel=Channel.SMS, purpose=Purpose.CARE, template_key="care.stage",
        intent_key=f"stage:{baby.id}", params={"nickname": "Pumpernickel"}, not_before=make.NOON,
        expires_at=make.NOON + timedelta(days=2),
    )  # fmt: skip
    await plan([late])
    assert (await Message.get()).state is MessageState.SUPPRESSED
    assert "pumpernickel" in await dump(db)
    assert await erasures.look_again() == 0, "not before what was under way has ended"
    await Erasure.all().update(erased_at=real_now() - timedelta(hours=1))
    assert await erasures.look_again() == 1
    assert await erasures.look_again() == 0
    assert "pumpernickel" not in await dump(db)


async def test_every_table_and_every_text_has_a_rule(db: str) -> None:
    """Against PostgreSQL's catalogue: whoever adds a table or a text says what becomes of it when a person goes."""
    columns = await connection().execute_query_dict(
        "SELECT c.table_name AS t, c.column_name AS c, c.data_type AS kind, EXISTS (SELECT FROM pg_constraint k "
        "WHERE k.conrelid = c.table_name::regclass AND k.conname = c.table_name || '_' || c.column_name || '_known') "
        "AS is_enum FROM information_schema.columns c "
        "JOIN information_schema.tables b USING (table_schema, table_name) "
        "WHERE c.table_schema = 'public' AND b.table_type = 'BASE TABLE' AND c.table_name NOT LIKE 'tortoise%'"
    )
    tables = {row["t"] for row in columns}
    assert tables - set(RULES) == set(), "say in domain/people/erasure_rules.py what erasure does to these tables"
    assert set(RULES) - tables == set()
    texts = {
        (row["t"], row["c"]) for row in columns
        if row["kind"] in ("text", "character varying", "jsonb", "json", "ARRAY", "USER-DEFINED") and not row["is_enum"]
    }  # fmt: skip
    ruled = {
        (table, column) for table, rule in RULES.items() for column in (*rule.sets, *rule.keeps)
    } | {(table, column) for table, column in texts if RULES[table].deed is Deed.DELETE}  # fmt: skip
    assert texts - ruled == set(), "these texts have no rule: empty them in `sets`, or say in `why` that they may stay"
    assert ruled - {(row["t"], row["c"]) for row in columns} == set(), "no such columns"
    people = {"member_id", "household_id", "baby_id", "member_ids"}
    untouched = {row["t"] for row in columns if row["c"] in people and RULES[row["t"]].deed is Deed.KEEP}
    assert untouched == {"erasures"}, "rows that point at a member, household or baby need more than KEEP"
    babies = {row["t"] for row in columns if row["c"] == "baby_id"}
    assert {
        t for t in babies if RULES[t].deed is Deed.CHANGE and RULES[t].sets.keys().isdisjoint({"baby_id", "member_id"})
    } == set()
    assert [table for table, rule in RULES.items() if rule.keeps and not rule.why] == []
