"""Dates as documents and queries write them, read as milliseconds since 1970."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from router.envelope import Json
from router.errors import RouterError

ReadDate: TypeAlias = Callable[[Json], int]
"""Gives the ms since 1970 of a value; ValueError for what is no date."""

MAX_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999; dates before 1970 go as far back."""

DEFAULT_FORMAT: Final = "strict_date_optional_time||epoch_millis"
"""What a date field reads unless its mapping says otherwise (OpenSearch, "Date field type")."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_ISO: Final = re.compile(
    r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d([.,]\d{1,9})?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?)?)?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"T.*[+-]", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,15}(\.\d+)?", re.ASCII)

# By the length of the time: none, hh, hh:mm, hh:mm:ss.
_OPEN_MS: Final = {0: 86_399_999, 2: 3_599_999, 5: 59_999, 8: 999}

# Named formats that are ISO 8601 in part or whole; each reads all of ISO 8601 here.
_ISO_NAMES: Final = frozenset(
    prefix + name
    for prefix in ("", "strict_")
    for name in (
        "date",
        "date_time",
        "date_time_no_millis",
        "date_optional_time",
        "date_optional_time_nanos",
        "date_hour",
        "date_hour_minute",
        "date_hour_minute_second",
        "date_hour_minute_second_millis",
        "date_hour_minute_second_fraction",
        "year",
        "year_month",
        "year_month_day",
    )
)

# java.time pattern letters and their strptime forms.
_PATTERN: Final = re.compile(r"yyyy|uuuu|MM|dd|HH|mm|ss|S{1,6}|XXX|XX|X|Z|'[^']*'|[^A-Za-z']")
_DIRECTIVES: Final = {
    "yyyy": "%Y",
    "uuuu": "%Y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
    "XXX": "%z",
    "XX": "%z",
    "X": "%z",
    "Z": "%z",
    "%": "%%",
}


def read_iso(text: str) -> int:
    """The ms of an ISO 8601 date or time, from a bare year on; UTC unless it names an offset.

    Raises:
        ValueError: Anything else, week dates and the basic format (20260131) included.
    """
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError("not an ISO 8601 date")
    padded = text + "-01-01"[len(text) - 4 :] if len(text) < 10 else text
    return _ms(datetime.fromisoformat(padded))


def open_ms(text: str) -> int:
    """The ms that an ISO 8601 date leaves open: `2026-01-31` is its whole day, less the first
    millisecond. Years and months leave a day open, as the peer rounds them."""
    if not _ISO.fullmatch(text):
        return 0
    clock = text.partition("T")[2].partition("Z")[0].partition("+")[0].partition("-")[0]
    return _OPEN_MS.get(len(clock), 0)


def has_offset(text: str) -> bool:
    """Whether a date says how far from UTC it is, or counts from 1970; else a zone may."""
    return not _ISO.fullmatch(text) or "Z" in text or _OFFSET.search(text) is not None


def date_reader(format: str = DEFAULT_FORMAT) -> ReadDate:
    """A reader of the values that a date field of this format takes.

    Numbers are always ms (seconds with `epoch_second`), also those of four digits, which
    Elasticsearch takes for a year.

    Raises:
        RouterError: `trivium.unsupported.feature` for a format this store can't read.
    """
    if format == DEFAULT_FORMAT:
        return _read_default
    readers = [_one_reader(name) for name in format.split("||")]
    is_seconds = "epoch_second" in format.split("||")

    def read(value: Json) -> int:
        if isinstance(value, (int, float)):
            return _number(value * 1000 if is_seconds else value)
        if not isinstance(value, str):
            raise ValueError("not a date")
        for reader in readers:
            try:
                return reader(value)
            except ValueError:
                continue
        raise ValueError(f"not a date of format {format}")

    return read


def _read_default(value: Json) -> int:
    if type(value) is int and -MAX_MS <= value <= MAX_MS:
        return value
    if isinstance(value, str):
        # Four digits are a year, as Elasticsearch has it; more are milliseconds.
        return _epoch_millis(value) if len(value) > 4 and _is_number(value) else read_iso(value)
    return _number(value)


def _one_reader(name: str) -> Callable[[str], int]:
    if name == "epoch_millis":
        return _epoch_millis
    if name == "epoch_second":
        return lambda text: _number(_parsed(text) * 1000)
    if name in _ISO_NAMES:
        return read_iso
    directives = _strptime_form(name)
    return lambda text: _ms(datetime.strptime(text, directives))


def _strptime_form(pattern: str) -> str:
    parts = _PATTERN.findall(pattern)
    if not pattern or "".join(parts) != pattern:
        raise RouterError("trivium.unsupported.feature", f'The date format "{pattern}"')
    return "".join(_directive(part) for part in parts)


def _directive(part: str) -> str:
    if part.startswith("'"):
        return (part[1:-1] or "'").replace("%", "%%")
    return "%f" if part.startswith("S") else _DIRECTIVES.get(part, part)


def _epoch_millis(text: str) -> int:
    return _number(_parsed(text))


def _parsed(text: str) -> float:
    if not _is_number(text):
        raise ValueError("not a number")
    return float(text) if "." in text else int(text)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _number(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("not a date")
    if not -MAX_MS <= value <= MAX_MS:
        raise ValueError("further away than the year 9999")
    return int(value // 1)


def _ms(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MS
