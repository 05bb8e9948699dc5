"""Idempotency keys: a row for each write that was done under one, in its transaction."""

from __future__ import annotations

from typing import Any, Final

import apsw
import msgspec
import orjson

from router.envelope import JsonObject
from router.errors import RouterError
from router.once import Once, Remembered
from storage.contract import Write, Written

_EXPIRED: Final = (
    "DELETE FROM keys WHERE number IN (SELECT number FROM"
    " (SELECT number, at_ms FROM keys ORDER BY number LIMIT ?) WHERE at_ms < ?)"
)
"""Numbers grow with time, so that the oldest rows are found without an index of their own."""


class Conclusion(msgspec.Struct, frozen=True):
    """The answer to a keyed request, to be kept beside what it wrote."""

    key: str
    answer: bytes


class _Row(msgspec.Struct, frozen=True):
    """What was done under a key; `content` None once it was answered."""

    fingerprint: str
    version: int
    created: int
    content: bytes | None
    source: bytes | None
    previous: bytes | None

    def written(self, id: str, incarnation: str) -> Written:
        """The outcome of the first write, for its repeat."""
        if self.content is None or self.source is None:
            raise RouterError("services.storage.unexpected_error", "the request was answered")
        return Written(
            id=id,
            version=self.version,
            source=orjson.loads(self.source),
            replaced=self.previous,
            created=bool(self.created),
            incarnation=incarnation,
            repeats=orjson.loads(self.content),
        )


class Keys:
    """The keys of one transaction.

    Args:
        at_ms: The time of its writes.
        kept_ms: How long a key is remembered.
    """

    def __init__(self, connection: apsw.Connection, at_ms: int, kept_ms: int) -> None:
        self._connection = connection
        self._at_ms = at_ms
        self._kept_ms = kept_ms
        self._new: dict[str, _Row] = {}
        self._answers: list[tuple[bytes, str]] = []

    def repeat(self, once: Once, id: str, incarnation: str) -> Written | None:
        """What the first write under this key did, None if this is the first.

        Raises:
            RouterError: `api.process.idempotency_key_reused`.
        """
        row = self._new.get(once.key) or self._stored(once.key)
        if row is None:
            return None
        if row.fingerprint != once.fingerprint:
            raise RouterError("api.process.idempotency_key_reused", once.key)
        return row.written(id, incarnation)

    def add(self, once: Once, write: Write, written: Written) -> None:
        """Remember a write that was done."""
        replaced = written.replaced
        self._new[once.key] = _Row(
            once.fingerprint,
            written.version,
            int(written.created),
            orjson.dumps(write.content),
            orjson.dumps(written.source),
            orjson.dumps(replaced) if isinstance(replaced, dict) else replaced,
        )

    def conclude(self, conclusion: Conclusion) -> None:
        """Keep an answer, and let go of what only a repeat without one would need."""
        self._answers.append((conclusion.answer, conclusion.key))

    def flush(self) -> None:
        """Tell the file; for each key that comes, two that are too old go."""
        many = self._connection.executemany
        if self._new:
            expired = self._at_ms - self._kept_ms
            self._connection.execute(_EXPIRED, (2 * len(self._new), expired))
            many(
                "INSERT INTO keys (key, at_ms, fingerprint, version, created, content, source,"
                " previous) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (key, self._at_ms, *msgspec.structs.astuple(row))
                    for key, row in self._new.items()
                ],
            )
        if self._answers:
            many(
                "UPDATE keys SET answer = ?, content = NULL, source = NULL, previous = NULL"
                " WHERE key = ?",
                self._answers,
            )

    def _stored(self, key: str) -> _Row | None:
        row: Any = self._connection.execute(
            "SELECT fingerprint, version, created, content, source, previous FROM keys"
            " WHERE key = ? AND at_ms >= ?",
            (key, self._at_ms - self._kept_ms),
        ).get
        return None if row is None else _Row(*row)


def recall(connection: apsw.Connection, key: str, since_ms: int) -> Remembered | None:
    """What the file knows of a key that was used since then."""
    row: Any = connection.execute(
        "SELECT fingerprint, answer FROM keys WHERE key = ? AND at_ms >= ?", (key, since_ms)
    ).get
    if row is None:
        return None
    answer: JsonObject | None = None if row[1] is None else orjson.loads(row[1])
    return Remembered(row[0], answer)
