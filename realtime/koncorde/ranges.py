"""Which of many ranges hold a number: a tree whose nodes need not be balanced.

Every range lies in one node, that of the highest power of two between its ends; the ranges
that may hold a number are in the at most 65 nodes above it. In each node they are sorted by
both ends, so that those which hold the number are one slice.

Source: Kriegel, Pötke, Seidl, "Managing Intervals Efficiently in Object-Relational Databases".
"""

from __future__ import annotations

import math
import struct
from bisect import bisect_left, bisect_right
from collections import Counter
from typing import Final, Generic, TypeVar

from realtime.koncorde.conditions import Range

T = TypeVar("T")

_DOUBLE: Final = struct.Struct("<d")
_BITS: Final = struct.Struct("<q")
_LEVEL_BITS: Final = 7


class Ranges(Generic[T]):
    """Things known by ranges."""

    def __init__(self) -> None:
        self._nodes: dict[int, _Node[T]] = {}
        self._levels: Counter[int] = Counter()

    def __bool__(self) -> bool:
        return bool(self._nodes)

    def add(self, condition: Range, thing: T) -> None:
        """Take a thing in under its range."""
        low, high = _ends(condition)
        if low > high:
            return
        level, key = _home(low, high)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = _Node()
            self._levels[level] += 1
        _insert(node.lows, node.of_lows, low, thing)
        _insert(node.highs, node.of_highs, high, thing)

    def remove(self, condition: Range, thing: T) -> None:
        """Let go of a thing that was taken in under this range."""
        low, high = _ends(condition)
        if low > high:
            return
        level, key = _home(low, high)
        node = self._nodes[key]
        _delete(node.lows, node.of_lows, low, thing)
        _delete(node.highs, node.of_highs, high, thing)
        if not node.lows:
            del self._nodes[key]
            self._levels[level] -= 1
            if not self._levels[level]:
                del self._levels[level]

    def holding(self, number: float, into: list[T]) -> None:
        """Append what is known by ranges that hold the number."""
        place = _ordered(number)
        nodes = self._nodes
        for level in self._levels:
            node = nodes.get(_key(place, level))
            if node is None:
                continue
            if level and place >> (level - 1) & 1:
                into += node.of_highs[bisect_left(node.highs, place) :]
            else:
                into += node.of_lows[: bisect_right(node.lows, place)]


class _Node(Generic[T]):
    __slots__ = ("highs", "lows", "of_highs", "of_lows")

    def __init__(self) -> None:
        self.lows: list[int] = []
        self.of_lows: list[T] = []
        self.highs: list[int] = []
        self.of_highs: list[T] = []


def _ordered(number: float) -> int:
    """The double as an integer from 0 to 2^64 - 1 of the same order."""
    # 0.0 takes away the sign of -0.0.
    (bits,) = _BITS.unpack(_DOUBLE.pack(number + 0.0))
    signed: int = bits if bits >= 0 else bits ^ 0x7FFF_FFFF_FFFF_FFFF
    return signed + 0x8000_0000_0000_0000


def _ends(condition: Range) -> tuple[int, int]:
    low, high = _ordered(-math.inf), _ordered(math.inf)
    if condition.gt is not None:
        low = _ordered(condition.gt) + 1
    if condition.gte is not None:
        low = _ordered(condition.gte)
    if condition.lt is not None:
        high = _ordered(condition.lt) - 1
    if condition.lte is not None:
        high = _ordered(condition.lte)
    return low, high


def _home(low: int, high: int) -> tuple[int, int]:
    level = (low ^ high).bit_length()
    return level, _key(low, level)


def _key(place: int, level: int) -> int:
    return place >> level << _LEVEL_BITS | level


def _insert(keys: list[int], things: list[T], key: int, thing: T) -> None:
    place = bisect_right(keys, key)
    keys.insert(place, key)
    things.insert(place, thing)


def _delete(keys: list[int], things: list[T], key: int, thing: T) -> None:
    place = bisect_left(keys, key)
    while things[place] is not thing:
        place += 1
    del keys[place]
    del things[place]
