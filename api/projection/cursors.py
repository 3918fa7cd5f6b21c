"""Keyset cursors: the key's name and the last row's values. Made by PostgreSQL, validated when they come back."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from api.errors import bad_user_input
from api.projection.declarations import Ask, Key

PARSERS: dict[str, Callable[[str], Any]] = {
    "timestamptz": datetime.fromisoformat,
    "uuid": UUID,
    "float8": float,
    "bigint": int,
    "text": str,
}


def order_by(key: Key, alias: str) -> str:
    return ", ".join(f"{alias}.{column} {direction}" for column, direction, _ in key)


def cursor_sql(key: Key, alias: str) -> str:
    """The cursor of a row: base64url of a JSON array, in one line."""
    values = ", ".join(f"{alias}.{column}::text" for column, _, _ in key)
    array = f"json_build_array('{_name(key)}', {values})::text"
    return f"translate(encode(convert_to({array}, 'UTF8'), 'base64'), E'+/=\\n', '-_')"


def after_sql(key: Key, alias: str, cursor: str, ask: Ask) -> str:
    """The condition of the rows that come after the cursor's."""
    values = [ask(value, kind) for value, (_, _, kind) in zip(decode(key, cursor), key, strict=True)]
    columns = [f"{alias}.{column}" for column, _, _ in key]
    directions = {direction for _, direction, _ in key}
    if len(directions) == 1:
        sign = "<" if directions == {"DESC"} else ">"
        return f"({', '.join(columns)}) {sign} ({', '.join(values)})"
    (first, second), (a, b) = columns, values
    far, near = ("<", ">") if key[0][1] == "DESC" else (">", "<")
    return f"({first} {far}= {a} AND ({first} {far} {a} OR {second} {near} {b}))"


def decode(key: Key, cursor: str) -> list[Any]:
    """The values of a cursor of this very key; BAD_USER_INPUT for any other text."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        array = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        name, *values = array
        if name != _name(key) or len(values) != len(key) or not all(isinstance(value, str) for value in values):
            raise ValueError
        return [PARSERS[kind](value) for value, (_, _, kind) in zip(values, key, strict=True)]
    except (ValueError, TypeError, UnicodeEncodeError, binascii.Error, orjson.JSONDecodeError):
        raise bad_user_input("This is not a cursor of this list.") from None


def _name(key: Key) -> str:
    return ",".join(f"{column}{'-' if direction == 'DESC' else '+'}" for column, direction, _ in key)
