"""Functions that the SQL of searches calls."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import msgspec
import orjson

from storage.evaluate import matches
from storage.geo import Point, distance_m, is_in_polygon
from storage.patterns import fits
from storage.query import AnyWord, Phrase, Prefix, Range, Regexp, Terms, Wildcard


def _distance_m(*degrees: Any) -> float:
    return distance_m(degrees[:2], degrees[2:])


def _in_polygon(shape: bytes, lat: float, lon: float) -> bool:
    return is_in_polygon((lat, lon), _points(shape))


@functools.lru_cache(maxsize=64)
def _points(shape: bytes) -> list[Point]:
    return [(lat, lon) for lat, lon in orjson.loads(shape)]


def written(query: AnyWord | Phrase) -> bytes:
    """The query as an argument of `has_words`."""
    return _ENCODER.encode((type(query).__name__, type(_test(query)).__name__, query))


def _test(query: AnyWord | Phrase) -> object:
    return query.test if isinstance(query, AnyWord) else None


def _has_words(query: bytes, text: object) -> bool:
    return isinstance(text, str) and matches(_read(query), "", {"": [text]})


@functools.lru_cache(maxsize=256)
def _read(query: bytes) -> AnyWord | Phrase:
    name, test, content = msgspec.json.decode(query)
    if name == "Phrase":
        return msgspec.convert({**content, "field": ""}, Phrase)
    inner = msgspec.convert({**content["test"], "field": ""}, _TESTS[test])
    return AnyWord("", inner)


_ENCODER: Final = msgspec.json.Encoder()
_TESTS: Final[dict[str, Any]] = {
    kind.__name__: kind for kind in (Terms, Range, Prefix, Wildcard, Regexp)
}
# Rows come in the order of their values: the next one often has the same.
_FITS: Final = functools.lru_cache(maxsize=1_024)(fits)

FUNCTIONS: Final[tuple[tuple[str, Callable[..., Any], int], ...]] = (
    ("distance_m", _distance_m, 4),
    ("fits", _FITS, 2),
    ("has_words", _has_words, 2),
    ("in_polygon", _in_polygon, 3),
)
"""Name, function, number of arguments; all depend on their arguments alone."""
