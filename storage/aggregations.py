"""Aggregations: what a search counts and computes over all documents that match."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from storage.query import Query, Search

Metric: TypeAlias = Literal["min", "max", "avg", "sum", "stats", "value_count", "cardinality"]


class Measure(msgspec.Struct, frozen=True):
    """One number, or with `stats` five, of the values of a field."""

    kind: Metric
    field: str


class Percentiles(msgspec.Struct, frozen=True):
    """The values below which so many percent of the field's values lie."""

    field: str
    percents: tuple[float, ...] = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)
    is_keyed: bool = True


class TopHits(msgspec.Struct, frozen=True):
    """The first documents: `sort`, `offset`, `size` and the filters of `_source` count."""

    search: Search


class Order(msgspec.Struct, frozen=True):
    """How buckets of terms are sorted: by `_count`, by `_key`, or by the number that a
    sub-aggregation gives (`name`, or `name.avg` of stats)."""

    key: str
    descending: bool = False


class Values(msgspec.Struct, frozen=True):
    """A bucket for each value of the field; the first `size` of them are shown."""

    field: str
    size: int = 10
    order: tuple[Order, ...] = (Order("_count", descending=True),)
    least: int = 1


class Dates(msgspec.Struct, frozen=True):
    """A bucket for each interval of time in which a value lies; `interval` is of the calendar
    (y, q, M, w, d, h, m, s) or a number of ms. Where `least` is 0 those between are there too."""

    field: str
    interval: str | int
    zone: str = ""
    least: int = 0
    is_keyed: bool = False
    format: str = ""


class Steps(msgspec.Struct, frozen=True):
    """A bucket for each step of `width` in which a number lies; gaps as in `Dates`."""

    field: str
    width: float
    offset: float = 0.0
    least: int = 0
    is_keyed: bool = False


class Span(msgspec.Struct, frozen=True):
    """One of the `Ranges`: from `low` on to below `high`; None is open."""

    key: str
    low: float | None
    high: float | None


class Ranges(msgspec.Struct, frozen=True):
    """A bucket for each range in which a number lies."""

    field: str
    spans: tuple[Span, ...]
    is_keyed: bool = False


class Filters(msgspec.Struct, frozen=True):
    """A bucket for each query that a document matches: one alone (`filter`), named ones, or a
    list. `other` is the name of the bucket for what matches none; None is without."""

    queries: tuple[tuple[str, Query], ...]
    shape: Literal["one", "named", "list"]
    other: str | None = None


Kind: TypeAlias = "Measure | Percentiles | TopHits | Values | Dates | Steps | Ranges | Filters"


class Aggregation(msgspec.Struct, frozen=True):
    """One aggregation by its name, and those within each of its buckets."""

    name: str
    kind: Kind
    subs: tuple[Aggregation, ...] = ()


def searches_of(aggregations: Iterable[Aggregation]) -> Iterable[Search]:
    """What each top_hits among them, at any depth, shows."""
    for each in aggregations:
        if isinstance(each.kind, TopHits):
            yield each.kind.search
        yield from searches_of(each.subs)
