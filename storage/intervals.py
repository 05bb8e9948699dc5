"""Intervals of time that dates are counted by."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from router.errors import RouterError
from storage.aggregations import Dates
from storage.datemath import FLOORS, moved
from storage.dates import MAX_MS
from storage.refusals import malformed, unsupported
from storage.zones import local, moment_ms, read_zone

MAX_BUCKETS: Final = 65_535
"""Buckets of one search (`search.max_buckets`)."""

StartOf = Callable[[int], int]


def too_many_buckets() -> RouterError:
    """What refuses more than `MAX_BUCKETS`."""
    return malformed(f"The aggregations have more than {MAX_BUCKETS} buckets.")


def starts_of(kind: Dates, moments: Sequence[int]) -> tuple[StartOf, list[float]]:
    """What gives the start of the interval that a moment lies in, and the starts in order: of
    those with moments and, where the histogram has no least count, of those between.

    Raises:
        RouterError: `services.storage.unexpected_bad_request` for more than `MAX_BUCKETS`, and
            for moments that the calendar of the zone doesn't have.
    """
    zone = read_zone(kind.zone)
    try:
        if isinstance(kind.interval, str):
            start_of = _calendar(kind.interval, zone)
        else:
            start_of = _fixed(kind.interval, _shift(moments, zone))
        starts = sorted({start_of(each) for each in moments})
    except OverflowError:
        told = "A date_histogram counts dates from the year 1 to 9999, in its time zone too."
        raise malformed(told) from None
    if starts and not kind.least:
        between = _between(kind.interval, zone, starts[0], starts[-1])
        starts = list(itertools.islice(between, MAX_BUCKETS + 1))
    if len(starts) > MAX_BUCKETS:
        raise too_many_buckets()
    return start_of, list(starts)


def spans_of(kind: Dates, first: int, last: int) -> list[tuple[float, float]] | None:
    """Start and end of each interval from that of the first moment to that of the last; None
    where there are too many, or clocks are changed in a way that intervals don't cover them."""
    zone = read_zone(kind.zone)
    if isinstance(kind.interval, str):
        start_of = _calendar(kind.interval, zone)
    elif zone is UTC:
        start_of = _fixed(kind.interval, 0)
    else:
        return None
    try:
        starts = _until_behind(last, _between(kind.interval, zone, start_of(first), sys.maxsize))
        if len(starts) > MAX_BUCKETS:
            return None
        spans = list(itertools.pairwise(starts))
        is_whole = all(start_of(low) == low == start_of(high - 1) < high for low, high in spans)
    except OverflowError:  # moments that the calendar doesn't have
        return None
    return list(spans) if is_whole else None


def _until_behind(last: int, starts: Iterator[int]) -> list[int]:
    """The starts, the first behind `last` included, which may be the end of the calendar."""
    found: list[int] = []
    for start in itertools.islice(starts, MAX_BUCKETS + 1):
        found.append(start)
        if start > last:
            return found
    return [*found, MAX_MS + 1]


def _calendar(unit: str, zone: tzinfo) -> StartOf:
    def start_of(ms: int) -> int:
        return moment_ms(FLOORS[unit](local(ms, zone)), zone)

    return start_of


def _fixed(width: int, shift: int) -> StartOf:
    return lambda ms: (ms + shift) // width * width - shift


def _shift(moments: Sequence[int], zone: tzinfo) -> int:
    """How far the clocks of the zone are ahead of UTC, in ms."""
    if zone is UTC:
        return 0
    shifts = {_ahead(ms, zone) for ms in moments}
    if len(shifts) > 1:
        raise unsupported("A fixed interval of a time zone over a change of its clocks")
    return shifts.pop() if shifts else 0


def _ahead(ms: int, zone: tzinfo) -> int:
    return (local(ms, zone) - datetime(1970, 1, 1)) // timedelta(milliseconds=1) - ms


def _between(interval: str | int, zone: tzinfo, first: int, last: int) -> Iterator[int]:
    start = first
    while start <= last:
        yield start
        if isinstance(interval, int):
            start += interval
            continue
        try:
            start = moment_ms(moved(local(start, zone), 1, interval), zone)
        except OverflowError:  # the end of the calendar
            return


def steps_between(first: float, last: float) -> list[float]:
    """All whole steps from the first to the last. Raises: as `starts_of`."""
    check_ends(first, last)
    if last - first >= MAX_BUCKETS:
        raise too_many_buckets()
    return [float(step) for step in range(round(first), round(last) + 1)]


def check_ends(*numbers: float) -> None:
    """Let the steps of a histogram pass that are numbers.

    Raises:
        RouterError: `services.storage.unexpected_bad_request`.
    """
    if not all(map(math.isfinite, numbers)):
        raise malformed("The interval of the histogram doesn't fit numbers as large as these.")
