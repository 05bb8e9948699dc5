"""A file of JSON lines: those of `document:export`, or documents as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import orjson

from router.envelope import Json, JsonObject
from trivium.imports.source import Broken, Entry, LongLineError, Mark, next_line

_BOM: Final = b"\xef\xbb\xbf"
_KEYS: Final = frozenset({"_id", "body"})


@dataclass(frozen=True, slots=True)
class Head:
    """What the first line of an export says; documents begin at `start`.

    `has_line` is false for a file that begins with a document.
    """

    start: Mark
    has_line: bool
    index: str | None = None
    collection: str | None = None


def head(file: BinaryIO) -> Head:
    """How the file begins."""
    try:
        line, after = next_line(file, Mark())
        first = orjson.loads(line.removeprefix(_BOM))
    except ValueError:
        return Head(Mark(), has_line=False)
    if not isinstance(first, dict) or first.get("type") != "collection" or "body" in first:
        return Head(Mark(), has_line=False)
    index, collection = first.get("index"), first.get("collection")
    if not (isinstance(index, str) and isinstance(collection, str)):
        return Head(Mark(), has_line=False)
    return Head(after, has_line=True, index=index, collection=collection)


def entries(file: BinaryIO, start: Mark, *, are_wrapped: bool) -> Iterator[Entry | Broken]:
    """The lines from a mark on; empty ones are passed over.

    Args:
        are_wrapped: Every line must be `{_id?, body}`, as in an export. Else one that isn't is
            the document itself, under its `_id` if it has one.
    """
    mark = start
    while True:
        try:
            line, after = next_line(file, mark)
        except LongLineError as error:
            yield Broken(mark, error.end, str(error))
            mark = error.end
            continue
        if not line:
            return
        text = line.removeprefix(_BOM) if mark.offset == 0 else line
        if not text.isspace():
            yield _entry(text, mark, after, are_wrapped=are_wrapped)
        mark = after


def _entry(line: bytes, start: Mark, end: Mark, *, are_wrapped: bool) -> Entry | Broken:
    try:
        found: Json = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Broken(start, end, f"is not JSON: {error}")
    if not isinstance(found, dict):
        return Broken(start, end, "is not an object")
    document = found if are_wrapped or _is_wrapped(found) else _wrapped(found)
    reason = _fault(document)
    return Entry(start, end, document) if reason is None else Broken(start, end, reason)


def _is_wrapped(found: JsonObject) -> bool:
    return found.keys() <= _KEYS and isinstance(found.get("body"), dict)


def _wrapped(found: JsonObject) -> JsonObject:
    body = {key: value for key, value in found.items() if key != "_id"}
    return {"_id": found["_id"], "body": body} if "_id" in found else {"body": body}


def _fault(document: JsonObject) -> str | None:
    if not isinstance(document.get("body"), dict):
        error = document.get("error")
        if isinstance(error, dict):
            return f"is the error that ended its export: {error.get('message')}"
        return "has no body that is an object"
    if document.keys() - _KEYS:
        return f"has more than _id and body: {', '.join(sorted(document.keys() - _KEYS))}"
    key = document.get("_id")
    return None if key is None or (isinstance(key, str) and key) else "has an _id that is no text"
