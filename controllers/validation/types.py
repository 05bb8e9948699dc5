"""The types of specified fields: what values and what options they take (reference 3.2)."""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from router.envelope import MAX_SAFE_INTEGER, Json, JsonObject
from router.errors import RouterError
from storage.dates import date_reader, read_iso
from storage.geo import read_point

Check: TypeAlias = Callable[[Json], "str | None"]
"""What is wrong with a value that isn't null; None if nothing is."""

Make: TypeAlias = Callable[[JsonObject, str], Check]
"""Makes the check of a field from its `typeOptions` and its name.

Raises RouterError (`validation.assert.*`) for options that make no sense."""

_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_SCHEMES: Final = frozenset({"http", "https", "ftp"})
_SHAPES: Final = (
    *("point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"),
    *("geometrycollection", "envelope", "circle"),
)
_DATE_LIMIT: Final = "NOW"


class FieldType(NamedTuple):
    """One type; `holds_arrays` says that a single value may be an array."""

    make: Make
    holds_arrays: bool = False


def _plain(expected: str, is_one: Callable[[Json], bool]) -> Make:
    def make(options: JsonObject, field: str) -> Check:
        allow(options, (), f"{field}.typeOptions")
        return lambda value: None if is_one(value) else f"must be {expected}."

    return make


def allow(given: JsonObject, allowed: Iterable[str], name: str) -> None:
    """Let an object pass that has no other keys. Raises: `unexpected_properties`."""
    known = list(allowed)
    if not given.keys() <= set(known):
        raise RouterError("validation.assert.unexpected_properties", name, ", ".join(known))


def wrong(name: str, expected: str) -> RouterError:
    """The error for a part of a specification that is of the wrong type."""
    return RouterError("validation.assert.invalid_type", name, expected)


def _bounds(options: JsonObject, key: str, field: str) -> tuple[float, float]:
    name = f"{field}.typeOptions.{key}"
    limits = options.get(key, {})
    if not isinstance(limits, dict):
        raise wrong(name, "object")
    allow(limits, ("min", "max"), name)
    low, high = limits.get("min", -math.inf), limits.get("max", math.inf)
    if not _is_number(low) or not _is_number(high):
        raise wrong(name, "{min?: number, max?: number}")
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if low > high:
        raise RouterError("validation.assert.invalid_range", name, low, high)
    return low, high


def _numbers(expected: str, is_one: Callable[[Json], bool]) -> Make:
    def make(options: JsonObject, field: str) -> Check:
        allow(options, ("range",), f"{field}.typeOptions")
        low, high = _bounds(options, "range", field)

        def check(value: Json) -> str | None:
            if not is_one(value):
                return f"must be {expected}."
            assert isinstance(value, int | float)
            return None if low <= value <= high else f"must lie within {low} and {high}."

        return check

    return make


def _string(options: JsonObject, field: str) -> Check:
    allow(options, ("length",), f"{field}.typeOptions")
    low, high = _bounds(options, "length", field)

    def check(value: Json) -> str | None:
        if not isinstance(value, str):
            return "must be a string."
        return None if low <= len(value) <= high else f"must have {low} to {high} characters."

    return check


def _enum(options: JsonObject, field: str) -> Check:
    allow(options, ("values",), f"{field}.typeOptions")
    values = options.get("values")
    if not isinstance(values, list) or not values or not all(isinstance(v, str) for v in values):
        raise wrong(f"{field}.typeOptions.values", "array of strings, not empty")
    return lambda value: (
        None if value in values else f"must be one of {', '.join(map(str, values))}."
    )


def _textual(expected: str, is_one: Callable[[str], bool]) -> Make:
    def make(options: JsonObject, field: str) -> Check:
        allow(options, ("notEmpty",), f"{field}.typeOptions")
        not_empty = options.get("notEmpty", False)
        if not isinstance(not_empty, bool):
            raise wrong(f"{field}.typeOptions.notEmpty", "boolean")

        def check(value: Json) -> str | None:
            if not isinstance(value, str):
                return "must be a string."
            if not value:
                return "must not be empty." if not_empty else None
            return None if is_one(value) else f"must be {expected}."

        return check

    return make


def _date(options: JsonObject, field: str) -> Check:
    allow(options, ("formats", "range"), f"{field}.typeOptions")
    formats = options.get("formats", ["epoch_millis"])
    if not isinstance(formats, list) or not formats or not all(isinstance(f, str) for f in formats):
        raise wrong(f"{field}.typeOptions.formats", "array of strings, not empty")
    try:
        # Moment's letters for years and days, which the peer takes, are others than Java's.
        read = date_reader("||".join(str(f).replace("Y", "y").replace("D", "d") for f in formats))
    except RouterError as error:
        raise wrong(f"{field}.typeOptions.formats", error.message) from None
    low, high = _dates(options, field)

    def check(value: Json) -> str | None:
        try:
            ms = read(value)
        except ValueError:
            return f"must be a date of the format {', '.join(map(str, formats))}."
        return None if low() <= ms <= high() else "must be a date within the range."

    return check


def _dates(options: JsonObject, field: str) -> tuple[Callable[[], float], Callable[[], float]]:
    name = f"{field}.typeOptions.range"
    limits = options.get("range", {})
    if not isinstance(limits, dict):
        raise wrong(name, "object")
    allow(limits, ("min", "max"), name)
    low = _moment(limits.get("min", -math.inf), f"{name}.min")
    high = _moment(limits.get("max", math.inf), f"{name}.max")
    if low() > high():
        raise RouterError(
            "validation.assert.invalid_range", name, limits.get("min"), limits.get("max")
        )
    return low, high


def _moment(limit: Json, name: str) -> Callable[[], float]:
    if limit == _DATE_LIMIT:
        return lambda: time.time_ns() // 1_000_000
    if isinstance(limit, int | float) and not isinstance(limit, bool):
        return lambda: limit
    try:
        ms = read_iso(limit) if isinstance(limit, str) else None
    except ValueError:
        ms = None
    if ms is None:
        raise wrong(name, 'date, or "NOW"')
    return lambda: ms


def _geo_shape(options: JsonObject, field: str) -> Check:
    allow(options, ("shapeTypes",), f"{field}.typeOptions")
    allowed = options.get("shapeTypes", [*_SHAPES])
    if (
        not isinstance(allowed, list)
        or not allowed
        or not all(shape in _SHAPES for shape in allowed)
    ):
        raise wrong(f"{field}.typeOptions.shapeTypes", f"array of {', '.join(_SHAPES)}")

    def check(value: Json) -> str | None:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in allowed or not isinstance(value, dict):
            return f"must be a shape of the type {', '.join(map(str, allowed))}."
        return None if _is_shape(str(kind), value) else f"is no good {kind}."

    return check


def _is_shape(kind: str, value: JsonObject) -> bool:
    if kind == "geometrycollection":
        parts = value.get("geometries")
        return isinstance(parts, list) and all(
            isinstance(part, dict) and _is_shape(str(part.get("type")), part) for part in parts
        )
    if kind not in _DEPTHS:
        return False
    if kind == "circle" and not isinstance(value.get("radius"), str | int | float):
        return False
    return _are_places(value.get("coordinates"), *_DEPTHS[kind])


# Arrays around the places of a shape, and how many places the innermost array holds at least.
_DEPTHS: Final = {
    "point": (0, 1),
    "circle": (0, 1),
    "multipoint": (1, 1),
    "linestring": (1, 2),
    "envelope": (1, 2),
    "polygon": (2, 4),
    "multilinestring": (2, 2),
    "multipolygon": (3, 4),
}


def _are_places(value: Json, depth: int, least: int) -> bool:
    if depth == 0:
        return _is_place(value)
    if not isinstance(value, list) or not value:
        return False
    if depth == 1 and len(value) < least:
        return False
    return all(_are_places(item, depth - 1, least) for item in value)


def _is_place(value: Json) -> bool:
    if not isinstance(value, list):
        return False
    return _is_readable(value)


def _is_readable(value: Json) -> bool:
    try:
        read_point(value)
    except ValueError:
        return False
    return True


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Json) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return float(value).is_integer() and abs(value) <= MAX_SAFE_INTEGER


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.hostname) and " " not in text


def _object(options: JsonObject, field: str) -> Check:
    allow(options, ("strict",), f"{field}.typeOptions")
    if not isinstance(options.get("strict", False), bool):
        raise wrong(f"{field}.typeOptions.strict", "boolean")
    return lambda value: None if isinstance(value, dict) else "must be an object."


TYPES: Final[dict[str, FieldType]] = {
    "anything": FieldType(_plain("anything", lambda _: True), holds_arrays=True),
    "boolean": FieldType(_plain("a boolean", lambda value: isinstance(value, bool))),
    "date": FieldType(_date),
    "email": FieldType(_textual("an email address", lambda text: bool(_EMAIL.fullmatch(text)))),
    "enum": FieldType(_enum),
    "geo_point": FieldType(_plain("a place", _is_readable), holds_arrays=True),
    "geo_shape": FieldType(_geo_shape),
    "integer": FieldType(_numbers("an integer", _is_integer)),
    "ip_address": FieldType(_textual("an IP address", _is_ip)),
    "numeric": FieldType(_numbers("a number", _is_number)),
    "object": FieldType(_object),
    "string": FieldType(_string),
    "url": FieldType(_textual("a URL", _is_url)),
}
