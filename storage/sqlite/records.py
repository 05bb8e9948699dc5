"""Documents as the store holds them, and the bounded cache of those lately written."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple, TypeAlias

from storage.plan import Row

Key: TypeAlias = tuple[int, str]
"""A document: the number of its collection and its id."""

_OVERHEAD: Final = 600
"""Bytes of one cached record beside its source: key, tuple, slot in the table, rows."""

_PER_ROW: Final = 160
"""Bytes of one row of the side table in memory: a tuple and its value."""


class Record(NamedTuple):
    """One document, or the place where none is (`source` is None).

    `doc` is its number in its collection, 0 if it has none yet; `version` and `seq` outlive a
    delete; `rows` are its rows of the side tables, and not to be altered.
    """

    doc: int
    version: int
    seq: int
    source: bytes | None
    rows: list[Row]


NOTHING: Final = Record(0, 0, 0, None, [])


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
        old = self._records.pop(key, None)
        if old is not None:
            self._bytes -= _size(old)
        self._records[key] = record
        self._bytes += _size(record)
        while self._bytes > self._max_bytes:
            _, forgotten = self._records.popitem(last=False)
            self._bytes -= _size(forgotten)

    def clear(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._bytes = 0


def _size(record: Record) -> int:
    return _OVERHEAD + len(record.source or b"") + _PER_ROW * len(record.rows)
