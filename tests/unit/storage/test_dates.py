"""Dates in documents and queries, read as milliseconds."""

from __future__ import annotations

from typing import Any

import pytest

from router.errors import RouterError
from storage.dates import MAX_MS, date_reader, open_ms, read_iso

DAY = 1_769_817_600_000  # 2026-01-31T00:00:00Z


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-01-31", DAY),
        ("2026-01", DAY - 30 * 86_400_000),
        ("2026", DAY - 30 * 86_400_000),
        ("2026-01-31T10", DAY + 36_000_000),
        ("2026-01-31T10:20", DAY + 37_200_000),
        ("2026-01-31T10:20:30Z", DAY + 37_230_000),
        ("2026-01-31T10:20:30.5Z", DAY + 37_230_500),
        ("2026-01-31T10:20:30,123456789Z", DAY + 37_230_123),
        ("2026-01-31T10:20:30.123+01:00", DAY + 33_630_123),
        ("2026-01-31T10:20:30-0130", DAY + 42_630_000),
        ("1969-12-31T23:59:59.999Z", -1),
        ("9999-12-31T23:59:59.999Z", MAX_MS),
    ],
)
def test_iso_dates_are_read(text: str, ms: int) -> None:
    assert read_iso(text) == ms
    assert date_reader()(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "20260131", "2026-1-1", "2026-W01-1", "2026-13-01", "2026-02-30", "26-01-31"),
        *("2026-01-31 10:00", "2026-01-31T25", "2026-01-31T10:20:30.", "0000", "2026-01-31T"),
        "\uff12\uff10\uff12\uff16",  # digits, but not of ASCII
    ],
)
def test_anything_else_is_no_iso_date(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_iso(text)


@pytest.mark.parametrize(
    ("value", "ms"),
    [(0, 0), (-5, -5), (1.9, 1), (DAY, DAY), (str(DAY), DAY), ("12345.6", 12_345), ("2026", None)],
)
def test_numbers_are_milliseconds_and_four_digits_of_text_a_year(value: Any, ms: Any) -> None:
    assert date_reader()(value) == (read_iso("2026") if ms is None else ms)


@pytest.mark.parametrize("value", [True, MAX_MS + 1, -MAX_MS - 1, 1e300, "9" * 16, [], {}, None])
def test_other_values_are_no_dates(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        date_reader()(value)
    with pytest.raises(ValueError, match=r"."):
        date_reader("epoch_millis||yyyy")(value)


@pytest.mark.parametrize(
    ("format", "value", "ms"),
    [
        ("epoch_second", 2, 2_000),
        ("epoch_second", "2.5", 2_500),
        ("epoch_millis", "2", 2),
        ("epoch_millis", 2, 2),
        ("strict_date", "2026-01-31", DAY),
        ("dd/MM/yyyy", "31/01/2026", DAY),
        ("yyyy-MM-dd HH:mm:ss", "2026-01-31 10:20:30", DAY + 37_230_000),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2026-01-31T10:20:30.500+00:00", DAY + 37_230_500),
        ("uuuu%MM''dd", "2026%01'31", DAY),
        ("dd/MM/yyyy||epoch_millis", "7", 7),
        ("epoch_millis||dd/MM/yyyy", "31/01/2026", DAY),
    ],
)
def test_a_format_says_how_dates_are_written(format: str, value: Any, ms: int) -> None:
    assert date_reader(format)(value) == ms


@pytest.mark.parametrize("format", ["", "basic_date", "yyyy-ww", "EEE", "dd/MMM/yyyy", "yyyy'"])
def test_a_format_that_cannot_be_read_is_refused_by_name(format: str) -> None:
    with pytest.raises(RouterError) as refused:
        date_reader(format)
    assert refused.value.id == "trivium.unsupported.feature"
    assert format in refused.value.message


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026", 86_399_999),
        ("2026-01-31", 86_399_999),
        ("2026-01-31T10", 3_599_999),
        ("2026-01-31T10:20Z", 59_999),
        ("2026-01-31T10:20:30+01:00", 999),
        ("2026-01-31T10:20:30-01:00", 999),
        ("2026-01-31T10:20:30.5Z", 0),
        ("1769817600000", 0),
        ("31/01/2026", 0),
    ],
)
def test_a_date_leaves_the_rest_of_its_unit_open(text: str, ms: int) -> None:
    assert open_ms(text) == ms
