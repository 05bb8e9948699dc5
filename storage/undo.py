"""What brings a document back to what it was before a change, kept in the changes feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

from router.envelope import Json, JsonObject
from storage.contract import Change, Write
from storage.merge import copied, merge
from storage.stamps import stamped_changes

WHOLE_EVERY: Final = 32
"""Versions between two whole copies of a document in the feed (docs/decisions/0003)."""

Undo: TypeAlias = "list[Json]"
"""`[what to merge back, [path of each key to take out, as a list]]`."""


class Told(NamedTuple):
    """What a row of the feed says of the contents; see `storage.contract.Change`."""

    changes: JsonObject | None
    undo: Json
    whole: JsonObject | None


def told_of(
    write: Write, version: int, stored: JsonObject | None, after: JsonObject | None
) -> Told:
    """What the row of a write says that made `after` of `stored`. It shares with `stored`.

    Args:
        version: The one that the write takes.
    """
    if after is None:
        return Told(None, stored, None)
    if stored is None or write.verb not in ("update", "upsert"):
        return Told(copied(after), stored, None)
    changes = copied(stamped_changes(write, after))
    whole = copied(after) if version % WHOLE_EVERY == 0 else None
    return Told(changes, undo_of(stored, changes), whole)


def undo_of(before: JsonObject, changes: Mapping[str, Json]) -> Undo:
    """What takes `changes`, merged into `before`, out again."""
    gone: list[Json] = []
    return [_back(before, changes, [], gone), gone]


def undone(after: JsonObject, undo: Undo) -> JsonObject:
    """The document before the change, given the one after it."""
    back, gone = undo
    assert isinstance(back, dict)
    assert isinstance(gone, list)
    before = _without(after, gone)
    return merge(before, back)


def document_before(change: Change, after: JsonObject | None) -> JsonObject | None:
    """The document before a change, given the one after it; None stands for no document."""
    if isinstance(change.undo, list):
        assert after is not None
        return undone(after, change.undo)
    return change.undo if isinstance(change.undo, dict) else None


def document_after(change: Change, before: JsonObject | None) -> JsonObject | None:
    """The document after a change, given the one before it; None stands for no document."""
    if isinstance(change.undo, list) and change.changes is not None:
        return merge(before or {}, change.changes)
    return change.changes


def _back(
    before: JsonObject, changes: Mapping[str, Json], path: list[Json], gone: list[Json]
) -> JsonObject:
    back: JsonObject = {}
    for key, change in changes.items():
        if key not in before:
            gone.append([*path, key])
            continue
        old = before[key]
        if type(old) is dict:
            if type(change) is dict:
                inner = _back(old, change, [*path, key], gone)
                if inner:
                    back[key] = inner
                continue
        elif old == change and type(old) is type(change) and type(old) is not list:
            continue
        back[key] = old
    return back


def _without(document: JsonObject, paths: list[Json]) -> JsonObject:
    trimmed = merge({}, document)
    for path in paths:
        assert isinstance(path, list)
        place: Json = trimmed
        for key in path[:-1]:
            place = place[key] if isinstance(place, dict) and isinstance(key, str) else None
        if isinstance(place, dict):
            place.pop(str(path[-1]), None)
    return trimmed
