"""Addresses as keyed hashes: a suppression outlives the erasure of the person, and tells nobody her number."""

import hashlib
import hmac

_key: bytes | None = None


def hash_addresses_with(key: str) -> None:
    """Set this process's key, once, beside the opening of the database. It is the installation's and never changes."""
    global _key  # noqa: PLW0603 - one installation, one key, like the one database
    _key = key.encode()


def address_hash(address: str) -> str:
    """HMAC-SHA-256 of a normalised address (E.164, lower-case e-mail), as hex."""
    if _key is None:
        raise RuntimeError("hash_addresses_with() was not called when this process opened the database")
    return hmac.new(_key, address.encode(), hashlib.sha256).hexdigest()
