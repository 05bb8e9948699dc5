"""Bound queries and sort keys in the server's own query language."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from router.envelope import Json, JsonObject
from storage.binding import ID
from storage.mapping import Mapping
from storage.names import MAX_ID_BYTES
from storage.plan import Leaf
from storage.query import (
    AnyWord,
    Bool,
    Exists,
    GeoBox,
    GeoDistance,
    GeoPolygon,
    Ids,
    MatchAll,
    MatchNone,
    Objects,
    Phrase,
    Prefix,
    Query,
    Range,
    Regexp,
    Scalar,
    Sort,
    Terms,
    Wildcard,
)
from storage.scope import Scope

_NOTHING: Final[JsonObject] = {"match_none": {}}

_LIMITS: Final = {
    "byte": 2**7,
    "short": 2**15,
    "integer": 2**31,
    "long": 2**63,
}
"""Whole types: the values are from minus this to this, exclusive."""

_LAST_ID: Final = "\U0010ffff" * (MAX_ID_BYTES // 4 + 1)
"""Sorts behind all ids."""

_NEAREST_M: Final = 0.02
"""Points are stored to within a centimeter."""


def compile_query(query: Query, mapping: Mapping) -> JsonObject:
    """A query that `storage.binding.bind` gave for this mapping, as the server reads it."""
    return _compile(query, mapping.scope)


def compile_sort(sort: Sequence[Sort], id_field: str) -> list[Json]:
    """Sort keys; ties are broken by id.

    Args:
        id_field: What the server sorts by for `_id`.
    """
    keys: list[Json] = []
    for key in sort:
        order: JsonObject = {"order": "desc" if key.descending else "asc"}
        if key.field == ID:
            keys.append({id_field: order})
            continue
        order["missing"] = "_first" if key.missing_first else "_last"
        order["unmapped_type"] = "long"
        keys.append({key.field: order})
    return [*keys, {id_field: {"order": "asc"}}]


def compile_after(sort: Sequence[Sort], after: Sequence[Scalar], mapping: Mapping) -> list[Json]:
    """Where to go on, for `compile_sort` of the same keys: behind every id."""
    pairs = zip(sort, after, strict=True)
    return [*(_after(key, value, mapping.leaf(key.field)) for key, value in pairs), _LAST_ID]


def _after(key: Sort, value: Scalar, leaf: Leaf | None) -> Json:
    if value is None:
        return _missing(key, leaf)
    if leaf is None or leaf.kind in ("keyword", "number", "date"):
        return value
    return int(value) if isinstance(value, bool) else _address(value)


def _missing(key: Sort, leaf: Leaf | None) -> Json:
    """What documents without the field are sorted by."""
    if leaf is not None and leaf.kind in ("keyword", "ip"):
        return None
    is_highest = key.missing_first == key.descending
    kind = "long" if leaf is None or leaf.kind == "date" else leaf.type
    if kind == "unsigned_long":
        return 2**64 - 1 if is_highest else 0
    if leaf is not None and leaf.kind == "number" and kind not in _LIMITS:
        return "Infinity" if is_highest else "-Infinity"
    limit = 2**63 if kind == "long" else 2**31
    return limit - 1 if is_highest else -limit


def _compile(query: Query, scope: Scope) -> JsonObject:
    return _COMPILERS[type(query)](query, scope)


def _all(_query: Query, _scope: Scope) -> JsonObject:
    return {"match_all": {}}


def _none(_query: Query, _scope: Scope) -> JsonObject:
    return _NOTHING


def _ids(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, Ids)
    fit: list[Json] = [each for each in query.values if is_id(each)]
    return {"ids": {"values": fit}}


def is_id(id: str) -> bool:
    """Whether the server can have a document of this id."""
    try:
        return 0 < len(id.encode()) <= MAX_ID_BYTES
    except UnicodeEncodeError:
        return False


def _terms(query: Query, scope: Scope) -> JsonObject:
    assert isinstance(query, Terms)
    leaf = _leaf(scope, query.field)
    if leaf.kind in ("date", "number"):
        spans = [_range(Range(leaf.path, gte=each, lte=each), leaf) for each in query.values]
        found: list[Json] = [span for span in spans if span != _NOTHING]
        return {"bool": {"should": found, "minimum_should_match": 1}} if found else _NOTHING
    if leaf.kind == "ip":
        return {"terms": {leaf.path: [_address(each) for each in query.values]}}
    fit: list[Json] = [each for each in query.values if _is_text(each)]
    return {"terms": {leaf.path: fit}}


def _is_text(value: Scalar) -> bool:
    try:
        return not isinstance(value, str) or value.encode() is not None
    except UnicodeEncodeError:
        return False


def _between(query: Query, scope: Scope) -> JsonObject:
    assert isinstance(query, Range)
    return _range(query, _leaf(scope, query.field))


def _range(query: Range, leaf: Leaf) -> JsonObject:
    bounds = {"gt": query.gt, "gte": query.gte, "lt": query.lt, "lte": query.lte}
    given: dict[str, Scalar] = {name: bound for name, bound in bounds.items() if bound is not None}
    if leaf.kind == "date":
        return {"range": {leaf.path: {**given, "format": "epoch_millis"}}}
    if leaf.kind == "number":
        return _number_range(leaf, given)
    if leaf.kind == "ip":
        return {"range": {leaf.path: {name: _address(each) for name, each in given.items()}}}
    if not all(_is_text(each) for each in given.values()):
        return _NOTHING
    return {"range": {leaf.path: dict(given)}}


def _number_range(leaf: Leaf, given: dict[str, Scalar]) -> JsonObject:
    if leaf.type not in _LIMITS:
        return {"range": {leaf.path: {name: _zero(name, each) for name, each in given.items()}}}
    low, high = -_LIMITS[leaf.type], _LIMITS[leaf.type] - 1
    for name, bound in given.items():
        assert isinstance(bound, (int, float))
        if name == "gt":
            low = max(low, math.floor(bound) + 1)
        elif name == "gte":
            low = max(low, math.ceil(bound))
        elif name == "lt":
            high = min(high, math.ceil(bound) - 1)
        else:
            high = min(high, math.floor(bound))
    return {"range": {leaf.path: {"gte": low, "lte": high}}} if low <= high else _NOTHING


def _zero(name: str, bound: Scalar) -> Scalar:
    """The server puts -0.0 before 0.0, which are one number."""
    if bound != 0 or isinstance(bound, (str, bool)):
        return bound
    return -0.0 if name in ("gte", "lt") else 0.0


def _exists(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, Exists)
    return {"exists": {"field": query.field}}


def _near(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, GeoDistance)
    place: JsonObject = {"lat": query.lat, "lon": query.lon}
    return {"geo_distance": {"distance": f"{max(query.meters, _NEAREST_M)}m", query.field: place}}


def _box(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, GeoBox)
    sides: JsonObject = {side: getattr(query, side) for side in ("top", "left", "bottom", "right")}
    return {"geo_bounding_box": {query.field: sides}}


def _polygon(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, GeoPolygon)
    points: list[Json] = [{"lat": lat, "lon": lon} for lat, lon in query.points]
    return {"geo_polygon": {query.field: {"points": points}}}


def _prefix(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, Prefix)
    return _pattern("prefix", query.field, query.value)


def _wildcard(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, Wildcard)
    return _pattern("wildcard", query.field, query.pattern)


def _regexp(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, Regexp)
    return _pattern("regexp", query.field, query.pattern)


def _pattern(clause: str, field: str, value: str) -> JsonObject:
    return {clause: {field: {"value": value}}} if _is_text(value) else _NOTHING


def _any_word(query: Query, scope: Scope) -> JsonObject:
    assert isinstance(query, AnyWord)
    return _compile(query.test, scope)


def _phrase(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, Phrase)
    text = " ".join(query.words)
    if not query.is_open:
        return {"match_phrase": {query.field: text}}
    # All words that begin so, not the first fifty.
    return {"match_phrase_prefix": {query.field: {"query": text, "max_expansions": 10_000}}}


def _objects(query: Query, _scope: Scope) -> JsonObject:
    assert isinstance(query, Objects)
    inner = _compile(query.query, query.scope)
    return {"nested": {"path": query.path, "query": inner, "score_mode": "none"}}


def _bool(query: Query, scope: Scope) -> JsonObject:
    assert isinstance(query, Bool)
    clauses: JsonObject = {
        "filter": [_compile(each, scope) for each in query.must],
        "must_not": [_compile(each, scope) for each in query.must_not],
    }
    if query.minimum:
        clauses["should"] = [_compile(each, scope) for each in query.should]
        clauses["minimum_should_match"] = query.minimum
    return {"bool": clauses}


def _leaf(scope: Scope, field: str) -> Leaf:
    leaf = scope.leaf(field)
    assert leaf is not None, "is the query bound?"
    return leaf


def _address(value: Scalar) -> str:
    """The address that the text of an index row stands for (32 hexadecimal digits)."""
    text = str(value)
    return ":".join(text[place : place + 4] for place in range(0, 32, 4))


_COMPILERS: Final[dict[type, Callable[[Query, Scope], JsonObject]]] = {
    MatchAll: _all,
    MatchNone: _none,
    Ids: _ids,
    Terms: _terms,
    Range: _between,
    Exists: _exists,
    GeoDistance: _near,
    GeoBox: _box,
    GeoPolygon: _polygon,
    Prefix: _prefix,
    Wildcard: _wildcard,
    Regexp: _regexp,
    AnyWord: _any_word,
    Phrase: _phrase,
    Objects: _objects,
    Bool: _bool,
}
