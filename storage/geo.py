"""Places on the earth as documents and queries write them, and the way between two of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from router.envelope import Json

Point: TypeAlias = tuple[float, float]
"""Latitude (-90 to 90) and longitude (-180 to 180) in degrees."""

EARTH_RADIUS_M: Final = 6_371_008.7714
"""The mean radius by which Lucene computes its `arc` distances."""

# OpenSearch, "Distance units".
_UNITS: Final = {
    "": 1.0,
    "m": 1.0,
    "meters": 1.0,
    "km": 1_000.0,
    "kilometers": 1_000.0,
    "cm": 0.01,
    "centimeters": 0.01,
    "mm": 0.001,
    "millimeters": 0.001,
    "mi": 1_609.344,
    "miles": 1_609.344,
    "yd": 0.9144,
    "yards": 0.9144,
    "ft": 0.3048,
    "feet": 0.3048,
    "in": 0.0254,
    "inch": 0.0254,
    "nmi": 1_852.0,
    "NM": 1_852.0,
    "nauticalmiles": 1_852.0,
}
_DISTANCE: Final = re.compile(r"\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*", re.ASCII)
_LAT_LON: Final = re.compile(r"\s*([+-]?[\d.eE+-]+)\s*,\s*([+-]?[\d.eE+-]+)\s*", re.ASCII)
_GEOHASH: Final = re.compile(r"[0-9b-hjkmnp-z]{1,12}")
_BASE32: Final = "0123456789bcdefghjkmnpqrstuvwxyz"


def read_point(value: Json) -> Point:
    """The place that `{lat, lon}`, `"lat,lon"`, `[lon, lat]` or a geohash names.

    Raises:
        ValueError: Another shape, or a place off the map.
    """
    if isinstance(value, dict):
        return _checked(value.get("lat"), value.get("lon"))
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, list) and len(value) in (2, 3):
        return _checked(value[1], value[0])
    raise ValueError("not a place")


def read_meters(value: Json, unit: str = "m") -> float:
    """The meters of `"12km"`, `"12"` (in `unit`) or `12` (in `unit`).

    Raises:
        ValueError: No distance, negative, or in an unknown unit.
    """
    found = _DISTANCE.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        amount, unit = float(found[1]), found[2] or unit
    else:
        amount = _degrees(value)
    if unit not in _UNITS or not 0 <= amount < math.inf:
        raise ValueError("not a distance")
    return amount * _UNITS[unit]


def distance_m(here: Point, there: Point) -> float:
    """Meters over the sphere between two places (haversine)."""
    lat1, lat2 = math.radians(here[0]), math.radians(there[0])
    rise = math.sin((lat2 - lat1) / 2) ** 2
    run = math.sin(math.radians(there[1] - here[1]) / 2) ** 2
    square = min(1.0, rise + math.cos(lat1) * math.cos(lat2) * run)
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(square))


def read_box(value: Json) -> tuple[float, float, float, float]:
    """Top, left, bottom and right of a box that corners name, or its sides.

    Raises:
        ValueError: Another shape, a place off the map, or a top not above the bottom.
    """
    if not isinstance(value, dict):
        raise ValueError("not a box")
    keys = set(value)
    if keys == {"top", "left", "bottom", "right"}:
        (top, left), (bottom, right) = (
            _checked(value["top"], value["left"]),
            _checked(value["bottom"], value["right"]),
        )
    elif keys == {"top_left", "bottom_right"}:
        top, left = read_point(value["top_left"])
        bottom, right = read_point(value["bottom_right"])
    elif keys == {"top_right", "bottom_left"}:
        top, right = read_point(value["top_right"])
        bottom, left = read_point(value["bottom_left"])
    else:
        raise ValueError("not a box")
    if top <= bottom or left == right:
        raise ValueError("upside down, or flat")
    return top, left, bottom, right


def is_in_box(place: Point, box: tuple[float, float, float, float]) -> bool:
    """Whether a place lies in a box of `read_box`, its sides included."""
    top, left, bottom, right = box
    lat, lon = place
    is_between = left <= lon <= right if left <= right else lon >= left or lon <= right
    return bottom <= lat <= top and is_between


def is_in_polygon(place: Point, points: Sequence[Point]) -> bool:
    """Whether a place lies in a polygon on the flat map (by the rays that it crosses)."""
    lat, lon = place
    is_inside = False
    for (lat1, lon1), (lat2, lon2) in zip(points, (*points[1:], points[0]), strict=True):
        if (lat1 > lat) != (lat2 > lat):
            crossing = (lon2 - lon1) * (lat - lat1) / (lat2 - lat1) + lon1
            is_inside ^= lon < crossing
    return is_inside


def _from_text(text: str) -> Point:
    found = _LAT_LON.fullmatch(text)
    if found is not None:
        return _checked(found[1], found[2])
    if _GEOHASH.fullmatch(text):
        return _from_geohash(text)
    raise ValueError("neither lat,lon nor a geohash")


def _from_geohash(text: str) -> Point:
    """The middle of the cell that a geohash names."""
    spans = [[-180.0, 180.0], [-90.0, 90.0]]  # longitude takes the first bit
    bits = (_BASE32.index(char) >> shift & 1 for char in text for shift in (4, 3, 2, 1, 0))
    for place, bit in enumerate(bits):
        span = spans[place % 2]
        span[1 - bit] = (span[0] + span[1]) / 2
    return (sum(spans[1]) / 2, sum(spans[0]) / 2)


def _checked(lat: Json, lon: Json) -> Point:
    if type(lat) is float and type(lon) is float:
        point = (lat, lon)
    else:
        point = (_degrees(lat), _degrees(lon))
    if not (-90 <= point[0] <= 90 and -180 <= point[1] <= 180):
        raise ValueError("off the map")
    return point


def _degrees(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("not a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError("not a number of this world") from None
