"""The changes feed: one row for each write, in its transaction; read, rebuilt from, pruned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, get_args

import apsw
import orjson

from router.envelope import JsonObject
from router.errors import RouterError
from storage.contract import Change, Verb, Write
from storage.replay import backward, forward, needs_more, notes_of
from storage.sqlite.records import Key
from storage.sqlite.schema import identity
from storage.undo import document_before

PRUNE_ROWS: Final = 1_000
"""Most rows that one step takes out: about two milliseconds of work."""

_ROW_BYTES: Final = 60
"""What a row takes on disk beside its texts and JSON, rounded up."""

_VERBS: Final[tuple[Verb, ...]] = get_args(Verb)  # the place is what `changes.action` holds
_NUMBERS: Final = {verb: number for number, verb in enumerate(_VERBS)}

_COLUMNS: Final = 15
_SELECT: Final = (
    "SELECT seq, index_name, name, id, version, action, author, request_id, wire, at_ms,"
    " changes, undo, whole, notes, previous FROM changes JOIN collections ON number = collection"
)

Row = tuple[object, ...]


class Position(NamedTuple):
    """Where the feed stands: the next row's number, and the bytes of all rows ever written."""

    next_seq: int
    total_bytes: int


class Entry(NamedTuple):
    """What one write leaves in the feed besides itself.

    `changes` is what was written, `undo` what takes it back, `whole` the document after it:
    JSON, each None where it says nothing. `previous` is the document's row before this one.
    """

    version: int
    previous: int
    at_ms: int
    changes: bytes | None
    undo: bytes | None
    whole: bytes | None


class FeedRows:
    """The rows that one transaction adds."""

    def __init__(self, position: Position) -> None:
        self._next_seq, self._total_bytes = position
        self._rows: list[Row] = []

    @property
    def position(self) -> Position:
        """Where the feed stands after these rows."""
        return Position(self._next_seq, self._total_bytes)

    def add(self, key: Key, write: Write, entry: Entry) -> int:
        """Add the row of one write; its number."""
        seq, total = self._next_seq, self._total_bytes
        version, previous, at_ms, changes, undo, whole = entry
        author = write.author
        request_id = author.request_id
        told = notes_of(write)
        notes = None if told is None else orjson.dumps(told)
        self._rows.append(
            (
                *(seq, key[0], key[1], version, _NUMBERS[write.verb], at_ms, total, author.id),
                *(request_id, author.wire, changes, undo, whole, previous, notes),
            )
        )
        self._next_seq = seq + 1
        self._total_bytes = (
            total
            + (_ROW_BYTES + len(key[1]) + len(request_id))
            + (0 if changes is None else len(changes))
            + (0 if undo is None else len(undo))
            + (0 if whole is None else len(whole))
            + (0 if notes is None else len(notes))
        )
        return seq

    def load(self, collection: int, row: Change, previous: int) -> None:
        """Add a row of another store under its own number, which must be above all others."""
        texts = [
            None if each is None else orjson.dumps(each)
            for each in (row.changes, row.undo, row.whole, row.notes)
        ]
        total = self._total_bytes
        self._rows.append(
            (
                *(row.seq, collection, row.id, row.version, _NUMBERS[row.action], row.at_ms),
                *(total, row.author, row.request_id, row.wire, *texts[:3], previous, texts[3]),
            )
        )
        self._next_seq = row.seq + 1
        sizes = sum(len(text) for text in texts if text is not None)
        self._total_bytes = total + _ROW_BYTES + len(row.id) + len(row.request_id) + sizes

    def flush(self, connection: apsw.Connection) -> None:
        """Put the rows into the file."""
        connection.executemany(
            f"INSERT INTO changes VALUES ({', '.join('?' * _COLUMNS)})", self._rows
        )


def position(connection: apsw.Connection) -> Position:
    """Where the feed of this file stands."""
    row = connection.execute(
        "SELECT seq, bytes_before, coalesce(length(changes), 0) + coalesce(length(undo), 0)"
        " + coalesce(length(whole), 0) + coalesce(length(notes), 0)"
        " + octet_length(id) + octet_length(request_id)"
        " FROM changes ORDER BY seq DESC LIMIT 1"
    ).get
    if row is None:
        return Position(1, 0)
    seq, before, size = row
    return Position(seq + 1, before + size + _ROW_BYTES)


def newest_ms(connection: apsw.Connection) -> int:
    """The time of the newest write, 0 if there was none."""
    return connection.execute("SELECT at_ms FROM changes ORDER BY seq DESC LIMIT 1").get or 0


def read(connection: apsw.Connection, since: int, limit: int) -> list[Change]:
    """The rows after `since`, in order, at most so many.

    Raises:
        RouterError: `trivium.feed.gone`: rows after `since` were pruned, or it lies ahead.
    """
    oldest, newest = connection.execute(
        "SELECT coalesce(min(seq), 1), coalesce(max(seq), 0) FROM changes"
    ).get
    if not oldest - 1 <= since <= newest:
        raise RouterError("trivium.feed.gone", since)
    return rows(connection, since, limit)


def newest(connection: apsw.Connection) -> int:
    """The number of the last row, which is never pruned; 0 without any."""
    last: int = connection.execute("SELECT coalesce(max(seq), 0) FROM changes").get
    return last


def rows(connection: apsw.Connection, since: int, limit: int) -> list[Change]:
    """The rows after `since` that there are, in order, at most so many."""
    feed = identity(connection)
    found = connection.execute(
        f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (since, max(0, limit))
    )
    return [_change(feed, row) for row in found]


def before(connection: apsw.Connection, change: Change) -> JsonObject | None:
    """The document before a change, within one read transaction.

    Raises:
        RouterError: `trivium.feed.gone`: rows that tell it were pruned.
    """
    if not needs_more(change):
        return document_before(change, None)
    seq, source = _last(connection, change)
    now = None if source is None else orjson.loads(source)
    if seq != change.seq:
        # Further back than the next whole copy nobody has to look.
        found = forward(_back(connection, change.seq, change.feed, but_first=True))
        if found is not None:
            return found
    way = list(_until(_back(connection, seq, change.feed), change.seq))
    if not way or way[-1].seq != change.seq:
        raise RouterError("trivium.feed.gone", change.seq)
    return backward(way, now)


def _last(connection: apsw.Connection, change: Change) -> tuple[int, bytes | None]:
    """The last row of the document of a change, and its content by now, if it is there."""
    number, is_living = connection.execute(
        "SELECT number, mapping IS NOT NULL FROM changes JOIN collections ON number = collection"
        " WHERE seq = ?",
        (change.seq,),
    ).get or (0, False)
    if not is_living:
        return 0, None
    found = (
        connection.execute(
            f"SELECT seq, source FROM documents_{number} WHERE id = ?", (change.id,)
        ).get
        or connection.execute(
            "SELECT seq, NULL FROM tombstones WHERE (collection, id) = (?, ?)", (number, change.id)
        ).get
    )
    return found or (0, None)


def _back(
    connection: apsw.Connection, seq: int, feed: str, *, but_first: bool = False
) -> Iterator[Change]:
    """The rows of one document from this one back, as far as they are kept."""
    is_shown = not but_first
    while seq:
        row = connection.execute(f"{_SELECT} WHERE seq = ?", (seq,)).get
        if row is None:
            return
        if is_shown:
            yield _change(feed, row)
        is_shown = True
        seq = row[-1]


def _until(rows: Iterable[Change], seq: int) -> Iterator[Change]:
    for row in rows:
        yield row
        if row.seq <= seq:
            return


def _change(feed: str, row: Sequence[Any]) -> Change:
    seq, index, collection, document, version, action, author, request_id, wire, at_ms = row[:10]
    changes, undo, whole, notes = (
        None if text is None else orjson.loads(text) for text in row[10:14]
    )
    return Change(
        feed=feed,
        seq=seq,
        index=index,
        collection=collection,
        id=document,
        version=version,
        action=_VERBS[action],
        author=author,
        request_id=request_id,
        wire=wire,
        at_ms=at_ms,
        changes=changes,
        undo=undo,
        whole=whole,
        notes=notes,
    )


class Pruning:
    """Takes the oldest rows out, a bounded number at a time.

    Args:
        max_bytes: Bytes of rows that stay.
        max_age_ms: Age up to which rows stay. The newest row always does.
    """

    def __init__(self, max_bytes: int, max_age_ms: int) -> None:
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_ms
        self._oldest: tuple[int, int] | None = None  # bytes_before, at_ms

    def forget(self) -> None:
        """Look at the file again before the next step (after a failed transaction)."""
        self._oldest = None

    def is_due(self, total_bytes: int, now_ms: int) -> bool:
        """Whether a step would find rows to take out, as far as is known without reading."""
        if self._oldest is None:
            return True
        before, at_ms = self._oldest
        return total_bytes - before > self._max_bytes or now_ms - at_ms > self._max_age_ms

    def step(self, connection: apsw.Connection, total_bytes: int, now_ms: int) -> None:
        """Take out what is too old or too much, at most `PRUNE_ROWS`, within a transaction."""
        oldest, newest = connection.execute("SELECT min(seq), max(seq) FROM changes").get
        if oldest == newest:
            self._oldest = (total_bytes, now_ms)  # nothing to take out for a good while
            return
        connection.execute(
            "DELETE FROM changes WHERE seq < coalesce((SELECT min(seq) FROM changes"
            "  WHERE seq < ?1 AND bytes_before >= ?2 AND at_ms >= ?3), ?1)",
            (
                min(oldest + PRUNE_ROWS, newest),
                total_bytes - self._max_bytes,
                now_ms - self._max_age_ms,
            ),
        )
        self._oldest = connection.execute(
            "SELECT bytes_before, at_ms FROM changes ORDER BY seq LIMIT 1"
        ).get
