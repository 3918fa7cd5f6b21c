"""Trusted documents: the operations of an installation's own clients, known by an id, which may be all that it answers.

A manifest is what code generators of clients write: a JSON object of id to document (Relay, graphql-codegen), or
Apollo's `operations`. Every document is read when the process starts, so that the first request is like all others.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from strawberry import Schema

from api.documents import DOCUMENTS, Document, read_document
from api.errors import ApiError, Code

SHA256 = "sha256:"


class UntrustedManifest(Exception):
    """The manifest of trusted documents cannot be used; the message says which document and why."""


@dataclass(slots=True)
class Trusted:
    """The trusted documents of a process: by the manifest's id, by `sha256:` and the hash of the text, by the hash."""

    texts: dict[str, str] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    is_only: bool = False  # whether nothing else is answered

    @staticmethod
    def read(path: str, schema: Schema, *, only: bool) -> dict[str, str]:
        """The documents of the manifest by id; UntrustedManifest when it cannot be used as a whole."""
        if not path and only:
            raise UntrustedManifest("TRUSTED_DOCUMENTS_ONLY is on and TRUSTED_DOCUMENTS names no manifest.")
        listed = read_manifest(Path(path)) if path else {}
        wrong = flaws(listed, schema)
        if wrong:
            raise UntrustedManifest("\n".join(f"{path}: {said}" for said in wrong))
        return listed

    def open(self, path: str, schema: Schema, *, only: bool) -> None:
        """Trust what the manifest lists, and nothing else when `only`."""
        listed = self.read(path, schema, only=only)
        hashes = {hashlib.sha256(text.encode()).hexdigest(): text for text in listed.values()}
        self.texts = {**hashes, **{f"{SHA256}{name}": text for name, text in hashes.items()}, **listed}
        self.known, self.is_only = frozenset(listed.values()), only
        for text in self.known:
            DOCUMENTS.pin(schema, text)

    def close(self) -> None:
        """Trust nothing any more, and refuse nothing for it."""
        self.texts, self.known, self.is_only = {}, frozenset(), False
        DOCUMENTS.pinned.clear()

    def asked(self, body: Mapping[str, Any]) -> str:
        """The text of the document that a request sends or names; ApiError when there is none that may run."""
        query, name, hashed = body.get("query"), body.get("documentId"), _hash_of(body.get("extensions"))
        if query is None or query == "":
            if name is None and hashed is None:
                raise ApiError(Code.BAD_REQUEST, "Send a JSON object with `query` or `documentId`, and `variables`.")
            return self._named(hashed if name is None else name)
        if name is not None:
            raise ApiError(Code.BAD_REQUEST, "Send `query` or `documentId`, not both.")
        if not isinstance(query, str) or not query.strip():
            raise ApiError(Code.BAD_REQUEST, "`query` is the text of a document.")
        if hashed is not None and hashed != hashlib.sha256(query.encode()).hexdigest():
            raise ApiError(Code.BAD_REQUEST, "`sha256Hash` is not the hash of `query`.")
        if self.is_only and query not in self.known:
            raise ApiError(Code.DOCUMENT_NOT_TRUSTED, "This server answers its clients' own documents only.")
        return query

    def _named(self, name: Any) -> str:
        text = self.texts.get(name) if isinstance(name, str) else None
        if text is None:
            raise ApiError(Code.PERSISTED_QUERY_NOT_FOUND, "No document is known by this id.")
        return text


def _hash_of(extensions: Any) -> Any:
    """`extensions.persistedQuery.sha256Hash`, as Apollo and Relay's network layers send it."""
    persisted = extensions.get("persistedQuery") if isinstance(extensions, Mapping) else None
    return persisted.get("sha256Hash") if isinstance(persisted, Mapping) else None


TRUSTED = Trusted()


def read_manifest(path: Path) -> dict[str, str]:
    """The documents of a manifest by their ids; UntrustedManifest when it is none."""
    try:
        content: Any = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise UntrustedManifest(f"{path}: cannot be read as JSON ({type(error).__name__}).") from None
    operations = content.get("operations") if isinstance(content, dict) else None
    if not isinstance(operations, list):
        pairs = list(content.items()) if isinstance(content, dict) else []
    else:
        pairs = [(one.get("id"), one.get("body")) if isinstance(one, dict) else (None, None) for one in operations]
    found: dict[str, str] = {}
    for number, (name, text) in enumerate(pairs, start=1):
        if not isinstance(name, str) or not name or not isinstance(text, str):
            raise UntrustedManifest(f"{path}: entry {number} is no id with the text of a document.")
        if found.get(name, text) != text:
            raise UntrustedManifest(f"{path}: document {name} stands there twice, with different texts.")
        found[name] = text
    if not found:
        raise UntrustedManifest(f"{path}: expected a JSON object of document id to document text.")
    return found


def flaws(listed: Mapping[str, str], schema: Schema) -> list[str]:
    """Why documents cannot run here, a line for each that cannot."""
    found = []
    for name, text in listed.items():
        read = read_document(schema, text, may_introspect=True)
        if not isinstance(read, Document):
            found.append(f"document {name} is not usable here: {read[0].message}")
    return found
