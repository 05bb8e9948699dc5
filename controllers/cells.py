"""The text in the cells of a CSV file as values, by the mapping of their fields."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from controllers import embedded
from router.envelope import Json, JsonObject

_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")
_NUMBER: Final = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*")

Convert: TypeAlias = Callable[[str], Json]


def converter(mapping: JsonObject, path: tuple[str, ...], unmapped: Convert = str) -> Convert:
    """How the cells of one column are read; a cell that can't be is a ValueError, in words.

    Args:
        mapping: The `properties` within which the path leads to the field.
        unmapped: Reads what the mapping doesn't know.
    """
    properties: Json = mapping
    kind = "text"
    for key in path:
        if kind == "geo_point":
            return _number  # lat and lon aren't fields of their own
        field = properties.get(key) if isinstance(properties, dict) else None
        if not isinstance(field, dict):
            return unmapped
        kind = str(field.get("type", "object"))
        properties = field.get("properties")
    return _CONVERTERS.get(kind, str)


def _whole(text: str) -> Json:
    # Not int() alone, which takes underscores and the digits of every script.
    if not _WHOLE.fullmatch(text):
        raise ValueError(f'"{text}" is not a whole number')
    return int(text)


def _number(text: str) -> Json:
    number = float(text) if _NUMBER.fullmatch(text) else math.inf
    if math.isinf(number):
        raise ValueError(f'"{text}" is not a number')
    return number


def _truth(text: str) -> Json:
    value = {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())
    if value is None:
        raise ValueError(f'"{text}" is neither true nor false')
    return value


def _json(text: str) -> Json:
    try:
        return embedded.parse(text)
    except ValueError as error:
        raise ValueError(f'"{text}" is {error}') from None


def _place(text: str) -> Json:
    return _json(text) if text[0] in "{[" else text


def _moment(text: str) -> Json:
    return int(text) if text.isascii() and text.isdigit() else text


_CONVERTERS: Final[Mapping[str, Convert]] = {
    **dict.fromkeys(("integer", "long", "short", "byte"), _whole),
    **dict.fromkeys(("float", "double", "half_float", "scaled_float"), _number),
    **dict.fromkeys(("object", "nested", "flattened"), _json),
    "boolean": _truth,
    "date": _moment,
    "geo_point": _place,
}
