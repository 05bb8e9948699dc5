"""What a filter says: conditions on the fields of a document, and how they are combined."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from router.envelope import Json, JsonObject

if TYPE_CHECKING:
    from realtime.koncorde.normal import NormalForm

Scalar: TypeAlias = "bool | int | float | str | None"


class In(msgspec.Struct, frozen=True):
    """The field is one of these values, of the same type; arrays aren't looked into."""

    field: str
    values: tuple[Scalar, ...]

    def to_json(self) -> JsonObject:
        """`{equals: {field: value}}`, `{in: …}` for several values."""
        if len(self.values) == 1:
            return {"equals": {self.field: self.values[0]}}
        return {"in": {self.field: list(self.values)}}


class Exists(msgspec.Struct, frozen=True):
    """The document has the field, be it null."""

    field: str

    def to_json(self) -> JsonObject:
        """`{exists: {path, array, value}}`."""
        return {"exists": {"path": self.field, "array": False, "value": None}}


class Contains(msgspec.Struct, frozen=True):
    """The field is an array that holds the value; an array or object is never held."""

    field: str
    value: Json

    def to_json(self) -> JsonObject:
        """`{exists: {path, array, value}}`."""
        return {"exists": {"path": self.field, "array": True, "value": self.value}}


class Range(msgspec.Struct, frozen=True):
    """The field is a number within the bounds that aren't None."""

    field: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None

    def to_json(self) -> JsonObject:
        """`{range: {field: {…}}}`."""
        bounds = {"gt": self.gt, "gte": self.gte, "lt": self.lt, "lte": self.lte}
        return {
            "range": {
                self.field: {
                    name: canonical(bound) for name, bound in bounds.items() if bound is not None
                }
            }
        }


class Regexp(msgspec.Struct, frozen=True):
    """The field is a text in which the pattern is found somewhere."""

    field: str
    pattern: str
    flags: str = ""

    def to_json(self) -> JsonObject:
        """`{regexp: {field: {value, flags?}}}`."""
        flags: JsonObject = {"flags": self.flags} if self.flags else {}
        return {"regexp": {self.field: {"value": self.pattern, **flags}}}


class Match(msgspec.Struct, frozen=True):
    """The document holds this content: objects at least these keys, arrays at least these."""

    content: JsonObject

    def to_json(self) -> JsonObject:
        """`{match: content}`."""
        return {"match": self.content}


class Select(msgspec.Struct, frozen=True):
    """The field is an array whose element at `position` matches, as the field `value`.

    A negative position counts from the end.
    """

    field: str
    position: int
    query: NormalForm

    def to_json(self) -> JsonObject:
        """`{select: {field, index, query}}`."""
        return {
            "select": {
                "field": self.field,
                "index": self.position,
                "query": self.query.to_json(),
            }
        }


class Box(msgspec.Struct, frozen=True):
    """The field is a place within the box; one whose left is right of its right goes round."""

    field: str
    top: float
    left: float
    bottom: float
    right: float

    def to_json(self) -> JsonObject:
        """`{geospatial: {geoBoundingBox: {field: {bottom, left, right, top}}}}`."""
        sides: JsonObject = {
            name: canonical(getattr(self, name)) for name in ("bottom", "left", "right", "top")
        }
        return {"geospatial": {"geoBoundingBox": {self.field: sides}}}


class Ring(msgspec.Struct, frozen=True):
    """The field is a place at least `inner_m` and at most `outer_m` meters from a place."""

    field: str
    lat: float
    lon: float
    outer_m: float
    inner_m: float | None = None

    def to_json(self) -> JsonObject:
        """`{geospatial: {geoDistance: …}}`, `geoDistanceRange` for a ring."""
        place: JsonObject = {"lat": canonical(self.lat), "lon": canonical(self.lon)}
        if self.inner_m is None:
            circle = {**place, "distance": canonical(self.outer_m)}
            return {"geospatial": {"geoDistance": {self.field: circle}}}
        ring = {**place, "from": canonical(self.inner_m), "to": canonical(self.outer_m)}
        return {"geospatial": {"geoDistanceRange": {self.field: ring}}}


class Polygon(msgspec.Struct, frozen=True):
    """The field is a place within the polygon of these corners (latitude, longitude)."""

    field: str
    corners: tuple[tuple[float, float], ...]

    def to_json(self) -> JsonObject:
        """`{geospatial: {geoPolygon: {field: [[lat, lon]…]}}}`."""
        corners: list[Json] = [[canonical(lat), canonical(lon)] for lat, lon in self.corners]
        return {"geospatial": {"geoPolygon": {self.field: corners}}}


Shape: TypeAlias = "Box | Ring | Polygon"
OnField: TypeAlias = "In | Exists | Contains | Range | Regexp | Select | Box | Ring | Polygon"
Condition: TypeAlias = "OnField | Match"


class And(msgspec.Struct, frozen=True):
    """All of the parts; without parts everything."""

    parts: tuple[Expression, ...] = ()


class Or(msgspec.Struct, frozen=True):
    """One of the parts at least; without parts nothing."""

    parts: tuple[Expression, ...] = ()


class Not(msgspec.Struct, frozen=True):
    """All that the part isn't."""

    part: Expression


Expression: TypeAlias = "And | Or | Not | Condition"

EVERYTHING = And()
NOTHING = Or()


def canonical(number: float) -> int | float:
    """The number as JavaScript writes it: whole ones without a fraction."""
    whole = isinstance(number, float) and number.is_integer() and abs(number) < 2**53
    return int(number) if whole else number


def stable_json(value: Json) -> str:
    """JSON text that is equal for equal values, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
