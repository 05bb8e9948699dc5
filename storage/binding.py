"""A query bound to a mapping: its values become what index rows hold, its fields are known."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

import msgspec

from router.envelope import Json
from router.errors import RouterError
from storage import patterns
from storage.clock import system_ms
from storage.datemath import is_math, span_of
from storage.dates import has_offset, open_ms
from storage.fields import MAX_INT64, Kind, decimal_of
from storage.mapping import Mapping
from storage.matching import match_words, on_words
from storage.plan import Leaf
from storage.query import (
    Bool,
    Exists,
    GeoBox,
    GeoDistance,
    GeoPolygon,
    Ids,
    Match,
    MatchAll,
    MatchNone,
    MultiMatch,
    Nested,
    Objects,
    Prefix,
    Query,
    Range,
    Regexp,
    Scalar,
    Search,
    Sort,
    Terms,
    Wildcard,
)
from storage.refusals import unsupported
from storage.scope import Scope
from storage.zones import moved_ms, read_zone

ID: Final = "_id"
"""The field that every document has without a mapping: it can be searched and sorted by."""


def bind(query: Query, mapping: Mapping) -> Query:
    """The same query over the index rows of a mapping's documents.

    In the result every field is an indexed one; values are as rows hold them (dates in ms, IP
    addresses as text, numbers in numeric fields…), so that an engine only compares. What can
    match nothing has become `MatchNone`: unmapped fields, fields within nested objects, a bool
    that wants more `should` than it has.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` for a value its field can't take
            or a clause it can't answer; `trivium.unsupported.feature` for a text field with an
            analyzer of its own.
    """
    return _bind(query, mapping.scope)


def check_sort(sort: tuple[Sort, ...], mapping: Mapping) -> None:
    """Let sort keys pass that documents of this mapping can be sorted by.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` for a text or geo_point field, and
            for an unmapped one unless the key allows it.
    """
    for key in sort:
        leaf = mapping.leaf(key.field)
        if key.field == ID or (leaf is None and key.unmapped):
            continue
        if leaf is None:
            raise _refused(f'There is no field "{key.field}" in the mapping to sort by.')
        if leaf.is_hidden:
            raise unsupported(f'Sorting by "{key.field}" within nested objects')
        if leaf.kind in (None, "text", "geo"):
            raise _refused(f'The field "{key.field}" of type {leaf.type} can\'t be sorted by.')


def bind_after(search: Search, mapping: Mapping) -> tuple[Scalar, ...] | None:
    """The search's `after` as index rows hold such values; its sort was let pass before.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` for a value its field can't take.
    """
    if search.after is None:
        return None
    pairs = zip(search.sort, search.after, strict=True)
    return tuple(None if value is None else _bound(key, value, mapping) for key, value in pairs)


def _bound(key: Sort, value: Scalar, mapping: Mapping) -> Scalar:
    leaf = mapping.leaf(key.field)
    if leaf is None:
        return str(value) if key.field == ID else None
    if leaf.kind == "boolean" and value in (0, 1):
        return bool(value)
    try:
        read = leaf.read(value)
    except (ValueError, ArithmeticError):
        raise _mismatch(leaf, value) from None
    return None if isinstance(read, tuple) else read


def _bind(query: Query, scope: Scope) -> Query:
    return _BINDERS[type(query)](query, scope)


def _bind_same(query: Query, _scope: Scope) -> Query:
    return query


def _bind_ids(query: Query, scope: Scope) -> Query:
    if scope.is_nested:
        raise unsupported("_id within a nested query")
    return query


def _bind_terms(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Terms)
    if query.field == ID:
        return _bind_ids(Ids(tuple(str(value) for value in query.values)), scope)
    leaf = _exact(query.field, scope)
    if leaf is None:
        return MatchNone()
    if leaf.kind in ("date", "ip"):
        spans = [_span(leaf, value) for value in query.values if value is not None]
        values = tuple(low for low, high in spans if low == high)
        wide = tuple(Range(leaf.path, gte=low, lte=high) for low, high in spans if low != high)
        exact: tuple[Query, ...] = (Terms(leaf.path, values),) if values else ()
        return _any_of((*exact, *wide))
    read = [_read(leaf, value) for value in query.values if value is not None]
    values = tuple(value for value in read if value is not None)
    return on_words(leaf, Terms(leaf.path, values)) if values else MatchNone()


def _bind_range(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Range)
    if query.field == ID:
        raise _refused("A range of _id can't be searched for.")
    leaf = _exact(query.field, scope)
    if leaf is None:
        return MatchNone()
    bounds = [
        None if value is None else _span(leaf, value, query.zone)[place]
        # A date that leaves a time open is rounded: gt and lte to its last millisecond.
        for value, place in ((query.gt, 1), (query.gte, 0), (query.lt, 0), (query.lte, 1))
    ]
    if all(bound is None for bound in bounds):
        return Exists(leaf.path)
    gt, gte, lt, lte = bounds
    return on_words(leaf, Range(leaf.path, gt=gt, gte=gte, lt=lt, lte=lte))


def _bind_exists(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Exists)
    if query.field == ID:
        return MatchAll()
    leaf = scope.leaf(query.field)
    leaves = scope.leaves_under(query.field) if leaf is None else [leaf]
    return _any_of(tuple(Exists(leaf.path) for leaf in leaves if leaf.kind is not None))


def _bind_prefix(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Prefix)
    leaf = _textual(query.field, scope, "prefix")
    if leaf is None:
        return MatchNone()
    value = _normal(leaf, query.value)
    return on_words(leaf, Prefix(leaf.path, value)) if value else Exists(leaf.path)


def _bind_wildcard(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Wildcard)
    leaf = _textual(query.field, scope, "wildcard")
    if leaf is None:
        return MatchNone()
    pattern = _normal(leaf, query.pattern)
    if leaf.kind == "text":
        pattern = pattern.lower()
    start = patterns.wildcard_start(pattern)
    if patterns.is_plain(pattern):
        return on_words(leaf, Terms(leaf.path, (start,)))
    return on_words(leaf, Wildcard(leaf.path, pattern))


def _bind_regexp(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Regexp)
    leaf = _textual(query.field, scope, "regexp")
    if leaf is None:
        return MatchNone()
    return on_words(leaf, Regexp(leaf.path, _normal(leaf, query.pattern)))


def _bind_match(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Match)
    if query.field == ID:
        return _bind_ids(Ids((str(query.value),)), scope)
    leaf = scope.leaf(query.field)
    if leaf is None or leaf.is_hidden:
        return MatchNone()
    try:
        return match_words(query, leaf) if leaf.kind == "text" else _match_whole(query, scope)
    except RouterError as error:
        if query.is_lenient and error.id == "services.storage.unexpected_bad_request":
            return MatchNone()
        raise


def _match_whole(query: Match, scope: Scope) -> Query:
    if query.how == "phrase_prefix":
        raise _refused(f'The field "{query.field}" is no text, in which a phrase could begin.')
    return _bind_terms(Terms(query.field, (query.value,)), scope)


def _bind_multi_match(query: Query, scope: Scope) -> Query:
    assert isinstance(query, MultiMatch)
    matches = (
        msgspec.structs.replace(query.match, field=path, is_lenient=query.is_lenient)
        for path in scope.searchable(query.fields)
    )
    bound = [_bind_match(each, scope) for each in matches]
    return _any_of(tuple(each for each in bound if not isinstance(each, MatchNone)))


def _textual(field: str, scope: Scope, clause: str) -> Leaf | None:
    """The field, if its values are texts to be compared; None if nothing can match it."""
    leaf = None if field == ID else _exact(field, scope)
    if field == ID or (leaf is not None and leaf.kind not in ("keyword", "text")):
        kind = "_id" if leaf is None else leaf.type
        raise _refused(f'The field "{field}" of type {kind} can\'t answer a {clause} query.')
    return leaf


def _normal(leaf: Leaf, text: str) -> str:
    """The text as the values of the field are kept: in lower case, if they are."""
    return text.lower() if leaf.read("A") == "a" else text


def _bind_geo(query: Query, scope: Scope) -> Query:
    assert isinstance(query, (GeoDistance, GeoBox, GeoPolygon))
    leaf = scope.leaf(query.field)
    if leaf is None or leaf.kind != "geo":
        if leaf is not None and leaf.is_hidden:
            return MatchNone()
        raise _refused(f'The field "{query.field}" is no geo_point.')
    return query


def _bind_nested(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Nested)
    inner = scope.nested(query.path)
    if inner is not None:
        return Objects(query.path, _bind(query.query, inner), inner)
    if query.is_lenient:
        return MatchNone()
    raise _refused(f'There are no nested objects at "{query.path}".')


def _bind_bool(query: Query, scope: Scope) -> Query:
    assert isinstance(query, Bool)
    bound = Bool(
        must=tuple(_bind(each, scope) for each in query.must),
        must_not=tuple(_bind(each, scope) for each in query.must_not),
        should=tuple(_bind(each, scope) for each in query.should),
        minimum=query.minimum,
    )
    return bound if bound.minimum <= len(bound.should) else MatchNone()


def _any_of(queries: tuple[Query, ...]) -> Query:
    if not queries:
        return MatchNone()
    return queries[0] if len(queries) == 1 else Bool(should=queries, minimum=1)


def _exact(field: str, scope: Scope) -> Leaf | None:
    """The field, if its values can be compared; None if nothing can match it."""
    leaf = scope.leaf(field)
    if leaf is None or leaf.is_hidden:
        return None
    if leaf.kind is None:
        raise _refused(f'The field "{field}" is not indexed.')
    if leaf.kind == "geo":
        raise _refused(f'The field "{field}" is a geo_point; ask for a geo_distance.')
    return leaf


def _span(leaf: Leaf, value: Scalar, zone: str = "") -> tuple[Scalar, Scalar]:
    """The first and the last row value that a query's value stands for; mostly the same."""
    if leaf.kind == "date" and isinstance(value, str) and is_math(value):
        return _computed(leaf, value, zone)
    if leaf.kind == "ip" and isinstance(value, str) and "/" in value:
        return _network(leaf, value)
    low = _read(leaf, value)
    if leaf.kind == "date" and isinstance(value, str) and isinstance(low, int):
        if zone and not has_offset(value):
            return moved_ms(low, zone), moved_ms(low + open_ms(value), zone)
        return low, low + open_ms(value)
    return low, low


def _computed(leaf: Leaf, text: str, zone: str) -> tuple[Scalar, Scalar]:
    def read(anchor: Json) -> int:
        found = leaf.read(anchor)
        if not isinstance(found, int):
            raise ValueError("no date")
        return moved_ms(found, zone) if zone and not has_offset(str(anchor)) else found

    try:
        return span_of(text, system_ms(), read, read_zone(zone))
    except ValueError:
        raise _mismatch(leaf, text) from None


def _network(leaf: Leaf, text: str) -> tuple[Scalar, Scalar]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise _mismatch(leaf, text) from None
    return _read(leaf, str(network[0])), _read(leaf, str(network[-1]))


def _read(leaf: Leaf, value: Scalar) -> Scalar:
    if leaf.kind == "boolean" and value == "":
        raise _mismatch(leaf, value)  # false in a document, nothing in a query: as the peer has it
    convert = _VALUES.get(leaf.kind) if leaf.kind is not None else None
    try:
        read = leaf.read(value) if convert is None else convert(value)
    except (ValueError, ArithmeticError):
        raise _mismatch(leaf, value) from None
    return None if isinstance(read, tuple) else read


def _number(value: Scalar) -> int | float:
    """A number as it is: 1.5 is asked of a whole-number field, where it equals nothing."""
    if isinstance(value, str):
        return decimal_of(value)
    if isinstance(value, bool) or value is None:
        raise ValueError("not a number")
    return value if isinstance(value, float) or abs(value) <= MAX_INT64 else float(value)


_VALUES: Final[dict[Kind, Callable[[Scalar], Scalar]]] = {"number": _number}


def _mismatch(leaf: Leaf, value: Scalar) -> RouterError:
    return _refused(f'The field "{leaf.path}" is of type {leaf.type}; {value!r} is none of its.')


def _refused(sentence: str) -> RouterError:
    return RouterError("services.storage.unexpected_bad_request", sentence)


_BINDERS: Final[dict[type, Callable[[Query, Scope], Query]]] = {
    MatchAll: _bind_same,
    MatchNone: _bind_same,
    Ids: _bind_ids,
    Terms: _bind_terms,
    Range: _bind_range,
    Exists: _bind_exists,
    GeoDistance: _bind_geo,
    GeoBox: _bind_geo,
    GeoPolygon: _bind_geo,
    Prefix: _bind_prefix,
    Wildcard: _bind_wildcard,
    Regexp: _bind_regexp,
    Match: _bind_match,
    MultiMatch: _bind_multi_match,
    Nested: _bind_nested,
    Bool: _bind_bool,
}
