"""Roles and what each may do. One table for the whole house: GraphQL fields, verbs and pages ask it."""

from enum import StrEnum


class Role(StrEnum):
    CONSULTANT = "CONSULTANT"
    ADVISOR = "ADVISOR"
    STORE_MANAGER = "STORE_MANAGER"
    OPERATOR = "OPERATOR"
    ANALYST = "ANALYST"
    AUDITOR = "AUDITOR"
    FRONTEND = "FRONTEND"
    MEMBER = "MEMBER"


class Permission(StrEnum):
    READ_MEMBERS = "READ_MEMBERS"
    SEARCH_MEMBERS = "SEARCH_MEMBERS"  # lists over members; a service reads one at a time
    READ_TAGS = "READ_TAGS"  # what the house says of a member among itself
    READ_BABIES = "READ_BABIES"
    READ_CONTACTS = "READ_CONTACTS"  # masked without REVEAL_CONTACTS
    REVEAL_CONTACTS = "REVEAL_CONTACTS"
    READ_ORDERS = "READ_ORDERS"
    READ_INTERACTIONS = "READ_INTERACTIONS"
    READ_MESSAGES = "READ_MESSAGES"
    READ_MESSAGE_TEXT = "READ_MESSAGE_TEXT"
    READ_SCORES = "READ_SCORES"
    READ_CALLBACKS = "READ_CALLBACKS"
    READ_CATALOGUE = "READ_CATALOGUE"
    READ_SEGMENTS = "READ_SEGMENTS"  # and ask rules: what a rule may ask is what the role may read
    READ_AUDIT = "READ_AUDIT"
    WRITE_MEMBERS = "WRITE_MEMBERS"
    WRITE_BABIES = "WRITE_BABIES"
    MERGE_MEMBERS = "MERGE_MEMBERS"  # say who is the same person, who is not, and what names nobody
    REOPEN_BABIES = "REOPEN_BABIES"  # take back, for a day, that content about a baby was stopped
    EXPORT_MEMBERS = "EXPORT_MEMBERS"  # all that is known of one; a member: of herself
    ERASE_MEMBERS = "ERASE_MEMBERS"  # a member: herself
    WRITE_TAGS = "WRITE_TAGS"
    MANAGE_TAGS = "MANAGE_TAGS"  # the catalogue itself, and tagging many at once
    ASSIGN_OWNERS = "ASSIGN_OWNERS"  # who serves whom, and the hand-over of a leaver's members
    WRITE_CONSENTS = "WRITE_CONSENTS"
    WRITE_INTERACTIONS = "WRITE_INTERACTIONS"
    WRITE_ORDERS = "WRITE_ORDERS"
    WORK_CALLBACKS = "WORK_CALLBACKS"
    WRITE_SEGMENTS = "WRITE_SEGMENTS"
    SEND_MESSAGES = "SEND_MESSAGES"
    OPEN_MEMBER_TOKENS = "OPEN_MEMBER_TOKENS"
    INTROSPECT = "INTROSPECT"


_P = Permission
_STAFF_READS = {
    _P.READ_MEMBERS, _P.SEARCH_MEMBERS, _P.READ_TAGS, _P.READ_BABIES, _P.READ_CONTACTS, _P.READ_ORDERS,
    _P.READ_INTERACTIONS, _P.READ_MESSAGES, _P.READ_SCORES, _P.READ_CALLBACKS, _P.READ_CATALOGUE, _P.INTROSPECT,
}  # fmt: skip
_STAFF_WRITES = {
    _P.WRITE_MEMBERS, _P.WRITE_BABIES, _P.WRITE_TAGS, _P.WRITE_CONSENTS, _P.WRITE_INTERACTIONS, _P.WORK_CALLBACKS,
    _P.READ_MESSAGE_TEXT, _P.SEND_MESSAGES,
}  # fmt: skip

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.CONSULTANT: frozenset(_STAFF_READS | _STAFF_WRITES | {_P.REVEAL_CONTACTS}),
    Role.ADVISOR: frozenset(_STAFF_READS | _STAFF_WRITES | {_P.WRITE_ORDERS}),
    Role.STORE_MANAGER: frozenset(
        _STAFF_READS
        | _STAFF_WRITES
        | {_P.WRITE_ORDERS, _P.REVEAL_CONTACTS, _P.REOPEN_BABIES, _P.MERGE_MEMBERS, _P.ASSIGN_OWNERS}
    ),
    Role.OPERATOR: frozenset(
        _STAFF_READS
        | _STAFF_WRITES
        | {_P.WRITE_ORDERS, _P.REOPEN_BABIES, _P.MERGE_MEMBERS, _P.EXPORT_MEMBERS, _P.ERASE_MEMBERS}
        | {_P.READ_SEGMENTS, _P.WRITE_SEGMENTS, _P.ASSIGN_OWNERS, _P.MANAGE_TAGS}
    ),
    Role.ANALYST: frozenset(
        {
            _P.READ_MEMBERS, _P.SEARCH_MEMBERS, _P.READ_TAGS, _P.READ_ORDERS, _P.READ_SCORES, _P.READ_MESSAGES,
            _P.READ_CATALOGUE, _P.READ_SEGMENTS, _P.WRITE_SEGMENTS, _P.INTROSPECT,
        }
    ),
    Role.AUDITOR: frozenset(
        {
            _P.READ_MEMBERS, _P.SEARCH_MEMBERS, _P.READ_MESSAGES, _P.READ_AUDIT, _P.READ_CATALOGUE, _P.INTROSPECT,
        }
    ),
    Role.FRONTEND: frozenset(
        {
            _P.READ_MEMBERS, _P.READ_TAGS, _P.READ_BABIES, _P.READ_CONTACTS, _P.READ_ORDERS, _P.READ_INTERACTIONS,
            _P.READ_MESSAGES, _P.READ_SCORES, _P.READ_CATALOGUE, _P.WRITE_MEMBERS, _P.WRITE_BABIES, _P.WRITE_CONSENTS,
            _P.WRITE_ORDERS, _P.WRITE_INTERACTIONS, _P.OPEN_MEMBER_TOKENS, _P.INTROSPECT,
        }
    ),
    Role.MEMBER: frozenset(
        {
            _P.READ_MEMBERS, _P.READ_BABIES, _P.READ_CONTACTS, _P.REVEAL_CONTACTS, _P.READ_ORDERS, _P.READ_MESSAGES,
            _P.READ_MESSAGE_TEXT, _P.READ_CATALOGUE, _P.WRITE_BABIES, _P.WRITE_CONSENTS, _P.EXPORT_MEMBERS,
            _P.ERASE_MEMBERS,
        }
    ),
}  # fmt: skip
