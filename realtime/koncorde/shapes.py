"""Places, distances and shapes of filters: how they are written, and what lies within."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from realtime.koncorde.conditions import Box, Polygon, Ring, Shape
from router.envelope import Json
from storage.geo import EARTH_RADIUS_M, Point, distance_m, read_meters, read_point

_SHORTEST_GEOHASH: Final = 4

# node-units, which Koncorde reads distances with, knows these beside those of `storage.geo`.
_UNITS: Final = {
    "meter": "m",
    "metre": "m",
    "metres": "m",
    "kilometer": "km",
    "kilometre": "km",
    "kilometres": "km",
    "centimeter": "cm",
    "millimeter": "mm",
    "mile": "mi",
    "yard": "yd",
    "foot": "ft",
    "inches": "in",
    "nm": "nmi",
}
_SPACES: Final = re.compile(r"[-\s]")
_AMOUNT: Final = re.compile(r"([0-9.]+)([a-z]*)", re.ASCII)

# So much wider is a box drawn around a shape, so that rounding can't cut anything off.
_SLACK_DEGREES: Final = 1e-6


class Bounds(NamedTuple):
    """A box in degrees, its sides included."""

    south: float
    west: float
    north: float
    east: float


def read_place(value: Json) -> Point | None:
    """The place that `{lat, lon}`, `[lat, lon]`, `"lat, lon"`, a geohash of four characters
    or more, or `{latLon: …}` (also `lat_lon`) names; None for anything else.

    Source: Koncorde, "Geopoint formats". Unlike Elasticsearch an array begins with the latitude.
    """
    if isinstance(value, dict):
        for key in ("latLon", "lat_lon"):
            if key in value:
                inner = value[key]
                return None if _is_wrapped(inner) else read_place(inner)
    elif isinstance(value, list):
        if len(value) != 2:
            return None
        value = value[::-1]
    elif isinstance(value, str) and "," not in value and len(value) < _SHORTEST_GEOHASH:
        return None
    try:
        return read_point(value)
    except ValueError:
        return None


def read_distance(text: str) -> float:
    """The meters of a text such as `1km` or `3 258,55 Ft`.

    Raises:
        ValueError: It isn't a distance.
    """
    cleaned = _SPACES.sub("", text).replace(",", ".").lower()
    found = _AMOUNT.fullmatch(cleaned)
    if found is None:
        raise ValueError("not a distance")
    return read_meters(found[1] + _UNITS.get(found[2], found[2]))


def within(shape: Shape) -> Callable[[Point], bool]:
    """A test whether a place lies within the shape, its edge included."""
    if isinstance(shape, Box):
        return _within_box(shape)
    return _within_ring(shape) if isinstance(shape, Ring) else _within_polygon(shape)


def bounds(shape: Shape) -> Bounds:
    """A box that holds the whole shape."""
    if isinstance(shape, Box):
        if shape.left > shape.right:
            return Bounds(shape.bottom, -180.0, shape.top, 180.0)
        return Bounds(shape.bottom, shape.left, shape.top, shape.right)
    if isinstance(shape, Ring):
        return _around(shape)
    lats, lons = zip(*shape.corners, strict=True)
    return Bounds(min(lats), min(lons), max(lats), max(lons))


def _is_wrapped(value: Json) -> bool:
    return isinstance(value, dict) and ("latLon" in value or "lat_lon" in value)


def _within_box(box: Box) -> Callable[[Point], bool]:
    goes_round = box.left > box.right

    def test(place: Point) -> bool:
        lat, lon = place
        if not box.bottom <= lat <= box.top:
            return False
        if goes_round:
            return lon >= box.left or lon <= box.right
        return box.left <= lon <= box.right

    return test


def _within_ring(ring: Ring) -> Callable[[Point], bool]:
    center = (ring.lat, ring.lon)
    inner_m = 0.0 if ring.inner_m is None else ring.inner_m

    def test(place: Point) -> bool:
        return inner_m <= distance_m(center, place) <= ring.outer_m

    return test


def _within_polygon(polygon: Polygon) -> Callable[[Point], bool]:
    corners = polygon.corners
    edges = tuple(zip(corners, (*corners[1:], corners[0]), strict=True))

    def test(place: Point) -> bool:
        lat, lon = place
        is_within = False
        for (lat1, lon1), (lat2, lon2) in edges:
            if (lat1 > lat) != (lat2 > lat):
                crossing = (lon2 - lon1) * (lat - lat1) / (lat2 - lat1) + lon1
                if lon < crossing:
                    is_within = not is_within
        return is_within

    return test


def _around(ring: Ring) -> Bounds:
    reach = math.degrees(min(ring.outer_m / EARTH_RADIUS_M, math.pi)) + _SLACK_DEGREES
    south, north = ring.lat - reach, ring.lat + reach
    if south <= -90 or north >= 90:
        # It holds a pole, and so every meridian.
        return Bounds(max(south, -90.0), -180.0, min(north, 90.0), 180.0)
    # The meridian that touches the circle does so nearer to the pole than its center.
    ratio = math.sin(math.radians(reach)) / math.cos(math.radians(ring.lat))
    width = math.degrees(math.asin(min(ratio, 1.0))) + _SLACK_DEGREES
    west, east = ring.lon - width, ring.lon + width
    if west < -180 or east > 180:
        return Bounds(south, -180.0, north, 180.0)
    return Bounds(south, west, north, east)
