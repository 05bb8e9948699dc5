"""Date math: `now-1d/d`, `2026-01-31||+1M`."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from storage.dates import MAX_MS, ReadDate
from storage.zones import local, moment_ms

_STEP: Final = re.compile(r"(?:(?P<sign>[+-])(?P<count>\d{0,9})|/)(?P<unit>[yMwdhHms])", re.ASCII)
_SPANS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "H": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_MS: Final = timedelta(milliseconds=1)


def is_math(text: str) -> bool:
    """Whether the text is to be computed, not only read."""
    return text.startswith("now") or "||" in text


def span_of(text: str, now_ms: int, read: ReadDate, zone: tzinfo = UTC) -> tuple[int, int]:
    """The first and the last millisecond that date math stands for: more than one where it
    ends in rounding, such as `/d`, or where a date before `||` alone leaves the time open.

    Args:
        read: Reads what stands before `||`.
        zone: Where days begin.

    Raises:
        ValueError: It can't be read, or leads past the year 9999.

    Source: OpenSearch, "Date math".
    """
    anchor, separator, steps = text.partition("||") if "||" in text else ("now", "", text[3:])
    start = read(anchor) if separator else now_ms
    try:
        low = moment_ms(_walked(local(start, zone), steps, is_up=False), zone)
        high = moment_ms(_walked(local(start, zone), steps, is_up=True), zone)
    except (OverflowError, ArithmeticError):
        raise ValueError("out of range") from None
    if not -MAX_MS <= low <= high <= MAX_MS:
        raise ValueError("out of range")
    return low, high


def _walked(wall: datetime, steps: str, *, is_up: bool) -> datetime:
    place = 0
    while place < len(steps):
        found = _STEP.match(steps, place)
        if found is None:
            raise ValueError("not date math")
        place = found.end()
        unit = found["unit"]
        if found["sign"] is None:
            wall = FLOORS[unit](wall)
            if is_up:
                wall = moved(wall, 1, unit) - _MS
        else:
            wall = moved(wall, int(f"{found['sign']}{found['count'] or 1}"), unit)
    return wall


def moved(wall: datetime, count: int, unit: str) -> datetime:
    """So many units later; a day that the month doesn't have becomes its last."""
    if unit in _SPANS:
        return wall + count * _SPANS[unit]
    months = wall.month - 1 + count * (12 if unit == "y" else 3 if unit == "q" else 1)
    year, month = wall.year + months // 12, months % 12 + 1
    if not 1 <= year <= 9999:
        raise OverflowError("out of range")
    return wall.replace(
        year=year, month=month, day=min(wall.day, calendar.monthrange(year, month)[1])
    )


def _floor_day(wall: datetime) -> datetime:
    return wall.replace(hour=0, minute=0, second=0, microsecond=0)


def _floor_week(wall: datetime) -> datetime:
    return _floor_day(wall - timedelta(days=wall.weekday()))


FLOORS: Final[dict[str, Callable[[datetime], datetime]]] = {
    "y": lambda wall: _floor_day(wall.replace(month=1, day=1)),
    "q": lambda wall: _floor_day(wall.replace(month=(wall.month - 1) // 3 * 3 + 1, day=1)),
    "M": lambda wall: _floor_day(wall.replace(day=1)),
    "w": _floor_week,
    "d": _floor_day,
    "h": lambda wall: wall.replace(minute=0, second=0, microsecond=0),
    "H": lambda wall: wall.replace(minute=0, second=0, microsecond=0),
    "m": lambda wall: wall.replace(second=0, microsecond=0),
    "s": lambda wall: wall.replace(microsecond=0),
}
"""The start of the year, quarter, month, week (Monday), day… that a time lies in."""
