"""Admission lets so many work, so many wait, and refuses the rest at once."""

from __future__ import annotations

import asyncio

import pytest

from router.admission import Admission
from router.errors import RouterError
from tests.support.requests import refused, until


def test_up_to_the_bound_nobody_waits() -> None:
    admission = Admission(at_work=2, waiting=0)
    assert admission.enter() is None
    assert not admission.is_full
    assert admission.enter() is None
    assert admission.is_full
    assert admission.running == 2
    assert refused(admission.enter) == ("api.process.overloaded", [])
    admission.leave()
    assert admission.enter() is None


async def test_those_who_wait_come_in_one_by_one() -> None:
    admission = Admission(at_work=1, waiting=2)
    entered: list[int] = []

    async def come(name: int) -> None:
        place = admission.enter()
        if place is not None:
            await admission.wait(place)
        entered.append(name)

    tasks = [asyncio.create_task(come(name)) for name in range(3)]
    await until(lambda: admission.waiting == 2)
    assert entered == [0]
    assert refused(admission.enter)[0] == "api.process.overloaded"
    admission.leave()
    await until(lambda: entered == [0, 1])
    admission.leave()
    await until(lambda: entered == [0, 1, 2])
    await asyncio.gather(*tasks)
    assert (admission.running, admission.waiting) == (1, 0)


async def test_one_who_gives_up_leaves_the_queue_at_once() -> None:
    admission = Admission(at_work=1, waiting=1)
    admission.enter()
    place = admission.enter()
    assert place is not None
    task = asyncio.create_task(admission.wait(place))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert admission.waiting == 0
    assert admission.enter() is not None, "there is room for another one"


async def test_one_who_gives_up_as_the_place_comes_hands_it_on() -> None:
    admission = Admission(at_work=1, waiting=2)
    admission.enter()
    first, second = admission.enter(), admission.enter()
    assert first is not None
    assert second is not None
    task = asyncio.create_task(admission.wait(first))
    await asyncio.sleep(0)
    admission.leave()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert second.done()
    assert (admission.running, admission.waiting) == (1, 0)


async def test_a_cancelled_place_is_passed_over() -> None:
    admission = Admission(at_work=1, waiting=2)
    admission.enter()
    first, second = admission.enter(), admission.enter()
    assert first is not None
    assert second is not None
    task = asyncio.create_task(admission.wait(first))
    await asyncio.sleep(0)
    task.cancel()
    admission.leave()
    assert second.done()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert admission.running == 1
    admission.leave()
    assert admission.running == 0


async def test_once_closed_nobody_new_comes_in() -> None:
    admission = Admission(at_work=1, waiting=1)
    admission.enter()
    place = admission.enter()
    admission.close()
    assert admission.is_full
    with pytest.raises(RouterError) as refusal:
        admission.enter()
    assert refusal.value.id == "api.process.shutting_down"
    admission.leave()
    assert place is not None
    assert place.done(), "who waited before is still served"


async def test_draining_ends_when_the_last_one_leaves() -> None:
    admission = Admission(at_work=2, waiting=1)
    assert await admission.drain(0.001)
    admission.enter()
    assert not await admission.drain(0.001)
    task = asyncio.create_task(admission.drain(5))
    await asyncio.sleep(0)
    admission.leave()
    assert await task


def test_what_is_held_back_is_told_why_until_it_is_let_in() -> None:
    admission = Admission(at_work=1, waiting=1)
    admission.hold("services.storage.unavailable", "away")
    assert admission.is_full
    assert refused(admission.enter) == ("services.storage.unavailable", ["away"])
    admission.release()
    assert admission.enter() is None
