"""Swift time: hours pass at once, in order, and never while there is something to do."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.support.swift_time import in_swift_time


@in_swift_time
async def test_a_day_is_over_at_once() -> None:
    loop, began = asyncio.get_running_loop(), time.monotonic()
    await asyncio.sleep(86_400)
    assert loop.time() == pytest.approx(86_400)
    assert time.monotonic() - began < 3_600


@in_swift_time
async def test_timers_come_in_their_order() -> None:
    loop, rung = asyncio.get_running_loop(), list[int]()
    for seconds in (300, 100, 200):
        loop.call_later(seconds, rung.append, seconds)
    await asyncio.sleep(250)
    assert rung == [100, 200]


@in_swift_time
async def test_no_time_passes_while_there_is_work() -> None:
    loop, rung = asyncio.get_running_loop(), list[int]()
    loop.call_later(1, rung.append, 1)
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert rung == []
    assert loop.time() == 0


@in_swift_time
async def test_threads_are_waited_for() -> None:
    assert await asyncio.to_thread(lambda: "done") == "done"
