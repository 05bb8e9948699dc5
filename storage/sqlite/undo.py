"""What brings a document back to what it was before a change, kept in the changes feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from router.envelope import Json, JsonObject
from storage.merge import merge

Undo: TypeAlias = "list[Json]"
"""`[what to merge back, [path of each key to take out, as a list]]`."""


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
