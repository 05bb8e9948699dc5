"""The documents of each bucket of an aggregation, and what is counted of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Sized
from collections.abc import Mapping as Named
from typing import Generic, Protocol, TypeVar

from storage.aggregations import Dates, Filters, Order, Ranges, Span, Steps, Values
from storage.evaluate import Sortable, matches
from storage.fields import Value
from storage.intervals import starts_of
from storage.mapping import Mapping
from storage.measures import Sums, number_of
from storage.query import Query

Found = TypeVar("Found", bound=Sortable)
Place = tuple[str, str]


class Divider(Protocol[Found]):
    """Divides documents among buckets; those of several are in each of them."""

    def by_value(self, kind: Values, documents: Sequence[Found]) -> Named[Value, Sequence[Found]]:
        """The documents with each value; those that aren't shown may be left out."""

    def rest(self, kind: Values, documents: Sequence[Found], /) -> int:
        """How many documents those have that `by_value` left out, and that have `least`."""

    def by_date(self, kind: Dates, documents: Sequence[Found]) -> Named[float, Sequence[Found]]:
        """The documents of each interval by its start, in order; empty ones as `least` has it.

        Raises:
            RouterError: As `storage.intervals.starts_of`.
        """

    def by_step(self, kind: Steps, documents: Sequence[Found]) -> Named[float, Sequence[Found]]:
        """The documents of each step that has some by its number, counted from the offset."""

    def by_span(self, kind: Ranges, documents: Sequence[Found]) -> Sequence[Sequence[Found]]:
        """The documents of each range, in their order."""

    def by_query(self, kind: Filters, documents: Sequence[Found]) -> Sequence[Sequence[Found]]:
        """The documents of each query, in their order; at the end those of none, where there is
        a bucket for them."""

    def count(self, field: str, documents: Sequence[Found]) -> int:
        """How many values of a field they have."""

    def distinct(self, field: str, documents: Sequence[Found]) -> int:
        """How many different ones."""

    def sums(self, field: str, documents: Sequence[Found]) -> Sums:
        """What measures tell of those values, which are numbers."""


class Held(Generic[Found]):
    """Divides documents that are held with the values that are looked at; see `Divider`.

    Args:
        mappings: Of the collections that they are in.
        bound: The queries of filters by their identity and the collection.
        look: Called before each part of the work; what it raises ends it.
    """

    def __init__(
        self,
        mappings: Named[Place, Mapping],
        bound: Named[tuple[int, Place], Query],
        look: Callable[[], None],
    ) -> None:
        self._mappings = mappings
        self._bound = bound
        self._look = look
        self._with_values: dict[str, set[Place]] = {}

    def count(self, field: str, documents: Sequence[Found]) -> int:
        """See `Divider`."""
        return sum(len(self._values(field, each)) for each in documents)

    def distinct(self, field: str, documents: Sequence[Found]) -> int:
        """See `Divider`."""
        return len({value for each in documents for value in self._values(field, each)})

    def sums(self, field: str, documents: Sequence[Found]) -> Sums:
        """See `Divider`."""
        return Sums.of(self.numbers(field, documents))

    def numbers(self, field: str, documents: Sequence[Found]) -> list[float]:
        """The values of a field whose values are numbers."""
        return [number_of(value) for each in documents for value in self._values(field, each)]

    def _values(self, field: str, document: Found) -> Sequence[Value]:
        places = self._with_values.get(field)
        if places is None:
            places = {place for place, each in self._mappings.items() if each.has_values(field)}
            self._with_values[field] = places
        return document.fields.get(field, ()) if document.place[1:] in places else ()

    def by_value(self, kind: Values, documents: Sequence[Found]) -> Named[Value, Sequence[Found]]:
        """See `Divider`."""
        groups: dict[Value, list[Found]] = {}
        for each in documents:
            values = [each.place[0]] if kind.field == "_id" else self._values(kind.field, each)
            for value in dict.fromkeys(values):
                groups.setdefault(value, []).append(each)
        return groups

    def rest(self, _kind: Values, _documents: Sequence[Found], /) -> int:
        """See `Divider`."""
        return 0

    def by_date(self, kind: Dates, documents: Sequence[Found]) -> Named[float, Sequence[Found]]:
        """See `Divider`."""
        numbers = [int(number) for number in self.numbers(kind.field, documents)]
        start_of, starts = starts_of(kind, numbers)
        groups = self._grouped(documents, kind.field, lambda value: start_of(int(number_of(value))))
        return {start: groups.get(start, []) for start in starts}

    def by_step(self, kind: Steps, documents: Sequence[Found]) -> Named[float, Sequence[Found]]:
        """See `Divider`."""

        def step_of(value: Value) -> float:
            step = (number_of(value) - kind.offset) / kind.width
            return math.floor(step) if math.isfinite(step) else step

        return self._grouped(documents, kind.field, step_of)

    def by_span(self, kind: Ranges, documents: Sequence[Found]) -> Sequence[Sequence[Found]]:
        """See `Divider`."""
        return [self._inside(kind.field, span, documents) for span in kind.spans]

    def _inside(self, field: str, span: Span, documents: Sequence[Found]) -> list[Found]:
        self._look()
        low, high = bounds_of(span)
        return [
            each
            for each in documents
            if any(low <= number_of(value) < high for value in self._values(field, each))
        ]

    def by_query(self, kind: Filters, documents: Sequence[Found]) -> Sequence[Sequence[Found]]:
        """See `Divider`."""
        groups: list[list[Found]] = []
        for _, query in kind.queries:
            self._look()
            groups.append([each for each in documents if self._matches(query, each)])
        if kind.other is not None:
            inside = {id(each) for group in groups for each in group}
            groups.append([each for each in documents if id(each) not in inside])
        return groups

    def _matches(self, query: Query, document: Found) -> bool:
        own, index, collection = document.place
        bound = self._bound[id(query), (index, collection)]
        return matches(bound, own, document.fields)

    def _grouped(
        self, documents: Sequence[Found], field: str, key_of: Callable[[Value], float]
    ) -> dict[float, list[Found]]:
        groups: dict[float, list[Found]] = {}
        for each in documents:
            for key in {key_of(value) for value in self._values(field, each)}:
                groups.setdefault(key, []).append(each)
        return groups


def ranked(
    order: Sequence[Order],
    groups: Named[Value, Sized],
    rank: Callable[[Order, Value], tuple[bool, float]] | None = None,
) -> list[Value]:
    """The keys of groups in an order; where numbers of sub-aggregations are in it, `rank` has
    them."""
    keys = sorted(groups, key=_comparable)
    for each in reversed(order):
        if each.key == "_key":
            keys.sort(key=_comparable, reverse=each.descending)
        elif each.key == "_count":
            keys.sort(key=lambda key: len(groups[key]), reverse=each.descending)
        elif rank is not None:
            ranks = {key: rank(each, key) for key in keys}
            keys.sort(key=ranks.__getitem__)
    return keys


def _comparable(value: Value) -> tuple[bool, float, str]:
    return (True, 0, value) if isinstance(value, str) else (False, number_of(value), "")


def bounds_of(span: Span) -> tuple[float, float]:
    """From which number on to below which one."""
    low = -math.inf if span.low is None else span.low
    return low, math.inf if span.high is None else span.high
