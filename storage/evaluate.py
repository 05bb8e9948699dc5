"""Bound queries evaluated over the index rows of documents, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeAlias, TypeVar

from storage import patterns
from storage.binding import ID
from storage.fields import Value
from storage.geo import distance_m, is_in_box, is_in_polygon
from storage.plan import Row
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
from storage.words import words_of

FieldValues: TypeAlias = "dict[str, list[Value]]"
"""The indexed values of one document, by field path."""


class Sortable(Protocol):
    """What can be put in the order of a search: a document's address and its values."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Its id, index and collection: ties are broken by it."""

    @property
    def fields(self) -> FieldValues:
        """Its indexed values."""


_Found = TypeVar("_Found", bound=Sortable)


def field_values(rows: Iterable[Row]) -> FieldValues:
    """The values of a document's rows, by field."""
    fields: FieldValues = {}
    for path, _, value in rows:
        fields.setdefault(path, []).append(value)
    return fields


def matches(query: Query, id: str, fields: FieldValues) -> bool:
    """Whether a document matches a query that `storage.binding.bind` gave."""
    return _MATCHERS[type(query)](query, id, fields)


def in_order(found: Iterable[_Found], sort: Sequence[Sort]) -> list[_Found]:
    """The found documents in the order of the sort keys, ties by their place."""
    ordered = sorted(found, key=lambda each: each.place)
    # Sorting is stable, so that the last key goes first.
    for key in reversed(sort):
        ordered = _by(key, ordered)
    return ordered


def are_behind(values: Sequence[Scalar], sort: Sequence[Sort], after: Sequence[Scalar]) -> bool:
    """Whether a document with these sort values comes behind all with those of `after`."""
    for key, value, bound in zip(sort, values, after, strict=True):
        here, there = _rank(key, value), _rank(key, bound)
        if here != there:
            return here > there
        if value is not None and value != bound:
            return (_comparable(value) > _comparable(bound)) != key.descending
    return False


def _rank(key: Sort, value: Scalar) -> int:
    is_first = (value is None) == key.missing_first
    return 0 if is_first else 1


def sort_value(key: Sort, id: str, fields: FieldValues) -> Scalar:
    """The value that a document is sorted by; None if it lacks the field."""
    if key.field == ID:
        return id
    values = fields.get(key.field)
    if not values:
        return None
    chosen = max(values) if key.descending else min(values)
    return None if isinstance(chosen, tuple) else chosen


def _by(key: Sort, found: list[_Found]) -> list[_Found]:
    keyed = [(sort_value(key, each.place[0], each.fields), each) for each in found]
    present = [pair for pair in keyed if pair[0] is not None]
    missing = [each for value, each in keyed if value is None]
    present.sort(key=lambda pair: _comparable(pair[0]), reverse=key.descending)
    ordered = [each for _, each in present]
    return missing + ordered if key.missing_first else ordered + missing


def _comparable(value: Scalar) -> tuple[int, float, str]:
    # Numbers before texts, as SQLite has it, where two collections map a field differently.
    if isinstance(value, str):
        return (1, 0, value)
    return (0, value or 0, "")


def _match_all(_query: Query, _id: str, _fields: FieldValues) -> bool:
    return True


def _match_none(_query: Query, _id: str, _fields: FieldValues) -> bool:
    return False


def _match_ids(query: Query, id: str, _fields: FieldValues) -> bool:
    assert isinstance(query, Ids)
    return id in query.values


def _match_terms(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Terms)
    return any(value in query.values for value in fields.get(query.field, ()))


def _match_range(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Range)
    return any(_is_within(query, value) for value in fields.get(query.field, ()))


def _is_within(query: Range, value: Value) -> bool:
    return (
        (query.gt is None or _order(value, query.gt) > 0)
        and (query.gte is None or _order(value, query.gte) >= 0)
        and (query.lt is None or _order(value, query.lt) < 0)
        and (query.lte is None or _order(value, query.lte) <= 0)
    )


def _order(value: Value, bound: Scalar) -> int:
    if isinstance(value, str) and isinstance(bound, str):
        return (value > bound) - (value < bound)
    if isinstance(value, (str, tuple)) or isinstance(bound, str) or bound is None:
        raise TypeError(f"{value!r} and {bound!r} don't compare: is the query bound?")
    return (value > bound) - (value < bound)


def _match_exists(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Exists)
    return query.field in fields


def _match_geo_distance(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, GeoDistance)
    here = (query.lat, query.lon)
    return any(
        isinstance(place, tuple) and distance_m(here, place) <= query.meters
        for place in fields.get(query.field, ())
    )


def _match_geo_box(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, GeoBox)
    box = (query.top, query.left, query.bottom, query.right)
    places = fields.get(query.field, ())
    return any(isinstance(place, tuple) and is_in_box(place, box) for place in places)


def _match_geo_polygon(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, GeoPolygon)
    places = fields.get(query.field, ())
    return any(isinstance(place, tuple) and is_in_polygon(place, query.points) for place in places)


def _match_prefix(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Prefix)
    values = fields.get(query.field, ())
    return any(isinstance(value, str) and value.startswith(query.value) for value in values)


def _match_wildcard(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Wildcard)
    expression = patterns.wildcard(query.pattern)
    return any(patterns.fits(expression, value) for value in fields.get(query.field, ()))


def _match_regexp(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Regexp)
    expression = patterns.regexp(query.pattern)
    return any(patterns.fits(expression, value) for value in fields.get(query.field, ()))


def _match_any_word(query: Query, id: str, fields: FieldValues) -> bool:
    assert isinstance(query, AnyWord)
    words: list[Value] = [word for text in _texts(query.field, fields) for word in words_of(text)]
    return matches(query.test, id, {query.field: words})


def _match_phrase(query: Query, _id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Phrase)
    return any(has_phrase(words_of(text), query) for text in _texts(query.field, fields))


def has_phrase(words: Sequence[str], phrase: Phrase) -> bool:
    """Whether the words of a text hold those of a phrase one behind the other."""
    *firsts, last = phrase.words
    count = len(firsts)
    for place in range(len(words) - count):
        if list(words[place : place + count]) == firsts:
            word = words[place + count]
            if word.startswith(last) if phrase.is_open else word == last:
                return True
    return False


def _texts(field: str, fields: FieldValues) -> list[str]:
    return [text for text in fields.get(field, ()) if isinstance(text, str)]


def _match_objects(query: Query, id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Objects)
    texts = _texts(query.path, fields)
    return any(matches(query.query, id, query.scope.values(text)) for text in texts)


def _match_bool(query: Query, id: str, fields: FieldValues) -> bool:
    assert isinstance(query, Bool)
    if not all(matches(each, id, fields) for each in query.must):
        return False
    if any(matches(each, id, fields) for each in query.must_not):
        return False
    if not query.minimum:
        return True
    return sum(matches(each, id, fields) for each in query.should) >= query.minimum


def fields_of(query: Query) -> set[str]:
    """The fields that a query looks at."""
    if isinstance(query, Bool):
        parts = (*query.must, *query.must_not, *query.should)
        return set().union(*(fields_of(each) for each in parts))
    if isinstance(query, Objects):
        return {query.path}
    field = getattr(query, "field", None)
    return {field} if isinstance(field, str) else set()


_MATCHERS: Final[dict[type, Callable[[Query, str, FieldValues], bool]]] = {
    MatchAll: _match_all,
    MatchNone: _match_none,
    Ids: _match_ids,
    Terms: _match_terms,
    Range: _match_range,
    Exists: _match_exists,
    GeoDistance: _match_geo_distance,
    GeoBox: _match_geo_box,
    GeoPolygon: _match_geo_polygon,
    Prefix: _match_prefix,
    Wildcard: _match_wildcard,
    Regexp: _match_regexp,
    AnyWord: _match_any_word,
    Phrase: _match_phrase,
    Objects: _match_objects,
    Bool: _match_bool,
}
