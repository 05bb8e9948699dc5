"""The store's time, which never goes back."""

from __future__ import annotations

import time
from collections.abc import Callable


def system_ms() -> int:
    """The system's time in ms since 1970."""
    return time.time_ns() // 1_000_000


class Clock:
    """Gives the system's time, or that of the newest write where the system's is earlier."""

    def __init__(self, read_ms: Callable[[], int] = system_ms) -> None:
        self._read_ms = read_ms
        self._newest_ms = 0

    def now_ms(self) -> int:
        """The time of the next write; any thread may ask."""
        return max(self._read_ms(), self._newest_ms)

    def stamp_ms(self) -> int:
        """The time of this write: no later answer is earlier. For the writer only."""
        self._newest_ms = now = self.now_ms()
        return now

    def start_at(self, newest_ms: int) -> None:
        """Go on from the newest write of the store."""
        self._newest_ms = max(self._newest_ms, newest_ms)
