"""JSON text within a request: query-string arguments, cells of a CSV."""

from __future__ import annotations

from typing import Final

import msgspec

from router.envelope import Json

MAX_DEPTH: Final = 64
"""Levels of nesting; the default of the frames that such text comes in."""


def parse(text: str) -> Json:
    """Read JSON text.

    Raises:
        ValueError: It isn't JSON, or nested too deep.
    """
    try:
        value: Json = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise ValueError("not JSON") from None
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [below for item in level for below in _within(item)]
        if not level:
            return value
    raise ValueError(f"nested more than {MAX_DEPTH} deep")


def _within(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
