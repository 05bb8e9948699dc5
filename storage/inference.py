"""What a `dynamic` true mapping takes a new field for."""

from __future__ import annotations

from typing import Final

from router.envelope import Json, JsonObject
from storage.dates import read_iso
from storage.fields import MAX_INT64

LONGEST_EXACT_TEXT: Final = 256
"""Characters of a new text field that its `keyword` sub-field holds (OpenSearch, "Dynamic
mapping")."""

_DEEPEST: Final = 64
"""Levels that are looked into; a mapping has fewer."""


def infer(value: Json, depth: int = 0) -> JsonObject | None:
    """The definition that a new field gets from its first value, as a client would declare it;
    None where the value tells nothing (null, an empty array).

    Source: OpenSearch, "Dynamic mapping": text with a keyword sub-field, dates by their form,
    long, float, boolean, object. Arrays count by their items.
    """
    if value is None or depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return _infer_object(value, depth)
    if isinstance(value, list):
        return _infer_list(value, depth)
    return _infer_text(value) if isinstance(value, str) else {"type": _number_type(value)}


def _number_type(value: bool | int | float) -> str:
    if isinstance(value, bool):
        return "boolean"
    is_long = isinstance(value, int) and -MAX_INT64 - 1 <= value <= MAX_INT64
    return "long" if is_long else "float"


def _infer_object(value: JsonObject, depth: int) -> JsonObject:
    properties: JsonObject = {}
    for key, item in value.items():
        definition = infer(item, depth + 1)
        if definition is not None:
            properties[key] = definition
    return {"type": "object", "properties": properties}


def _infer_list(items: list[Json], depth: int) -> JsonObject | None:
    """The first item that tells something decides; objects add up, first come first kept."""
    found: JsonObject | None = None
    for item in items:
        definition = infer(item, depth + 1)
        if found is None:
            found = definition
        elif definition is not None:
            _add_missing(found, definition)
    return found


def _add_missing(kept: JsonObject, more: JsonObject) -> None:
    before, added = kept.get("properties"), more.get("properties")
    if not isinstance(before, dict) or not isinstance(added, dict):
        return
    for key, definition in added.items():
        present = before.setdefault(key, definition)
        if present is not definition and isinstance(present, dict) and isinstance(definition, dict):
            _add_missing(present, definition)


def _infer_text(text: str) -> JsonObject:
    if len(text) >= 7 and "-" in text and _is_date(text):
        return {"type": "date"}
    keyword: JsonObject = {"type": "keyword", "ignore_above": LONGEST_EXACT_TEXT}
    return {"type": "text", "fields": {"keyword": keyword}}


def _is_date(text: str) -> bool:
    try:
        read_iso(text)
    except ValueError:
        return False
    return True
