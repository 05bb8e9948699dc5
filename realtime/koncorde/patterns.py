"""Regular expressions of filters: RE2, so that a pattern can't take long; many at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

import re2

T = TypeVar("T", bound=Hashable)

LONGEST_PATTERN: Final = 1_000
"""Characters of a pattern and its flags."""

LONGEST_TEXT: Final = 32_766
"""Characters that are looked at: the longest text that Lucene finds by a keyword field."""

# Bytes that one compiled pattern may take: about 2 500 instructions. RE2's own default, 8 MB,
# would let a short pattern take milliseconds for each KB of text.
_PATTERN_BYTES: Final = 65_536

_SET_BYTES: Final = 16_777_216
_SET_SIZE: Final = 1_024

# JavaScript's flags that change what is found; g, y, u and d don't change whether it is.
_MEANING: Final = {"i": "i", "m": "m", "s": "s", "g": "", "y": "", "u": "", "d": ""}

# So many patterns that are not in a set yet are tried one by one.
_FRESH: Final = 32


def compiled(pattern: str, flags: str) -> Callable[[str], object]:
    """A search for the pattern anywhere in a text.

    Raises:
        ValueError: Not a pattern that RE2 reads, too large, or an unknown flag.
    """
    search = _search(_with_flags(pattern, flags))
    return lambda text: search(text[:LONGEST_TEXT])


class Patterns(Generic[T]):
    """Finds which of many patterns a text holds, mostly in one pass over the text for each set
    of up to a thousand of them.

    Args:
        set_bytes: Memory of each set; patterns that don't fit in are tried one by one.
    """

    def __init__(self, *, set_bytes: int = _SET_BYTES) -> None:
        self._set_bytes = set_bytes
        self._texts: dict[T, str] = {}
        # Those that are in no set: the last that came, and those that no set takes.
        self._fresh: dict[T, Callable[[str], object]] = {}
        self._alone: dict[T, Callable[[str], object]] = {}
        self._sets: list[tuple[Any, list[T]]] = []
        self._settled: set[T] = set()

    def add(self, name: T, pattern: str, flags: str) -> None:
        """Take a pattern in that `compiled` takes, under a name of its own."""
        self._texts[name] = _with_flags(pattern, flags)
        if name in self._settled:
            return
        self._fresh[name] = compiled(pattern, flags)
        if len(self._fresh) > _FRESH:
            self._settle()

    def remove(self, name: T) -> None:
        """Let the pattern go."""
        del self._texts[name]
        self._fresh.pop(name, None)
        self._alone.pop(name, None)
        if len(self._settled) > 2 * (len(self._texts) + _FRESH):
            self._settle_anew()

    def matching(self, text: str) -> list[T]:
        """The names of the patterns that are found in the text."""
        text = text[:LONGEST_TEXT]
        found = [name for name, search in self._fresh.items() if search(text)]
        found += [name for name, search in self._alone.items() if search(text)]
        for many, names in self._sets:
            places = many.Match(text) or ()
            found += [names[place] for place in places if names[place] in self._texts]
        return found

    def _settle(self) -> None:
        # Sets of about the same size become one, so that there are few, and each pattern is
        # compiled a few times only.
        names = list(self._fresh)
        self._fresh = {}
        while self._sets and len(self._sets[-1][1]) <= len(names) <= _SET_SIZE // 2:
            _, older = self._sets.pop()
            self._settled.difference_update(older)
            names = [name for name in older if name in self._texts] + names
        self._add_set(names)

    def _settle_anew(self) -> None:
        names = [name for name in self._texts if name in self._settled]
        self._sets, self._settled = [], set()
        for first in range(0, len(names), _SET_SIZE):
            self._add_set(names[first : first + _SET_SIZE])

    def _add_set(self, names: list[T]) -> None:
        many = re2.Set.SearchSet(_options(self._set_bytes))
        for name in names:
            many.Add(self._texts[name])
        try:
            many.Compile()
        except re2.error:
            # Large patterns don't fit into one set.
            for name in names:
                self._alone[name] = _search(self._texts[name])
        else:
            self._sets.append((many, names))
            self._settled.update(names)


def _search(text: str) -> Callable[[str], object]:
    try:
        search: Callable[[str], object] = re2.compile(text, options=_options(_PATTERN_BYTES)).search
    except re2.error as error:
        raise ValueError(_reason(error)) from None
    return search


def _with_flags(pattern: str, flags: str) -> str:
    if len(pattern) + len(flags) > LONGEST_PATTERN:
        raise ValueError(f"longer than {LONGEST_PATTERN} characters")
    unknown = set(flags) - set(_MEANING)
    if unknown:
        raise ValueError(f"unknown flags {''.join(sorted(unknown))}")
    meant = "".join(sorted({_MEANING[flag] for flag in flags}))
    return f"(?{meant}){pattern}" if meant else pattern


def _options(max_bytes: int) -> re2.Options:
    options = re2.Options()
    options.max_mem = max_bytes
    options.log_errors = False
    return options


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
