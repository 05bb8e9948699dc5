"""How long a token lives: what `expiresIn` says, and what the settings allow."""

from __future__ import annotations

import math
import re
from typing import Final

from router.envelope import Json
from router.errors import RouterError

INFINITE: Final = math.inf

_MS: Final = {
    "ms": 1.0,
    "s": 1_000.0,
    "m": 60_000.0,
    "h": 3_600_000.0,
    "d": 86_400_000.0,
    "w": 604_800_000.0,
    "y": 31_557_600_000.0,
}

_LONGEST_MS: Final = 100 * _MS["y"]
"""Dates beyond it make no sense, and those far beyond can't be written (RFC 9110, 5.6.7)."""

_LONGEST_TEXT: Final = 100

# The grammar of the npm package `ms`, which the peer reads this argument with.
_TEXT: Final = re.compile(
    r"(-?(?:[0-9]+)?\.?[0-9]+) *"
    r"(?:(ms|msecs?|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)"
    r"|(d|days?)|(w|weeks?)|(y|yrs?|years?))?",
    re.IGNORECASE,
)


def read_lifetime(value: Json, *, default_ms: float) -> float:
    """The lifetime in ms that `expiresIn` asks for; infinite for -1, the default if absent.

    Args:
        value: A number of ms, or a text such as "1h", "2 days" or "60000".

    Raises:
        RouterError: `api.assert.invalid_argument` for anything else, 0 and negatives.
    """
    if value is None:
        return default_ms
    lifetime = _number(value)
    if lifetime == -1:
        return INFINITE
    if lifetime is None or not 0 < lifetime <= _LONGEST_MS:
        raise RouterError(
            "api.assert.invalid_argument", "expiresIn", 'ms, a text such as "1h", or -1 for ever'
        )
    return lifetime


def check_lifetime(lifetime_ms: float, max_ttl_s: float) -> None:
    """Let a lifetime pass that the settings allow; a maximum of 0 allows any.

    Raises:
        RouterError: `security.token.ttl_exceeded`.
    """
    if max_ttl_s and lifetime_ms > max_ttl_s * 1_000:
        raise RouterError("security.token.ttl_exceeded")


def _number(value: Json) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) <= _LONGEST_MS else None
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return None
    found = _TEXT.fullmatch(value.strip())
    if found is None:
        return None
    units = zip(_MS, found.groups()[1:], strict=True)
    unit = next((name for name, given in units if given), "ms")
    return float(found[1]) * _MS[unit]
