"""What happens meanwhile, for a listener that still reads what happened before."""

from __future__ import annotations

from collections import deque
from typing import Final

from router.envelope import JsonObject

MOST: Final = 1_000
"""Notifications that are kept for one listener; with more it reads on in the feed instead."""


class Hold:
    """Keeps one listener's live notifications until it has read the feed up to them.

    In this order, as often as it takes: `begin`, read the feed to its end as it is then, `end`.
    What was told before `begin` is in the feed by then, and what is told after it is kept: so
    nothing lies between, and by their numbers nothing comes twice.

    Attributes:
        has_overflowed: More came since `begin` than is kept.
    """

    __slots__ = ("_after", "_is_keeping", "_kept", "has_overflowed")

    def __init__(self) -> None:
        self._kept: deque[tuple[int, JsonObject]] = deque()
        self._is_keeping = False
        self._after: int | None = None
        self.has_overflowed = False

    def begin(self) -> None:
        """Keep what comes from now on."""
        self._kept.clear()
        self._is_keeping = True
        self.has_overflowed = False

    def end(self, after: int) -> list[JsonObject]:
        """What was kept behind the position that the listener has read up to; from now on it is
        to hear everything `is_over` for itself."""
        left = [(seq, content) for seq, content in self._kept if seq > after]
        self._kept.clear()
        self._after = left[-1][0] if left else after
        return [content for _, content in left]

    def is_over(self, seq: int) -> bool:
        """Whether the listener is to hear of this position live; then all behind it, too."""
        return self._after is not None and seq > self._after

    def take(self, seq: int, content: JsonObject) -> None:
        """Something happened; kept, unless it will be read in the feed."""
        if not self._is_keeping or self._after is not None:
            return
        if len(self._kept) < MOST:
            self._kept.append((seq, content))
        else:
            self._kept.clear()
            self._is_keeping = False
            self.has_overflowed = True
