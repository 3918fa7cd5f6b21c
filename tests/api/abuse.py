"""Requests that are meant to hurt, by a name that says how, each with the code that refuses it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Abuse:
    """A request. What a document says of itself is varied by a comment, so that nothing of it is remembered."""

    code: str
    query: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)  # of the body
    content: bytes | None = None  # instead of a body with `query`
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    method: str = "POST"
    params: Mapping[str, str] = field(default_factory=dict)

    def body(self, number: int) -> bytes:
        if self.content is not None:
            return self.content
        return orjson.dumps({"query": f"# {number}\n{self.query}", "variables": self.variables, **self.more})

    def sent(self, number: int) -> dict[str, Any]:
        """What httpx sends."""
        params = {name: f"# {number}\n{value}" if name == "query" else value for name, value in self.params.items()}
        body = None if self.method == "GET" else self.body(number)
        return {"method": self.method, "params": params, "headers": dict(self.headers), "content": body}


def repeated(count: int, text: str, between: str = " ") -> str:
    """The text `count` times, with its number where it says `#`."""
    return between.join(text.replace("#", str(number)) for number in range(count))


def nested(depth: int, inner: str = "id") -> str:
    return "household { carers { " * depth + inner + " } }" * depth


def on_me(inner: str, more: str = "") -> str:
    return f"{{ me {{ {inner} }} }} {more}"


def page(arguments: str, variables: str = "") -> str:
    return f"query{variables} {{ members(search: {{}}, {arguments}) {{ totalCount }} }}"


def doubling(levels: int) -> str:
    step = "...F{} household {{ carers {{ ...F{} }} }}"
    steps = repeated(levels, "fragment F# on Member { @ }").split("fragment")[1:]
    made = [one.replace("@", step.format(number + 1, number + 1)) for number, one in enumerate(steps)]
    return on_me("...F0", "".join(f"fragment{one}" for one in made) + f" fragment F{levels} on Member {{ id }}")


def chain(length: int, inner: str, last: str, on: str = "Member") -> str:
    """Fragments of which each spreads the next, where `inner` says NEXT."""
    links = [f"fragment C{n} on {on} {{ {inner.replace('NEXT', f'...C{n + 1}')} }}" for n in range(length)]
    return " ".join([*links, f"fragment C{length} on {on} {{ {last} }}"])


def cursor(*values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


def after(text: str, root: str = "messages") -> tuple[str, dict[str, Any]]:
    return f"query($a: String!) {{ {root}(first: 1, after: $a) {{ totalCount pageInfo {{ endCursor }} }} }}", {
        "a": text
    }


def node(text: str) -> tuple[str, dict[str, Any]]:
    return "query($id: ID!) { node(id: $id) { id } }", {"id": text}


LIMIT, INVALID, PARSE, INPUT, REQUEST = (
    "LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "BAD_USER_INPUT", "BAD_REQUEST",
)  # fmt: skip
LISTS = "orders(first: 100) { edges { node { lines(first: 100) { amount } } } }"
ENDED = "nothing"  # no such field: valid up to the last of its tokens
QUOTED = '"a"'
LEAVES = (
    "id status carerRole name nameSource phone email language jurisdiction timeZone source externalId joinedOn "
    "joinedChannel joinedCampaign handlingNote version lastOrderedAt lastContactAt"
)
EVERYTHING = f"{LEAVES} household {{ id carers {{ {LEAVES} household {{ id carers {{ {LEAVES} }} }} }} }}"
SEARCH = "query($s: MemberSearch!) { members(search: $s, first: 1) { totalCount } }"
STATES = "query($s: [CallbackState!]) { callbackTasks(states: $s, first: 1) { totalCount } }"
SINCE = "query($d: DateTime) { messages(since: $d, first: 1) { totalCount } }"
FIRST = page("first: $n", "($n: Int!)")
REVEAL = "revealContact(memberId: $i, kind: PHONE, idempotencyKey: $k) { __typename }"
BY_TIME = "created_at-,id-"
UUID = "01900000-0000-7000-8000-000000000000"
CIRCLE = "fields { type { fields { type { fields { type { fields { name } } } } } } }"
NAMED = "query A { __typename } query B { __typename }"
OF_TYPES = "ofType { " * 19 + "name" + " }" * 19
FORM = "application/x-www-form-urlencoded"
MULTIPART = b'--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{"query": "{ __typename }"}\r\n--x--\r\n'


DEEP = {
    "deep": Abuse(LIMIT, on_me(nested(20))),
    "deep in a fragment": Abuse(LIMIT, on_me("...F", f"fragment F on Member {{ {nested(20)} }}")),
    "deep by a chain of fragments": Abuse(LIMIT, on_me("...C0", chain(20, "household { carers { NEXT } }", "id"))),
    "deep by inline fragments": Abuse(LIMIT, on_me("... { " * 60 + "id" + " }" * 60)),
    "deep by inline fragments in a chain": Abuse(
        INVALID, on_me("...C0", chain(12, "... { " * 30 + "NEXT" + " }" * 30, "id"))
    ),
    "braces that never close": Abuse(LIMIT, "{ me " + "{ household { carers " * 600),
    "a list in a list in a list": Abuse(LIMIT, page(f"first: {'[' * 400}1{']' * 400}")),
    "lists that never close": Abuse(LIMIT, page(f"first: {'[' * 1_400}")),
    "an object in an object": Abuse(
        LIMIT, "{ members(search: " + "{text: " * 100 + "1" + "}" * 100 + ", first: 1) { totalCount } }"
    ),
    "a type of lists of lists": Abuse(LIMIT, f"query($a: {'[' * 300}Int{']' * 300}) {{ __typename }}"),
    "introspection in circles": Abuse(INVALID, f"{{ __schema {{ types {{ {CIRCLE} }} }} }}"),
    "introspection of what a type is of": Abuse(
        LIMIT, f'{{ __type(name: "Member") {{ fields {{ type {{ {OF_TYPES} }} }} }} }}'
    ),
    "introspection in circles by fragments": Abuse(
        INVALID, "{ __schema { types { ...C0 } } } " + chain(5, "fields { type { NEXT } }", "name", "__Type")
    ),
}

WIDE = {
    "a field a thousand times": Abuse(LIMIT, on_me("name " * 1_000)),
    "two fields five hundred times": Abuse(LIMIT, on_me("name id " * 500)),
    "branches over and over": Abuse(LIMIT, on_me("household { id carers { id } } " * 150)),
    "branches over and over, one level": Abuse(LIMIT, on_me("household { id } " * 300)),
    "too many tokens": Abuse(LIMIT, on_me("name " * 2_500)),
    "commas and one token too many": Abuse(LIMIT, on_me("name,,, " * 2_500)),
    "fields that no type has": Abuse(INVALID, on_me(repeated(480, "x#"))),
    "valid to the last field": Abuse(
        INVALID, on_me(f"{'name id email phone ' * 20} {'household { id carers { id name } } ' * 20} {ENDED}")
    ),
    "fifteen hundred tokens, valid to the last field": Abuse(
        INVALID, f"{{ {repeated(9, 'm#: member(externalId: @) { ' + EVERYTHING + ' }').replace('@', QUOTED)} {ENDED} }}"
    ),
    "thirty-one aliases": Abuse(LIMIT, on_me(repeated(31, "a#: name"))),
    "five hundred aliases": Abuse(LIMIT, on_me(repeated(490, "a#: name"))),
    "aliases in a fragment spread often": Abuse(
        LIMIT,
        on_me(
            "...F household { carers { ...F carers: household { carers { ...F } } } }",
            f"fragment F on Member {{ {repeated(15, 'a#: name')} }}",
        ),
    ),
    "one response key for different fields": Abuse(INVALID, on_me(repeated(14, "x: name x: id"))),
    "one response key for hundreds of fields": Abuse(LIMIT, on_me(repeated(100, "x: name x: id"))),
    "one response key with other arguments": Abuse(LIMIT, on_me(repeated(90, "tags(first: #) { id }"))),
    "one response key with other texts": Abuse(
        INVALID,
        "{ "
        + " ".join(f'x: stores(first: 1, after: "{letter * 4_000}") {{ totalCount }}' for letter in "abcdefghi")
        + " }",
    ),
    "eleven roots": Abuse(LIMIT, f"{{ {repeated(11, 'r#: me { id }')} }}"),
    "roots through fragments": Abuse(
        LIMIT,
        "{ ...A ...B } " + " ".join(f"fragment {f} on Query {{ {repeated(6, f'{f}#: me {{ id }}')} }}" for f in "AB"),
    ),
    "rows multiplied": Abuse(LIMIT, on_me(LISTS)),
    "rows by variable": Abuse(LIMIT, f"query($n: Int!) {on_me(LISTS.replace('100', '$n'))}", {"n": 100}),
    "rows by a variable's default": Abuse(LIMIT, f"query($n: Int! = 100) {on_me(LISTS.replace('100', '$n'))}"),
    "rows of lists": Abuse(
        LIMIT, on_me("household { carers(first: 100) { household { carers(first: 100) { id } } } }")
    ),
    "two sensitive mutations": Abuse(
        LIMIT, f"mutation($i: ID!, $k: String!) {{ a: {REVEAL} b: {REVEAL} }}", {"i": "x", "k": "x"}
    ),
    "two sensitive mutations in a fragment": Abuse(
        LIMIT,
        f"mutation($i: ID!, $k: String!) {{ ...F }} fragment F on Mutation {{ a: {REVEAL} b: {REVEAL} }}",
        {"i": "x", "k": "x"},
    ),
}

FRAGMENTS = {
    "fragments that double": Abuse(LIMIT, doubling(14)),
    "fragments that double, of roots": Abuse(
        LIMIT,
        "{ ...C0 } " + chain(60, "NEXT NEXT", "nothing", "Query"),
    ),
    "fragments that double, empty": Abuse(INVALID, "{ ...C0 } " + chain(60, "NEXT NEXT", "...None", "Query")),
    "fragments in a circle": Abuse(
        INVALID, on_me("...A", "fragment A on Member { ...B } fragment B on Member { ...A }")
    ),
    "a fragment in itself": Abuse(INVALID, on_me("...A", "fragment A on Member { ...A }")),
    "fragments in a circle that grows": Abuse(
        INVALID,
        on_me(
            "...A",
            "fragment A on Member { household { carers { ...B a: household { carers { ...A } } } } } "
            "fragment B on Member { b: household { carers { ...A ...B } } household { carers { ...B } } }",
        ),
    ),
    "a circle of fifty fragments": Abuse(
        LIMIT, on_me("...C0", chain(50, "id NEXT household { carers { NEXT ...C0 } }", "...C0"))
    ),
    "a hundred and fifty unused fragments": Abuse(LIMIT, on_me("id", repeated(150, "fragment F# on Member { id }"))),
    "ninety unused fragments": Abuse(INVALID, on_me("id", repeated(90, "fragment F# on Member { id name }"))),
    "ninety fragments side by side": Abuse(
        INVALID, on_me(repeated(90, "...F#") + f" {ENDED}", repeated(90, "fragment F# on Member { id }"))
    ),
    "ninety fragments of one name": Abuse(INVALID, on_me("...F", repeated(90, "fragment F on Member { id }"))),
    "spreads of what is not there": Abuse(LIMIT, on_me(repeated(300, "...F#"))),
    "spreads on types that cannot be": Abuse(LIMIT, on_me(repeated(200, "... on Store { id }"))),
    "a hundred and twenty inline fragments": Abuse(INVALID, on_me("... on Member { id } " * 120 + ENDED)),
}

DIRECTIVES = {
    "hundreds of directives": Abuse(LIMIT, on_me("name " + "@skip(if: false) " * 200)),
    "a directive on each field": Abuse(LIMIT, on_me("name @skip(if: false) " * 150)),
    "a directive ninety times at one field": Abuse(INVALID, on_me("name " + "@include(if: true) " * 90)),
    "directives that nobody knows": Abuse(INVALID, on_me(repeated(90, "name @d#(x: 1)"))),
    "directives without their argument": Abuse(INVALID, on_me("name @skip " * 90)),
    "@defer and @stream": Abuse(INVALID, on_me("... @defer { name } babies @stream(initialCount: 0) { id }")),
}

VALUES = {
    "a list of five hundred and one": Abuse(LIMIT, STATES, {"s": ["OPEN"] * 501}),
    "a list of thirty thousand": Abuse(LIMIT, STATES, {"s": ["OPEN"] * 30_000}),
    "a flood of enum values that are none": Abuse(INPUT, STATES, {"s": ["OPEM"] * 400}),
    "a flood of literals": Abuse(LIMIT, "{ callbackTasks(states: [" + "OPEN " * 501 + "], first: 1) { totalCount } }"),
    "a flood of wrong literals": Abuse(
        INVALID, "{ callbackTasks(states: [" + "SHUT " * 400 + "], first: 1) { totalCount } }"
    ),
    "a list in an object": Abuse(LIMIT, SEARCH, {"s": {"text": ["a"] * 600}}),
    "lists in lists by variable": Abuse(INPUT, STATES, {"s": orjson.loads("[" * 200 + "]" * 200)}),
    "objects in objects by variable": Abuse(INPUT, SEARCH, {"s": orjson.loads('{"text":' * 200 + "1" + "}" * 200)}),
    "fields that no input has": Abuse(INPUT, SEARCH, {"s": {f"x{n}": n for n in range(400)}}),
    "a name of an input's field that is 200 kB": Abuse(INPUT, SEARCH, {"s": {"x" * 200_000: 1}}),
    "variables that nobody declared": Abuse(LIMIT, "{ me { id } }", {f"x{n}": n for n in range(9_000)}),
    "variables that nobody uses": Abuse(INVALID, f"query({repeated(300, '$v#: Int')}) {{ me {{ id }} }}"),
    "variables of one name": Abuse(INVALID, f"query({repeated(300, '$v: Int')}) {page('first: $v')[6:]}", {"v": 1}),
    "variables that are not there": Abuse(INVALID, f"{{ {repeated(9, 'a#: member(externalId: $x#) { id }')} }}"),
    "a variable of a type that is no input": Abuse(INVALID, "query($m: Member) { me { id } }"),
    "arguments of one name": Abuse(INVALID, page(repeated(300, "first: 1"))),
    "arguments that nobody knows": Abuse(INVALID, page("first: 1 " + repeated(300, "x#: 1"))),
    "fields of one name in an object": Abuse(
        INVALID, "{ members(search: {" + "text: 1 " * 200 + "}, first: 1) { totalCount } }"
    ),
    "first of none": Abuse(INPUT, FIRST, {"n": 0}),
    "first below none": Abuse(INPUT, FIRST, {"n": -1}),
    "first of a hundred and one": Abuse(INPUT, FIRST, {"n": 101}),
    "first of a billion": Abuse(LIMIT, FIRST, {"n": 10**9}),
    "first beyond 32 bits": Abuse(LIMIT, FIRST, {"n": 2**53}),
    "first of half a row": Abuse(INPUT, FIRST, {"n": 1.5}),
    "first as text": Abuse(INPUT, FIRST, {"n": "1"}),
    "first of null": Abuse(INPUT, FIRST, {"n": None}),
    "first left out": Abuse(INVALID, "{ members(search: {}) { totalCount } }"),
    "first of none, written": Abuse(INPUT, page("first: 0")),
    "first below none, written": Abuse(INPUT, page("first: -5")),
    "first that is a float": Abuse(INVALID, page("first: 1e9")),
    "first of infinity": Abuse(INVALID, page("first: 1e999999999")),
    "a number of four hundred digits": Abuse(LIMIT, page(f"first: {'9' * 400}")),
    "a number of 200 kB": Abuse(LIMIT, page(f"first: 1{'0' * 200_000}")),
    "a name of 200 kB": Abuse(LIMIT, f"{{ {'x' * 200_000} }}"),
    "a string of 200 kB": Abuse(LIMIT, '{ members(search: {text: "' + "x" * 200_000 + '"}, first: 1) { totalCount } }'),
    "a block string of 200 kB": Abuse(
        LIMIT, '{ members(search: {text: """' + "x\n " * 60_000 + '"""}, first: 1) { totalCount } }'
    ),
    "a string of 200 kB by variable": Abuse(INPUT, SEARCH, {"s": {"text": "x" * 200_000}}),
    "NUL in a string": Abuse(INPUT, SEARCH, {"s": {"text": "1234\0"}}),
    "NUL in a name": Abuse(INPUT, "query($p: String!) { member(externalId: $p) { id } }", {"p": "a\0b"}),
    "NUL, written": Abuse(INPUT, '{ member(externalId: "a\\u0000b") { id } }'),
    "half a surrogate, written": Abuse(PARSE, '{ member(externalId: "\\ud800") { id } }'),
    "half a surrogate in the body": Abuse(
        REQUEST, content=b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}'
    ),
    "a date that no calendar has": Abuse(INPUT, SINCE, {"d": "99999-99-99"}),
    "a time without a zone": Abuse(INPUT, SINCE, {"d": "2017-12-01T00:00:00"}),
    "a time before the first": Abuse(INPUT, SINCE, {"d": "0001-01-01T00:00:00+14:00"}),
    "a time of 200 kB": Abuse(INPUT, SINCE, {"d": "2" * 200_000}),
}

TEXTS = {
    "nothing but a long comment": Abuse(LIMIT, "#" * 200_000),
    "ten thousand comments": Abuse(LIMIT, "# x\n" * 10_000),
    "a body that never ends": Abuse(PARSE, "{ me { id"),
    "a string that never ends": Abuse(LIMIT, '{ member(externalId: "' + "x" * 200_000),
    "a block string that never ends": Abuse(LIMIT, '{ member(externalId: """' + "x" * 200_000),
    "quotes that never match": Abuse(PARSE, '{ me { id } } "' + '\\"' * 20_000),
    "thousands of empty strings": Abuse(LIMIT, '"" ' * 16_000),
    "a string of 45 kB that never ends": Abuse(PARSE, '{ member(externalId: "' + "x" * 45_000),
    "a block string of 45 kB that never ends": Abuse(PARSE, '{ member(externalId: """' + "x\n" * 22_000),
    "a block string of 45 kB": Abuse(
        INPUT, '{ members(search: {text: """' + "x\n " * 15_000 + '"""}, first: 1) { totalCount } }'
    ),
    "a comment of 45 kB": Abuse(PARSE, "#" * 45_000),
    "45 kB of commas": Abuse(PARSE, "," * 45_000),
    "quotes in triples": Abuse(LIMIT, '"""' * 16_000),
    "backslashes": Abuse(PARSE, '{ me(a: "' + "\\" * 45_000),
    "escapes that are none": Abuse(PARSE, '{ me(a: "' + "\\q" * 1_000 + '") { id } }'),
    "characters that are none": Abuse(PARSE, "{ me { id } } \u0007"),
    "two hundred thousand marks": Abuse(LIMIT, "!" * 200_000),
    "emoji": Abuse(LIMIT, "🍼" * 50_000),
    "a right-to-left mark in a name": Abuse(PARSE, "{ m\u202ee { id } }"),
    "spaces": Abuse(LIMIT, " " * 250_000),
    "commas": Abuse(LIMIT, "," * 250_000),
    "type definitions": Abuse(INVALID, repeated(90, "type T# { a: Int }")),
    "an extended schema": Abuse(INVALID, "extend type Query { a: Int } { a }"),
}

OPERATIONS = {
    "two hundred operations": Abuse(LIMIT, repeated(200, "query Q# { me { id } }")),
    "ninety operations without a name": Abuse(INVALID, repeated(90, "{ me { id } }")),
    "ninety operations of one name": Abuse(INVALID, repeated(90, "query Q { me { id } }")),
    "operations that share wide fragments": Abuse(
        LIMIT,
        f"{repeated(60, 'query Q# { me { ...F } }')} fragment F on Member {{ {'name ' * 90} }}",
        more={"operationName": "Q1"},
    ),
    "no operation": Abuse(INVALID, "fragment F on Member { id }"),
    "an operation that is not there": Abuse(REQUEST, NAMED, more={"operationName": "C"}),
    "no name among two": Abuse(REQUEST, NAMED),
    "an operation's name of 200 kB": Abuse(REQUEST, NAMED, more={"operationName": "C" * 200_000}),
    "an operation's name that is a list": Abuse(REQUEST, NAMED, more={"operationName": ["A"]}),
    "an operation's name for one without": Abuse(REQUEST, "{ __typename }", more={"operationName": "__proto__"}),
    "a subscription by POST": Abuse(REQUEST, "subscription { callbackListChanged { __typename } }"),
}

CURSORS = {
    "a cursor of nothing": Abuse(INPUT, *after("")),
    "a cursor that is no base64": Abuse(INPUT, *after("!" * 50)),
    "a cursor of 200 kB": Abuse(INPUT, *after("A" * 200_000)),
    "a cursor of a list in lists": Abuse(INPUT, *after(base64.urlsafe_b64encode(b"[" * 100_000).decode())),
    "a cursor of an object": Abuse(INPUT, *after(base64.urlsafe_b64encode(b'{"a":1}').decode())),
    "a cursor of another list": Abuse(INPUT, *after(cursor("stores", "x", "y"))),
    "a cursor with a time without a zone": Abuse(INPUT, *after(cursor(BY_TIME, "2017-12-01T00:00:00", UUID))),
    "a cursor with the end of time": Abuse(INPUT, *after(cursor(BY_TIME, "9999-12-31T23:59:59-23:59", UUID))),
    "a cursor with the beginning of time": Abuse(INPUT, *after(cursor(BY_TIME, "0001-01-01T00:00:00+23:59", UUID))),
    "a cursor with infinity": Abuse(INPUT, *after(cursor(BY_TIME, "infinity", UUID))),
    "a cursor with an id that is none": Abuse(INPUT, *after(cursor(BY_TIME, "2017-12-01T00:00:00+00:00", "x"))),
    "a cursor with one value too few": Abuse(INPUT, *after(cursor(BY_TIME, "2017-12-01T00:00:00+00:00"))),
    "a cursor with a thousand values": Abuse(INPUT, *after(cursor(BY_TIME, *[UUID] * 1_000))),
    "a cursor with numbers for texts": Abuse(INPUT, *after(cursor(BY_TIME, 1, 2))),
    "a cursor with a priority that is none": Abuse(INPUT, *after(cursor("priority-,id+", "x", UUID), "callbackTasks")),
    "a cursor with a priority of 5,000 digits": Abuse(
        INPUT, *after(cursor("priority-,id+", "9" * 5_000, UUID), "callbackTasks")
    ),
    "a cursor with a priority that is no number": Abuse(
        INPUT, *after(cursor("priority-,id+", "nan", UUID), "callbackTasks")
    ),
    "a cursor in emoji": Abuse(INPUT, *after("🍼" * 20)),
}

IDS = {
    "an id of nothing": Abuse(INPUT, *node("")),
    "an id without a type": Abuse(INPUT, *node("01900000-0000-7000-8000-000000000000")),
    "an id of a type that is not there": Abuse(INPUT, *node("Nobody:01900000-0000-7000-8000-000000000000")),
    "an id of a type that has none": Abuse(INPUT, *node("Query:01900000-0000-7000-8000-000000000000")),
    "an id of 200 kB": Abuse(INPUT, *node("Member:" + "0" * 200_000)),
    "an id with other digits": Abuse(INPUT, *node("Member:" + "０" * 36)),
    "an id with NUL": Abuse(INPUT, *node("Member:\0" + "0" * 35)),
    "ten nodes that are none": Abuse(
        INPUT, f"{{ {repeated(10, 'n#: node(id: @) { id }').replace('@', chr(34) + 'x' + chr(34))} }}"
    ),
    "an id that is a number": Abuse(INPUT, *node(7)),  # type: ignore[arg-type]
    "an id that is an object": Abuse(INPUT, *node({"id": 7})),  # type: ignore[arg-type]
}

HTTP = {
    "a batch": Abuse(REQUEST, content=b'[{"query": "{ __typename }"}, {"query": "{ __typename }"}]'),
    "a batch of five thousand": Abuse(REQUEST, content=b"[" + b'{"query": "{ __typename }"},' * 5_000 + b"{}]"),
    "a body of 300 kB": Abuse(LIMIT, content=b" " * 300_000),
    "no body": Abuse(REQUEST, content=b""),
    "a body of lists in lists": Abuse(REQUEST, content=b"[" * 250_000),
    "variables of objects in objects": Abuse(
        REQUEST, content=b'{"query": "{ me { id } }", "variables": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001
    ),
    "a body of lists that close": Abuse(REQUEST, content=b"[" * 100_000 + b"]" * 100_000),
    "a number that is none": Abuse(REQUEST, content=b'{"query": "{ __typename }", "variables": {"a": NaN}}'),
    "a body in UTF-16": Abuse(REQUEST, content='{"query": "{ __typename }"}'.encode("utf-16")),
    "a body of bytes that are no text": Abuse(REQUEST, content=b'{"query": "\xff\xfe{ __typename }"}'),
    "a body with a query that is no text": Abuse(REQUEST, content=b'{"query": {"a": 1}}'),
    "a body without a query": Abuse(REQUEST, content=b'{"variables": {}}'),
    "variables that are text": Abuse(REQUEST, content=b'{"query": "{ __typename }", "variables": "{}"}'),
    "multipart": Abuse(REQUEST, content=MULTIPART, headers={"content-type": "multipart/form-data; boundary=x"}),
    "a form": Abuse(REQUEST, content=b"query=%7B__typename%7D", headers={"content-type": FORM}),
    "plain text": Abuse(REQUEST, "{ __typename }", headers={"content-type": "text/plain"}),
    "no content type": Abuse(REQUEST, "{ __typename }", headers={}),
    "a document for a body": Abuse(REQUEST, content=b"{ __typename }", headers={"content-type": "application/graphql"}),
    "a mutation by GET": Abuse(REQUEST, method="GET", headers={}, params={"query": "mutation { __typename }"}),
    "a subscription by GET": Abuse(
        REQUEST, method="GET", headers={}, params={"query": "subscription { callbackListChanged { __typename } }"}
    ),
    "GET without a query": Abuse(REQUEST, method="GET", headers={}),
    "GET with variables that are no JSON": Abuse(
        REQUEST, method="GET", headers={}, params={"query": "{ __typename }", "variables": "{"}
    ),
    "GET with variables that are a list": Abuse(
        REQUEST, method="GET", headers={}, params={"query": "{ __typename }", "variables": "[1]"}
    ),
    "GET with a deep document": Abuse(LIMIT, method="GET", headers={}, params={"query": on_me(nested(20))}),
    "a token that is none": Abuse(
        "UNAUTHENTICATED", "{ __typename }", headers={**JSON, "authorization": "Bearer nst_" + "x" * 5_000}
    ),
    "a token that is no token": Abuse(
        "UNAUTHENTICATED", "{ __typename }", headers={**JSON, "authorization": "Basic YTpi"}
    ),
}

ABUSE: dict[str, Abuse] = {
    **DEEP, **WIDE, **FRAGMENTS, **DIRECTIVES, **VALUES, **TEXTS, **OPERATIONS, **CURSORS, **IDS, **HTTP,
}  # fmt: skip
