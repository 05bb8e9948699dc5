"""Koncorde filters as queries of a search: `lang: koncorde`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from realtime.koncorde.conditions import (
    And,
    Box,
    Contains,
    Exists,
    Expression,
    In,
    Not,
    Or,
    Polygon,
    Range,
    Regexp,
    Ring,
)
from realtime.koncorde.parse import KEYWORDS, FilterLimits, parse
from router.envelope import Json
from router.errors import RouterError
from storage import patterns, query
from storage.clauses import MAX_CORNERS

# A search looks through an index, however many values it names; Elasticsearch takes 65 536.
_LIMITS: Final = FilterLimits(conditions=65_536, depth=32)

_NARROWEST: Final = 1e-7
"""Degrees (a centimeter) that a box reaches beyond its line if it is one: OpenSearch refuses a
line, and knows places to within a centimeter."""

_RESTRICTED: Final = {
    "bool": "operator",
    "match": "clause",
    "select": "operator",
}


def read_query(content: Json) -> query.Query:
    """The query of a Koncorde filter; an empty one matches everything.

    A field matches as its mapping says, as in any search: an array by each of its values.

    Raises:
        RouterError: `api.assert.koncorde_unknown_keyword`,
            `api.assert.koncorde_restricted_keyword` (what realtime alone has),
            `api.assert.koncorde_dsl_error`, `trivium.unsupported.feature`.
    """
    return _compiled(parse(content, _LIMITS, admit=_admit))


def _admit(keyword: str) -> None:
    if keyword not in KEYWORDS:
        raise RouterError("api.assert.koncorde_unknown_keyword", keyword)
    if keyword in _RESTRICTED:
        raise RouterError("api.assert.koncorde_restricted_keyword", _RESTRICTED[keyword], keyword)


def _compiled(expression: Expression) -> query.Query:
    return _COMPILERS[type(expression)](expression)


def _and(expression: And) -> query.Query:
    if not expression.parts:
        return query.MatchAll()
    return query.Bool(must=tuple(_compiled(part) for part in expression.parts))


def _or(expression: Or) -> query.Query:
    if not expression.parts:
        return query.MatchNone()
    return query.Bool(should=tuple(_compiled(part) for part in expression.parts), minimum=1)


def _not(expression: Not) -> query.Query:
    return query.Bool(must_not=(_compiled(expression.part),))


def _in(condition: In) -> query.Query:
    if condition.field == "_id":
        return query.Ids(tuple(value for value in condition.values if isinstance(value, str)))
    return query.Terms(condition.field, condition.values)


def _exists(condition: Exists) -> query.Query:
    return query.Exists(condition.field)


def _contains(condition: Contains) -> query.Query:
    if isinstance(condition.value, (dict, list)):
        return query.MatchNone()
    return query.Terms(condition.field, (condition.value,))


def _range(condition: Range) -> query.Query:
    return query.Range(
        condition.field, gt=condition.gt, gte=condition.gte, lt=condition.lt, lte=condition.lte
    )


def _ring(condition: Ring) -> query.Query:
    outer = query.GeoDistance(condition.field, condition.lat, condition.lon, condition.outer_m)
    if condition.inner_m is None:
        return outer
    inner = query.GeoDistance(condition.field, condition.lat, condition.lon, condition.inner_m)
    return query.Bool(must=(outer,), must_not=(inner,))


def _box(condition: Box) -> query.Query:
    top, bottom = min(condition.top, 90.0), max(condition.bottom, -90.0)
    left, right = (max(-180.0, min(side, 180.0)) for side in (condition.left, condition.right))
    if top < bottom:
        return query.MatchNone()
    if top == bottom:
        bottom, top = max(-90.0, bottom - _NARROWEST), min(90.0, top + _NARROWEST)
    if left == right:
        left, right = max(-180.0, left - _NARROWEST), min(180.0, right + _NARROWEST)
    return query.GeoBox(condition.field, top, left, bottom, right)


def _polygon(condition: Polygon) -> query.Query:
    if len(condition.corners) > MAX_CORNERS:
        sentence = f"A geoPolygon of a search has at most {MAX_CORNERS} points."
        raise RouterError("api.assert.koncorde_dsl_error", sentence)
    return query.GeoPolygon(condition.field, condition.corners)


def _regexp(condition: Regexp) -> query.Query:
    """As a search has it, and unlike a subscription: the pattern fits the whole text."""
    if condition.flags:
        feature = f'flags "{condition.flags}" of a regexp in a search'
        raise RouterError("trivium.unsupported.feature", feature)
    patterns.regexp(condition.pattern)
    return query.Regexp(condition.field, condition.pattern)


_COMPILERS: Final[dict[type, Callable[[Any], query.Query]]] = {
    And: _and,
    Or: _or,
    Not: _not,
    In: _in,
    Exists: _exists,
    Contains: _contains,
    Range: _range,
    Ring: _ring,
    Regexp: _regexp,
    Box: _box,
    Polygon: _polygon,
}
