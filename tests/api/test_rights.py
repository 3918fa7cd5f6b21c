"""Every field of the SDL to every role by every way, as the table of rights says: allowed, masked or refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from domain.commerce.staff import RowScope
from domain.platform.roles import Role
from tests.api.conftest import Ask, Response
from tests.api.one_of_each import CARD, NAME, NICKNAME, PHONE, RULE, TAG, World, missing_id, one_of_each, stored
from tests.api.rights import NOBODY, TABLE, WHO, Cells, readable, sdl, table
from tests.api.rights_paths import BEFORE_ALL, Expected, Ways, required
from tests.factories import make_actor, make_member, make_store, member_actor

SCHEMA = sdl()
NODES = sorted(named.name for named in SCHEMA.get_possible_types(SCHEMA.type_map["Node"]))  # type: ignore[arg-type]
PARTS = frozenset({"CallbackOutcome"})  # seen with the row that they are part of, and by no other way
PAGES = {
    "members": ("Member", "search: {}, "), "callbackTasks": ("CallbackTask", ""), "messages": ("Message", ""),
    "stageEntries": ("Baby", 'stage: MONTHS_6_12, from: "2017-12-01", to: "2017-12-04", '),
    "products": ("Product", ""), "stores": ("Store", ""), "segments": ("Segment", ""),
    "tagCatalogue": ("CatalogueTag", ""),
    "segmentSample": ("Member", f"rule: {json.dumps(RULE)}, "),
    "mergeSuggestions": ("MergeSuggestion", ""),
    "identityBlocks": ("IdentityBlock", ""),
}  # fmt: skip


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected | actual:
            yield from differences(expected.get(key, "(nothing)"), actual.get(key, "(nothing)"), f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for place, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(one, other, f"{path}.{place}")
    elif not (expected(actual) if callable(expected) else expected == actual):
        yield f"{path}: {actual!r}, not {expected!r}"


def compared(answer: Response, data: Any, expected: Expected, what: str) -> list[str]:
    """Where the answer is not what the table says, one line each."""
    found = list(differences(data, answer.body.get("data")))
    errors = {(tuple(one["path"]), one["extensions"]["code"]) for one in answer.body.get("errors", ())}
    found += [f".{'.'.join(map(str, path))}: {code}, and may be read" for path, code in errors - expected.errors]
    found += [f".{'.'.join(map(str, path))}: no {code}" for path, code in expected.errors - errors]
    return [f"{expected.role}, {what}: {line}" for line in found]


@pytest.fixture(scope="module")
def cells() -> Cells:
    return table()


def test_every_field_and_argument_has_a_cell_for_every_role(cells: Cells) -> None:
    names, mend = readable(SCHEMA), "run `python -m tests.api.rights --missing`"
    missing, lost = [name for name in names if name not in cells], [name for name in cells if name not in names]
    assert not missing, f"no cells for {', '.join(missing)}: {mend}, then say in {TABLE.name} who may read them"
    assert not lost, f"the SDL has lost {', '.join(lost)}: {mend}"
    words = {"allowed", "masked", "refused"}
    assert [name for name, row in cells.items() if set(row) != set(WHO) or not set(row.values()) <= words] == []
    assert {row[NOBODY] for row in cells.values()} == {"refused"}


def roots(ways: Ways, world: World) -> Iterator[tuple[str, str, str, str]]:
    """(root field, document, how the answer is shaped, its type) for every way into the graph."""
    member = world.rows["Member"].id
    for name, arguments, type_name in (
        ("me", "", "Member"), ("viewer", "", "Viewer"), ("member", f'(id: "Member:{member}")', "Member"),
        ("segment", f'(id: "Segment:{world.rows["Segment"].id}")', "Segment"),
        ("segmentFields", '(keys: ["segments.segment"])', "SegmentCatalogue"),
        ("segmentCount", f"(rule: {json.dumps(RULE)})", "SegmentCount"),
        ("segmentOverlap", f"(one: {json.dumps(RULE)}, other: {json.dumps(RULE)})", "SegmentOverlap"),
        ("segmentWhy", f'(rule: {json.dumps(RULE)}, memberId: "Member:{member}")', "SegmentWhy"),
    ):  # fmt: skip
        yield name, f"{{ {name}{arguments} {{ {_text(ways, type_name)} }} }}", "one", type_name
    for type_name in NODES:
        key = world.rows[type_name].id
        inside = f"... on {type_name} {{ {_text(ways, type_name)} }}"
        yield "node", f'{{ node(id: "{type_name}:{key}") {{ __typename {inside} }} }}', "node", type_name
    for name, (type_name, more) in PAGES.items():
        for after in ("", f', after: "{BEFORE_ALL[f"Query.{name}"]}"'):
            node = f"edges {{ node {{ {_text(ways, type_name)} }} }}"
            yield name, f"{{ {name}({more}first: 1{after}) {{ {node} }} }}", "page", type_name


def _text(ways: Ways, type_name: str) -> str:
    return " ".join(map(str, ways.of(type_name)))


def told(expected: Expected, ways: Ways, root: str, shape: str, type_name: str) -> Any:
    """What the table says that a root field answers."""
    is_refused = expected.is_refused(f"Query.{root}")
    if is_refused or (shape == "node" and not expected.reads(type_name)):
        expected.refuse((root,))
        return {root: None}
    if root == "me" and expected.role != "MEMBER":
        return {root: None}
    if shape == "page":
        return {root: {"edges": [{"node": expected.object(type_name, ways.of(type_name), (root, "edges", 0, "node"))}]}}
    if shape == "node":
        expected.proved.add("Query.node(id)")
        if type_name in PARTS:
            return {root: None}
        return {root: {"__typename": type_name, **(expected.object(type_name, ways.of(type_name), (root,)) or {})}}
    return {root: expected.object(type_name, ways.of(type_name), (root,))}


async def test_every_way_to_a_field_tells_what_the_table_says(ask: Ask, cells: Cells) -> None:
    world, ways = await one_of_each(), Ways(SCHEMA)
    wrong: list[str] = []
    for role in WHO:
        proved: set[str] = set()
        for root, document, shape, type_name in roots(ways, world):
            expected = Expected(cells, world, role, world.rows, proved=proved)
            data = told(expected, ways, root, shape, type_name)
            answer = await ask(world.actors[role], document)
            wrong += compared(answer, data, expected, f"{root} to {type_name}")
        reached = {name.partition(".")[0] for name in proved}
        unproved = [name for name in cells if name not in proved and name.partition(".")[0] in reached]
        wrong += [f"{role}: no way to {name} was tried" for name in unproved if not name.startswith("Query.")]
        reads = {name.partition(".")[0] for name, row in cells.items() if row[role] != "refused"}
        wrong += [f"{role}: nothing leads to {type_name}" for type_name in reads - reached - {"Mutation"}]
    assert not wrong, "\n".join(wrong)


# argument -> how it is given (an id as {Type}), and whether the type's row is found by it
ARGUMENTS = {
    "Query.member(id)": ('id: "{Member}"', True),
    "Query.member(phone)": (f'phone: "{PHONE}"', True),
    "Query.member(card)": (f'card: "{CARD}"', True),
    "Query.member(externalId)": ('externalId: "M1"', True),
    "Query.member(source)": ('externalId: "M1", source: "crm"', True),
    "Query.members(search.text)": (f'search: {{ text: "{NAME}" }}', True),
    "Query.members(search.phoneEnding)": (f'search: {{ phoneEnding: "{PHONE[-5:]}" }}', True),
    "Query.members(search.card)": (f'search: {{ card: "{CARD}" }}', True),
    "Query.members(search.externalId)": ('search: { externalId: "M1" }', True),
    "Query.members(search.name)": (f'search: {{ name: "{NAME[:4]}" }}', True),
    "Query.members(search.babyNickname)": (f'search: {{ babyNickname: "{NICKNAME}" }}', True),
    "Query.members(search.tag)": (f'search: {{ tag: "{TAG}" }}', True),
    "Query.members(search.stage)": ("search: { stage: MONTHS_6_12 }", True),
    "Query.stageEntries(stage)": ('stage: MONTHS_6_12, from: "2017-12-01", to: "2017-12-03"', True),
    "Query.stageEntries(from)": ('stage: MONTHS_6_12, from: "2017-12-04", to: "2017-12-05"', False),
    "Query.stageEntries(to)": ('stage: MONTHS_6_12, from: "2017-12-01", to: "2017-12-02"', False),
    "Query.stageEntries(basis)": ('stage: NEWBORN, from: "2017-06-03", to: "2017-06-03", basis: CORRECTED', True),
    "Query.mergeSuggestions(states)": ("states: [OPEN]", True),
    "Query.identityBlocks(reasons)": ("reasons: [KIOSK]", True),
    "Query.identityBlocks(inForce)": ("inForce: false", True),
    "Query.callbackTasks(states)": ("states: [LEASED]", True),
    "Query.callbackTasks(kinds)": ("kinds: [WIN_BACK]", True),
    "Query.callbackTasks(isDue)": ("isDue: true", True),
    "Query.callbackTasks(isMine)": ("isMine: true", True),
    "Query.callbackTasks(queue)": ("queue: OWN", True),
    "Query.callbackTasks(closedSince)": ('closedSince: "2017-01-01T00:00:00+00:00"', False),
    "Query.callbackTasks(memberId)": ('memberId: "{Member}"', True),
    "Query.messages(states)": ("states: [DELIVERED]", True),
    "Query.messages(channel)": ("channel: SMS", True),
    "Query.messages(purpose)": ("purpose: CARE", True),
    "Query.messages(reason)": ('reason: "OK"', True),
    "Query.messages(since)": ('since: "2017-12-01T00:00:00+00:00"', True),
    "Query.messages(memberId)": ('memberId: "{Member}"', True),
    "Query.products(category)": ('category: "DIAPERS & DISPOSABLES"', True),
    "Query.products(babyClass)": ("babyClass: DIAPER", True),
    "Query.products(externalId)": ('externalId: "P1"', True),
    "Query.segment(id)": ('id: "{Segment}"', True),
    "Query.segmentFields(keys)": ('keys: ["orders.count"]', True),
    "Query.segmentCount(rule)": (f"rule: {json.dumps(RULE)}", True),
    "Query.segmentSample(rule)": (f"rule: {json.dumps(RULE)}", True),
    "Query.segmentWhy(rule)": (f'rule: {json.dumps(RULE)}, memberId: "{{Member}}"', True),
    "Query.segmentWhy(memberId)": (f'rule: {json.dumps(RULE)}, memberId: "{{Member}}"', True),
    "Query.segmentOverlap(one)": (f"one: {json.dumps(RULE)}, other: {json.dumps(RULE)}", True),
    "Query.segmentOverlap(other)": (f"one: {json.dumps(RULE)}, other: {json.dumps(RULE)}", True),
    "Query.tagCatalogue(family)": ("family: ATTRIBUTE", True),
    "Query.tagCatalogue(isRetired)": ("isRetired: true", False),
    "Query.node(id)": ('id: "{Store}"', True),
    "Baby.careCalendar(months)": ("", True),  # by the ways above
    "Viewer.festivals(from)": ("", True),
    "Viewer.festivals(to)": ("", True),
    "Member.timeline(kinds)": ("", True),  # by the ways above: each kind by itself
    "Member.timeline(channels)": ("", True),  # these only narrow what the ways above prove
    "Member.timeline(since)": ("", True),
    "Member.timeline(until)": ("", True),
    "Member.timeline(questions)": ("", True),
}


COMPUTED = {
    "segmentFields": "SegmentCatalogue", "segmentCount": "SegmentCount", "segmentWhy": "SegmentWhy",
    "segmentOverlap": "SegmentOverlap",
}  # fmt: skip


async def test_nobody_finds_by_an_argument_what_she_may_not_read(ask: Ask, cells: Cells) -> None:
    assert set(ARGUMENTS) == {name for name in cells if "(" in name}, "say in ARGUMENTS how the new one is given"
    world = await one_of_each()
    ids = {name: f"{name}:{getattr(row, 'id', '')}" for name, row in world.rows.items()}
    wrong: list[str] = []
    for place, (given, finds) in ARGUMENTS.items():
        root = place.partition(".")[2].partition("(")[0]
        for name, key in ids.items():
            given = given.replace(f"{{{name}}}", key)  # noqa: PLW2901
        for role in WHO if place.startswith("Query.") else ():
            expected = Expected(cells, world, role, world.rows)
            if root in COMPUTED:
                text = f"{{ {root}({given}) {{ __typename }} }}"
                data: Any = {"__typename": COMPUTED[root]}
            elif root in PAGES:
                key = ids[PAGES[root][0]]
                text = f"{{ {root}({given}, first: 5) {{ totalCount edges {{ node {{ id }} }} }} }}"
                data = {"totalCount": int(finds), "edges": [{"node": {"id": key}}] if finds else []}
            else:
                of = {"node": "Store", "segment": "Segment"}.get(root, "Member")
                text, data = f"{{ {root}({given}) {{ id }} }}", {"id": ids[of]}
            if expected.is_refused(place):
                expected.refuse((root,))
                data = None
            wrong += compared(await ask(world.actors[role], text), {root: data}, expected, place)
    assert not wrong, "\n".join(wrong)


async def test_a_word_is_not_looked_up_where_its_searcher_may_not_read(ask: Ask) -> None:
    world = await one_of_each()
    query = "query($text: String!) { members(search: { text: $text }, first: 5) { totalCount } }"
    found = {
        (role, text): (await ask(world.actors[role], query, text=text)).body["data"]["members"]
        for role in ("CONSULTANT", "ANALYST")
        for text in (NICKNAME, PHONE[-5:])
    }
    assert found == {
        ("CONSULTANT", NICKNAME): {"totalCount": 1}, ("CONSULTANT", PHONE[-5:]): {"totalCount": 1},
        ("ANALYST", NICKNAME): {"totalCount": 0}, ("ANALYST", PHONE[-5:]): None,
    }  # fmt: skip


async def test_a_cursor_of_somebody_else_opens_nothing(ask: Ask) -> None:
    """It says where to go on, never whose rows come."""
    world = await one_of_each()
    await make_member(source="a", id="00000000-0000-7000-8000-000000000001")
    hers = await make_member(source="a", owner_id=(narrow := await make_actor(Role.CONSULTANT, RowScope.OWN)).staff_id)
    page = "query($after: String) { members(search: {}, first: 1, after: $after) { edges { node { id } cursor } } }"
    wide = world.actors["OPERATOR"]
    after, seen = None, set()
    while edges := (await ask(wide, page, after=after)).data["members"]["edges"]:
        after = edges[0]["cursor"]
        seen |= {edge["node"]["id"] for edge in (await ask(narrow, page, after=after)).data["members"]["edges"]}
        assert (await ask(world.actors["FRONTEND"], page, after=after)).codes == ["FORBIDDEN"]
    assert seen == {f"Member:{hers.id}"}


async def test_what_is_out_of_scope_is_answered_like_what_is_not_there(ask: Ask) -> None:
    world = await one_of_each()
    stranger = await make_member()
    elsewhere = (await make_store()).id
    others = {
        "CONSULTANT": await make_actor(Role.CONSULTANT, RowScope.OWN, store_id=elsewhere),
        "MEMBER": member_actor(stranger),
    }
    for role, actor in others.items():
        reads = Expected(table(), world, role, world.rows).reads
        for type_name in (name for name in NODES if reads(name)):
            known, query = world.rows[type_name].id, "query($id: ID!) { node(id: $id) { __typename id } }"
            there = await ask(actor, query, id=f"{type_name}:{known}")
            nowhere = await ask(actor, query, id=missing_id(type_name))
            assert nowhere.body == {"data": {"node": None}}
            if type_name in ("CatalogueTag", "Product", "Staff", "Store"):  # everybody's
                assert there.data["node"]["__typename"] == type_name
            else:
                assert there.body == nowhere.body, (role, type_name)
        ways = {"id": f"Member:{world.rows['Member'].id}", "phone": PHONE, "card": CARD, "externalId": "M1"}
        misses = {"id": missing_id("Member"), "phone": "+12125550999", "card": "CARD-0", "externalId": "M0"}
        for way, value in ways.items():
            query = f"query($it: {'ID' if way == 'id' else 'String'}!) {{ member({way}: $it) {{ id }} }}"
            there, nowhere = await ask(actor, query, it=value), await ask(actor, query, it=misses[way])
            assert there.body == nowhere.body == {"data": {"member": None}}, (role, way)


RECEIPT = (
    '{ externalId: "O2", memberId: "{Member}", storeId: "{Store}", channel: POS, source: "till", '
    'orderedAt: "2017-12-15T10:00:00+00:00", lines: [{ productId: "{Product}", quantity: "1", amount: "9.90" }] }'
)
# type -> (mutation, its input, the payload and its field)
PAYLOADS = {
    "Member": ("recordConsent", '{ memberId: "{Member}", purpose: CARE, channel: SMS, state: WITHDRAWN, how: "call" }',
               "ConsentRecorded", "member"),
    "Baby": ("reportBirth", '{ babyId: "{Baby}", bornOn: "2017-06-03", saidBy: MEMBER }', "BirthReported", "baby"),
    "Interaction": ("logInteraction", '{ memberId: "{Member}", kind: CALL, channel: CALL, note: "!", questions: "?" }',
                    "InteractionLogged", "interaction"),
    "Order": ("recordOrder", RECEIPT, "OrderRecorded", "order"),
    "Message": ("sendMessage", '{ memberId: "{Member}", channel: SMS, purpose: CARE, text: "All is well with us." }',
                "MessagePlanned", "plannedMessage"),
    "CallbackTask": ("renewCallback", '{ taskId: "{CallbackTask}", fence: 3 }', "CallbackLeased", "task"),
}  # fmt: skip


async def test_a_mutation_tells_no_more_than_a_query(ask: Ask, cells: Cells) -> None:
    world, ways, wrong = await one_of_each(), Ways(SCHEMA), list[str]()
    for type_name, (mutation, given, payload, field) in PAYLOADS.items():
        for name, row in world.rows.items():
            given = given.replace(f"{{{name}}}", f"{name}:{getattr(row, 'id', '')}")  # noqa: PLW2901
        for role in WHO:
            text = (
                f'mutation {{ {mutation}(input: {given}, idempotencyKey: "{type_name} {role}") {{ __typename '
                f"... on {payload} {{ {field} {{ {_text(ways, type_name)} }} }} ... on Failure {{ message }} }} }}"
            )
            answer = await ask(world.actors[role], text)
            expected = Expected(cells, world, role, await stored())
            data: Any = None
            if expected.is_refused(f"Mutation.{mutation}"):
                expected.refuse((mutation,))
            else:
                seen = expected.object(type_name, ways.of(type_name), (mutation, field))
                data = {mutation: {"__typename": payload, field: seen}}
            wrong += compared(answer, data, expected, f"{mutation} to {type_name}")
    assert not wrong, "\n".join(wrong)


async def test_a_mutation_is_run_for_whom_the_table_says(ask: Ask, cells: Cells) -> None:
    """Asked about rows that are not there: who may not do it reads so before anything else."""
    world, ran = await one_of_each(), {}
    assert SCHEMA.mutation_type is not None
    for name, of in SCHEMA.mutation_type.fields.items():
        arguments = {key: one for key, one in of.args.items() if key != "idempotencyKey"}
        for role, actor in world.actors.items():
            given = ", ".join(filter(None, (required(arguments), f'idempotencyKey: "{name} {role}"')))
            codes = (await ask(actor, f"mutation {{ {name}({given}) {{ __typename }} }}")).codes
            refused = ["UNAUTHENTICATED" if role == NOBODY else "FORBIDDEN"]
            assert codes in ([], refused), (name, role, codes)
            ran[(name, role)] = "refused" if codes else "allowed"
    table_says = {(name, role): cells[f"Mutation.{name}"][role] for name, role in ran}
    assert [f"{key}: {ran[key]}, not {said}" for key, said in table_says.items() if ran[key] != said] == []
