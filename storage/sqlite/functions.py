"""Functions that the SQL of searches calls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import orjson

from storage.evaluate import matches
from storage.geo import Point, distance_m, is_in_polygon
from storage.patterns import fits
from storage.query import Objects


def _distance_m(*degrees: Any) -> float:
    return distance_m(degrees[:2], degrees[2:])


def _in_polygon(shape: bytes, lat: float, lon: float) -> bool:
    return is_in_polygon((lat, lon), _points(shape))


@functools.lru_cache(maxsize=64)
def _points(shape: bytes) -> list[Point]:
    return [(lat, lon) for lat, lon in orjson.loads(shape)]


def _holds(query: Objects, value: object) -> bool:
    return matches(query, "", {query.path: [value]}) if isinstance(value, str) else False


# Rows come in the order of their values: the next one often has the same.
_FITS: Final = functools.lru_cache(maxsize=1_024)(fits)

FUNCTIONS: Final[tuple[tuple[str, Callable[..., Any], int], ...]] = (
    ("distance_m", _distance_m, 4),
    ("fits", _FITS, 2),
    ("holds", _holds, 2),
    ("in_polygon", _in_polygon, 3),
)
"""Name, function, number of arguments; all depend on their arguments alone."""
