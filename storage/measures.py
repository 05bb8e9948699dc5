"""Numbers that are computed of many numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from router.envelope import Json, JsonObject
from storage.fields import Value
from storage.formats import KeyFormat

# The one place where the peer shows booleans bare.
_BARE: Final[dict[str, Json]] = {"true": True, "false": False}

MEASURES: Final[dict[str, Callable[[list[float]], float | None]]] = {
    "min": lambda numbers: float(min(numbers)) if numbers else None,
    "max": lambda numbers: float(max(numbers)) if numbers else None,
    "avg": lambda numbers: math.fsum(numbers) / len(numbers) if numbers else None,
    "sum": math.fsum,
}


def stats(numbers: list[float], shown: KeyFormat) -> JsonObject:
    """Count, least, greatest, mean and sum."""
    parts = {name: MEASURES[name](numbers) for name in ("min", "max", "avg", "sum")}
    told: JsonObject = {}
    for name, value in parts.items():
        text = shown.told(value, f"{name}_as_string")
        told.update({key: _BARE.get(str(each), each) for key, each in text.items()})
    return {"count": len(numbers), **parts, **(told if numbers else {})}


def percentile(numbers: Sequence[float], percent: float) -> float | None:
    """The number below which so many percent of the sorted numbers lie."""
    if not numbers:
        return None
    return float(numbers[min(len(numbers) - 1, math.floor(len(numbers) * percent / 100))])


def number_of(value: Value) -> float:
    """A value of a field that aggregations count with; that it is one was checked before."""
    assert isinstance(value, (int, float)), "is the aggregation checked?"
    return value
