"""Copies of payloads: what listeners may do to theirs changes nobody else's."""

from __future__ import annotations

import copy
from typing import Final

_ATOMS: Final = frozenset({str, int, float, bool, type(None)})


def copied(value: object, memo: dict[int, object] | None = None) -> object:
    """What `copy.deepcopy` gives, for JSON in half its time.

    An object that the value holds twice is one object in the copy, too. `memo` is deepcopy's.
    """
    kind = type(value)
    if kind in _ATOMS:
        return value
    memo = {} if memo is None else memo
    if kind is not dict and kind is not list:
        return copy.deepcopy(value, memo)
    if id(value) not in memo:
        _copy_into(memo, value)
    return memo[id(value)]


def _copy_into(memo: dict[int, object], value: object) -> None:
    # Noted before it is filled, since it may hold itself.
    if isinstance(value, dict):
        entries: dict[object, object] = {}
        memo[id(value)] = entries
        for key, item in value.items():
            entries[key] = item if type(item) in _ATOMS else copied(item, memo)
    elif isinstance(value, list):
        items: list[object] = []
        memo[id(value)] = items
        for item in value:
            items.append(item if type(item) in _ATOMS else copied(item, memo))
