"""What indexes of the server are called."""

from __future__ import annotations

import hashlib
from typing import Final

from storage.names import MAX_ID_BYTES, RESERVED_COLLECTION

PUBLIC: Final = "&"
"""First character of the indexes that hold collections (Kuzzle reference, "Storage model")."""

EVERY: Final = "&*"
"""All of them."""

CHANGES: Final = "%trivium.changes"
"""The rows of the changes feed. `%` marks what is the router's own, as in the peer."""

GRAVES: Final = "%trivium.tombstones"
"""The last version of each document that was deleted."""

HIDDEN: Final = "_trivium"
"""The field of each document that holds its version and its last change; never shown."""

ID: Final = "id"
"""In the hidden field: the document's id, to sort by. The server can sort by `_id` itself too,
but only with all of them in memory."""

LAST: Final = "last"
"""In the hidden field: everything else, which the server doesn't look into."""


def physical(index: str, collection: str) -> str:
    """The index of a new collection."""
    return f"{PUBLIC}{index}.{collection}"


def alias(name: str) -> str:
    """What an index is always called by: writing to a missing one never creates it."""
    return f"@{name}"


def keeper(index: str) -> str:
    """The index that keeps an index without collections alive."""
    return physical(index, RESERVED_COLLECTION)


def named(alias_or_index: str) -> tuple[str, str] | None:
    """The index and collection that a name stands for; None if it is somebody else's."""
    name = alias_or_index.removeprefix("@")
    if not name.startswith(PUBLIC):
        return None
    index, dot, collection = name.removeprefix(PUBLIC).partition(".")
    return (index, collection) if index and dot and collection else None


def key(*parts: str) -> str:
    """An id made of these parts; of their digest if that would be too long for an id."""
    joined = "/".join(parts)
    data = joined.encode()
    return joined if len(data) <= MAX_ID_BYTES else hashlib.sha256(data).hexdigest()
