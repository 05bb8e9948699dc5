"""The lines of Elasticsearch's bulk API: an action, and for most of them what is to be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from controllers.writes import new_id
from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Author, Stamping, Verb, Write

_VERBS: Final[dict[str, tuple[Verb, Stamping]]] = {
    "index": ("create_or_replace", "anew"),
    "create": ("create", "anew"),
    "update": ("update", "signed"),
    "delete": ("delete", "signed"),
}
_UPDATE_KEYS: Final = frozenset({"doc", "upsert", "doc_as_upsert"})


class Line(NamedTuple):
    """One action and what it writes; `source` is the line as it was sent, None for a delete."""

    action: str
    source: Json
    write: Write


def read(
    lines: Sequence[Json], place: tuple[str, str], author: Author, *, refresh: bool
) -> list[Line]:
    """What the lines say, each of them for this place, whatever they name.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` for lines that are none of the bulk
            API, `services.storage.invalid_query_keyword` for a script.
    """
    found: list[Line] = []
    left = iter(enumerate(lines))
    for number, line in left:
        action, head = _action(number, line)
        source: Json = None if action == "delete" else next(left, (0, None))[1]
        found.append(_line(number, action, head, source, (place, author, refresh)))
    return found


def _action(number: int, line: Json) -> tuple[str, JsonObject]:
    if isinstance(line, dict) and len(line) == 1:
        ((action, head),) = line.items()
        if action in _VERBS and isinstance(head, dict):
            return action, head
    raise _malformed(number, f"one of {', '.join(_VERBS)}, with an object")


def _line(
    number: int,
    action: str,
    head: JsonObject,
    source: Json,
    around: tuple[tuple[str, str], Author, bool],
) -> Line:
    (index, collection), author, refresh = around
    if action != "delete" and not isinstance(source, dict):
        raise _malformed(number + 1, "the object that is to be written")
    verb, stamping = _VERBS[action]
    content, default = source if isinstance(source, dict) else {}, None
    if action == "update":
        content, default = _update(number + 1, content)
        verb = verb if default is None else "upsert"
    write = Write(
        verb=verb,
        index=index,
        collection=collection,
        id=_id(number, head, is_new=action in ("index", "create")),
        content=content,
        default=default,
        stamping=stamping,
        author=author,
        refresh=refresh,
    )
    return Line(action, source, write)


def _id(number: int, head: JsonObject, *, is_new: bool) -> str:
    key = head.get("_id")
    if isinstance(key, str) and key:
        return key
    if key in (None, "") and is_new:
        return new_id()
    raise _malformed(number, "an _id that is text")


def _update(number: int, source: JsonObject) -> tuple[JsonObject, JsonObject | None]:
    for key in ("script", "_script"):
        if key in source:
            raise RouterError("services.storage.invalid_query_keyword", key)
    if not source.keys() <= _UPDATE_KEYS:
        raise _malformed(number, f"only {', '.join(sorted(_UPDATE_KEYS))}")
    changes, default = source.get("doc", {}), source.get("upsert")
    if not isinstance(changes, dict) or not isinstance(default, dict | None):
        raise _malformed(number, "doc and upsert as objects")
    if default is None and source.get("doc_as_upsert") is True:
        default = {}
    return changes, default


def _malformed(number: int, expected: str) -> RouterError:
    return RouterError(
        "services.storage.unexpected_bad_request",
        f"Line {number} of bulkData must hold {expected}.",
    )
