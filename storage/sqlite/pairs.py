"""Buckets within buckets as SQL counts them, no more of them than a search may show."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from storage.aggregations import Values
from storage.fields import Value
from storage.intervals import MAX_BUCKETS, too_many_buckets

MOST_UNSHOWN: Final = 4 * MAX_BUCKETS
"""Buckets of one search, in others, that are held to be sorted and then not shown."""

_ENDLESS: Final = (math.inf, -math.inf)


class IndivisibleError(Exception):
    """These documents can't be divided in SQL; in Python they can."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Which new buckets are shown within each old one: the first so many of enough documents.

    Attributes:
        order: For SQL that gives key and count as its columns 2 and 3; empty for any.
        keeps_rest: Whether those behind are looked into as well, as they tell the order.
    """

    least: int = 0
    size: int = MAX_BUCKETS + 1
    order: str = ""
    keeps_rest: bool = False

    @classmethod
    def of(cls, kind: Values) -> Cut:
        """That of terms."""
        if any(order.key not in ("_count", "_key") for order in kind.order):
            return cls(kind.least, kind.size, keeps_rest=True)
        parts = [
            f"{3 if order.key == '_count' else 2} {'DESC' if order.descending else 'ASC'}"
            for order in kind.order
        ]
        return cls(kind.least, kind.size, f" ORDER BY {', '.join([*parts, '2'])}")


@dataclass(slots=True)
class Pairs:
    """How many documents each new bucket has, by the old one and its key.

    Attributes:
        rest: How many those have that are left out, by the old bucket.
        has_unshown: Whether some of them may be in no result.
    """

    counts: dict[int, dict[Value, int]] = field(default_factory=dict)
    rest: dict[int, int] = field(default_factory=dict)
    has_unshown: bool = False


class Allowance:
    """Reads what SQL counts for one search, and ends that when it is too much to be shown."""

    def __init__(self) -> None:
        self._shown = 0
        self._unshown = 0

    def read(
        self, found: Iterable[tuple[int, Value, int]], cut: Cut, *, is_shown: bool, is_within: bool
    ) -> Pairs:
        """The pairs of old bucket, key and count, those of an old one in the order of the cut.

        Args:
            is_shown: Whether all the old buckets are.
            is_within: Whether there are old buckets, in which documents may be more than once.

        Raises:
            RouterError: `services.storage.unexpected_bad_request` for more than `MAX_BUCKETS`.
            IndivisibleError: Too many would be held that aren't shown; or keys have no end.
        """
        pairs = Pairs(has_unshown=not is_shown)
        for bucket, key, count in found:
            if key in _ENDLESS:
                raise IndivisibleError
            if count < cut.least:
                continue
            keys = pairs.counts.setdefault(bucket, {})
            if len(keys) < cut.size and is_shown:
                self.show(1)
            elif len(keys) < cut.size or cut.keeps_rest:
                pairs.has_unshown = True
                self._hold(is_within)
            else:
                pairs.rest[bucket] = pairs.rest.get(bucket, 0) + count
                continue
            keys[key] = count
        return pairs

    def show(self, count: int) -> None:
        """Allow so many more to be shown. Raises: `RouterError` as `read`."""
        self._shown += count
        if self._shown > MAX_BUCKETS:
            raise too_many_buckets()

    def _hold(self, is_within: bool) -> None:
        # Of those in none there are no more than the documents have values.
        self._unshown += is_within
        if self._unshown > MOST_UNSHOWN:
            raise IndivisibleError
