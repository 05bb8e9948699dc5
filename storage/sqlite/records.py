"""Documents as the store holds them, and the bounded cache of those lately written."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, TypeAlias

import msgspec

Key: TypeAlias = tuple[int, str]
"""A document: the number of its collection and its id."""

_OVERHEAD: Final = 500
"""Bytes of one cached record beside its source: key, tuple, numbers, slot in the table."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One document, or the place where none is (`source` is None).

    `doc` is its number in its collection, 0 if it has none yet; `version` and `seq` outlive a
    delete; `updated_ms` is the stamp's `updatedAt`. The garbage collector doesn't know of
    records: a hundred thousand of them would cost it a tenth of all time.
    """

    doc: int
    version: int
    seq: int
    updated_ms: int | None
    source: bytes | None


NOTHING: Final = Record(0, 0, 0, None, None)


class RecordCache:
    """Committed records up to so many bytes, those written last.

    Only the writer thread adds and removes; any thread may `get`.
    """

    def __init__(self, max_bytes: int) -> None:
        self._records: OrderedDict[Key, Record] = OrderedDict()
        self._max_bytes = max_bytes
        self._bytes = 0
        self.get = self._records.get

    def __len__(self) -> int:
        return len(self._records)

    def put(self, key: Key, record: Record) -> None:
        """Keep the record, as the last to be forgotten."""
        records = self._records
        old = records.pop(key, None)
        records[key] = record
        self._bytes += _size(record) if old is None else _size(record) - _size(old)
        while self._bytes > self._max_bytes:
            _, forgotten = records.popitem(last=False)
            self._bytes -= _size(forgotten)

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._bytes = 0


def _size(record: Record) -> int:
    source = record.source
    return _OVERHEAD if source is None else _OVERHEAD + len(source)


def is_utf8(text: str) -> bool:
    """Whether the text can be written to disk; no document has an id that can't."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True
