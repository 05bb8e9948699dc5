"""Readers of the past: how many, and what they leave to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest

from realtime import past, turns
from realtime.holds import Hold
from realtime.koncorde.parse import FilterLimits, normal_form
from realtime.starts import Start
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

    async def test_whoever_is_gone_takes_no_turn(self, lab: InProcess) -> None:
        for n in range(250):
            await do(lab, "createOrReplace", "a", {"n": n})
        pages = count()

        async def read() -> None:
            next(pages)

        listener(lab, "c1")
        joined = await subscribe(lab, {"equals": {"n": -1}}, 0)
        await subscribe(lab, {"equals": {"n": -2}}, "snapshot")
        await lab.result("realtime:unsubscribe", {"roomId": joined["roomId"]}, connection="c1")
        lab.connections.closed("c1")
        lab.storage.after_changes = lab.storage.before_scan = read
        await nobody_reads()
        assert next(pages) == 0


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
    ours = [reader_of(request(address=f"2001:db8::{n}")) for n in (1, 2)]
    assert ours[0].user == ours[1].user != reader_of(request(address="2001:db8:0:1::1")).user


def may_read(lab: InProcess) -> bool:
    """Whether one more connection of a user may read the past."""
    try:
        lab.past.check(request("mine", connection="one-more"))
    except RouterError:
        return False
    return True


async def begin(lab: InProcess, connection: str) -> str:
    """Let a connection of the user read the past; its channel."""
    hold, asked = Hold(), request("mine", connection=connection)
    form = normal_form({}, FilterLimits(100, 32))
    place = (PLACE["index"], PLACE["collection"])
    joined = lab.notifier.subscribe(asked, place, form, users="none", scope="all", hold=hold)
    lab.past.tell(asked, joined, hold, Start(0))
    return joined[1].name


async def test_who_is_away_takes_no_place_of_its_user(lab: InProcess) -> None:
    await do(lab, "create", "a", {"n": 0})
    ears = [listener(lab, f"c{n}") for n in range(5)]
    for ear in ears:
        ear.channels, ear.unread = set(), past.MOST_UNSENT + 1
        channel = await asyncio.create_task(begin(lab, ear.id))
    async with asyncio.timeout(60):
        while not may_read(lab):
            await asyncio.sleep(0)
        for ear in ears[:3]:
            ear.subscribe(channel)
        while may_read(lab):
            await asyncio.sleep(0)
        ears[0].unread = 0
        await ears[0].until(1)
        while not may_read(lab):
            await asyncio.sleep(0)


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


class Clock:
    """Shows what it was set to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class TestTheShare:
    """What readers may take of the time that passes, by a clock that stands still otherwise."""

    async def test_a_turn_lasts_for_several_pages_and_ends(self) -> None:
        clock = Clock()
        whose, pages = Turns(PastLimits(share=1), clock), 0

        async def read() -> None:
            nonlocal pages
            while pages == 0 or whose.may_go_on():
                clock.now += turns.TURN_S / 4
                pages += 1

        await whose.metered(read())
        assert pages == 4

    @pytest.mark.parametrize("busy", [0, 1, 3, 10])
    async def test_the_time_of_others_is_not_theirs(self, busy: int) -> None:
        """However long others keep the loop between two turns, readers get what is theirs."""
        clock = Clock()
        whose, page_s, pages = Turns(PastLimits(share=0.5), clock), turns.TURN_S / 10, 0

        async def read() -> None:
            nonlocal pages
            while True:
                clock.now += page_s
                pages += 1
                if not whose.may_go_on():
                    return

        for _ in range(100):
            await whose.metered(read())
            clock.now += busy * page_s
        # A page a turn is the least; beyond that it is half of the time.
        assert pages == pytest.approx(100 * max(1, busy), rel=0.2)


async def test_whoever_reads_comes_up_with_those_who_write(lab: InProcess) -> None:
    """As many write as fast as they are answered; what is behind becomes less all the same."""
    written, is_over = count(1), False

    async def write(key: str) -> None:
        while not is_over:
            await do(lab, "createOrReplace", key, {"n": next(written)})

    async def until(seq: int) -> None:
        while await lab.storage.newest() < seq:
            await asyncio.sleep(0)

    writers = [asyncio.create_task(write(f"d{n}")) for n in range(32)]
    await until(1_000)
    listener(lab)
    joined = await subscribe(lab, NOTHING, 0)
    (channel,) = lab.notifier.rooms.find(joined["roomId"]).channels.values()
    while not channel.held["c1"].is_settled:
        assert await lab.storage.newest() < 20_000
        await asyncio.sleep(0)
    is_over = True
    await asyncio.gather(*writers)


async def test_others_are_served_between_two_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads a long past that doesn't concern him, many times over."""
    monkeypatch.setattr(past, "PAGE", 5)
    monkeypatch.setattr(turns, "TURN_S", 0)  # one page is a turn
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
