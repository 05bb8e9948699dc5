"""Query clauses of the Elasticsearch language, read into the query tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage import patterns
from storage.datemath import is_math
from storage.dates import date_reader
from storage.fulltext import read_match, read_multi_match
from storage.geo import read_box, read_meters, read_point
from storage.query import (
    Bool,
    Exists,
    GeoBox,
    GeoDistance,
    GeoPolygon,
    Ids,
    MatchAll,
    MatchNone,
    Nested,
    Prefix,
    Query,
    Range,
    Regexp,
    Scalar,
    Terms,
    Wildcard,
)
from storage.refusals import malformed, unsupported
from storage.zones import read_zone

MAX_DEPTH: Final = 64
"""Clauses within clauses; as deep as a request may be."""

MAX_TERMS: Final = 65_536
"""Values of all terms and ids clauses of a query (`index.max_terms_count`)."""

MAX_CLAUSES: Final = 1_024
"""Clauses of a query (`indices.query.bool.max_clause_count`)."""

# Clauses of the peer's that this store doesn't have: refused by name.
_FOREIGN: Final = frozenset(
    (
        *("boosting", "combined_fields", "common", "dis_max", "distance_feature", "fuzzy"),
        *("function_score", "geo_shape", "has_child"),
        *("has_parent", "intervals", "knn", "match_bool_prefix"),
        *("more_like_this", "parent_id"),
        *("percolate", "pinned", "query_string", "rank_feature"),
        *("script", "script_score", "semantic", "shape", "simple_query_string"),
        *("span_containing", "span_first", "span_multi", "span_near", "span_not", "span_or"),
        *("span_term", "span_within", "sparse_vector", "terms_set", "weighted_tokens"),
        "wrapper",
    )
)
MAX_CORNERS: Final = 1_000
"""Points of a polygon: each is looked at for each document."""

# Options of patterns, and their values that change nothing.
_HARMLESS: Final[dict[str, tuple[Json, ...]]] = {
    "case_insensitive": (None, False),
    "flags": (None, "ALL"),
    "rewrite": (None, "constant_score"),
}
_PERCENT: Final = re.compile(r"-?\d{1,3}%", re.ASCII)
_WHOLE: Final = re.compile(r"-?\d{1,6}", re.ASCII)


class Clauses:
    """Reads one query and counts what it holds, so that no query grows past the limits."""

    def __init__(self) -> None:
        self._terms = 0
        self._clauses = 0

    def read(self, query: Json, depth: int = 0) -> Query:
        """The tree of `{clause: {...}}`; an empty object is match_all.

        Raises:
            RouterError: `services.storage.unknown_query_keyword`,
                `services.storage.unexpected_bad_request`, `trivium.unsupported.feature`.
        """
        if not isinstance(query, dict):
            raise malformed("A query is an object.")
        self._count(depth)
        if not query:
            return MatchAll()
        keyword, *others = query
        if keyword not in _CLAUSES:
            raise _unknown(keyword)
        if others:
            raise malformed(f"A query holds one clause; this one has {keyword} and {others[0]}.")
        content = query[keyword]
        if not isinstance(content, dict):
            raise malformed(f"The content of {keyword} is an object.")
        return _CLAUSES[keyword](self, content, depth)

    def count_terms(self, count: int) -> None:
        """Add to the values of this query.

        Raises:
            RouterError: `services.storage.unexpected_bad_request` when they are too many.
        """
        self._terms += count
        if self._terms > MAX_TERMS:
            raise malformed(f"A query holds at most {MAX_TERMS} terms.")

    def _count(self, depth: int) -> None:
        self._clauses += 1
        if depth >= MAX_DEPTH:
            raise malformed(f"A query is at most {MAX_DEPTH} clauses deep.")
        if self._clauses > MAX_CLAUSES:
            raise malformed(f"A query holds at most {MAX_CLAUSES} clauses.")


def _unknown(keyword: str) -> RouterError:
    if keyword in _FOREIGN:
        return unsupported(f'The query clause "{keyword}"')
    return RouterError("services.storage.unknown_query_keyword", keyword)


def _match_all(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    _only(content, "match_all", ())
    return MatchAll()


def _match_none(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    _only(content, "match_none", ())
    return MatchNone()


def _ids(clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    _only(content, "ids", ("values",))
    values = content.get("values", [])
    texts = [str(_scalar(value)) for value in (values if isinstance(values, list) else [values])]
    clauses.count_terms(len(texts))
    return Ids(tuple(texts))


def _term(clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    field, value = _one_field(content, "term")
    if isinstance(value, dict):
        _only(value, "term", ("value", "case_insensitive"))
        if value.get("case_insensitive") not in (None, False):
            raise unsupported("case_insensitive of a term query")
        value = value.get("value")
    clauses.count_terms(1)
    return Terms(field, (_scalar(value),))


def _terms(clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    field, values = _one_field(content, "terms")
    if isinstance(values, dict):
        raise unsupported("A terms query that looks its terms up")
    if not isinstance(values, list):
        raise malformed(f"The terms for {field} are an array.")
    clauses.count_terms(len(values))
    return Terms(field, tuple(_scalar(value) for value in values))


def _range(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    field, bounds = _one_field(content, "range")
    if not isinstance(bounds, dict):
        raise malformed(f"The range for {field} is an object.")
    if "relation" in bounds:
        raise unsupported("relation of a range query")
    _only(bounds, "range", ("gt", "gte", "lt", "lte", "format", "time_zone"))
    convert = _bound_reader(bounds.get("format"))
    gt, gte, lt, lte = (convert(bounds.get(key)) for key in ("gt", "gte", "lt", "lte"))
    zone = bounds.get("time_zone")
    if zone is None:
        return Range(field, gt=gt, gte=gte, lt=lt, lte=lte)
    if not isinstance(zone, str):
        raise malformed("A time zone is a text such as Europe/Paris or +01:00.")
    read_zone(zone)
    return Range(field, gt=gt, gte=gte, lt=lt, lte=lte, zone=zone)


def _bound_reader(format: Json) -> Callable[[Json], Scalar]:
    if format is None:
        return _bound
    read = date_reader(str(format))

    def convert(value: Json) -> Scalar:
        if isinstance(value, str) and is_math(value):
            if "||" in value:
                raise unsupported("Date math with a format of its own")
            return value
        try:
            return None if value is None else read(value)
        except ValueError:
            raise malformed(f"A bound is no date of the format {format}.") from None

    return convert


def _bound(value: Json) -> Scalar:
    return None if value is None else _scalar(value)


def _exists(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    _only(content, "exists", ("field",))
    field = content.get("field")
    if not isinstance(field, str) or not field:
        raise malformed("exists wants the name of a field.")
    return Exists(field)


def _constant_score(clauses: Clauses, content: JsonObject, depth: int) -> Query:
    _only(content, "constant_score", ("filter",))
    return clauses.read(content.get("filter"), depth + 1)


def _nested(clauses: Clauses, content: JsonObject, depth: int) -> Query:
    if "inner_hits" in content:
        raise unsupported("inner_hits of a nested query")
    _only(content, "nested", ("path", "query", "score_mode", "ignore_unmapped"))
    path, lenient = content.get("path"), content.get("ignore_unmapped", False)
    if not isinstance(path, str) or "query" not in content:
        raise malformed("nested wants a path and a query.")
    if content.get("score_mode", "avg") not in ("avg", "max", "min", "none", "sum"):
        raise malformed(f"There is no score_mode {content['score_mode']!r}.")
    return Nested(path, clauses.read(content["query"], depth + 1), lenient in (True, "true"))


def _geo_distance(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    options = ("distance", "unit", "distance_type", "validation_method", "_name", "boost")
    if content.get("ignore_unmapped"):
        raise unsupported("ignore_unmapped of a geo_distance query")
    names = [key for key in content if key not in (*options, "ignore_unmapped")]
    if len(names) != 1:
        raise malformed("geo_distance wants one field with a place.")
    unit = content.get("unit", "m")
    try:
        meters = read_meters(content.get("distance"), unit if isinstance(unit, str) else "?")
    except ValueError:
        raise malformed("geo_distance wants a distance such as 12km.") from None
    try:
        lat, lon = read_point(content[names[0]])
    except ValueError:
        raise malformed(f"The place for {names[0]} is none.") from None
    return GeoDistance(names[0], lat, lon, meters)


def _geo_bounding_box(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    field, box = _place_field(content, "geo_bounding_box")
    try:
        top, left, bottom, right = read_box(box)
    except ValueError:
        raise malformed(f"The box for {field} wants two corners, or four sides.") from None
    return GeoBox(field, top, left, bottom, right)


def _geo_polygon(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    field, shape = _place_field(content, "geo_polygon")
    points = shape.get("points") if isinstance(shape, dict) and len(shape) == 1 else None
    if not isinstance(points, list) or not 3 <= len(points) <= MAX_CORNERS:
        raise malformed(f"The polygon for {field} wants 3 to {MAX_CORNERS} points.")
    try:
        return GeoPolygon(field, tuple(read_point(point) for point in points))
    except ValueError:
        raise malformed(f"A point of the polygon for {field} is none.") from None


def _place_field(content: JsonObject, clause: str) -> tuple[str, Json]:
    if content.get("ignore_unmapped"):
        raise unsupported(f"ignore_unmapped of a {clause} query")
    options = ("validation_method", "type", "_name", "boost", "ignore_unmapped")
    names = [key for key in content if key not in options]
    if len(names) != 1:
        raise malformed(f"{clause} wants one field with its shape.")
    return names[0], content[names[0]]


def _prefix(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    field, value = _pattern(content, "prefix", "value")
    return Prefix(field, value)


def _wildcard(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    field, value = _pattern(content, "wildcard", "wildcard")
    patterns.compiled(patterns.wildcard(value))
    return Wildcard(field, value)


def _regexp(_clauses: Clauses, content: JsonObject, _depth: int) -> Query:
    field, value = _pattern(content, "regexp", "value")
    patterns.regexp(value)
    return Regexp(field, value)


def _pattern(content: JsonObject, clause: str, other: str) -> tuple[str, str]:
    """The field and the text; of what stands beside it only what changes nothing is let pass."""
    field, given = _one_field(content, clause)
    options = given if isinstance(given, dict) else {"value": given}
    value = options.get("value", options.get(other))
    for option, setting in options.items():
        harmless = _HARMLESS.get(option, ()) if option not in ("value", other) else (setting,)
        if setting not in harmless and option not in ("boost", "_name", "max_determinized_states"):
            raise unsupported(f"{option} {setting!r} of a {clause} query")
    return field, str(_scalar(value))


def _bool(clauses: Clauses, content: JsonObject, depth: int) -> Query:
    _only(content, "bool", ("must", "filter", "should", "must_not", "minimum_should_match"))

    def several(key: str) -> tuple[Query, ...]:
        found = content.get(key)
        if found is None:
            return ()
        items = found if isinstance(found, list) else [found]
        return tuple(clauses.read(item, depth + 1) for item in items)

    must = several("must") + several("filter")
    should = several("should")
    minimum = minimum_of(content.get("minimum_should_match"), len(should), bool(must))
    return Bool(must=must, must_not=several("must_not"), should=should, minimum=minimum)


def minimum_of(asked: Json, available: int, has_must: bool) -> int:
    """How many `should` must match (OpenSearch, "Minimum should match"); at least one by default
    if nothing else must."""
    if asked is None:
        return 1 if available and not has_must else 0
    if isinstance(asked, str) and _PERCENT.fullmatch(asked):
        share = int(asked[:-1])
        count = abs(share) * available // 100
        return max(0, count if share >= 0 else available - count)
    if isinstance(asked, str) and _WHOLE.fullmatch(asked):
        asked = int(asked)
    if isinstance(asked, bool) or not isinstance(asked, int):
        raise unsupported(f"minimum_should_match {asked!r}")
    return max(0, asked if asked >= 0 else available + asked)


def _one_field(content: JsonObject, clause: str) -> tuple[str, Json]:
    fields = [key for key in content if key not in ("boost", "_name")]
    if len(fields) != 1:
        raise malformed(f"{clause} wants one field, not {len(fields)}.")
    return fields[0], content[fields[0]]


def _only(content: JsonObject, clause: str, allowed: tuple[str, ...]) -> None:
    # Scores are all alike here and names of clauses are told by nobody: both change nothing.
    for key in content:
        if key not in allowed and key not in ("boost", "_name"):
            raise malformed(f"{clause} doesn't know {key}.")


def _scalar(value: Json) -> Scalar:
    if value is None or isinstance(value, (dict, list)):
        raise malformed("A value to search for is a text, a number or a boolean.")
    return value


_CLAUSES: Final[dict[str, Callable[[Clauses, JsonObject, int], Query]]] = {
    "bool": _bool,
    "constant_score": _constant_score,
    "exists": _exists,
    "geo_bounding_box": _geo_bounding_box,
    "geo_distance": _geo_distance,
    "geo_polygon": _geo_polygon,
    "ids": _ids,
    "match": lambda _, content, __: read_match("match", "words", content),
    "match_all": _match_all,
    "match_none": _match_none,
    "match_phrase": lambda _, content, __: read_match("match_phrase", "phrase", content),
    "match_phrase_prefix": lambda _, content, __: read_match(
        "match_phrase_prefix", "phrase_prefix", content
    ),
    "multi_match": lambda _, content, __: read_multi_match(content),
    "nested": _nested,
    "prefix": _prefix,
    "range": _range,
    "regexp": _regexp,
    "term": _term,
    "terms": _terms,
    "wildcard": _wildcard,
}
