"""What this router wrote last: the next write of a document need not read it again."""

from __future__ import annotations

from collections import OrderedDict

from storage.opensearch.records import Record

_OVERHEAD_BYTES = 500
"""Of a record beside its content: its row, objects and keys; roughly."""


class Cache:
    """Records by collection and id, the least lately used of them forgotten first.

    What it has may be stale, since others write too; the server then refuses the write that is
    built on it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._records: OrderedDict[tuple[str, str], Record] = OrderedDict()

    def get(self, uuid: str, id: str) -> Record | None:
        """The record, if it is known."""
        record = self._records.get((uuid, id))
        if record is not None:
            self._records.move_to_end((uuid, id))
        return record

    def put(self, uuid: str, id: str, record: Record) -> None:
        """Know this record from now on."""
        self.drop(uuid, id)
        self._records[uuid, id] = record
        self._bytes += _size(record)
        while self._bytes > self._max_bytes:
            _, gone = self._records.popitem(last=False)
            self._bytes -= _size(gone)

    def drop(self, uuid: str, id: str) -> None:
        """Know it no longer."""
        record = self._records.pop((uuid, id), None)
        if record is not None:
            self._bytes -= _size(record)


def _size(record: Record) -> int:
    # Each row holds what was changed, at most about as much as the content.
    return (1 + len(record.rows)) * (_OVERHEAD_BYTES + len(record.content or b""))
