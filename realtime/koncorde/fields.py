"""What an index knows of one field: which alternatives ask something of it that a value meets."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from realtime.koncorde.conditions import (
    Box,
    Contains,
    Exists,
    In,
    OnField,
    Polygon,
    Range,
    Regexp,
    Ring,
    Scalar,
    Select,
    Shape,
)
from realtime.koncorde.documents import as_number, identity
from realtime.koncorde.evaluate import element_at
from realtime.koncorde.grid import Grid
from realtime.koncorde.patterns import Patterns
from realtime.koncorde.ranges import Ranges
from realtime.koncorde.shapes import read_place
from router.envelope import Json, JsonObject

if TYPE_CHECKING:
    from realtime.koncorde.index import Index

T = TypeVar("T", bound=Hashable)


class Entry(Generic[T]):
    """One alternative of a filter: under which condition it lies, and what else it asks."""

    __slots__ = ("guard", "key", "place")

    def __init__(
        self, key: T, place: OnField | None, guard: Callable[[JsonObject], bool] | None
    ) -> None:
        self.key = key
        self.place = place
        self.guard = guard


class Field(Generic[T]):
    """The alternatives that lie under conditions on one field.

    Args:
        make_index: Makes an index for filters on elements of arrays.
    """

    __slots__ = (
        "_contained",
        "_elements",
        "_equal",
        "_existing",
        "_make_index",
        "_pattern_entries",
        "_patterns",
        "_ranges",
        "_shapes",
    )

    def __init__(self, make_index: Callable[[], Index[Entry[T]]]) -> None:
        self._make_index = make_index
        self._equal: _Buckets[T] = {}
        self._existing: dict[Entry[T], None] = {}
        self._contained: _Buckets[T] = {}
        self._ranges: Ranges[Entry[T]] | None = None
        self._shapes: Grid[Entry[T]] | None = None
        self._patterns: Patterns[object] | None = None
        self._pattern_entries: _Buckets[T] = {}
        self._elements: dict[int, Index[Entry[T]]] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing lies here."""
        return not (
            self._equal
            or self._existing
            or self._contained
            or self._ranges
            or self._shapes
            or self._pattern_entries
            or self._elements
        )

    def crowd(self, value: Scalar) -> int:
        """How many alternatives lie under the value."""
        return len(self._equal.get(identity(value), ()))

    def add(self, place: OnField, entry: Entry[T]) -> None:
        """Take an alternative in under the condition."""
        _ADDERS[type(place)](self, place, entry)

    def remove(self, place: OnField, entry: Entry[T]) -> None:
        """Let go of an alternative that was taken in under the condition."""
        _REMOVERS[type(place)](self, place, entry)

    def collect(self, value: Json, into: list[Entry[T]]) -> None:
        """Append the alternatives whose condition the value meets."""
        into += self._existing
        if isinstance(value, list):
            self._collect_elements(value, into)
            if self._shapes is not None:
                self._collect_places(value, into)
            return
        if isinstance(value, dict):
            if self._shapes is not None:
                self._collect_places(value, into)
            return
        into += self._equal.get(identity(value), ())
        if isinstance(value, str):
            self._collect_text(value, into)
        elif self._ranges is not None:
            number = as_number(value)
            if number is not None:
                self._ranges.holding(number, into)

    def _collect_text(self, text: str, into: list[Entry[T]]) -> None:
        if self._patterns is not None:
            for name in self._patterns.matching(text):
                into += self._pattern_entries[name]
        if self._shapes is not None:
            self._collect_places(text, into)

    def _collect_places(self, value: Json, into: list[Entry[T]]) -> None:
        place = read_place(value)
        if place is not None and self._shapes is not None:
            self._shapes.holding(place, into)

    def _collect_elements(self, value: list[Json], into: list[Entry[T]]) -> None:
        if self._contained:
            held = {identity(each) for each in value if not isinstance(each, (list, dict))}
            for each in held & self._contained.keys():
                into += self._contained[each]
        for position, index in (self._elements or {}).items():
            element = element_at(value, position)
            if not isinstance(element, msgspec.UnsetType):
                into += index.match({"value": element})

    # -- conditions ---------------------------------------------------------------------

    def _add_in(self, place: In, entry: Entry[T]) -> None:
        for value in place.values:
            self._equal.setdefault(identity(value), {})[entry] = None

    def _remove_in(self, place: In, entry: Entry[T]) -> None:
        for value in place.values:
            _drop(self._equal, identity(value), entry)

    def _add_exists(self, _place: Exists, entry: Entry[T]) -> None:
        self._existing[entry] = None

    def _remove_exists(self, _place: Exists, entry: Entry[T]) -> None:
        del self._existing[entry]

    def _add_contains(self, place: Contains, entry: Entry[T]) -> None:
        self._contained.setdefault(_held(place), {})[entry] = None

    def _remove_contains(self, place: Contains, entry: Entry[T]) -> None:
        _drop(self._contained, _held(place), entry)

    def _add_range(self, place: Range, entry: Entry[T]) -> None:
        if self._ranges is None:
            self._ranges = Ranges()
        self._ranges.add(place, entry)

    def _remove_range(self, place: Range, entry: Entry[T]) -> None:
        if self._ranges is not None:
            self._ranges.remove(place, entry)

    def _add_regexp(self, place: Regexp, entry: Entry[T]) -> None:
        name = (place.pattern, place.flags)
        if self._patterns is None:
            self._patterns = Patterns()
        if name not in self._pattern_entries:
            self._patterns.add(name, *name)
        self._pattern_entries.setdefault(name, {})[entry] = None

    def _remove_regexp(self, place: Regexp, entry: Entry[T]) -> None:
        assert self._patterns is not None
        name = (place.pattern, place.flags)
        _drop(self._pattern_entries, name, entry)
        if name not in self._pattern_entries:
            self._patterns.remove(name)

    def _add_shape(self, place: Shape, entry: Entry[T]) -> None:
        if self._shapes is None:
            self._shapes = Grid()
        self._shapes.add(place, entry)

    def _remove_shape(self, place: Shape, entry: Entry[T]) -> None:
        if self._shapes is not None:
            self._shapes.remove(place, entry)

    def _add_select(self, place: Select, entry: Entry[T]) -> None:
        if self._elements is None:
            self._elements = {}
        if place.position not in self._elements:
            self._elements[place.position] = self._make_index()
        self._elements[place.position].add(entry, place.query)

    def _remove_select(self, place: Select, entry: Entry[T]) -> None:
        assert self._elements is not None
        self._elements[place.position].remove(entry)
        if not self._elements[place.position]:
            del self._elements[place.position]


_Buckets: TypeAlias = dict[object, dict[Entry[T], None]]

_NEVER: Final = object()


def _held(place: Contains) -> object:
    # What an array never holds lies where nothing is looked up.
    return _NEVER if isinstance(place.value, (list, dict)) else identity(place.value)


def _drop(buckets: _Buckets[T], key: object, entry: Entry[T]) -> None:
    bucket = buckets[key]
    del bucket[entry]
    if not bucket:
        del buckets[key]


_ADDERS: Final[dict[type, Callable[[Any, Any, Any], None]]] = {
    In: Field._add_in,
    Exists: Field._add_exists,
    Contains: Field._add_contains,
    Range: Field._add_range,
    Regexp: Field._add_regexp,
    Select: Field._add_select,
    Box: Field._add_shape,
    Ring: Field._add_shape,
    Polygon: Field._add_shape,
}

_REMOVERS: Final[dict[type, Callable[[Any, Any, Any], None]]] = {
    In: Field._remove_in,
    Exists: Field._remove_exists,
    Contains: Field._remove_contains,
    Range: Field._remove_range,
    Regexp: Field._remove_regexp,
    Select: Field._remove_select,
    Box: Field._remove_shape,
    Ring: Field._remove_shape,
    Polygon: Field._remove_shape,
}
