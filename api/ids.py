"""Global ids: the text `TypeName:<uuid>`, opaque to clients."""

from uuid import UUID

from api.errors import bad_user_input


def encode_id(type_name: str, key: UUID | str) -> str:
    """The id by which clients know the row."""
    return f"{type_name}:{key}"


def decode_id(type_name: str, text: str) -> UUID:
    """The key of a row of that type; BAD_USER_INPUT when the text is no id of it."""
    found_type, key = split_id(text)
    if found_type != type_name:
        raise bad_user_input(f"This is not the id of a {type_name}.")
    return key


def split_id(text: str) -> tuple[str, UUID]:
    """Type name and key of any id; BAD_USER_INPUT when the text is none."""
    type_name, colon, key = text.partition(":")
    if not (type_name and colon and len(key) == 36):
        raise bad_user_input("This is not an id.")
    try:
        return type_name, UUID(key)
    except ValueError:
        raise bad_user_input("This is not an id.") from None
