"""Which names indexes, collections and documents may have, and new names for documents."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from router.errors import RouterError

MAX_NAME_BYTES: Final = 126
"""Longest index or collection name in UTF-8 (Kuzzle reference, "Names")."""

MAX_ID_BYTES: Final = 512
"""Longest document id in UTF-8 (OpenSearch, `_id` field)."""

RESERVED_COLLECTION: Final = "_kuzzle_keep"
"""The hidden collection by which the peer keeps an empty index alive."""

# The peer's list, and control characters, which no engine or terminal takes kindly to.
_FORBIDDEN: Final = re.compile(r"""[\\/*?"<>| ,+#:.&%\x00-\x1f\x7f]""")


def check_index(name: str) -> None:
    """Let a good index name pass.

    Raises:
        RouterError: `services.storage.invalid_index_name` unless it is lower case, 1 to 126
            bytes, not `_all`, and free of the characters that Kuzzle forbids.
    """
    if not _is_name(name):
        raise RouterError("services.storage.invalid_index_name", _printable(name))


def check_collection(name: str) -> None:
    """Let a good collection name pass.

    Raises:
        RouterError: `services.storage.collection_reserved`,
            `services.storage.invalid_collection_name` by the rule of `check_index`.
    """
    if name == RESERVED_COLLECTION:
        raise RouterError("services.storage.collection_reserved", name)
    if not _is_name(name):
        raise RouterError("services.storage.invalid_collection_name", _printable(name))


def check_id(id: str) -> None:
    """Let an id pass that a document can be stored under: 1 to 512 bytes of UTF-8.

    Raises:
        RouterError: `services.storage.unexpected_bad_request`.
    """
    size = _utf8_size(id)
    if size is None or not 0 < size <= MAX_ID_BYTES:
        raise RouterError(
            "services.storage.unexpected_bad_request",
            f"A document id takes 1 to {MAX_ID_BYTES} bytes of UTF-8.",
        )


def new_id() -> str:
    """An id nobody has used: 20 URL-safe characters, the first a letter or a digit.

    120 random bits, so that no engine need check; Elasticsearch's own are as long.
    """
    token = secrets.token_urlsafe(15)
    return token if token[0] not in "-_" else f"A{token[1:]}"


def incarnation(life: str) -> str:
    """Ten letters and digits for one life of a collection, of whatever names it for ever."""
    return hashlib.blake2b(life.encode(), digest_size=5).hexdigest()


def _is_name(name: str) -> bool:
    size = _utf8_size(name)
    return (
        size is not None
        and 0 < size <= MAX_NAME_BYTES
        and name == name.lower()
        and name != "_all"
        and _FORBIDDEN.search(name) is None
    )


def _utf8_size(text: str) -> int | None:
    try:
        return len(text.encode())
    except UnicodeEncodeError:  # a lone surrogate
        return None


def _printable(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()
