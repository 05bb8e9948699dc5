"""The query tree: what a search asks for, whatever language it was written in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from storage.aggregations import Aggregation
    from storage.scope import Scope

# Scalars as documents hold them; the mapping of the field decides how they compare.
Scalar: TypeAlias = "bool | int | float | str | None"


class MatchAll(msgspec.Struct, frozen=True):
    """Every document."""


class MatchNone(msgspec.Struct, frozen=True):
    """No document."""


class Ids(msgspec.Struct, frozen=True):
    """Documents of these ids."""

    values: tuple[str, ...]


class Terms(msgspec.Struct, frozen=True):
    """The field holds one of these values exactly."""

    field: str
    values: tuple[Scalar, ...]


class Range(msgspec.Struct, frozen=True):
    """The field holds a value within the bounds that aren't None. Dates without an offset, and
    the rounding of date math, are of the time zone `zone`; empty is UTC."""

    field: str
    gt: Scalar = None
    gte: Scalar = None
    lt: Scalar = None
    lte: Scalar = None
    zone: str = ""


class Exists(msgspec.Struct, frozen=True):
    """The field holds at least one value."""

    field: str


class GeoDistance(msgspec.Struct, frozen=True):
    """The geo_point field lies within so many meters of a place."""

    field: str
    lat: float
    lon: float
    meters: float


class GeoBox(msgspec.Struct, frozen=True):
    """The geo_point field lies within these degrees; over the date line if `left` > `right`."""

    field: str
    top: float
    left: float
    bottom: float
    right: float


class GeoPolygon(msgspec.Struct, frozen=True):
    """The geo_point field lies within a polygon of (latitude, longitude), drawn flat."""

    field: str
    points: tuple[tuple[float, float], ...]


class Prefix(msgspec.Struct, frozen=True):
    """The field holds a text that begins with this one."""

    field: str
    value: str


class Wildcard(msgspec.Struct, frozen=True):
    """The field holds a text that fits a pattern of `*` and `?`, `\\` before what is meant."""

    field: str
    pattern: str


class Regexp(msgspec.Struct, frozen=True):
    """The field holds a text that a regular expression fits from end to end; one that
    `storage.patterns.regexp` can translate."""

    field: str
    pattern: str


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """The field holds words of a text: some or all of them, or one behind the other. A field
    that isn't text holds the value itself.

    Attributes:
        minimum: How many of the words, as `minimum_should_match` has it; None is one.
        empty_matches: Whether a text without words matches every document.
        is_lenient: Whether a value that the field can't take matches nothing, instead of being
            refused.
    """

    field: str
    value: Scalar
    how: Literal["words", "phrase", "phrase_prefix"]
    needs_all: bool = False
    minimum: Scalar = None
    empty_matches: bool = False
    is_lenient: bool = False


class MultiMatch(msgspec.Struct, frozen=True):
    """The match holds for one of the fields, whose names may have `*` for any characters."""

    fields: tuple[str, ...]
    match: Match
    is_lenient: bool


class AnyWord(msgspec.Struct, frozen=True):
    """One word of the text field passes the test, which is about a field that holds it. Only
    binding makes it."""

    field: str
    test: Terms | Range | Prefix | Wildcard | Regexp


class Phrase(msgspec.Struct, frozen=True):
    """The text field holds these words one behind the other; of the last, with `is_open`, only
    the beginning. Only binding makes it."""

    field: str
    words: tuple[str, ...]
    is_open: bool = False


class Nested(msgspec.Struct, frozen=True):
    """One of the nested objects at the path matches by itself. Where the mapping has none there
    it is an error, with `is_lenient` no match."""

    path: str
    query: Query
    is_lenient: bool = False


class Objects(msgspec.Struct, frozen=True):
    """One of the nested objects at the path matches the query, which is bound to their fields.
    Only binding makes it."""

    path: str
    query: Query
    scope: Scope


class Bool(msgspec.Struct, frozen=True):
    """All of `must`, none of `must_not`, and at least `minimum` of `should`."""

    must: tuple[Query, ...] = ()
    must_not: tuple[Query, ...] = ()
    should: tuple[Query, ...] = ()
    minimum: int = 0


Query: TypeAlias = (
    "MatchAll | MatchNone | Ids | Terms | Range | Exists | GeoDistance | GeoBox | GeoPolygon"
    " | Prefix | Wildcard | Regexp | Match | MultiMatch | AnyWord | Phrase | Nested | Objects"
    " | Bool"
)


class Sort(msgspec.Struct, frozen=True):
    """One sort key: a mapped field or `_id`. Documents without the field come last, unless
    `missing_first`. Of several values the lowest counts, descending the highest.

    With `unmapped` a field that the mapping doesn't know is one that every document lacks;
    without, it is an error."""

    field: str
    descending: bool = False
    missing_first: bool = False
    unmapped: bool = False


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """One search. `source_includes` keeps only these paths of the documents (None: all of them,
    empty: none), `source_excludes` drops these of what is left; `*` stands for any characters.

    `post_filter` narrows the hits and their total, not what aggregations see.

    `after` holds a value for each sort key (None: the document lacks the field): only hits that
    come behind all documents with these values are shown. The total counts all that match.
    """

    query: Query = MatchAll()
    sort: tuple[Sort, ...] = ()
    after: tuple[Scalar, ...] | None = None
    post_filter: Query | None = None
    aggregations: tuple[Aggregation, ...] = ()
    offset: int = 0
    size: int = 10
    source_includes: tuple[str, ...] | None = None
    source_excludes: tuple[str, ...] = ()

    @property
    def wanted(self) -> Query:
        """What hits match: the query and the filter behind it."""
        if self.post_filter is None:
            return self.query
        return Bool(must=(self.query, self.post_filter))


def by_id(search: Search, after_id: str) -> Search:
    """The search in the order of ids, from the one behind `after_id` on; empty: from the first."""
    after = (after_id,) if after_id else None
    return msgspec.structs.replace(search, sort=(Sort("_id"),), after=after, offset=0)
