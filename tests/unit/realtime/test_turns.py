"""Readers of the past: how many, and what they leave to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime import past
from realtime.turns import PastLimits, Reader, Turns, reader_of
from router.envelope import Connection, Request, User
from router.errors import RouterError
from tests.support.inprocess import InProcess, in_process
from tests.unit.realtime.test_past import PLACE, Seams, do, listener, numbers, subscribe

NOTHING = {"exists": "never"}


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    async with in_process(Seams(), past_reads_per_connection=2, past_reads_per_user=3) as router:
        await router.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        yield router


def deaf(lab: InProcess, *connections: str) -> None:
    """Connections that hear no channel yet, so that they go on reading."""
    for connection in connections:
        listener(lab, connection).channels = set()


async def nobody_reads() -> None:
    """Wait until it is so."""
    async with asyncio.timeout(60):
        while any(task.get_name() == "past of a listener" for task in asyncio.all_tasks()):
            await asyncio.sleep(0)


class TestHowMany:
    async def test_of_one_connection(self, lab: InProcess) -> None:
        deaf(lab, "c1", "c2")
        for n in range(2):
            await subscribe(lab, {"equals": {"n": n}}, 0)
        more = {"from": 0, **PLACE}
        await lab.refused("trivium.feed.too_many_readers", "realtime:subscribe", NOTHING, **more)
        await subscribe(lab, NOTHING, connection="c1")
        await subscribe(lab, NOTHING, 0, connection="c2")

    async def test_of_one_user(self, lab: InProcess) -> None:
        deaf(lab, "c1", "c2", "c3")
        for n, connection in enumerate(["c1", "c1", "c2"]):
            await subscribe(lab, {"equals": {"n": n}}, "snapshot", connection=connection)
        # Nobody has logged in: the connections are of one address, or of none.
        await subscribe(lab, NOTHING, "snapshot", connection="c3")

    async def test_joining_counts_as_well(self, lab: InProcess) -> None:
        deaf(lab, "c1")
        joined = [await subscribe(lab, {"equals": {"n": n}}, 0) for n in range(2)]
        body = {"roomId": joined[0]["roomId"]}
        await lab.refused("trivium.feed.too_many_readers", "realtime:join", body, **{"from": "now"})

    async def test_whoever_has_read_it_reads_no_longer(self, lab: InProcess) -> None:
        ear = listener(lab)
        await do(lab, "create", "a", {"n": 0})
        for n in range(6):
            await subscribe(lab, {"not": {"equals": {"n": n + 1}}}, 0)
            await ear.until(n + 1)
            await nobody_reads()

    async def test_whoever_is_gone_reads_no_longer(self, lab: InProcess) -> None:
        for _ in range(3):
            deaf(lab, "c1")
            for n in range(2):
                await subscribe(lab, {"equals": {"n": n}}, 0)
            lab.connections.closed("c1")
            await nobody_reads()


def request(user: str = "-1", address: str = "", connection: str = "c") -> Request:
    return Request(
        controller="realtime",
        action="subscribe",
        connection=Connection(connection, "mqtt", address=address),
        user=User(user),
    )


def test_strangers_are_told_apart_by_their_address() -> None:
    assert reader_of(request("mine", "a", "c1")).user == reader_of(request("mine", "b", "c2")).user
    assert reader_of(request(address="a")).user != reader_of(request(address="b")).user
    assert (
        reader_of(request(address="a", connection="x")).user == reader_of(request(address="a")).user
    )
    assert reader_of(request(connection="x")).user != reader_of(request(connection="y")).user


def test_so_many_of_one_user() -> None:
    turns = Turns(PastLimits(per_connection=9, per_user=2))
    readers = [Reader(f"c{n}", "mine") for n in range(2)]
    for each in readers:
        turns.check(each)
        turns.begin(each)
    with pytest.raises(RouterError, match="2 subscriptions"):
        turns.check(Reader("c3", "mine"))
    turns.check(Reader("c3", "yours"))
    turns.end(readers[0])
    turns.check(Reader("c3", "mine"))


class TestTurns:
    async def test_users_take_turns_however_many_readers_each_has(self) -> None:
        turns, order = Turns(PastLimits(share=1)), []

        async def read(user: str, pages: int) -> None:
            for _ in range(pages):
                await turns.next(Reader("c", user))
                order.append(user)

        greedy = [asyncio.create_task(read("greedy", 5)) for _ in range(20)]
        await asyncio.sleep(0)
        modest = asyncio.create_task(read("modest", 5))
        await asyncio.gather(*greedy, modest)
        last = len(order) - order[::-1].index("modest")
        assert last <= 2 * 5 + 3
        await turns.close()

    async def test_who_has_gone_takes_no_turn(self) -> None:
        turns = Turns(PastLimits(share=1))
        gone = asyncio.create_task(turns.next(Reader("c", "gone")))
        here = asyncio.create_task(turns.next(Reader("c", "gone")))
        await asyncio.sleep(0)
        gone.cancel()
        await here
        await turns.close()


async def test_others_are_served_between_two_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a long past that doesn't concern him, many times over."""
    monkeypatch.setattr(past, "PAGE", 5)
    async with in_process(Seams()) as lab:
        await lab.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        pages = 0

        async def count() -> None:
            nonlocal pages
            pages += 1

        for n in range(200):
            await do(lab, "createOrReplace", "a", {"n": n})
        ear = listener(lab, "modest")
        await subscribe(lab, {}, connection="modest")
        listener(lab, "greedy")
        for n in range(10):
            await subscribe(lab, {"equals": {"m": n}}, 0, connection="greedy")
        lab.storage.after_changes = count
        for n in range(20):
            before = pages
            await do(lab, "createOrReplace", "b", {"n": n})
            assert pages - before <= 20
        assert numbers(ear.heard) == list(range(20))
        # They went on meanwhile.
        async with asyncio.timeout(60):
            while pages < 10 * 40:
                await asyncio.sleep(0)
