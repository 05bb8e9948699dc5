"""Which of many shapes on the earth hold a place: grids of several sizes of cells."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

from realtime.koncorde.conditions import Shape
from realtime.koncorde.shapes import Bounds, bounds, within
from storage.geo import Point

T = TypeVar("T", bound=Hashable)

# Cells of the finest grid are 10 m wide at the equator.
_FINEST: Final = 22

_Cell = tuple[int, int, int]


class Grid(Generic[T]):
    """Things known by shapes: each lies in the few cells that its bounds touch, of a grid
    whose cells are about half as wide as the shape."""

    def __init__(self) -> None:
        self._cells: dict[_Cell, dict[T, _Held]] = {}
        self._levels: Counter[int] = Counter()

    def __bool__(self) -> bool:
        return bool(self._cells)

    def add(self, shape: Shape, thing: T) -> None:
        """Take a thing in under its shape."""
        around = bounds(shape)
        held = _Held(*around, within(shape))
        for cell in _cells(around):
            self._cells.setdefault(cell, {})[thing] = held
            self._levels[cell[0]] += 1

    def remove(self, shape: Shape, thing: T) -> None:
        """Let go of a thing that was taken in under this shape."""
        for cell in _cells(bounds(shape)):
            things = self._cells[cell]
            del things[thing]
            if not things:
                del self._cells[cell]
            self._levels[cell[0]] -= 1
            if not self._levels[cell[0]]:
                del self._levels[cell[0]]

    def holding(self, place: Point, into: list[T]) -> None:
        """Append what is known by shapes that hold the place."""
        lat, lon = place
        for level in self._levels:
            size = 360 / (1 << level)
            things = self._cells.get((level, math.floor(lat / size), math.floor(lon / size)))
            if things is None:
                continue
            for thing, held in things.items():
                if (
                    held.south <= lat <= held.north
                    and held.west <= lon <= held.east
                    and held.test(place)
                ):
                    into.append(thing)


class _Held(NamedTuple):
    south: float
    west: float
    north: float
    east: float
    test: Callable[[Point], bool]


def _cells(around: Bounds) -> Iterator[_Cell]:
    width = max(around.north - around.south, around.east - around.west)
    level = _FINEST if width <= 0 else max(0, min(_FINEST, math.floor(math.log2(720 / width))))
    size = 360 / (1 << level)
    rows = range(math.floor(around.south / size), math.floor(around.north / size) + 1)
    columns = range(math.floor(around.west / size), math.floor(around.east / size) + 1)
    return ((level, row, column) for row in rows for column in columns)
