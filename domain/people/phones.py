"""Phones and e-mail addresses as the house keeps them: E.164 and lower case."""

import re
import unicodedata

import phonenumbers

EMAIL_LENGTH = 320
E164_LENGTH = 16  # a plus and 15 digits; the library lets German numbers have more
_EMAIL = re.compile(r"[^\s@<>\"(),:;\[\\\]]+@[^\s@.]+(\.[^\s@.]+)+")


def normalised_phone(text: str, region: str) -> str | None:
    """E.164 of a valid number; `region` (ISO 3166) reads those written without a country code. None when invalid."""
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", text), region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.extension:
        return None
    written = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return written if len(written) <= E164_LENGTH else None


def normalised_email(text: str) -> str | None:
    """Lower case without blanks around it; None when it cannot be an address."""
    address = unicodedata.normalize("NFKC", text).strip().lower()
    return address if len(address) <= EMAIL_LENGTH and _EMAIL.fullmatch(address) else None
