"""Documents of a bucket of which only the number is known, and where SQL finds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from storage.fields import Value
from storage.measures import Sums
from storage.sqlite.found import Counted

Groups: TypeAlias = dict[Value, Sequence[Counted]]


@dataclass(frozen=True, slots=True)
class Members:
    """Documents of one bucket, of whom only the number is known here.

    Attributes:
        table: Where they are, with those of its neighbours; empty for all that match.
        bucket: Which of them; None where nobody asks for more.
    """

    table: str
    bucket: int | None
    size: int

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True)
class Rows:
    """What is divided: `tables` and `where` of a SELECT over `d`, and in which bucket each row is.

    Attributes:
        table: Of the buckets; empty where all rows are in one.
        key: Which of the new buckets it comes into.
        repeats: Whether the same document may come more than once into one bucket.
    """

    tables: str
    where: str
    bucket: str
    arguments: tuple[object, ...]
    table: str = ""
    key: str = "d.value"
    key_arguments: tuple[object, ...] = ()
    repeats: bool = False


def as_documents(table: str, bucket: int | None, size: int) -> Sequence[Counted]:
    """Members as aggregations take them."""
    # Aggregations look at how many there are, and give them back to be divided.
    return cast("Sequence[Counted]", Members(table, bucket, size))


def as_members(documents: Sequence[Counted]) -> Members | None:
    """None for an empty bucket that no document is in."""
    found: object = documents
    return found if isinstance(found, Members) else None


def sums_of(scale: float, count: int, least: object, greatest: object, total: float | None) -> Sums:
    """What SQL summed up, whose total was divided by the scale."""
    if not isinstance(least, (int, float)) or not isinstance(greatest, (int, float)):
        return Sums(count)  # of texts only the number is asked
    # Two sums without end, one of them negative, make none.
    total = math.nan if total is None else total * scale
    return Sums(count, float(least), float(greatest), total)


def groups_of(
    table: str,
    counts: dict[int, dict[Value, int]],
    buckets: dict[tuple[int, Value], int],
) -> dict[int, Groups]:
    """The new buckets by the old one and their key; those in `buckets` can be divided further."""
    return {
        parent: {
            key: as_documents(table, buckets.get((parent, key)), size) for key, size in each.items()
        }
        for parent, each in counts.items()
    }
