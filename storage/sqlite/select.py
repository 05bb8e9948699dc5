"""Bound queries as SQL over the side tables of one collection."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import apsw
import orjson

from storage import patterns
from storage.geo import EARTH_RADIUS_M
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
    Terms,
    Wildcard,
)
from storage.sqlite.catalog import Collection
from storage.sqlite.sides import UPDATED
from storage.sqlite.texts import WordTests

_WRITTEN_OUT: Final = 16
"""Values that stand in the SQL themselves; more go in as one array."""

_JOINED: Final = 100
"""Sets that one union joins; SQLite takes 500."""

_SLACK: Final = 1e-6
"""Degrees (a tenth of a meter) that a bounding box is larger than its circle: rounding."""


class Condition:
    """The `WHERE` of one query over `documents_n AS d`, with its arguments in order.

    It asks of `d` but its number wherever it can: see `Matching`.
    """

    def __init__(self, query: Query, collection: Collection) -> None:
        self.arguments: list[object] = []
        self._collection = collection
        self._compilers: dict[type, Callable[[Query], str]] = {
            MatchAll: self._match_all,
            MatchNone: self._match_none,
            Ids: self._ids,
            Bool: self._bool,
        }
        self._sets: dict[type, Callable[[Query], str | None]] = {
            Terms: self._terms,
            Range: self._range,
            Exists: self._exists,
            GeoDistance: self._geo_distance,
            GeoBox: self._geo_box,
            GeoPolygon: self._geo_polygon,
            Prefix: self._prefix,
            Wildcard: self._wildcard,
            Regexp: self._regexp,
            AnyWord: self._words,
            Phrase: self._words,
            Objects: self._objects,
        }
        self.sql = self._sql(query)

    @classmethod
    def of_set(cls, query: Query, collection: Collection) -> Condition:
        """In the place of a condition the numbers of the documents, some of them repeated; for
        a query that `is_set`."""
        condition = cls(MatchAll(), collection)
        condition.sql = condition._set(query) or "SELECT 0 AS doc WHERE 0"
        return condition

    def _sql(self, query: Query) -> str:
        if getattr(query, "field", None) == UPDATED:
            return self._updated(query)
        if type(query) in self._compilers and not is_set(query):
            return self._compilers[type(query)](query)
        documents = self._set(query)
        return "0" if documents is None else f"d.doc IN ({documents})"

    def _set(self, query: Query) -> str | None:
        """The numbers of the documents; None if there can be none."""
        if not isinstance(query, Bool):
            return self._sets[type(query)](query)
        parts = [self._set(each) for each in query.should]
        return " UNION ALL ".join(part for part in parts if part is not None) or None

    def _match_all(self, _query: Query) -> str:
        return "1"

    def _match_none(self, _query: Query) -> str:
        return "0"

    def _ids(self, query: Query) -> str:
        assert isinstance(query, Ids)
        return self._any_of("d.id", query.values)

    def _updated(self, query: Query) -> str:
        """The one field that is a column."""
        if isinstance(query, Exists):
            return "d.updated_ms IS NOT NULL"
        tests: dict[type, Callable[[Query, str], str]] = {
            Terms: self._terms_of,
            Range: self._range_of,
        }
        # Never null, which would stay null under NOT: the column is, until the first update.
        return f"(d.updated_ms IS NOT NULL AND {tests[type(query)](query, 'd.updated_ms')})"

    def _terms(self, query: Query) -> str | None:
        assert isinstance(query, Terms)
        return self._values(query.field, lambda column: self._terms_of(query, column))

    def _terms_of(self, query: Query, column: str) -> str:
        assert isinstance(query, Terms)
        return self._any_of(column, query.values)

    def _range(self, query: Query) -> str | None:
        assert isinstance(query, Range)
        return self._values(query.field, lambda column: self._range_of(query, column))

    def _range_of(self, query: Query, column: str) -> str:
        assert isinstance(query, Range)
        bounds = ((">", query.gt), (">=", query.gte), ("<", query.lt), ("<=", query.lte))
        return self._bounds(column, bounds)

    def _exists(self, query: Query) -> str | None:
        assert isinstance(query, Exists)
        leaf = self._collection.mapping.leaf(query.field)
        if leaf is not None and leaf.kind == "geo":
            return self._places(query.field, (-90.0, 90.0), None, "1")
        return self._values(query.field, lambda _column: "1")

    def _geo_distance(self, query: Query) -> str | None:
        assert isinstance(query, GeoDistance)
        lats, lons = _box(query)
        test = "distance_m(?, ?, lat, lon) <= ?"
        return self._places(query.field, lats, lons, test, query.lat, query.lon, query.meters)

    def _geo_box(self, query: Query) -> str | None:
        assert isinstance(query, GeoBox)
        lats, lons = (query.bottom, query.top), [query.left, query.right]
        if query.left <= query.right:
            return self._places(query.field, lats, lons, "1")
        test = "(lon >= ? OR lon <= ?)"
        return self._places(query.field, lats, None, test, query.left, query.right)

    def _geo_polygon(self, query: Query) -> str | None:
        assert isinstance(query, GeoPolygon)
        lats, lons = zip(*query.points, strict=True)
        around = (min(lats), max(lats)), [min(lons), max(lons)]
        shape = orjson.dumps(query.points)
        return self._places(query.field, *around, "in_polygon(?, lat, lon)", shape)

    def _places(
        self,
        path: str,
        lats: tuple[float, float],
        lons: list[float] | None,
        test: str,
        *arguments: object,
    ) -> str | None:
        """Places between these latitudes and longitudes that pass the test."""
        field = self._collection.fields.get(path)
        if field is None:
            return None
        self.arguments += [field, *lats, *(lons or ()), *arguments]
        beside = " AND lon BETWEEN ? AND ?" if lons is not None else ""
        table = f"places_{self._collection.number}"
        return f"SELECT doc FROM {table} WHERE field = ? AND lat BETWEEN ? AND ?{beside} AND {test}"

    def _prefix(self, query: Query) -> str | None:
        assert isinstance(query, Prefix)
        return self._values(query.field, lambda column: self._from(column, query.value))

    def _wildcard(self, query: Query) -> str | None:
        assert isinstance(query, Wildcard)
        start = patterns.wildcard_start(query.pattern)
        expression = patterns.wildcard(query.pattern)
        return self._values(query.field, lambda column: self._fits(column, start, expression))

    def _regexp(self, query: Query) -> str | None:
        assert isinstance(query, Regexp)
        expression = patterns.regexp(query.pattern)
        return self._values(query.field, lambda column: self._fits(column, "", expression))

    def _words(self, query: Query) -> str | None:
        assert isinstance(query, (AnyWord, Phrase))
        field = self._collection.fields.get(query.field)
        if field is None:
            return None
        tests = WordTests(self._collection.number, field, self.arguments, self._any_of)
        return tests.sql(query)

    def _objects(self, query: Query) -> str | None:
        assert isinstance(query, Objects)
        return self._values(query.path, lambda column: self._holds(column, query))

    def _holds(self, column: str, query: Objects) -> str:
        self.arguments.append(apsw.pyobject(query))
        return f"holds(?, {column})"

    def _from(self, column: str, start: str) -> str:
        """Texts that begin with this one."""
        above = patterns.behind(start)
        return self._bounds(column, ((">=", start), ("<", above)))

    def _fits(self, column: str, start: str, expression: str) -> str:
        bounds = self._from(column, start)
        self.arguments.append(expression)
        return f"{bounds} AND fits(?, {column})"

    def _bool(self, query: Query) -> str:
        assert isinstance(query, Bool)
        parts = [self._sql(each) for each in query.must]
        parts += [f"NOT ({self._sql(each)})" for each in query.must_not]
        if query.minimum > len(query.should):
            return "0"
        if query.minimum == 1:
            parts.append(_joined("OR", [self._sql(each) for each in query.should]))
        elif query.minimum > 1:
            total = _joined("+", [self._sql(each) for each in query.should])
            parts.append(f"{total} >= {query.minimum}")
        return _joined("AND", parts) if parts else "1"

    def _values(self, path: str, condition: Callable[[str], str]) -> str | None:
        field = self._collection.fields.get(path)
        if field is None:
            return None  # no document has a value there
        self.arguments.append(field)
        table = f"values_{self._collection.number}"
        return f"SELECT doc FROM {table} WHERE field = ? AND {condition('value')}"

    def _bounds(self, column: str, bounds: tuple[tuple[str, Scalar], ...]) -> str:
        given = [(sign, bound) for sign, bound in bounds if bound is not None]
        self.arguments += [bound for _, bound in given]
        return " AND ".join(f"{column} {sign} ?" for sign, _ in given) or "1"

    def _any_of(self, column: str, values: tuple[Scalar, ...]) -> str:
        if len(values) <= _WRITTEN_OUT:
            self.arguments += values
            return f"{column} IN ({', '.join('?' * len(values))})"
        tests = []
        for read, each in _arrays(values):
            tests.append(f"{column} IN {read}")
            self.arguments.append(each)
        return f"({' OR '.join(tests)})"


def is_set(query: Query) -> bool:
    """Whether the index alone tells which documents match, without looking at them."""
    return 0 < _sets_of(query) <= _JOINED


def _sets_of(query: Query) -> int:
    """How many sets, within each other too, one union has to join; 0 where it can't."""
    if isinstance(query, Bool):
        if query.minimum != 1 or query.must or query.must_not:
            return 0
        sets = [_sets_of(each) for each in query.should]
        return sum(sets) if all(sets) else 0
    if isinstance(query, (MatchAll, MatchNone, Ids)):
        return 0
    return int(getattr(query, "field", None) != UPDATED)


def _joined(operator: str, parts: Sequence[str]) -> str:
    """The parts joined in pairs of pairs: in a row, a thousand are too deep a tree for SQLite
    (SQLITE_MAX_EXPR_DEPTH)."""
    if len(parts) == 1:
        return f"({parts[0]})"
    half = len(parts) // 2
    return f"({_joined(operator, parts[:half])} {operator} {_joined(operator, parts[half:])})"


def _arrays(values: tuple[Scalar, ...]) -> Iterator[tuple[str, object]]:
    """How SQL reads an array of the values of one type in place, and that array."""
    given = [value for value in values if isinstance(value, str)]
    texts = tuple(text for text in given if "\0" not in text)
    others = tuple(text.encode() for text in given if "\0" in text)  # C ends texts at a NUL
    reals = array("d", [value for value in values if isinstance(value, float)])
    wholes = array("q", [int(value) for value in values if isinstance(value, int)])
    if texts:
        yield "carray(?)", apsw.carray(texts, flags=apsw.SQLITE_CARRAY_TEXT)
    if others:
        array_of_bytes = apsw.carray(others, flags=apsw.SQLITE_CARRAY_BLOB)
        yield "(SELECT CAST(value AS TEXT) FROM carray(?))", array_of_bytes
    if reals:
        yield "carray(?)", apsw.carray(reals, flags=apsw.SQLITE_CARRAY_DOUBLE)
    if wholes:
        yield "carray(?)", apsw.carray(wholes, flags=apsw.SQLITE_CARRAY_INT64)


def _box(query: GeoDistance) -> tuple[tuple[float, float], list[float] | None]:
    """The latitudes and the longitudes that the circle lies within; None for all longitudes."""
    angle = query.meters / EARTH_RADIUS_M
    reach = math.degrees(angle) + _SLACK
    lats = (query.lat - reach, query.lat + reach)
    if lats[0] <= -90 or lats[1] >= 90:
        return lats, None
    aside = math.degrees(math.asin(math.sin(angle) / math.cos(math.radians(query.lat)))) + _SLACK
    lons = [query.lon - aside, query.lon + aside]
    return lats, lons if lons[0] >= -180 and lons[1] <= 180 else None
