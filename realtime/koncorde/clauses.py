"""Reads the clauses of a filter: what is asked of one field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Final

from realtime.koncorde.conditions import (
    NOTHING,
    Box,
    Contains,
    Exists,
    Expression,
    In,
    Match,
    Not,
    Polygon,
    Range,
    Regexp,
    Ring,
    canonical,
)
from realtime.koncorde.documents import as_number
from realtime.koncorde.faults import (
    array_at,
    at,
    fault,
    non_empty,
    object_at,
    only_field,
    text_at,
    value_at,
)
from realtime.koncorde.patterns import compiled
from realtime.koncorde.shapes import read_distance, read_place
from router.envelope import Json, JsonObject
from storage.geo import Point

Reader = Callable[[Json, str], Expression]
"""Reads the value of a keyword; the text is the path of the keyword."""

_SIDES: Final = ("top", "left", "bottom", "right")
_CORNERS: Final = (("topLeft", "top_left"), ("bottomRight", "bottom_right"))
_ELEMENT: Final = re.compile(r"(.*?[^\\])\[(.*)\]", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\([\[\]])")


def _equals(value: Json, path: str) -> Expression:
    field, wanted = only_field(value, path)
    if isinstance(wanted, (dict, list)):
        raise fault(at(path, field), "must either be a string, a number, a boolean, or null")
    return In(field, (_scalar(wanted),))


def _in(value: Json, path: str) -> Expression:
    field, wanted = only_field(value, path)
    return In(field, _texts(wanted, at(path, field)))


def _ids(value: Json, path: str) -> Expression:
    ids = object_at(value, path, required=("values",), exactly=1)
    return In("_id", _texts(ids["values"], at(path, "values")))


def _exists(value: Json, path: str) -> Exists | Contains:
    if isinstance(value, str):
        if not value:
            raise fault(path, "cannot test empty field name")
        return _field(value, path)
    named = object_at(value, path, required=("field",), exactly=1)
    return _field(text_at(named, "field", path), at(path, "field"))


def _missing(value: Json, path: str) -> Expression:
    return Not(_exists(value, path))


def _nothing(_value: Json, _path: str) -> Expression:
    return NOTHING


def _range(value: Json, path: str) -> Expression:
    field, given = only_field(value, path)
    path = at(path, field)
    limits = non_empty(object_at(given, path, allowed=("gt", "gte", "lt", "lte")), path)
    bounds: dict[str, float] = {}
    for name, limit in limits.items():
        number = as_number(limit)
        if number is None:
            raise fault(at(path, name), "must be a number")
        bounds[name] = number
    if "lt" in bounds and "lte" in bounds:
        raise fault(path, "only 1 upper boundary allowed")
    if "gt" in bounds and "gte" in bounds:
        raise fault(path, "only 1 lower boundary allowed")
    low, high = bounds.get("gt", bounds.get("gte")), bounds.get("lt", bounds.get("lte"))
    if low is not None and high is not None and high <= low:
        raise fault(path, "lower boundary must be strictly inferior to the upper one")
    return Range(field, **bounds)


def _regexp(value: Json, path: str) -> Expression:
    field, given = only_field(value, path)
    path = at(path, field)
    if isinstance(given, str):
        given = {"value": given}
    elif not isinstance(given, dict):
        raise fault(path, "must be either a string or a non-empty object")
    parts = object_at(given, path, required=("value",), allowed=("flags", "value"))
    pattern = parts["value"]
    if not isinstance(pattern, str):
        raise fault(at(path, "value"), "must be a string")
    flags = text_at(parts, "flags", path) if parts.get("flags") else ""
    try:
        compiled(pattern, flags)
    except ValueError as error:
        shown = pattern if len(pattern) <= 100 else pattern[:100] + "…"
        raise fault(path, f'cannot parse regexp expression "/{shown}/{flags}" ({error})') from None
    return Regexp(field, pattern, flags)


def _match(value: Json, path: str) -> Expression:
    return Match(non_empty(object_at(value, path), path))


# -- places ---------------------------------------------------------------------------------


def _geo_bounding_box(value: Json, path: str) -> Expression:
    field, given = only_field(value, path)
    path = at(path, field)
    box = object_at(given, path)
    sides = _sides(box) or _corner_sides(box)
    if sides is None:
        raise fault(path, "unrecognized geo-point format")
    top, left, bottom, right = sides
    return Box(field, top=top, left=left, bottom=bottom, right=right)


def _sides(box: JsonObject) -> tuple[float, ...] | None:
    try:
        sides = tuple(_degrees(box.get(name)) for name in _SIDES)
    except ValueError:
        return None
    return sides if all(abs(side) <= 360 for side in sides) else None


def _corner_sides(box: JsonObject) -> tuple[float, ...] | None:
    corners: list[Point] = []
    for names in _CORNERS:
        corner = read_place(next((box[name] for name in names if name in box), None))
        if corner is None:
            return None
        corners.append(corner)
    (top, left), (bottom, right) = corners
    return (top, left, bottom, right)


def _degrees(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("not a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("not a number of this world") from None


def _geo_distance(value: Json, path: str) -> Expression:
    given = object_at(value, path, required=("distance",), exactly=2)
    field, place = _place(given, path, ("distance",))
    return Ring(field, *place, outer_m=_distance(given, "distance", path))


def _geo_distance_range(value: Json, path: str) -> Expression:
    given = object_at(value, path, required=("from", "to"), exactly=3)
    inner, outer = _distance(given, "from", path), _distance(given, "to", path)
    if inner >= outer:
        raise fault(path, "inner radius must be smaller than outer radius")
    field, place = _place(given, path, ("from", "to"))
    return Ring(field, *place, outer_m=outer, inner_m=inner)


def _geo_polygon(value: Json, path: str) -> Expression:
    field, given = only_field(value, path)
    path = at(path, field)
    points = array_at(object_at(given, path, required=("points",), exactly=1), "points", path)
    path = at(path, "points")
    if len(points) < 3:
        raise fault(path, "at least 3 points are required to build a polygon")
    corners: list[Point] = []
    for number, point in enumerate(points):
        corner = read_place(point)
        if corner is None:
            raise fault(f"{path}[{number}]", "unrecognized point format")
        corners.append(corner)
    return Polygon(field, tuple(corners))


def _place(given: JsonObject, path: str, others: tuple[str, ...]) -> tuple[str, Point]:
    field = next(name for name in given if name not in others)
    place = read_place(given[field])
    if place is None:
        raise fault(at(path, field), "unrecognized point format")
    return field, place


def _distance(given: JsonObject, name: str, path: str) -> float:
    text = text_at(given, name, path)
    try:
        return read_distance(text)
    except ValueError:
        raise fault(at(path, name), "unable to parse distance value") from None


# -- values ---------------------------------------------------------------------------------


def _texts(value: Json, path: str) -> tuple[str, ...]:
    texts = value_at(value, list, path, "must be an array")
    if not texts:
        raise fault(path, "cannot be empty")
    found = tuple(text for text in texts if isinstance(text, str))
    if len(found) != len(texts):
        raise fault(path, 'must hold only values of type "string"')
    return found


def _scalar(value: bool | float | str | None) -> bool | int | float | str | None:
    return canonical(value) if isinstance(value, float) else value


def _field(text: str, path: str) -> Exists | Contains:
    """A field, or a field and what its array holds: `field[<JSON>]`."""
    found = _ELEMENT.fullmatch(text)
    name = _ESCAPED.sub(r"\1", text if found is None else found[1])
    if found is None:
        return Exists(name)
    try:
        value: Json = json.loads(found[2])
    except (ValueError, RecursionError):
        raise fault(path, "contains an invalid array value") from None
    return Contains(name, _scalar(value) if not isinstance(value, (list, dict)) else value)


CLAUSES: Final[dict[str, Reader]] = {
    "equals": _equals,
    "exists": _exists,
    "geoBoundingBox": _geo_bounding_box,
    "geoDistance": _geo_distance,
    "geoDistanceRange": _geo_distance_range,
    "geoPolygon": _geo_polygon,
    "ids": _ids,
    "in": _in,
    "match": _match,
    "missing": _missing,
    "nothing": _nothing,
    "range": _range,
    "regexp": _regexp,
}
