"""Documents as the server holds them: content, and hidden beside it version and last change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Document
from storage.mapping import Mapping
from storage.opensearch.client import object_at, objects
from storage.opensearch.places import AT, HIDDEN, ID, LAST

SLIMMED: Final = {"changes": "isWhole", "whole": "hasWhole"}
"""What the last row of a document may leave to the document's content, and the flag of it."""

_ODD: Final = re.compile(rb'-0\.0|"_trivium"')


@dataclass(frozen=True, slots=True)
class Place:
    """Where exactly the server has something: what conditional writes ask for."""

    seq_no: int
    primary_term: int


@dataclass(frozen=True, slots=True)
class Record:
    """A document, or what is left of it.

    Attributes:
        version: Of its last write, deletes counted; 0 if it never was.
        content: As `storage.stamps.packed` gives it; None when there is no document.
        op: Names the last write, so that one whose answer got lost is known again.
        rows: The rows of the changes feed that belong to that write.
        place: Of the document; None when there is none.
        grave: Of its tombstone; None if there is none, or it was not looked for.
    """

    version: int = 0
    content: bytes | None = None
    op: str = ""
    rows: tuple[JsonObject, ...] = ()
    place: Place | None = None
    grave: Place | None = None

    def document(self, id: str, incarnation: str = "") -> Document | None:
        """As the contract has it."""
        if self.content is None:
            return None
        return Document(
            id=id,
            version=self.version,
            source=orjson.loads(self.content),
            incarnation=incarnation,
        )


def read_record(found: JsonObject, grave: JsonObject | None = None) -> Record:
    """The record in an answer to a read of the document and one of its tombstone."""
    if found.get("found") is not True:
        return read_grave(grave or {})
    source = object_at(found, "_source")
    content, hidden = split(source)
    version = hidden.get("version", found.get("_version"))
    assert isinstance(version, int)
    return Record(
        version=version,
        content=orjson.dumps(content),
        op=str(hidden.get("op", "")),
        rows=tuple(_with_content(row, content) for row in objects(hidden.get("rows"))),
        place=_place(found),
        grave=None if grave is None or grave.get("found") is not True else _place(grave),
    )


def split(source: JsonObject) -> tuple[JsonObject, JsonObject]:
    """What clients see of a `_source`, and what is hidden in it; `source` is used up."""
    hidden = object_at(source, HIDDEN, LAST)
    source.pop(HIDDEN, None)
    whole = hidden.get("whole")
    return (whole if isinstance(whole, dict) else source), hidden


def pack(id: str, record: Record, mapping: Mapping, *, is_odd: bool = False) -> bytes:
    """The `_source` of a record that has content.

    Args:
        is_odd: The server can't take the content as it is. It gets what it can take, and the
            whole beside it, unread; so do contents of which that is known.
    """
    content = record.content
    assert content is not None
    last: JsonObject = {"version": record.version, "op": record.op, "rows": list(record.rows)}
    if is_odd or _ODD.search(content):
        whole = orjson.loads(content)
        last["whole"] = whole
        content = orjson.dumps(fitting(mapping, whole))
    head = content[:-1] + (b"," if len(content) > 2 else b"")
    hidden: JsonObject = {ID: id, LAST: last}
    if record.rows:
        hidden[AT] = record.rows[-1]["at"]
    return b'%b"%b":%b}' % (head, HIDDEN.encode(), orjson.dumps(hidden))


def pack_grave(
    id: str, uuid: str, record: Record, *, rows: Sequence[JsonObject] | None = None
) -> bytes:
    """The tombstone of a record without content, in the index of that id of its own.

    Args:
        rows: What it holds of the feed instead of the rows of the record.
    """
    kept = record.rows if rows is None else rows
    last = {"version": record.version, "op": record.op, "rows": list(kept)}
    at = record.rows[-1]["at"] if record.rows else 0
    return orjson.dumps({"id": id, "uuid": uuid, "at": at, HIDDEN: {LAST: last}})


def fitting(mapping: Mapping, source: JsonObject, path: tuple[str, ...] = ()) -> JsonObject:
    """The parts of a content that the server can index under this mapping."""
    kept: JsonObject = {}
    for key, value in source.items():
        if (not path and key == HIDDEN) or not all(part.strip() for part in key.split(".")):
            continue
        inner = (*path, key)
        fit = _fitting_value(mapping, value, inner)
        if fit is not None and _fits(mapping, inner, fit):
            kept[key] = fit
    return kept


def _fitting_value(mapping: Mapping, value: Json, path: tuple[str, ...]) -> Json:
    if isinstance(value, dict):
        return fitting(mapping, value, path)
    if isinstance(value, list):
        items = [_fitting_value(mapping, item, path) for item in value]
        if _fits(mapping, path, items):
            return items
        return [item for item in items if _fits(mapping, path, item)]
    return 0.0 if isinstance(value, float) and value == 0 else value


def _fits(mapping: Mapping, path: tuple[str, ...], value: Json) -> bool:
    nested: Json = value
    for key in reversed(path):
        nested = {key: nested}
    try:
        mapping.check(nested if isinstance(nested, dict) else {})
    except RouterError:
        return False
    return True


def read_grave(grave: JsonObject) -> Record:
    """The record in an answer to a read of a tombstone."""
    if grave.get("found") is not True:
        return Record()
    hidden = object_at(grave, "_source", HIDDEN, LAST)
    version = hidden.get("version")
    return Record(
        version=version if isinstance(version, int) else 0,
        op=str(hidden.get("op", "")),
        rows=tuple(objects(hidden.get("rows"))),
        grave=_place(grave),
    )


def _with_content(row: JsonObject, content: JsonObject) -> JsonObject:
    left = {key: content for key, flag in SLIMMED.items() if row.get(flag) is True}
    return {**row, **left}


def _place(found: JsonObject) -> Place:
    seq_no, term = found.get("_seq_no"), found.get("_primary_term")
    assert isinstance(seq_no, int)
    assert isinstance(term, int)
    return Place(seq_no, term)
