"""Documents by id, read on the loop: from the cache, or from the loop's own connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import orjson

from router.envelope import JsonObject
from router.once import Remembered
from storage.contract import Change, Document
from storage.sqlite import feed, keys, transfer
from storage.sqlite.catalog import Collection
from storage.sqlite.connection import disconnect, unexpected
from storage.sqlite.records import RecordCache, is_utf8
from storage.transfer import Grave

_IDS: Final = 500
"""Ids that one statement asks for."""


class Reader:
    """Reads committed documents; an acknowledged write is seen at once.

    Args:
        connection: For this reader alone.
        cache: The writer's; a committed record may be in it before it is acknowledged.
    """

    def __init__(self, connection: apsw.Connection, cache: RecordCache) -> None:
        self._connection = connection
        self._cache = cache

    def close(self) -> None:
        """Let go of the connection."""
        disconnect(self._connection)

    def get(self, collection: Collection, id: str) -> Document | None:
        """The document, None if there is none."""
        return self.mget(collection, (id,))[0]

    def mget(self, collection: Collection, ids: Sequence[str]) -> list[Document | None]:
        """The documents of these ids, in their order."""
        found: dict[str, tuple[int, bytes] | None] = {}
        missing: list[str] = []
        for each in dict.fromkeys(ids):
            record = self._cache.get((collection.number, each))
            if record is None:
                missing.append(each)
            elif record.source is not None:
                found[each] = (record.version, record.source)
        for start in range(0, len(missing), _IDS):
            found.update(self._read(collection, missing[start : start + _IDS]))
        return [_document(collection, each, found.get(each)) for each in ids]

    def recall(self, key: str, since_ms: int) -> Remembered | None:
        """What is known of an idempotency key that was used since then."""
        try:
            return keys.recall(self._connection, key, since_ms)
        except apsw.Error as error:
            raise unexpected(error) from error

    def changes(self, since: int, limit: int) -> list[Change]:
        """Rows of the feed after `since`."""
        try:
            with self._connection:
                changes = feed.read(self._connection, since, limit)
        except apsw.Error as error:
            raise unexpected(error) from error
        return changes

    def before(self, change: Change) -> JsonObject | None:
        """The document before a change."""
        try:
            with self._connection:
                found = feed.before(self._connection, change)
        except apsw.Error as error:
            raise unexpected(error) from error
        return found

    def newest(self) -> int:
        """The number of the feed's last row; 0 without any."""
        try:
            return feed.newest(self._connection)
        except apsw.Error as error:
            raise unexpected(error) from error

    def page(self, collection: Collection, after_id: str, size: int) -> list[Document]:
        """The next documents in the order of their ids."""
        return transfer.page(self._connection, collection, after_id, size)

    def graves(self, collection: Collection, after_id: str, size: int) -> list[Grave]:
        """The next versions of deleted documents, in the order of their ids."""
        return transfer.graves(self._connection, collection, after_id, size)

    def rows(self, since: int, limit: int) -> list[Change]:
        """Rows of the feed after `since` that there are."""
        return transfer.rows(self._connection, since, limit)

    def _read(self, collection: Collection, ids: list[str]) -> dict[str, tuple[int, bytes]]:
        storable = [each for each in ids if is_utf8(each)]
        places = ", ".join("?" * len(storable))
        try:
            rows: Iterable[Any] = self._connection.execute(
                f"SELECT id, version, source FROM documents_{collection.number}"
                f" WHERE id IN ({places})",
                storable,
            ).fetchall()
        except apsw.SQLError:  # the collection is gone by now, and its documents with it
            return {}
        except apsw.Error as error:
            raise unexpected(error) from error
        return {each: (version, source) for each, version, source in rows}


def _document(collection: Collection, id: str, found: tuple[int, bytes] | None) -> Document | None:
    if found is None:
        return None
    version, source = found
    return Document(
        id=id,
        version=version,
        source=orjson.loads(source),
        incarnation=collection.incarnation,
    )
