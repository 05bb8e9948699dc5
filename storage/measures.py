"""Numbers that are computed of many numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from router.envelope import Json, JsonObject
from storage.fields import Value
from storage.formats import KeyFormat

SCALE: Final = 2.0**64
"""What numbers are divided by whose sum overflows on the way; it may not in the end."""

_ENDLESS: Final[dict[float, Json]] = {math.inf: "Infinity", -math.inf: "-Infinity"}

# The one place where the peer shows booleans bare.
_BARE: Final[dict[str, Json]] = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Sums:
    """What measures tell of some numbers; without any, nothing is least, greatest or mean."""

    count: int = 0
    least: float | None = None
    greatest: float | None = None
    total: float = 0.0

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Sums:
        """Those of numbers."""
        if not numbers:
            return cls()
        try:
            total = math.fsum(numbers)
        except OverflowError:
            total = math.fsum(number / SCALE for number in numbers) * SCALE
        return cls(len(numbers), float(min(numbers)), float(max(numbers)), total)

    @property
    def mean(self) -> float | None:
        """Their average."""
        return self.total / self.count if self.count else None


MEASURES: Final[dict[str, Callable[[Sums], float | None]]] = {
    "min": lambda sums: sums.least,
    "max": lambda sums: sums.greatest,
    "avg": lambda sums: sums.mean,
    "sum": lambda sums: sums.total,
}


def stats(sums: Sums, shown: KeyFormat) -> JsonObject:
    """Count, least, greatest, mean and sum."""
    parts = {name: value_of(sums) for name, value_of in MEASURES.items()}
    told: JsonObject = {}
    for name, value in parts.items():
        text = shown.told(value, f"{name}_as_string")
        told.update({key: _BARE.get(str(each), each) for key, each in text.items()})
    return {"count": sums.count, **parts, **(told if sums.count else {})}


def percentile(numbers: Sequence[float], percent: float) -> float | None:
    """The number below which so many percent of the sorted numbers lie."""
    if not numbers:
        return None
    return float(numbers[min(len(numbers) - 1, math.floor(len(numbers) * percent / 100))])


def written(measured: JsonObject) -> JsonObject:
    """Measures with sums too large for a number as the peer writes these: JSON has none."""
    return {
        key: _ENDLESS.get(value, value) if isinstance(value, float) else value
        for key, value in measured.items()
    }


def number_of(value: Value) -> float:
    """A value of a field that aggregations count with; that it is one was checked before."""
    assert isinstance(value, (int, float)), "is the aggregation checked?"
    return value
