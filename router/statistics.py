"""Frames of statistics: what was answered in each interval, the last ones kept."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import NamedTuple, Protocol

from router.sections.telling import StatisticsSettings
from router.tasks import ended


class Counts(Protocol):
    """What is counted, by wire, since the start."""

    def succeeded(self) -> Mapping[str, int]:
        """Requests that were answered without an error."""

    def failed(self) -> Mapping[str, int]:
        """Requests that were answered with one."""

    def ongoing(self) -> Mapping[str, int]:
        """Requests that are let in and not answered."""

    def connections(self) -> Mapping[str, int]:
        """Open connections."""


class Frame(NamedTuple):
    """What one interval was like.

    Attributes:
        completed, failed: Answers within the interval, by wire.
        connections, ongoing: At its end, by wire.
        ended_ms: Its end, in ms since 1970.
    """

    completed: Mapping[str, int]
    failed: Mapping[str, int]
    connections: Mapping[str, int]
    ongoing: Mapping[str, int]
    ended_ms: int


class Statistics:
    """Takes a frame in each interval while it is kept, and forgets the oldest beyond a number."""

    def __init__(
        self,
        counts: Counts,
        settings: StatisticsSettings,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._counts = counts
        self._interval_s = settings.interval_s
        self._frames: deque[Frame] = deque(maxlen=settings.frames)
        self._now_ms = now_ms
        self._before: tuple[Mapping[str, int], Mapping[str, int]] = ({}, {})

    def all(self) -> list[Frame]:
        """The frames that are kept, oldest first; before the first one ends, that one so far."""
        return list(self._frames) or [self._made()]

    def last(self) -> Frame:
        """The newest of them."""
        return self._frames[-1] if self._frames else self._made()

    def take(self) -> None:
        """End the interval."""
        self._frames.append(self._made())
        self._before = (self._counts.succeeded(), self._counts.failed())

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Take the frames for the time of the block."""
        task = asyncio.create_task(self._run(), name="statistics")
        try:
            yield
        finally:
            await ended(task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            self.take()

    def _made(self) -> Frame:
        succeeded, failed = self._before
        return Frame(
            completed=_since(succeeded, self._counts.succeeded()),
            failed=_since(failed, self._counts.failed()),
            connections=_some(self._counts.connections()),
            ongoing=_some(self._counts.ongoing()),
            ended_ms=self._now_ms(),
        )


def _since(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return _some({wire: count - before.get(wire, 0) for wire, count in now.items()})


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {wire: count for wire, count in counts.items() if count}
