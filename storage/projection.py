"""Which parts of a found document are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from router.envelope import Json, JsonObject
from storage.merge import copied
from storage.query import Search

_Paths: TypeAlias = "list[list[str]] | None"
"""Wanted paths, each as the parts between its stars; None for all paths."""


def project(source: JsonObject, search: Search) -> JsonObject:
    """A copy of the parts of a document that the search's `source_includes` and
    `source_excludes` leave; objects that come out empty are left out.

    A path stands for all that lies below it; `*` for any characters, dots too.

    Source: OpenSearch, "Retrieve specific fields", `_source` filtering.
    """
    if search.source_includes is None and not search.source_excludes:
        return copied(source)
    includes = None if search.source_includes is None else _parts(search.source_includes)
    excludes = _parts(search.source_excludes) if search.source_excludes else None
    return _project(source, "", includes, excludes)


def _parts(paths: tuple[str, ...]) -> list[list[str]]:
    return [path.split("*") for path in paths]


def _names(paths: list[list[str]], path: str) -> bool:
    return any(fits(parts, path) for parts in paths)


def fits(parts: Sequence[str], path: str) -> bool:
    """Whether the path is the parts with anything between them; in linear time, as clients
    write these."""
    head, *rest = parts
    if not rest:
        return path == head
    *middle, tail = rest
    if not path.startswith(head) or len(path) < len(head) + len(tail):
        return False
    place, end = len(head), len(path) - len(tail)
    for part in middle:
        place = path.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return path.endswith(tail)


def _project(value: JsonObject, path: str, includes: _Paths, excludes: _Paths) -> JsonObject:
    kept: JsonObject = {}
    for key, item in value.items():
        inner = f"{path}.{key}" if path else key
        if excludes is not None and _names(excludes, inner):
            continue
        is_whole = includes is None or _names(includes, inner)
        part = _project_item(item, inner, None if is_whole else includes, excludes)
        if is_whole or part:
            kept[key] = part
    return kept


def _project_item(item: Json, path: str, includes: _Paths, excludes: _Paths) -> Json:
    """The item's wanted parts; with `includes` (it is not wanted as a whole), None for a scalar."""
    if isinstance(item, dict):
        return _project(item, path, includes, excludes)
    if isinstance(item, list):
        parts = [_project_item(each, path, includes, excludes) for each in item]
        return parts if includes is None else [part for part in parts if part]
    return item if includes is None else None
