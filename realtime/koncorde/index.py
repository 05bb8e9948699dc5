"""All filters of one collection as an index: which of them a document matches."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

import msgspec

from realtime.koncorde.conditions import (
    Box,
    Contains,
    Exists,
    In,
    Match,
    OnField,
    Polygon,
    Range,
    Regexp,
    Ring,
    Select,
)
from realtime.koncorde.documents import find, paths
from realtime.koncorde.evaluate import guard_of
from realtime.koncorde.fields import Entry, Field
from realtime.koncorde.normal import Literal, NormalForm, Product
from router.envelope import JsonObject

T = TypeVar("T", bound=Hashable)

# With so many fields the document's own are gone through rather than those of the index.
_MANY_FIELDS: Final = 64

# An alternative lies under its value if few do so; otherwise another condition tells more.
_CROWDED: Final = 64

# The better, the fewer documents are likely to meet such a condition.
_RANKS: Final[tuple[tuple[type, ...], ...]] = (
    (Contains, Select, Regexp, Range, Box, Ring, Polygon),
    (Exists,),
)


class Index(Generic[T]):
    """Filters in their normal form, each under a key; any number come and go.

    Each alternative of a filter lies under one of its conditions, the one that tells most; what
    else it asks is tested once that one is met.
    """

    __slots__ = ("_entries", "_fields", "_unconditional", "_unplaced")

    def __init__(self) -> None:
        self._entries: dict[T, list[Entry[T]]] = {}
        self._fields: dict[str, Field[T]] = {}
        self._unconditional: dict[T, None] = {}
        self._unplaced: dict[Entry[T], None] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: T) -> bool:
        return key in self._entries

    def add(self, key: T, form: NormalForm) -> None:
        """Take a filter in; the key must be new."""
        entries = self._entries[key] = []
        for product in form.products:
            if not product:
                self._unconditional[key] = None
                continue
            entry = self._entry(key, product)
            entries.append(entry)
            if entry.place is None:
                self._unplaced[entry] = None
            else:
                self._field(entry.place).add(entry.place, entry)

    def remove(self, key: T) -> None:
        """Let go of a filter."""
        for entry in self._entries.pop(key):
            place = entry.place
            if place is None:
                del self._unplaced[entry]
                continue
            # What nothing can meet, such as a range between two neighbours, was never taken in.
            field = self._fields.get(place.field)
            if field is None:
                continue
            field.remove(place, entry)
            if field.is_empty:
                del self._fields[place.field]
        self._unconditional.pop(key, None)

    def match(self, document: JsonObject) -> dict[T, None]:
        """The keys of the filters that the document matches."""
        found = dict(self._unconditional)
        entries: list[Entry[T]] = []
        fields = self._fields
        names = fields if len(fields) <= _MANY_FIELDS else fields.keys() & paths(document)
        for name in names:
            value = find(document, name)
            if not isinstance(value, msgspec.UnsetType):
                fields[name].collect(value, entries)
        for entry in entries:
            guard = entry.guard
            if guard is None or guard(document):
                found[entry.key] = None
        for entry in self._unplaced:
            if entry.guard is None or entry.guard(document):
                found[entry.key] = None
        return found

    # -- inside -------------------------------------------------------------------------

    def _entry(self, key: T, product: Product) -> Entry[T]:
        literal = self._chosen(product)
        place = None if literal is None else _place(literal)
        # Content isn't met already where one of its values is: the whole of it is tested.
        is_settled = literal is not None and place is literal.condition
        rest = [each for each in product if each is not literal or not is_settled]
        return Entry(key, place, _guard(rest))

    def _chosen(self, product: Product) -> Literal | None:
        positive = [each for each in product if not each.negated]
        equal = [
            (self._crowd(place), number, each)
            for number, each in enumerate(positive)
            if isinstance(place := _place(each), In)
        ]
        best = min(equal, default=None)
        if best is not None and best[0] < _CROWDED:
            return best[2]
        for rank in _RANKS:
            for each in positive:
                if isinstance(each.condition, rank):
                    return each
            if best is not None:
                return best[2]
        return None

    def _crowd(self, place: In) -> int:
        field = self._fields.get(place.field)
        return 0 if field is None else max(field.crowd(value) for value in place.values)

    def _field(self, place: OnField) -> Field[T]:
        field = self._fields.get(place.field)
        if field is None:
            field = self._fields[place.field] = Field(Index)
        return field


def _guard(literals: list[Literal]) -> Callable[[JsonObject], bool] | None:
    guards = [guard_of(literal) for literal in literals]
    if len(guards) < 2:
        return guards[0] if guards else None
    return lambda document: all(guard(document) for guard in guards)


def _place(literal: Literal) -> OnField | None:
    """The condition that the literal is found by, itself or one that it implies."""
    condition = literal.condition
    if not isinstance(condition, Match):
        return condition
    return _leaf(condition.content, "")


def _leaf(content: JsonObject, prefix: str) -> In | None:
    """One of the values that the content holds, where its path can't be read in two ways."""
    for name, value in content.items():
        if prefix and "." in name:
            continue
        if not isinstance(value, (dict, list)):
            return In(prefix + name, (value,))
        if isinstance(value, dict) and "." not in name:
            found = _leaf(value, f"{prefix}{name}.")
            if found is not None:
                return found
    return None
