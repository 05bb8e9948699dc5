"""Frames of statistics: what changed within each interval, and only the newest are kept."""

from __future__ import annotations

import asyncio

from router.sections.telling import StatisticsSettings
from router.statistics import Statistics


class Counted:
    """Counts that tests raise by hand."""

    def __init__(self) -> None:
        self.good: dict[str, int] = {}
        self.bad: dict[str, int] = {}
        self.open: dict[str, int] = {}
        self.time = 1000

    def succeeded(self) -> dict[str, int]:
        return dict(self.good)

    def failed(self) -> dict[str, int]:
        return dict(self.bad)

    def ongoing(self) -> dict[str, int]:
        return {"http": 1, "mqtt": 0}

    def connections(self) -> dict[str, int]:
        return self.open

    def now_ms(self) -> int:
        return self.time


def statistics(counted: Counted, frames: int = 3) -> Statistics:
    return Statistics(counted, StatisticsSettings(frames=frames), counted.now_ms)


def test_a_frame_has_what_was_answered_since_the_one_before() -> None:
    counted = Counted()
    told = statistics(counted)
    counted.good, counted.bad, counted.open = {"http": 3, "mqtt": 1}, {"mqtt": 2}, {"mqtt": 1}
    told.take()
    counted.good, counted.time = {"http": 8, "mqtt": 1}, 2000
    told.take()
    first, second = told.all()
    assert first.completed == {"http": 3, "mqtt": 1}
    assert first.failed == {"mqtt": 2}
    assert (first.connections, first.ongoing, first.ended_ms) == ({"mqtt": 1}, {"http": 1}, 1000)
    assert (second.completed, second.failed, second.ended_ms) == ({"http": 5}, {}, 2000)
    assert told.last() == second


def test_before_the_first_interval_ends_it_is_told_so_far() -> None:
    counted = Counted()
    counted.good = {"websocket": 4}
    told = statistics(counted)
    assert [frame.completed for frame in told.all()] == [{"websocket": 4}]
    assert told.last().completed == {"websocket": 4}


def test_only_so_many_frames_are_kept() -> None:
    counted = Counted()
    told = statistics(counted, frames=3)
    for time in range(10):
        counted.time = time
        told.take()
    assert [frame.ended_ms for frame in told.all()] == [7, 8, 9]


async def test_frames_are_taken_while_it_is_kept() -> None:
    counted = Counted()
    told = Statistics(counted, StatisticsSettings(interval_s=0.1), counted.now_ms)
    taken = asyncio.Event()
    counted.ongoing = lambda: taken.set() or {}  # type: ignore[method-assign,func-returns-value]
    async with told.kept():
        await asyncio.wait_for(taken.wait(), 60)
