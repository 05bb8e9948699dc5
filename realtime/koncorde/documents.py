"""How filters see a document: fields by dotted path, values that compare strictly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import msgspec

from router.envelope import Json, JsonObject

ABSENT: Final = msgspec.UNSET
"""Stands for a field that the document doesn't have (null is a value)."""

_BOOLEANS: Final = {False: ("boolean", False), True: ("boolean", True)}


def find(document: JsonObject, path: str) -> Json | msgspec.UnsetType:
    """The value at a dotted path, ABSENT if there is none.

    A key may hold dots itself; where two ways lead somewhere, the one over the shortest key
    wins.
    """
    dot = path.find(".")
    while dot > 0:
        below = document.get(path[:dot])
        if isinstance(below, dict):
            found = find(below, path[dot + 1 :])
            if found is not ABSENT:
                return found
        dot = path.find(".", dot + 1)
    return document.get(path, ABSENT)


def paths(document: JsonObject, prefix: str = "") -> Iterator[str]:
    """Every path that `find` finds something at."""
    for key, value in document.items():
        path = prefix + key
        yield path
        if isinstance(value, dict):
            yield from paths(value, path + ".")


def identity(value: Json) -> object:
    """What a scalar is looked up by: true is not 1, and 1.0 is 1."""
    return _BOOLEANS[value] if isinstance(value, bool) else value


def as_number(value: Json | msgspec.UnsetType) -> float | None:
    """The number as a double, None for anything else."""
    if isinstance(value, float):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
