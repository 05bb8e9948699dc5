"""`expiresIn`: what the npm package `ms` reads, and nothing that makes no sense."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.lifetimes import check_lifetime, read_lifetime
from router.errors import RouterError

HOUR = 3_600_000.0


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (None, HOUR),
        (60_000, 60_000),
        (1.5, 1.5),
        ("60000", 60_000),
        ("1h", HOUR),
        ("90s", 90_000),
        ("2 days", 2 * 24 * HOUR),
        ("1.5h", 1.5 * HOUR),
        (".5 HRS", 0.5 * HOUR),
        ("10 minutes", 600_000),
        ("1w", 7 * 24 * HOUR),
        ("1y", 365.25 * 24 * HOUR),
        ("100ms", 100),
        ("3 msecs", 3),
        (-1, math.inf),
        ("-1", math.inf),
        (-1.0, math.inf),
    ],
)
def test_what_is_read(value: Any, ms: float) -> None:
    assert read_lifetime(value, default_ms=HOUR) == ms


@pytest.mark.parametrize(
    "value",
    [
        *(0, "0", "0h", -2, "-2", "-1h", "", " ", "h", "1 fortnight", "1h30m", "1,5h", "1e3"),
        *("\u0661", "\u0661h", "9" * 99, "9" * 400, "101y", 10**400, 1e300, math.nan, math.inf),
        *(True, False, [], {}),
    ],
)
def test_what_is_refused(value: Any) -> None:
    with pytest.raises(RouterError) as refused:
        read_lifetime(value, default_ms=HOUR)
    assert refused.value.id == "api.assert.invalid_argument"


@given(st.text() | st.integers() | st.floats() | st.none() | st.lists(st.integers()))
def test_anything_is_a_lifetime_or_refused(value: Any) -> None:
    with contextlib.suppress(RouterError):
        assert read_lifetime(value, default_ms=HOUR) > 0


class TestMaximum:
    def test_none_allows_any(self) -> None:
        check_lifetime(math.inf, 0)

    def test_what_is_within_it_passes(self) -> None:
        check_lifetime(HOUR, 3_600)

    @pytest.mark.parametrize("lifetime", [HOUR + 1, math.inf])
    def test_what_is_beyond_it_is_refused(self, lifetime: float) -> None:
        with pytest.raises(RouterError) as refused:
            check_lifetime(lifetime, 3_600)
        assert refused.value.id == "security.token.ttl_exceeded"
