"""Mutations as a client sends them: document in, payload re-read through the projection, failures by their names."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from api.config import ApiConfig
from api.graphql import execute
from api.ids import decode_id, encode_id
from api.reads import close_reads, open_reads
from domain.care.callbacks import CallbackTask
from domain.care.interactions import Interaction
from domain.commerce.products import Product
from domain.commerce.staff import RowScope
from domain.outreach.templates import seed
from domain.people import babies
from domain.people.babies import Baby, BabyFacts, BabyReported
from domain.people.guardians import GuardianConsentNeeded
from domain.people.members import CarerRole, Member
from domain.people.tags import Tag, TagFamily
from domain.platform.actors import Actor
from domain.platform.clock import real_now, set_business_clock
from domain.platform.ids import new_id
from domain.platform.roles import PERMISSIONS, Permission, Role
from domain.platform.sources import Source
from tests import factories as make

CONFIG = ApiConfig(database_url="")


@pytest.fixture(autouse=True)
async def noon(db: str) -> AsyncIterator[None]:
    await set_business_clock(make.NOON)
    await open_reads(db, size=4, statement_timeout_s=5)
    yield
    await close_reads()


FIELDS = {
    "registerMember": "... on MemberRegistered { member { id name phone store { id } owner { id } "
    "consents { purpose channel textVersion } } } ... on AlreadyRegistered { kind member { id } }",
    "updateMember": "... on MemberUpdated { member { name version language handlingNote } } "
    "... on VersionConflict { currentVersion }",
    "tagMember": "... on MemberTagged { member { tags { key } } } ... on TagNotFound { key }",
    "untagMember": "... on MemberUntagged { member { tags { key } } } ... on TagNotSet { key }",
    "resolveMember": "... on MemberResolved { member { id formerIds } isNew leftOut { kind reason } merged suggested } "
    "... on NothingToGoBy { leftOut { kind reason } }",
    "blockIdentity": "... on IdentityBlocked { blockId members }",
    "liftIdentityBlock": "... on IdentityBlockLifted { member { id } }",
    "mergeMembers": "... on MembersMerged { mergeId member { id formerIds merges { id how formerId } "
    "recentOrders { id } } } ... on KeptApart { suggestionId }",
    "previewMerge": "... on MergePreviewed { member { id } absorbed { id } rows { table changed removed added } } "
    "... on KeptApart { suggestionId }",
    "unmergeMembers": "... on MembersUnmerged { member { id formerIds } restored { id recentOrders { id } } }",
    "keepApart": "... on PairDecided { suggestionId isApart }",
    "recordConsent": "... on ConsentRecorded { member { consents { purpose channel state } "
    "consentHistory(first: 5) { totalCount edges { node { id state isInForce baby { id } } } } } }",
    "recordGuardianConsent": "... on GuardianConsentRecorded { baby { allergies feeding guardianConsents { state "
    "guardian { id } } } }",
    "addBaby": "... on GuardianConsentNeeded { fields } "
    "... on BabyAdded { baby { id nickname dueOn bornOn } member { id babies { id } } }",
    "reportDueDate": "... on DueDateReported { baby { dueOn dueSource } } ... on StrongerSource { field source }",
    "reportBirth": "... on BirthReported { baby { bornOn bornSource sex } } ... on StrongerSource { field source }",
    "stopBabyContent": "... on BabyContentStopped { baby { stoppedAt } withdrawnMessages withdrawnCalls "
    "withdrawnScores reopenUntil }",
    "reopenBabyContent": "... on BabyContentReopened { baby { stoppedAt } } ... on ReopenTooLate { until }",
    "requestErasure": "... on ErasureRequested { confirmationKey expiresAt babies orders waitingMessages }",
    "exportMember": "... on MemberExported { document exportedAt } ... on ExportTooLarge { bytes limit }",
    "eraseMember": "... on MemberErased { erasureId withdrawnMessages withdrawnCalls erasedBabies keptOrders }",
    "answerQuestion": "... on QuestionAnswered { question { answer } }",
    "createTag": "... on TagCreated { tag { key } } ... on TagExists { key }",
    "retireTag": "... on TagRetired { tag { retiredAt } removed }",
    "tagMembers": "... on MembersTagged { chosen tagged }",
    "assignOwner": "... on OwnerAssigned { member { owner { id } ownerHistory { staff { id } reason } } calls }",
    "handOver": "... on HandedOver { members calls shares { members staff { id } } }",
    "logInteraction": "... on InteractionLogged { interaction { note staff { id } } member { id } }",
    "recordOrder": "... on OrderRecorded { order { id total lines { quantity amount } } member { id } isNew } "
    "... on OrderConflict { order { id } } ... on ProductsNotFound { products }",
    "recordReturn": "... on ReturnRecorded { order { id returns { externalId amount } } amount isNew } "
    "... on ReturnExceedsOrder { lineNo }",
    "sendMessage": "... on MessagePlanned { plannedMessage { id state } member { id } state reason nextPossibleAt }",
    "takeNextCallback": "... on CallbackLeased { task { id why isMine member { id name } } fence leaseUntil } "
    "... on NothingToCall { nextDueAt }",
    "openCallback": "... on CallbackLeased { task { id } fence } ... on LeaseHeld { holderName until } "
    "... on TaskClosed { state }",
    "renewCallback": "... on CallbackLeased { fence leaseUntil } ... on LeaseLost { holderName until }",
    "releaseCallback": "... on CallbackReleased { task { state releaseReason isMine } } "
    "... on LeaseLost { holderName until }",
    "logCallbackOutcome": "... on CallbackOutcomeLogged { outcomeId nextStep retryAt undoUntil "
    "task { state disposition outcomes { disposition } } promise { notBefore kind } interaction { note } "
    "member { id } } ... on LeaseLost { holderName until } ... on TaskClosed { state }",
    "undoCallbackOutcome": "... on CallbackOutcomeUndone { task { state isMine fence } } ... on UndoTooLate { until }",
}
COMMON = "... on Failure { message } ... on ValidationError { errors { field message } }"
INPUTS = {"takeNextCallback": "", "openCallback": "taskId: $taskId, ", "undoCallbackOutcome": "outcomeId: $outcomeId, "}


def document(name: str) -> str:
    variables = {"takeNextCallback": "", "openCallback": "$taskId: ID!, ", "undoCallbackOutcome": "$outcomeId: ID!, "}
    declared = variables.get(name, f"$input: {name[0].upper()}{name[1:]}Input!, ")
    passed = INPUTS.get(name, "input: $input, ")
    return (
        f"mutation ({declared}$key: String!) {{ answer: {name}({passed}idempotencyKey: $key) "
        f"{{ __typename {FIELDS[name]} {COMMON} }} }}"
    )


async def send(actor: Actor | None, name: str, given: Any = None, key: str | None = None) -> dict[str, Any]:
    """The whole response; `given` is the input, or the id of those that take only one."""
    argument = {"openCallback": "taskId", "undoCallbackOutcome": "outcomeId"}.get(name, "input")
    variables = {argument: given, "key": key or new_id().hex} if given is not None else {"key": key or new_id().hex}
    return await execute(document(name), variables, actor, config=CONFIG)


async def do(actor: Actor, name: str, given: Any = None, key: str | None = None) -> dict[str, Any]:
    """The mutation's answer; errors fail the test."""
    body = await send(actor, name, given, key)
    assert "errors" not in body, body
    answer: dict[str, Any] = body["data"]["answer"]
    return answer


def ref(row: Any) -> str:
    return encode_id(type(row).__name__, row.id)


async def test_a_till_registers_a_member_once_and_finds_her_the_second_time(db: str) -> None:
    store = await make.make_store()
    actor = await make.make_actor(Role.ADVISOR, scope=RowScope.STORE, store_id=store.id)
    given = {
        "phone": "(212) 555-0142", "card": "8800123", "name": "Ada Smith", "channel": "STORE", "campaign": "opening",
        "consents": [
            {"purpose": "CARE", "channel": "SMS", "how": "store_form", "textVersion": "care-1", "text": "We may write."}
        ],
    }  # fmt: skip
    answer = await do(actor, "registerMember", given, "till-1")
    member = answer["member"]
    assert answer["__typename"] == "MemberRegistered"
    assert (member["name"], member["store"]["id"]) == ("Ada Smith", ref(store))
    assert member["consents"] == [{"purpose": "CARE", "channel": "SMS", "textVersion": "care-1"}]
    assert await do(actor, "registerMember", given, "till-1") == answer
    again = await do(actor, "registerMember", {"phone": "2125550142"})
    assert (again["__typename"], again["kind"], again["member"]) == (
        "AlreadyRegistered", "PHONE", {"id": member["id"]},
    )  # fmt: skip
    elsewhere = await make.make_actor(Role.ADVISOR, scope=RowScope.STORE, store_id=(await make.make_store()).id)
    hidden = await do(elsewhere, "registerMember", {"phone": "2125550142"})
    assert hidden["member"] is None
    wrong = await do(actor, "registerMember", {"phone": "123"})
    assert wrong["errors"] == [{"field": "identities.PHONE", "message": "Not a valid phone number."}]


async def test_a_profile_is_changed_only_as_it_was_seen(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member(handling_note="Gently.")
    changed = await do(actor, "updateMember", {"memberId": ref(member), "version": 1, "name": "Ada"})
    assert changed["member"] == {"name": "Ada", "version": 2, "language": "en", "handlingNote": "Gently."}
    emptied = await do(actor, "updateMember", {"memberId": ref(member), "version": 2, "handlingNote": None})
    assert emptied["member"]["handlingNote"] is None
    late = await do(actor, "updateMember", {"memberId": ref(member), "version": 1, "name": "Eve"})
    assert (late["__typename"], late["currentVersion"]) == ("VersionConflict", 3)
    refused = await do(actor, "updateMember", {"memberId": ref(member), "version": 3, "language": None})
    assert [error["field"] for error in refused["errors"]] == ["language"]


async def test_a_family_grows_and_whose_word_stands_is_said(db: str) -> None:
    member = await make.make_member()
    staff, mother = await make.make_actor(), make.member_actor(member)
    added = await do(staff, "addBaby", {"memberId": ref(member), "nickname": "Bean", "dueOn": "2018-01-20"})
    baby = added["baby"]["id"]
    assert added["member"]["babies"] == [{"id": baby}]
    moved = await do(mother, "reportDueDate", {"babyId": baby, "dueOn": "2018-01-25"})
    assert moved["baby"] == {"dueOn": "2018-01-25", "dueSource": "MEMBER"}
    weaker = await do(staff, "reportDueDate", {"babyId": baby, "dueOn": "2018-01-28"})
    assert (weaker["__typename"], weaker["field"], weaker["source"]) == ("StrongerSource", "dueOn", "MEMBER")
    birth = {"babyId": baby, "bornOn": "2017-12-14", "sex": "FEMALE", "gestationWeeks": 34, "saidBy": "MEMBER"}
    born = await do(staff, "reportBirth", birth)
    assert born["baby"] == {"bornOn": "2017-12-14", "bornSource": "MEMBER", "sex": "FEMALE"}
    stranger = make.member_actor(await make.make_member())
    assert (await do(stranger, "reportBirth", birth))["__typename"] == "BabyNotFound"


async def test_one_word_stops_everything_about_a_baby_and_a_supervisor_takes_a_mistake_back(db: str) -> None:
    member = await make.make_member()
    baby = ref(await make.make_baby(member, nickname="Bean"))
    await make.make_task(member, baby_id=decode_id("Baby", baby))
    stopped = await do(make.member_actor(member), "stopBabyContent", {"babyId": baby})
    assert stopped["baby"]["stoppedAt"] is not None
    assert (stopped["withdrawnMessages"], stopped["withdrawnCalls"], stopped["withdrawnScores"]) == (0, 1, 0)
    report = await do(await make.make_actor(), "reportBirth", {"babyId": baby, "bornOn": "2017-12-01"})
    assert report["__typename"] == "BabyStopped"
    supervisor = await make.make_actor(Role.STORE_MANAGER)
    back = await do(supervisor, "reopenBabyContent", {"babyId": baby, "reason": "The wrong family."})
    assert back["baby"] == {"stoppedAt": None}
    late = await do(supervisor, "reopenBabyContent", {"babyId": baby, "reason": "The wrong family."})
    assert (late["__typename"], late["until"]) == ("ReopenTooLate", None)


async def test_a_childs_health_is_kept_only_while_a_guardian_allows_it(db: str) -> None:
    member, advisor = await make.make_member(), await make.make_actor(Role.ADVISOR)
    nanny = await make.make_member(household_id=member.household_id, carer_role=CarerRole.NANNY)
    child = {"memberId": ref(member), "bornOn": "2017-10-01", "feeding": "MIXED", "allergies": "Milk"}
    said = {"how": "store_form", "textVersion": "g-1", "text": "I am her parent and agree."}
    needed = await do(advisor, "addBaby", child)
    assert (needed["__typename"], needed["fields"]) == ("GuardianConsentNeeded", ["feeding", "allergies"])
    no_nanny = await do(advisor, "addBaby", child | {"memberId": ref(nanny), "guardianConsent": said})
    assert no_nanny["__typename"] == "NotAGuardian"
    mute = await do(advisor, "addBaby", child | {"guardianConsent": said | {"text": ""}})
    assert [error["field"] for error in mute["errors"]] == ["guardianConsent.text"]
    assert await Baby.all().count() == 0
    added = await do(advisor, "addBaby", child | {"guardianConsent": said})
    baby = added["baby"]["id"]
    assert (await Baby.get()).allergies == "Milk"
    told = {"babyId": baby, "memberId": ref(member), "state": "WITHDRAWN", "how": "call"}
    assert (await do(make.member_actor(nanny), "recordGuardianConsent", told))["__typename"] == "BabyNotFound"
    none = await do(make.member_actor(member), "recordGuardianConsent", told)
    assert none["baby"] == {
        "allergies": None, "feeding": "UNKNOWN",
        "guardianConsents": [{"state": state, "guardian": {"id": ref(member)}} for state in ("WITHDRAWN", "GRANTED")],
    }  # fmt: skip
    stored = await babies.report(advisor, (await Baby.get()).id, BabyFacts(allergies="Milk"))
    assert stored == GuardianConsentNeeded(("allergies",))
    grant = told | {"state": "GRANTED", "textVersion": "g-1", "text": "I agree."}
    assert (await do(advisor, "recordGuardianConsent", grant))["__typename"] == "GuardianConsentRecorded"
    assert isinstance(await babies.report(advisor, (await Baby.get()).id, BabyFacts(allergies="Milk")), BabyReported)


async def test_a_member_takes_her_data_with_her(db: str) -> None:
    member = await make.make_reachable(await make.make_member(full_name="Ada Smith"))
    made = await do(make.member_actor(member), "exportMember", {"memberId": ref(member)}, "k")
    document = json.loads(made["document"])
    assert (document["member"][0]["full_name"], len(document["identities"]), len(document["consents"])) == (
        "Ada Smith", 2, 9,
    )  # fmt: skip
    part = await do(make.member_actor(member), "exportMember", {"memberId": ref(member), "sections": ["consents"]})
    assert list(json.loads(part["document"])) == ["format", "exported_at", "consents"]
    none = await do(make.member_actor(member), "exportMember", {"memberId": ref(member), "sections": ["wishes"]})
    assert none["errors"][0]["field"] == "sections"


async def test_a_member_erases_herself_in_two_steps(db: str) -> None:
    member = await make.make_member(phone="+12125550143")
    baby, actor = await make.make_baby(member), make.member_actor(member)
    asked = await do(actor, "requestErasure", {"memberId": ref(member)}, "k1")
    assert (asked["__typename"], asked["babies"], asked["orders"]) == ("ErasureRequested", 1, 0)
    wrong = await do(actor, "eraseMember", {"memberId": ref(member), "confirmationKey": "guessed"})
    assert wrong["__typename"] == "ConfirmationNotValid"
    sure = {"memberId": ref(member), "confirmationKey": asked["confirmationKey"]}
    erased = await do(actor, "eraseMember", sure, "k2")
    assert (erased["__typename"], erased["erasedBabies"], erased["keptOrders"]) == ("MemberErased", 1, 0)
    assert await do(actor, "eraseMember", sure, "k2") == erased
    assert not await Baby.filter(id=baby.id).exists()
    assert (
        await do(await make.make_actor(Role.OPERATOR), "requestErasure", {"memberId": ref(member), "reason": "LAW"})
    )["__typename"] == "MemberNotFound"


async def test_tags_consents_and_notes_are_on_the_profile_that_comes_back(db: str) -> None:
    await Tag.create(key="interaction.quiet", family=TagFamily.INTERACTION, label_en="Quiet", label_zh="安静")
    actor, member = await make.make_actor(), await make.make_member()
    tagged = await do(actor, "tagMember", {"memberId": ref(member), "key": "interaction.quiet"})
    assert tagged["member"]["tags"] == [{"key": "interaction.quiet"}]
    untagged = await do(actor, "untagMember", {"memberId": ref(member), "key": "interaction.quiet"})
    assert untagged["member"]["tags"] == []
    unset = await do(actor, "untagMember", {"memberId": ref(member), "key": "interaction.quiet"})
    assert unset["__typename"] == "TagNotSet"
    consent = {"memberId": ref(member), "purpose": "PROMOTION", "channel": "SMS", "how": "call", "state": "WITHDRAWN"}
    recorded = await do(actor, "recordConsent", consent)
    assert recorded["member"]["consents"] == [{"purpose": "PROMOTION", "channel": "SMS", "state": "WITHDRAWN"}]
    baby = await make.make_baby(member)
    ours = await do(actor, "recordConsent", consent | {"purpose": "CARE", "babyId": ref(baby)})
    assert ours["member"]["consentHistory"]["edges"][0]["node"]["baby"] == {"id": ref(baby)}
    assert ours["member"]["consentHistory"]["totalCount"] == 2
    theirs = await do(actor, "recordConsent", consent | {"babyId": ref(await make.make_baby(await make.make_member()))})
    assert theirs["__typename"] == "BabyNotFound"
    grant = await do(actor, "recordConsent", consent | {"state": "GRANTED"})
    assert [error["field"] for error in grant["errors"]] == ["text"]
    note = {"memberId": ref(member), "kind": "VISIT", "channel": "STORE", "note": "Asked about cereal."}
    logged = await do(actor, "logInteraction", note)
    assert logged["interaction"] == {"note": "Asked about cereal.", "staff": {"id": f"Staff:{actor.staff_id}"}}


async def test_a_consultants_morning(db: str) -> None:
    actor, member = await make.make_actor(scope=RowScope.OWN), await make.make_member()
    await make.make_task(member, reason={"en": "She has not come for six weeks.", "zh-Hans": "她六周没有来了。"})
    taken = await do(actor, "takeNextCallback", key="first")
    task = taken["task"]
    assert (task["why"], task["isMine"]) == ("She has not come for six weeks.", True)
    assert task["member"] == {"id": ref(member), "name": "Emma Johnson"}
    assert await do(actor, "takeNextCallback", key="first") == taken
    lease = {"taskId": task["id"], "fence": taken["fence"]}
    renewed = await do(actor, "renewCallback", lease)
    assert renewed["leaseUntil"] >= taken["leaseUntil"]
    later = (make.NOON + timedelta(days=4)).isoformat()
    outcome = lease | {"disposition": "CALL_LATER", "note": "After the vaccine.", "callLaterAt": later}
    logged = await do(actor, "logCallbackOutcome", outcome, "log")
    assert (logged["nextStep"], logged["task"]["state"], logged["promise"]["kind"]) == ("PROMISE", "DONE", "PROMISE")
    assert await do(actor, "logCallbackOutcome", outcome, "log") == logged
    assert await Interaction.all().count() == 1
    closed = await do(actor, "logCallbackOutcome", outcome)
    assert (closed["__typename"], closed["state"]) == ("TaskClosed", "DONE")
    undone = await do(actor, "undoCallbackOutcome", logged["outcomeId"])
    assert undone["task"] == {"state": "LEASED", "isMine": True, "fence": taken["fence"]}
    assert await Interaction.all().count() == 0
    released = await do(actor, "releaseCallback", lease | {"reason": "Lunch"})
    assert released["task"] == {"state": "OPEN", "releaseReason": "Lunch", "isMine": False}
    nothing = await do(
        await make.make_actor(scope=RowScope.STORE, store_id=(await make.make_store()).id), "takeNextCallback"
    )
    assert nothing["__typename"] == "CallbackLeased"


async def test_a_message_is_decided_at_once_and_the_answer_says_why(db: str) -> None:
    await seed()
    actor, member = await make.make_actor(), await make.make_member(phone="+12125550142")
    given = {"memberId": ref(member), "channel": "SMS", "purpose": "SERVICE", "text": "Your order is here."}
    refused = await do(actor, "sendMessage", given)
    assert (refused["state"], refused["reason"], refused["plannedMessage"]["state"]) == (
        "SUPPRESSED", "NO_CONSENT", "SUPPRESSED",
    )  # fmt: skip
    consent = {
        "purpose": "SERVICE",
        "channel": "SMS",
        "state": "GRANTED",
        "textVersion": "s-1",
        "text": "We may write.",
    }
    await do(actor, "recordConsent", consent | {"memberId": ref(member), "how": "call"})
    planned = await do(actor, "sendMessage", given, "write")
    assert (planned["state"], planned["reason"]) == ("PLANNED", "OK")
    assert await do(actor, "sendMessage", given, "write") == planned
    assert (await do(actor, "sendMessage", given | {"text": ""}))["errors"][0]["field"] == "text"


async def test_a_receipt_is_one_order_and_another_under_its_number_is_a_conflict(db: str) -> None:
    await Product.create(source="store", external_id="P1", name="Diapers", category="DIAPERS")
    actor, member = await make.make_actor(Role.ADVISOR), await make.make_member()
    taken = await do(actor, "recordOrder", receipt("R-1", memberId=ref(member)))
    assert (taken["isNew"], taken["order"]["total"], taken["member"]) == (True, "19.98", {"id": ref(member)})
    again = await do(actor, "recordOrder", receipt("R-1", memberId=ref(member)))
    assert again == taken | {"isNew": False}
    other = await do(actor, "recordOrder", receipt("R-1"))
    assert (other["__typename"], other["order"]) == ("OrderConflict", {"id": taken["order"]["id"]})
    lines = [{"productCode": "P9", "quantity": "1", "amount": "1"}]
    unknown = await do(actor, "recordOrder", receipt("R-2", lines=lines))
    assert (unknown["__typename"], unknown["products"]) == ("ProductsNotFound", ["P9"])
    body = await send(actor, "recordOrder", receipt("R-3", lines=lines * 501))
    assert body["errors"][0]["extensions"]["code"] in ("BAD_USER_INPUT", "LIMIT_EXCEEDED")


async def test_goods_come_back_once_and_never_more_than_were_bought(db: str) -> None:
    await Product.create(source="store", external_id="P1", name="Diapers", category="DIAPERS")
    actor, member = await make.make_actor(Role.ADVISOR), await make.make_member()
    early = await do(actor, "recordReturn", came_back("B-1", 1), "first")
    assert early["__typename"] == "OrderNotFound"
    order = (await do(actor, "recordOrder", receipt("R-1", memberId=ref(member))))["order"]["id"]
    back = await do(actor, "recordReturn", came_back("B-1", 1))
    assert (back["isNew"], back["amount"]) == (True, "9.99")
    assert back["order"] == {"id": order, "returns": [{"externalId": "B-1", "amount": "9.99"}]}
    again = await do(actor, "recordReturn", came_back("B-1", 1))
    assert again == back | {"isNew": False}
    assert (await do(actor, "recordReturn", came_back("B-1", 2)))["__typename"] == "ReturnConflict"
    by_id = came_back("B-2", 2, orderExternalId=None, orderId=order)
    too_many = await do(actor, "recordReturn", by_id)
    assert (too_many["__typename"], too_many["lineNo"]) == ("ReturnExceedsOrder", 1)
    before = came_back("B-3", 1, returnedAt=(make.NOON - timedelta(days=1)).isoformat())
    assert [error["field"] for error in (await do(actor, "recordReturn", before))["errors"]] == ["returnedAt"]
    elsewhere = await make.make_actor(Role.ADVISOR, scope=RowScope.STORE, store_id=(await make.make_store()).id)
    hidden = await do(elsewhere, "recordReturn", came_back("B-4", 1, orderExternalId=None, orderId=order))
    assert hidden["__typename"] == "OrderNotFound"
    nobodys = came_back("B-4", 1, orderExternalId=None, orderId=encode_id("Order", make.any_id()))
    assert await do(elsewhere, "recordReturn", nobodys) == hidden


async def test_a_lapsed_lease_says_who_has_it_now(db: str) -> None:
    slow, quick = await make.make_actor(name="Slow"), await make.make_actor(name="Quick")
    task = await make.make_task(await make.make_member())
    taken = await do(slow, "takeNextCallback")
    held = await do(quick, "openCallback", ref(task))
    assert (held["__typename"], held["holderName"]) == ("LeaseHeld", "Slow")
    await CallbackTask.filter(id=task.id).update(lease_until=real_now())
    again = await do(quick, "openCallback", ref(task))
    lost = await do(
        slow, "logCallbackOutcome", {"taskId": ref(task), "fence": taken["fence"], "disposition": "REACHED"}
    )
    assert (lost["__typename"], lost["holderName"]) == ("LeaseLost", "Quick")
    assert again["fence"] == taken["fence"] + 1


async def test_many_are_tagged_by_ids_or_by_a_search_and_babies_and_families_too(db: str) -> None:
    operator = await make.make_actor(Role.OPERATOR)
    ann, bea = await make.make_member(full_name="Ann Lee"), await make.make_member(full_name="Bea Lee")
    baby = await make.make_baby(ann)
    new = {"key": "attribute.lee", "family": "ATTRIBUTE", "labelEn": "Lee", "labelZh": "李"}
    assert (await do(operator, "createTag", new))["tag"] == {"key": "attribute.lee"}
    for more, chosen, changed in (
        ({"memberIds": [ref(ann), encode_id("Member", make.any_id())]}, 1, 1),
        ({"search": {"name": "Ann"}}, 1, 0), ({"search": {"tag": "attribute.lee"}}, 1, 0), ({"search": {}}, 2, 1),
    ):  # fmt: skip
        answer = await do(operator, "tagMembers", {"key": "attribute.lee", **more})
        assert answer == {"__typename": "MembersTagged", "chosen": chosen, "tagged": changed}
    for wrong in ({}, {"memberIds": [ref(bea)], "search": {}}):
        answer = await do(operator, "tagMembers", {"key": "attribute.lee", **wrong})
        assert answer["__typename"] == "ValidationError"
    for where in ({"babyId": ref(baby)}, {"isFamily": True}):
        tagged = await do(operator, "tagMember", {"memberId": ref(ann), "key": "attribute.lee", **where})
        assert tagged["__typename"] == "MemberTagged"
    stranger = await do(operator, "tagMember", {"memberId": ref(bea), "key": "attribute.lee", "babyId": ref(baby)})
    assert stranger["__typename"] == "BabyNotFound"
    assert (await do(operator, "tagMember", {"memberId": ref(bea), "key": "x"}))["__typename"] == "TagNotFound"


async def test_a_key_used_for_something_else_is_a_conflict(db: str) -> None:
    actor, member = await make.make_actor(), await make.make_member()
    note = {"memberId": ref(member), "kind": "NOTE", "channel": "CALL", "note": "One."}
    await do(actor, "logInteraction", note, "k")
    other = await do(actor, "logInteraction", note | {"note": "Two."}, "k")
    assert other["__typename"] == "IdempotencyConflict"
    elsewhere = await do(actor, "takeNextCallback", key="k")
    assert elsewhere["__typename"] == "IdempotencyConflict"
    answers = await asyncio.gather(*(do(actor, "logInteraction", note, "race") for _ in range(10)))
    assert {answer["__typename"] for answer in answers} <= {"InteractionLogged", "InProgress"}
    assert await Interaction.all().count() == 2
    empty = await do(actor, "takeNextCallback", key=" \n")
    assert empty["errors"][0]["field"] == "idempotencyKey"


async def test_every_field_knows_who_said_it_and_takes_that_along(db: str) -> None:
    staff, frontend = await make.make_actor(Role.OPERATOR), make.frontend_actor()
    one = await make.make_member(full_name=None, name_source=None, source="desk", joined_by_id=staff.staff_id)
    other = await make.make_member(source="import:old", language="zh-Hans")
    await do(frontend, "updateMember", {"memberId": ref(other), "version": 1, "name": "Mia Bell"})
    baby = await make.make_baby(one, presence_source=Source.INFERRED, presence_confidence=0.6)
    await do(staff, "reportBirth", {"babyId": ref(baby), "bornOn": "2017-12-01", "sex": "FEMALE", "saidBy": "MEMBER"})
    await do(staff, "mergeMembers", {"memberId": ref(one), "absorbedId": ref(other)})
    told = "provenance { field source confidence at recordedBy }"
    query = f'{{ member(id: "{ref(one)}") {{ name {told} babies {{ {told} }} }} }}'
    answer = (await execute(query, {}, staff, config=CONFIG))["data"]["member"]
    hers = {one["field"]: one for one in answer["provenance"]}
    mine = encode_id("Staff", staff.staff_id)  # type: ignore[arg-type]
    assert (answer["name"], hers["name"]["source"], hers["name"]["recordedBy"]) == ("Mia Bell", "MEMBER", None)
    assert (hers["language"]["source"], hers["language"]["confidence"]) == ("STAFF", 0.9)
    assert (hers["language"]["recordedBy"], set(hers)) == (mine, {"name", "language", "jurisdiction", "timeZone"})
    (child,) = answer["babies"]
    said = {one["field"]: (one["source"], one["confidence"], one["recordedBy"]) for one in child["provenance"]}
    assert said == {"bornOn": ("MEMBER", 1.0, mine), "sex": ("MEMBER", 1.0, mine)}


async def test_a_merge_is_seen_followed_and_taken_back(db: str) -> None:
    operator, frontend = await make.make_actor(Role.OPERATOR), make.frontend_actor()
    one, other = await make.make_member(external_id="A"), await make.make_member(external_id="B")
    order = await make.make_order(other, make.NOON)
    pair = {"memberId": ref(one), "absorbedId": ref(other)}
    seen = await do(operator, "previewMerge", pair)
    assert {"table": "orders", "changed": 1, "removed": 0, "added": 0} in seen["rows"]
    merged = await do(operator, "mergeMembers", pair, "merge-1")
    assert await do(operator, "mergeMembers", pair, "merge-1") == merged
    (edge,) = merged["member"]["merges"]
    assert (edge["id"], edge["how"], edge["formerId"]) == (merged["mergeId"], "STAFF", ref(other))
    assert (merged["member"]["formerIds"], merged["member"]["recentOrders"]) == ([ref(other)], [{"id": ref(order)}])
    ways = (
        f'{{ a: member(id: "{ref(other)}") {{ id formerIds }} b: member(externalId: "B", source: "test") {{ id }} '
        f'c: member(externalId: "B") {{ id }} d: node(id: "{ref(other)}") {{ id }} }}'
    )
    told = (await execute(ways, {}, frontend, config=CONFIG))["data"]
    assert {way: row["id"] for way, row in told.items()} == dict.fromkeys("abcd", ref(one))
    assert told["a"]["formerIds"] == [ref(other)]
    listed = await execute("{ members(search: {}, first: 9) { edges { node { id } } } }", {}, operator, config=CONFIG)
    assert listed["data"]["members"]["edges"] == [{"node": {"id": ref(one)}}]
    gone = await do(operator, "updateMember", {"memberId": ref(other), "version": 1, "name": "Eve"})
    assert gone["__typename"] == "MemberNotFound"
    back = await do(operator, "unmergeMembers", {"mergeId": merged["mergeId"], "reason": "Her sister."})
    assert back["restored"] == {"id": ref(other), "recentOrders": [{"id": ref(order)}]}
    assert (await do(operator, "mergeMembers", pair))["__typename"] == "KeptApart"
    again = await do(operator, "unmergeMembers", {"mergeId": merged["mergeId"], "reason": "Her sister."})
    assert again["__typename"] == "MergeNotFound"
    await do(operator, "keepApart", {"memberId": ref(one), "otherId": ref(other), "isApart": False})
    assert (await do(operator, "mergeMembers", pair))["__typename"] == "MembersMerged"


async def test_a_channel_resolves_and_staff_see_who_may_be_one_and_what_names_nobody(db: str) -> None:
    frontend, manager = make.frontend_actor(), await make.make_actor(Role.STORE_MANAGER)

    async def resolved(*identities: tuple[str, str], **more: Any) -> dict[str, Any]:
        given = [{"kind": kind, "value": value, "issuer": "wx"} for kind, value in identities]
        return await do(frontend, "resolveMember", {"identities": given, **more})

    first = await resolved(("WECHAT_OPENID", "o1"), ("PHONE", "2126660101"))
    assert (first["isNew"], (await resolved(("WECHAT_OPENID", "o1")))["member"]) == (True, first["member"])
    second = await resolved(("CARD", "c1"), ("PHONE", "2126660101"))
    assert (second["isNew"], second["suggested"]) == (True, 1)
    doubts = "{ mergeSuggestions(first: 5) { edges { node { id reasons kinds one { id } other { id } } } } }"
    (edge,) = (await execute(doubts, {}, manager, config=CONFIG))["data"]["mergeSuggestions"]["edges"]
    assert (edge["node"]["reasons"], edge["node"]["kinds"]) == (["SHARED_CONTACT"], ["PHONE"])
    assert {edge["node"]["one"]["id"], edge["node"]["other"]["id"]} == {first["member"]["id"], second["member"]["id"]}
    proof = await resolved(("CARD", "c1"), ("WECHAT_OPENID", "o1"), verifiedBy="wechat")
    assert (proof["merged"], len(proof["member"]["formerIds"])) == (1, 1)
    assert (await execute(doubts, {}, manager, config=CONFIG))["data"]["mergeSuggestions"]["edges"] == []
    blocked = await do(manager, "blockIdentity", {"kind": "CARD", "value": "kiosk-1", "reason": "KIOSK"})
    nobody = await resolved(("CARD", "kiosk-1"), ("POS_ID", "0000"))
    assert nobody["leftOut"] == [{"kind": "POS_ID", "reason": "PLACEHOLDER"}, {"kind": "CARD", "reason": "KIOSK"}]
    listed = "{ identityBlocks(first: 5, inForce: true) { edges { node { id value reason } } } }"
    (edge,) = (await execute(listed, {}, manager, config=CONFIG))["data"]["identityBlocks"]["edges"]
    assert edge["node"] == {"id": blocked["blockId"], "value": "***sk-1", "reason": "KIOSK"}
    assert (await do(manager, "liftIdentityBlock", {"blockId": blocked["blockId"]}))["member"] is None
    again = await do(manager, "liftIdentityBlock", {"blockId": blocked["blockId"]})
    assert again["__typename"] == "BlockNotFound"


NEEDS = {
    "registerMember": Permission.WRITE_MEMBERS, "updateMember": Permission.WRITE_MEMBERS,
    "tagMember": Permission.WRITE_TAGS, "untagMember": Permission.WRITE_TAGS,
    "resolveMember": Permission.WRITE_MEMBERS, "blockIdentity": Permission.MERGE_MEMBERS,
    "liftIdentityBlock": Permission.MERGE_MEMBERS, "mergeMembers": Permission.MERGE_MEMBERS,
    "previewMerge": Permission.MERGE_MEMBERS, "unmergeMembers": Permission.MERGE_MEMBERS,
    "keepApart": Permission.MERGE_MEMBERS,
    "recordConsent": Permission.WRITE_CONSENTS, "recordGuardianConsent": Permission.WRITE_CONSENTS,
    "addBaby": Permission.WRITE_BABIES,
    "reportDueDate": Permission.WRITE_BABIES, "reportBirth": Permission.WRITE_BABIES,
    "stopBabyContent": Permission.WRITE_BABIES, "reopenBabyContent": Permission.REOPEN_BABIES,
    "requestErasure": Permission.ERASE_MEMBERS, "eraseMember": Permission.ERASE_MEMBERS,
    "exportMember": Permission.EXPORT_MEMBERS,
    "createTag": Permission.MANAGE_TAGS, "tagMembers": Permission.MANAGE_TAGS,
    "logInteraction": Permission.WRITE_INTERACTIONS, "assignOwner": Permission.ASSIGN_OWNERS,
    "recordOrder": Permission.WRITE_ORDERS, "recordReturn": Permission.WRITE_ORDERS,
    "sendMessage": Permission.SEND_MESSAGES, "takeNextCallback": Permission.WORK_CALLBACKS,
    "openCallback": Permission.WORK_CALLBACKS, "renewCallback": Permission.WORK_CALLBACKS,
    "releaseCallback": Permission.WORK_CALLBACKS, "logCallbackOutcome": Permission.WORK_CALLBACKS,
    "undoCallbackOutcome": Permission.WORK_CALLBACKS,
}  # fmt: skip


def sample(name: str, member: str, baby: str, task: str) -> Any:
    """An input that is right but for who sends it."""
    return {
        "registerMember": {"phone": "2125550177"},
        "updateMember": {"memberId": member, "version": 1, "name": "Eve"},
        "tagMember": {"memberId": member, "key": "attribute.vip"},
        "untagMember": {"memberId": member, "key": "attribute.vip"},
        "recordConsent": {
            "memberId": member, "purpose": "CARE", "channel": "SMS", "state": "WITHDRAWN", "how": "call",
        },
        "resolveMember": {"identities": [{"kind": "CARD", "value": "4711"}]},
        "blockIdentity": {"kind": "CARD", "value": "4712", "reason": "KIOSK"},
        "liftIdentityBlock": {"blockId": encode_id("IdentityBlock", make.any_id())},
        "mergeMembers": {"memberId": member, "absorbedId": encode_id("Member", make.any_id())},
        "previewMerge": {"memberId": member, "absorbedId": encode_id("Member", make.any_id())},
        "unmergeMembers": {"mergeId": encode_id("Merge", make.any_id()), "reason": "Two people."},
        "keepApart": {"memberId": member, "otherId": encode_id("Member", make.any_id())},
        "recordGuardianConsent": {"babyId": baby, "memberId": member, "state": "WITHDRAWN", "how": "call"},
        "addBaby": {"memberId": member, "dueOn": "2018-01-20"},
        "reportDueDate": {"babyId": baby, "dueOn": "2018-01-20"},
        "reportBirth": {"babyId": baby, "bornOn": "2017-12-01"},
        "stopBabyContent": {"babyId": baby},
        "reopenBabyContent": {"babyId": baby, "reason": "A mistake."},
        "requestErasure": {"memberId": member, "reason": "LAW"},
        "eraseMember": {"memberId": member, "confirmationKey": "none"},
        "exportMember": {"memberId": member},
        "assignOwner": {"memberId": member},
        "createTag": {"key": "attribute.new", "family": "ATTRIBUTE", "labelEn": "New", "labelZh": "新"},
        "tagMembers": {"key": "attribute.vip", "memberIds": [member]},
        "logInteraction": {"memberId": member, "kind": "NOTE", "channel": "CALL", "note": "Hello."},
        "recordOrder": receipt("R-1", memberId=member),
        "recordReturn": came_back("B-1", 1),
        "sendMessage": {"memberId": member, "channel": "SMS", "purpose": "SERVICE", "text": "Hello."},
        "takeNextCallback": None,
        "openCallback": task,
        "renewCallback": {"taskId": task, "fence": 0},
        "releaseCallback": {"taskId": task, "fence": 0, "reason": "Lunch"},
        "logCallbackOutcome": {"taskId": task, "fence": 0, "disposition": "REACHED"},
        "undoCallbackOutcome": encode_id("CallbackOutcome", make.any_id()),
    }[name]  # fmt: skip


def receipt(number: str, **more: Any) -> dict[str, Any]:
    lines = [{"productCode": "P1", "quantity": "2", "amount": "19.98"}]
    return {"externalId": number, "channel": "POS", "orderedAt": make.NOON.isoformat(), "lines": lines, **more}


def came_back(number: str, pieces: int, **more: Any) -> dict[str, Any]:
    lines = [{"lineNo": 1, "quantity": str(pieces)}]
    return {
        "externalId": number, "orderExternalId": "R-1", "returnedAt": make.NOON.isoformat(), "lines": lines, **more,
    }  # fmt: skip


async def actor_of(role: Role) -> Actor:
    if role is Role.MEMBER:
        return make.member_actor(await make.make_member())
    return make.frontend_actor() if role is Role.FRONTEND else await make.make_actor(role)


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_may_do_exactly_what_its_permissions_say(db: str, role: Role) -> None:
    actor, member = await actor_of(role), await make.make_member()
    baby, task = await make.make_baby(member), await make.make_task(member)
    for name, permission in NEEDS.items():
        body = await send(actor, name, sample(name, ref(member), ref(baby), ref(task)))
        codes = [error["extensions"]["code"] for error in body.get("errors", ())]
        if permission not in PERMISSIONS[role]:
            assert codes == ["FORBIDDEN"], (name, body)
        else:
            assert "errors" not in body or permission not in [e["extensions"].get("permission") for e in body["errors"]]
    if not PERMISSIONS[role] & set(NEEDS.values()):
        assert (await Member.get(id=member.id)).version == 1
        assert await Interaction.all().count() == 0


async def test_nobody_does_nothing(db: str) -> None:
    for name in NEEDS:
        body = await send(
            None, name, sample(name, *(encode_id(of, make.any_id()) for of in ("Member", "Baby", "CallbackTask")))
        )
        assert [error["extensions"]["code"] for error in body["errors"]] == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in NEEDS
        if name
        not in ("createTag", "tagMembers", "registerMember", "takeNextCallback", "undoCallbackOutcome", "recordReturn")
        and NEEDS[name] in PERMISSIONS[Role.STORE_MANAGER]
        and name not in ("resolveMember", "blockIdentity", "liftIdentityBlock", "unmergeMembers")
    ],
)
async def test_out_of_scope_and_unknown_answer_alike(db: str, name: str) -> None:
    near, far = await make.make_store(), await make.make_store()
    actor = await make.make_actor(Role.STORE_MANAGER, scope=RowScope.STORE, store_id=near.id)
    member = await make.make_member(store_id=far.id)
    baby, task = await make.make_baby(member), await make.make_task(member)
    theirs = await do(actor, name, sample(name, ref(member), ref(baby), ref(task)))
    unknown = (encode_id(of, make.any_id()) for of in ("Member", "Baby", "CallbackTask"))
    assert theirs == await do(actor, name, sample(name, *unknown))
    assert theirs["__typename"] in ("MemberNotFound", "BabyNotFound", "TaskNotFound")
