"""How an update meets the stored content: objects merge key by key, all else is replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from router.envelope import Json, JsonObject


def merge(stored: JsonObject, changes: JsonObject) -> JsonObject:
    """The stored content with the changes merged in, as a new object.

    Objects merge key by key, at every depth; arrays and scalars replace what was there, and
    null is stored as null. Neither argument is altered. Nothing in the result is shared with
    `changes`, whose owner may go on altering it. Subtrees that no change touches **are** shared
    with `stored`: hand out the result or `stored`, or `copied` of the other one.

    Source: OpenSearch, "Update document": recursive merge of `doc`.
    """
    merged = dict(stored)
    for key, change in changes.items():
        if type(change) is dict:
            before = merged.get(key)
            merged[key] = merge(before, change) if type(before) is dict else copied(change)
        else:
            merged[key] = _copied_list(change) if type(change) is list else change
    return merged


def without(stored: JsonObject, paths: Iterable[str]) -> JsonObject:
    """The stored content without the fields of these dotted paths, as a new object that shares
    nothing; a key that has dots itself counts before a path. What isn't there is gone already."""
    trimmed = copied(stored)
    for path in paths:
        if path in trimmed:
            del trimmed[path]
            continue
        *way, last = path.split(".")
        place: Json = trimmed
        for key in way:
            place = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(last, None)
    return trimmed


def copied(value: JsonObject) -> JsonObject:
    """The same object, sharing nothing that can be altered; for JSON, 20 times `deepcopy`."""
    twin = dict(value)
    for key, item in value.items():
        if type(item) is dict:
            twin[key] = copied(item)
        elif type(item) is list:
            twin[key] = _copied_list(item)
    return twin


def _copied_list(items: list[Json]) -> list[Json]:
    twin = list(items)
    for place, item in enumerate(items):
        if type(item) is dict:
            twin[place] = copied(item)
        elif type(item) is list:
            twin[place] = _copied_list(item)
    return twin


def paths(changes: JsonObject) -> Iterator[str]:
    """The dotted paths of the fields that changes touch; arrays count as one field."""
    for key, value in changes.items():
        if isinstance(value, dict) and value:
            yield from (f"{key}.{inner}" for inner in paths(value))
        else:
            yield key
