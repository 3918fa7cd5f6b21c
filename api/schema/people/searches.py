"""Finding members: each condition is one index look-up; ranges instead of LIKE, so that a cached plan can use it."""

import re
from typing import Annotated

import strawberry

from api.errors import bad_user_input, forbidden
from api.ids import decode_id
from api.projection import Ask
from api.schema.scopes import is_visible
from domain.people.names import name_key
from domain.people.phones import normalised_phone
from domain.platform.roles import Permission
from domain.stages.asof import in_stage_sql
from domain.stages.rules import Stage

SHORTEST_ENDING = 4  # digits
LONGEST_TEXT = 100  # characters
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")


@strawberry.input(description="What is known of the member; everything given must hold.")
class MemberSearch:
    text: str | None = strawberry.field(
        default=None,
        description="As typed into a box: last 4 or more digits of a phone or card, an external id, a name in Chinese, "
        "pinyin or initials, or a baby's nickname.",
    )
    phone_ending: str | None = strawberry.field(default=None, description="Last 4 or more digits of her phone.")
    card: str | None = strawberry.field(
        default=None, description="Card number, whole or its last 4 or more characters."
    )
    external_id: str | None = strawberry.field(default=None, description="Her source's own id, whole.")
    name: str | None = strawberry.field(
        default=None, description="Beginning of her name in Chinese, pinyin or initials."
    )
    baby_nickname: str | None = strawberry.field(default=None, description="Beginning of a child's nickname.")
    tag: str | None = strawberry.field(default=None, description="Key of a tag in force.")
    stage: Stage | None = strawberry.field(default=None, description="A child of hers is in this stage today.")


def find_members(
    ask: Ask,
    alias: str,
    search: Annotated[MemberSearch, strawberry.argument(description="What is known of her; {} lists all in scope.")],
) -> list[str]:
    found: list[str] = []
    if search.text is not None:
        found.append(_by_text(ask, alias, _checked(search.text)))
    if search.phone_ending is not None:
        found.append(_in(alias, _by_ending(ask, _ending(search.phone_ending), "PHONE")))
    if search.card is not None:
        endings = dict.fromkeys((_ending(search.card), search.card.strip()))  # some cards are printed with hyphens
        found.append(_in(alias, *(_by_ending(ask, ending, "CARD") for ending in endings)))
    if search.external_id is not None:
        found.append(_in(alias, _called(ask, _checked(search.external_id))))
    if search.name is not None:
        found.append(_in(alias, *_by_name(ask, _checked(search.name))))
    if search.baby_nickname is not None:
        found.append(_in(alias, _by_nickname(ask, _checked(search.baby_nickname))))
    if search.tag is not None:
        _needs(ask, Permission.READ_TAGS)
        found.append(_in(alias, _by_tag(ask, _checked(search.tag))))
    if search.stage is not None:
        found.append(_in_stage(ask, alias, search.stage))
    return found


def find_member(
    ask: Ask,
    alias: str,
    id: Annotated[strawberry.ID | None, strawberry.argument(description="Global id.")] = None,
    phone: Annotated[str | None, strawberry.argument(description="Phone, E.164 or as written at home.")] = None,
    card: Annotated[str | None, strawberry.argument(description="Card number.")] = None,
    external_id: Annotated[
        str | None,
        strawberry.argument(
            description="Her source's own id. Without `source` the answer is null when several members whom the caller "
            "may see have it."
        ),
    ] = None,
    source: Annotated[str | None, strawberry.argument(description="With externalId: the source.")] = None,
) -> list[str]:
    """Exactly one way to name her."""
    if sum(given is not None for given in (id, phone, card, external_id)) != 1:
        raise bad_user_input("Name exactly one of id, phone, card and externalId.")
    if id is not None:
        return [f"{alias}.id = {who_is(ask(decode_id('Member', id), 'uuid'))}"]
    if external_id is not None:
        return _by_external_id(ask, alias, external_id, source)
    _needs(ask, Permission.READ_CONTACTS)
    if card is not None:
        return [_in(alias, _by_value(ask, card, "CARD"))]
    assert phone is not None
    number = normalised_phone(phone, ask.config.phone_region)
    if number is None:
        raise bad_user_input("This is not a phone number.")
    return [_in(alias, _by_value(ask, number, "PHONE"))]


def who_is(key: str) -> str:
    """Whom an id leads to: herself, or whom she became part of."""
    return f"(SELECT coalesce(x.merged_into_id, x.id) FROM members x WHERE x.id = {key})"


def _called(ask: Ask, external_id: str) -> str:
    """Who has this id at her source, or whom she became part of."""
    value = ask(external_id, "text")
    return f"SELECT coalesce(x.merged_into_id, x.id) FROM members x WHERE x.external_id = {value}"


def _by_text(ask: Ask, alias: str, text: str) -> str:
    digits = re.sub(r"[\s()+-]", "", text)
    if digits.isascii() and digits.isdigit():
        ending = _ending(digits)
        return _in(alias, _by_ending(ask, ending, "PHONE"), _by_ending(ask, ending, "CARD"), _called(ask, text))
    arms = _by_name(ask, text)
    if ask.actor.may(Permission.READ_BABIES):
        arms.append(_by_nickname(ask, text))
    arms.append(_called(ask, text))
    return _in(alias, *arms)


def _by_external_id(ask: Ask, alias: str, external_id: str, source: str | None) -> list[str]:
    """Sources number their members alike: without a source only an id that one visible member has names her."""
    called = _called(ask, external_id)
    if source is not None:
        return [_in(alias, f"{called} AND x.source = {ask(source, 'text')}")]
    other = ask.alias()
    same = f"{other}.id IN ({called}) AND {other}.id <> {alias}.id AND {is_visible(ask, other)}"
    return [_in(alias, called), f"NOT EXISTS (SELECT 1 FROM members {other} WHERE {same})"]


def _by_value(ask: Ask, value: str, kind: str) -> str:
    equal = f"i.value = {ask(value, 'text')}"
    return f"SELECT i.member_id FROM identities i WHERE {equal} AND i.kind = '{kind}' AND i.is_primary"


def _by_ending(ask: Ask, ending: str, kind: str) -> str:
    _needs(ask, Permission.READ_CONTACTS)
    reversed_value = _prefix(ask, "reverse(i.value)", ending[::-1])
    return f"SELECT i.member_id FROM identities i WHERE {reversed_value} AND i.kind = '{kind}'"


def _by_name(ask: Ask, text: str) -> list[str]:
    arms = [f"SELECT x.id FROM members x WHERE {_prefix(ask, 'x.full_name', text)}"]
    key = name_key(text)
    if key and not _HAN.search(text):
        arms.append(f"SELECT x.id FROM members x WHERE {_prefix(ask, 'x.name_key', key)}")
        arms.append(f"SELECT x.id FROM members x WHERE {_prefix(ask, 'x.name_initials', key)}")
    return arms


def _by_nickname(ask: Ask, text: str) -> str:
    """A child whose content was stopped is no way to her family."""
    _needs(ask, Permission.READ_BABIES)
    ask.context.searched_by.add("baby_nickname")
    key = name_key(text)
    if not key:
        raise bad_user_input("This is not a name.")
    return (
        "SELECT x.id FROM babies b JOIN members x ON x.household_id = b.household_id "
        f"WHERE b.stopped_at IS NULL AND {_prefix(ask, 'b.nickname_key', key)}"
    )


def _by_tag(ask: Ask, key: str) -> str:
    tag = f"(SELECT k.id FROM tags k WHERE k.key = {ask(key, 'text')})"
    return (
        f"SELECT u.member_id FROM member_tags u WHERE u.tag_id = {tag} "
        "AND u.removed_at IS NULL AND (u.expires_at IS NULL OR u.expires_at > (SELECT business_now()))"
    )


def _in_stage(ask: Ask, alias: str, stage: Stage) -> str:
    """A live child of the household has the dates of the stage, as the engine's own window says them."""
    _needs(ask, Permission.READ_BABIES)
    ask.context.searched_by.add("stage")
    here = in_stage_sql(ask, "b", stage, ask.context.business_day)
    if here is None:
        raise bad_user_input("UNKNOWN is no range of dates; search by another stage.")
    return f"{alias}.household_id IN (SELECT b.household_id FROM babies b WHERE b.stopped_at IS NULL AND {here})"


def _prefix(ask: Ask, expression: str, prefix: str) -> str:
    """The values that begin with `prefix`, as a range in byte order: what text_pattern_ops indexes keep."""
    last = ord(prefix[-1]) + 1
    above = prefix[:-1] + chr(0xE000 if 0xD800 <= last <= 0xDFFF else min(last, 0x10FFFF))
    return f"{expression} ~>=~ {ask(prefix, 'text')} AND {expression} ~<~ {ask(above, 'text')}"


def _in(alias: str, *arms: str) -> str:
    return f"{alias}.id IN ({' UNION '.join(arms)})"


def _ending(text: str) -> str:
    ending = re.sub(r"[\s()+-]", "", _checked(text))
    if len(ending) < SHORTEST_ENDING:
        raise bad_user_input(f"Give at least {SHORTEST_ENDING} digits.")
    return ending


def _checked(text: str) -> str:
    stripped = text.strip()
    if not stripped or len(stripped) > LONGEST_TEXT or "\x00" in stripped:
        raise bad_user_input(f"Search for 1 to {LONGEST_TEXT} characters.")
    return stripped


def _needs(ask: Ask, permission: Permission) -> None:
    if not ask.actor.may(permission):
        raise forbidden(permission)
