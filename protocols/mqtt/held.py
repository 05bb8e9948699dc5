"""What a connection may say only once what it promises is on disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from storage.contract import Written


class Speaker(Protocol):
    """The connection."""

    def say(self, chunk: bytes) -> None:
        """Write bytes that nothing stands against."""

    def abort(self) -> None:
        """Drop the connection: its client asks again when it comes back."""

    def said_all(self) -> None:
        """Everything that was held is said."""


class Held:
    """Bytes in their order, each until its writes are done.

    Args:
        failures: How many writes have failed so far. One that failed since bytes were held may be
            what they promise, though the last before them is done.
    """

    __slots__ = ("_failures", "_line", "_speaker")

    def __init__(self, speaker: Speaker, failures: Callable[[], int]) -> None:
        self._speaker = speaker
        self._failures = failures
        self._line: deque[tuple[asyncio.Future[Written], bytes, int]] = deque()

    def __len__(self) -> int:
        return len(self._line)

    def put(self, chunk: bytes, pending: asyncio.Future[Written] | None) -> None:
        """Hold bytes until a write is done, or as long as those before them."""
        pending = pending or self._line[-1][0]
        self._line.append((pending, chunk, self._failures()))
        pending.add_done_callback(self._go_on)

    def _go_on(self, _settled: asyncio.Future[Written]) -> None:
        line = self._line
        if not line:
            return
        while line and line[0][0].done():
            settled, chunk, failures = line.popleft()
            is_lost = settled.cancelled() or settled.exception() is not None
            if is_lost or self._failures() != failures:
                line.clear()
                self._speaker.abort()
                return
            self._speaker.say(chunk)
        if not line:
            self._speaker.said_all()
