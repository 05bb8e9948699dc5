"""What indexes of the server are called."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from storage.names import MAX_ID_BYTES, RESERVED_COLLECTION

HIDDEN: Final = "_trivium"
"""The field of each document that holds its version and its last change; never shown."""

ID: Final = "id"
"""In the hidden field: the document's id, to sort by. The server can sort by `_id` itself too,
but only with all of them in memory."""

AT: Final = "at"
"""In the hidden field: the time of the last write, by which unfinished ones are found."""

LAST: Final = "last"
"""In the hidden field: everything else, which the server doesn't look into."""


_OWN: Final = "trivium"
"""The index that the feeds and tombstones are in; never one of a scope's own."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One of the two stores that share a server, and never see each other.

    Attributes:
        prefix: First character of its indexes (Kuzzle reference, "Storage model").
        changes: The index of the rows of its changes feed.
        graves: The index of the last version of each of its documents that was deleted.
        keys: The index of what was done under idempotency keys.
    """

    prefix: str
    changes: str
    graves: str
    keys: str

    @property
    def every(self) -> str:
        """All its indexes, and what else begins like them."""
        return f"{self.prefix}*"

    def physical(self, index: str, collection: str) -> str:
        """The index of a new collection."""
        return f"{self.prefix}{index}.{collection}"

    def keeper(self, index: str) -> str:
        """The index that keeps an index without collections alive."""
        return self.physical(index, RESERVED_COLLECTION)

    def named(self, alias_or_index: str) -> tuple[str, str] | None:
        """The index and collection that a name stands for; None if it is somebody else's."""
        name = alias_or_index.removeprefix("@")
        if not name.startswith(self.prefix) or name.startswith(f"%{_OWN}."):
            return None
        index, dot, collection = name.removeprefix(self.prefix).partition(".")
        return (index, collection) if index and dot and collection else None


PUBLIC: Final = Scope("&", "%trivium.changes", "%trivium.tombstones", "%trivium.keys")
"""What clients' documents live in."""

PRIVATE: Final = Scope(
    "%", "%trivium.private-changes", "%trivium.private-tombstones", "%trivium.private-keys"
)
"""What is the router's own, as in the peer: users, rights, credentials, tokens."""


def alias(name: str) -> str:
    """What an index is always called by: writing to a missing one never creates it."""
    return f"@{name}"


def key(*parts: str) -> str:
    """An id made of these parts; of their digest if that would be too long for an id."""
    joined = "/".join(parts)
    data = joined.encode()
    return joined if len(data) <= MAX_ID_BYTES else hashlib.sha256(data).hexdigest()
