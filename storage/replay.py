"""Rows of the changes feed told anew: as the writes that they were, to whoever asks later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from router.envelope import JsonObject
from storage.contract import Author, Change, Write, Written
from storage.merge import copied, merge
from storage.undo import document_after, document_before

MERGES: Final = ("update", "upsert")
"""The verbs whose rows may hold changes alone; those of the others hold whole contents."""

_USUAL: Final = Author()


def notes_of(write: Write) -> JsonObject | None:
    """What a row says for those who listen, beside who wrote and what: all that is unusual."""
    author = write.author
    notes: JsonObject = {}
    if author.controller != _USUAL.controller:
        notes["controller"] = author.controller
    if author.volatile is not None:
        notes["volatile"] = copied(author.volatile)
    if author.is_silent:
        notes["silent"] = True
    if write.fields:
        notes["fields"] = [*write.fields]
    return notes or None


def is_silent(change: Change) -> bool:
    """Whether those who listen are not told of the write."""
    return bool(change.notes and change.notes.get("silent"))


def retold(change: Change, before: JsonObject | None) -> tuple[Write, Written]:
    """The write that a row is of, and what came of it, as a listener was told of it.

    Args:
        before: The document before it, None if there was none; not altered.
    """
    is_delete = change.action == "delete"
    after = document_after(change, before)
    shown = before if is_delete else after
    written = Written(
        id=change.id,
        # A delete takes a version of its own: what went is the one before.
        version=change.version - is_delete,
        source=copied(shown or {}),
        replaced=None if before is None else copied(before),
        created=before is None,
        seq=change.seq,
    )
    return _write(change), written


def _write(change: Change) -> Write:
    notes = change.notes or {}
    volatile, fields = notes.get("volatile"), notes.get("fields")
    author = Author(
        id=change.author,
        request_id=change.request_id,
        wire=change.wire,
        controller=str(notes.get("controller", _USUAL.controller)),
        volatile=volatile if isinstance(volatile, dict) else None,
        timestamp=change.at_ms,
        is_silent=is_silent(change),
    )
    return Write(
        verb=change.action,
        index=change.index,
        collection=change.collection,
        id=change.id,
        content=change.changes or {},
        fields=tuple(map(str, fields)) if isinstance(fields, list) else (),
        author=author,
    )


def detached(change: Change) -> Change:
    """The same row, sharing nothing that can be altered."""
    parts: JsonObject = {
        "changes": change.changes,
        "undo": change.undo,
        "whole": change.whole,
        "notes": change.notes,
    }
    return msgspec.structs.replace(change, **copied(parts))


def needs_more(change: Change) -> bool:
    """Whether the row alone doesn't tell the document before it."""
    return isinstance(change.undo, list)


def whole_after(change: Change) -> JsonObject | None:
    """The document after a change if the row holds it whole."""
    if change.whole is not None:
        return change.whole
    return None if needs_more(change) else change.changes


def forward(rows: Iterable[Change]) -> JsonObject | None:
    """The document after the newest of its rows, which come newest first; read as far back as
    a whole copy. None if there is none among them: then nothing is known.

    The newest row must not be that of a delete.
    """
    later: list[JsonObject] = []
    for row in rows:
        found = whole_after(row)
        if found is not None:
            for changes in reversed(later):
                found = merge(found, changes)
            return found
        if row.changes is None:
            return None
        later.append(row.changes)
    return None


def backward(rows: Iterable[Change], now: JsonObject | None) -> JsonObject | None:
    """The document before the last of these rows of it, which come newest first.

    Args:
        now: The document after the first of them, None if it is deleted.
    """
    state = now
    for row in rows:
        state = document_before(row, state)
    return state
