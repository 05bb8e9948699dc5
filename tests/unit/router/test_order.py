"""Turns of one key come up in the order they were taken, however they leave."""

from __future__ import annotations

import asyncio

import pytest

from router.order import Order
from tests.support.requests import until


async def waiter(turn: object, name: str, seen: list[str]) -> None:
    await turn.wait()  # type: ignore[attr-defined]
    seen.append(name)


async def test_the_first_does_not_wait() -> None:
    order = Order()
    await asyncio.wait_for(order.take("k").wait(), 60)


async def test_followers_wait_for_those_before() -> None:
    order, seen = Order(), list[str]()
    first, second = order.take("k"), order.take("k")
    task = asyncio.create_task(waiter(second, "second", seen))
    await asyncio.sleep(0)
    assert seen == []
    first.leave()
    await task
    assert seen == ["second"]


async def test_other_keys_do_not_wait() -> None:
    order = Order()
    order.take("k")
    await asyncio.wait_for(order.take("other").wait(), 60)


async def test_one_that_leaves_early_lets_nobody_overtake() -> None:
    order, seen = Order(), list[str]()
    first, second, third = (order.take("k") for _ in range(3))
    task = asyncio.create_task(waiter(third, "third", seen))
    second.leave()
    await asyncio.sleep(0)
    assert seen == []
    first.leave()
    await until(lambda: seen == ["third"])
    await task


async def test_one_that_is_cancelled_lets_nobody_overtake() -> None:
    order, seen = Order(), list[str]()
    first, second, third = (order.take("k") for _ in range(3))
    impatient = asyncio.create_task(second.wait())
    patient = asyncio.create_task(waiter(third, "third", seen))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    second.leave()
    await asyncio.sleep(0)
    assert seen == []
    first.leave()
    await patient
    assert seen == ["third"]


async def test_leaving_twice_is_leaving_once() -> None:
    order, seen = Order(), list[str]()
    first, second, third = (order.take("k") for _ in range(3))
    first.leave()
    first.leave()
    task = asyncio.create_task(waiter(third, "third", seen))
    await asyncio.sleep(0)
    assert seen == []
    second.leave()
    await task


async def test_nothing_is_kept_of_keys_that_are_done() -> None:
    order = Order()
    turns = [order.take(key) for key in ("a", "b", "a", "b")]
    assert len(order) == 2
    for turn in reversed(turns):
        turn.end()
    assert len(order) == 0


async def test_settled_waits_until_all_before_are_answered() -> None:
    order = Order()
    first, second, third = (order.take("k") for _ in range(3))
    for turn in (first, second):
        turn.leave()
    settled = asyncio.create_task(third.settled())
    second.end()
    await asyncio.sleep(0)
    assert not settled.done()
    first.end()
    await asyncio.wait_for(settled, 60)
    late = order.take("k")
    third.end()
    await asyncio.wait_for(late.settled(), 60)
    late.end()
    assert len(order) == 0


async def test_a_turn_that_left_early_still_keeps_its_place_for_later_ones() -> None:
    order, seen = Order(), list[str]()
    first, second = order.take("k"), order.take("k")
    second.leave()
    third = order.take("k")
    task = asyncio.create_task(waiter(third, "third", seen))
    await asyncio.sleep(0)
    assert seen == []
    first.leave()
    await task
