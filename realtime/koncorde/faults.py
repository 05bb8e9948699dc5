"""What is wrong with a filter, and where; readers that say so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from router.envelope import Json, JsonObject
from router.errors import RouterError

T = TypeVar("T")


def fault(path: str, reason: str) -> RouterError:
    """The error `api.assert.koncorde_dsl_error` for what stands at the path."""
    return RouterError("api.assert.koncorde_dsl_error", f'"{path}": {reason}' if path else reason)


def at(path: str, name: str) -> str:
    """The path of what is named so within a path."""
    return f"{path}.{name}" if path else name


def value_at(value: Json, kind: type[T], path: str, reason: str) -> T:
    """The value, if it is of the kind."""
    if not isinstance(value, kind):
        raise fault(path, reason)
    return value


def object_at(
    value: Json,
    path: str,
    *,
    required: Sequence[str] = (),
    allowed: Sequence[str] = (),
    exactly: int = 0,
) -> JsonObject:
    """The value as an object with the required keys, none but the allowed, and so many."""
    given: JsonObject = value_at(value, dict, path, "must be an object")
    if exactly and len(given) != exactly:
        noun = "property" if exactly == 1 else "properties"
        raise fault(path, f"expected object to have exactly {exactly} {noun}, got {len(given)}")
    for name in required:
        if name not in given:
            raise fault(path, f'the property "{name}" is missing')
    for name in given:
        if allowed and name not in allowed:
            names = ",".join(allowed)
            raise fault(path, f'"{name}" is not an allowed attribute (allowed: {names})')
    return given


def non_empty(given: JsonObject, path: str) -> JsonObject:
    """The object, if it has a key."""
    if not given:
        raise fault(path, "must be a non-empty object")
    return given


def only_field(value: Json, path: str) -> tuple[str, Json]:
    """The one key of the object, and its value."""
    given = object_at(value, path, exactly=1)
    return next(iter(given.items()))


def text_at(given: JsonObject, name: str, path: str) -> str:
    """The non-empty text of that name."""
    text = value_at(given[name], str, at(path, name), "must be a string")
    if not text:
        raise fault(at(path, name), "cannot be empty")
    return text


def array_at(given: JsonObject, name: str, path: str) -> list[Json]:
    """The array of that name."""
    found: list[Json] = value_at(given[name], list, at(path, name), "must be an array")
    return found
