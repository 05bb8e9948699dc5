"""Listeners whose sessions outlive the router: each goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Set
from typing import Any

import pytest

from realtime import past
from realtime.koncorde.parse import FilterLimits
from realtime.memberships import Memberships, Told
from router.envelope import ANONYMOUS, Json, JsonObject
from tests.support.inprocess import InProcess, in_process
from tests.support.listeners import Listener
from tests.unit.realtime.test_past import PLACE, do, listener, numbers, subscribe

QUEUED: Mapping[str, Set[int]] = {}


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    async with in_process() as router:
        await router.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        yield router


def memberships(lab: InProcess) -> Memberships:
    return Memberships(lab.notifier, FilterLimits(100, 32), lab.past)


class Kept:
    """What is written down of a session, and the session that goes on by it."""

    def __init__(self, lab: InProcess, connection: str) -> None:
        self.mark: JsonObject = memberships(lab).mark()
        self.rooms: list[Json] = memberships(lab).of(connection, ANONYMOUS.id)[0]
        self._lab = lab
        lab.connections.closed(connection)

    async def goes_on(self, queued: Mapping[str, Set[int]] = QUEUED) -> Listener:
        """Its client is away."""
        ear = listener(self._lab, "after")
        ear.channels = set()
        found = memberships(self._lab)
        await found.prepare()
        found.restore("after", ANONYMOUS.id, self.rooms, Told(queued, self.mark, {}))
        await found.resume()
        return ear


async def writes(lab: InProcess, *values: int) -> None:
    for n in values:
        await do(lab, "createOrReplace", "a", {"n": n})


class TestLive:
    async def test_what_was_not_told_is_told_before_what_happens(self, lab: InProcess) -> None:
        ear = listener(lab, "before")
        await writes(lab, 0)
        await subscribe(lab, {}, connection="before")
        await writes(lab, 1)
        assert numbers(ear.heard) == [1]
        kept = Kept(lab, "before")
        await writes(lab, 2, 3)
        after = await kept.goes_on()
        await writes(lab, 4)
        assert numbers(await after.until(3)) == [2, 3, 4]

    async def test_what_waits_in_the_queue_does_not_come_again(self, lab: InProcess) -> None:
        listener(lab, "before")
        joined = await subscribe(lab, {}, connection="before")
        kept = Kept(lab, "before")
        await writes(lab, 1, 2, 3)
        newest = await lab.storage.newest()
        queued = {joined["channel"]: {newest - 2, newest - 1}, "another": {newest}}
        after = await kept.goes_on(queued)
        assert numbers(await after.until(1)) == [3]

    async def test_the_later_of_both_positions_counts(self, lab: InProcess) -> None:
        listener(lab, "before")
        await subscribe(lab, {}, connection="before")
        kept = Kept(lab, "before")
        await writes(lab, 1, 2)
        kept.mark = {**kept.mark, "seq": await lab.storage.newest()}
        await writes(lab, 3)
        after = await kept.goes_on()
        assert numbers(await after.until(1)) == [3]

    async def test_who_came_late_hears_nothing_from_before(self, lab: InProcess) -> None:
        """The common position is written down now and then, and may be from before."""
        listener(lab, "first")
        await subscribe(lab, {}, connection="first")
        mark = memberships(lab).mark()
        await writes(lab, 1)
        listener(lab, "before")
        await subscribe(lab, {}, connection="before")
        kept = Kept(lab, "before")
        kept.mark = mark
        await writes(lab, 2)
        after = await kept.goes_on()
        assert numbers(await after.until(1)) == [2]

    async def test_what_is_in_pipes_is_not_told_yet(self, lab: InProcess) -> None:
        ear = listener(lab, "before")
        going = asyncio.Event()

        async def pipe(content: Any) -> Any:
            await going.wait()
            return content

        lab.events.add_pipe("notify:document", pipe)
        await subscribe(lab, {}, connection="before")
        await writes(lab, 1, 2)
        assert ear.heard == []
        kept = Kept(lab, "before")
        after = await kept.goes_on()
        going.set()
        assert numbers(await after.until(2)) == [1, 2]

    async def test_what_is_no_longer_known_ends_it_with_the_reason(self, lab: InProcess) -> None:
        listener(lab, "before")
        joined = await subscribe(lab, {}, connection="before")
        kept = Kept(lab, "before")
        for room in kept.rooms:
            assert isinstance(room, dict)
            room["feed"] = "another"
        after = await kept.goes_on()
        (end,) = await after.until(1)
        assert (end["type"], end["error"]["id"]) == ("error", "trivium.feed.gone")
        assert end["room"] == joined["channel"]
        assert await lab.result("realtime:list") == {}

    async def test_one_written_down_without_a_position_hears_what_happens(
        self, lab: InProcess
    ) -> None:
        listener(lab, "before")
        await subscribe(lab, {}, connection="before")
        kept = Kept(lab, "before")
        for room in kept.rooms:
            assert isinstance(room, dict)
            room["channels"] = [["none", "all"]]
            del room["feed"]
        await writes(lab, 1)
        after = await kept.goes_on()
        await writes(lab, 2)
        assert numbers(await after.until(1)) == [2]


class TestThePast:
    async def test_it_is_read_on_once_the_client_is_back(
        self, lab: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(past, "MOST_UNSENT", 100)
        await writes(lab, *range(8))
        ear = listener(lab, "before")
        ear.unread = -1
        joined = await subscribe(lab, {}, 0, connection="before")
        await ear.until(1)
        told = len(ear.heard)
        kept = Kept(lab, "before")
        await writes(lab, 8)
        after = await kept.goes_on()
        assert memberships(lab).behind("after")
        assert after.heard == []
        after.subscribe(joined["channel"])
        assert numbers(await after.until(9 - told)) == list(range(told, 9))
        await writes(lab, 9)
        assert numbers(after.heard)[-1] == 9
        assert not memberships(lab).behind("after")

    async def test_what_waits_live_and_again_in_the_past_comes_once(self, lab: InProcess) -> None:
        await writes(lab, 0, 1, 2)
        newest = await lab.storage.newest()
        ear = listener(lab, "before")
        ear.channels = set()
        joined = await subscribe(lab, {}, 0, connection="before")
        kept = Kept(lab, "before")
        after = await kept.goes_on({joined["channel"]: {newest}})
        after.subscribe(joined["channel"])
        assert numbers(await after.until(2)) == [0, 1]

    async def test_a_snapshot_that_was_not_shown_whole_is_shown_again(self, lab: InProcess) -> None:
        for n in range(3):
            await do(lab, "create", f"d{n}", {"n": n})
        ear = listener(lab, "before")
        ear.channels = set()
        joined = await subscribe(lab, {}, "snapshot", connection="before")
        kept = Kept(lab, "before")
        await do(lab, "update", "d1", {"n": 10})
        after = await kept.goes_on()
        after.subscribe(joined["channel"])
        *shown, end, change = await after.until(5)
        assert numbers(shown) == [0, 1, 2]
        assert (end["type"], end["result"]) == ("snapshot", {"count": 3})
        assert numbers([change]) == [10]

    async def test_one_that_was_shown_is_not(self, lab: InProcess) -> None:
        await do(lab, "create", "d", {"n": 0})
        ear = listener(lab, "before")
        joined = await subscribe(lab, {}, "snapshot", connection="before")
        await ear.until(2)
        kept = Kept(lab, "before")
        await do(lab, "update", "d", {"n": 1})
        after = await kept.goes_on()
        after.subscribe(joined["channel"])
        assert numbers(await after.until(1)) == [1]


class Lasting(Listener):
    """A session that outlives being cut off."""

    def expel(self, reason: str) -> None:
        self.expelled = reason


class Looked(Lasting):
    """One that knows when somebody waits for it to read."""

    looks = 0

    def unsent(self) -> int:
        self.looks += 1
        return super().unsent()

    async def looked_at(self) -> None:
        """Return once somebody has looked at what it has read."""
        before = self.looks
        async with asyncio.timeout(60):
            while self.looks == before:
                await asyncio.sleep(0.01)


async def test_what_is_too_much_for_the_pipes_is_told_once_they_have_eased() -> None:
    async with in_process(pipes_waiting=3, pipes_at_work=1) as lab:
        await lab.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        going = asyncio.Event()

        async def pipe(content: Any) -> Any:
            await going.wait()
            return content

        lab.events.add_pipe("notify:document", pipe)
        kept, gone = Lasting(lab.connections, "kept"), Listener(lab.connections, "gone")
        for each in (kept, gone):
            await subscribe(lab, {}, connection=each.id)
        await writes(lab, *range(8))
        assert kept.expelled
        assert gone.expelled
        assert memberships(lab).behind("kept")
        going.set()
        assert numbers(await kept.until(8)) == list(range(8))
        await writes(lab, 8)
        assert numbers(await kept.until(9)) == list(range(9))
        assert (await lab.result("realtime:list"))["lab"]["things"]


async def test_a_snapshot_that_waits_for_its_client_is_shown_whole_behind_slow_pipes() -> None:
    async with in_process(pipes_waiting=20, pipes_at_work=2) as lab:
        await lab.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        for n in range(30):
            await do(lab, "create", f"d{n:02}", {"n": n})
        live = Lasting(lab.connections, "live")
        await subscribe(lab, {}, connection=live.id)
        going = asyncio.Event()

        async def pipe(content: Any) -> Any:
            await going.wait()
            return content

        lab.events.add_pipe("notify:document", pipe)
        late = Looked(lab.connections, "late")
        late.unread = past.MOST_UNSENT + 1
        await subscribe(lab, {}, "snapshot", connection=late.id)
        await late.looked_at()
        for n in range(20):  # now the line before the pipes is full
            await do(lab, "update", "d00", {"n": 100 + n})
        late.unread = 0
        await late.looked_at()
        going.set()
        await late.until(30 + 1 + 20)
        *shown, end = late.heard[:31]
        assert numbers(shown) == list(range(30))
        assert (end["type"], end["result"]) == ("snapshot", {"count": 30})
        assert numbers(late.heard[31:]) == list(range(100, 120))
        assert not late.expelled


async def test_a_snapshot_that_found_no_place_before_the_pipes_is_shown_again(
    lab: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "MOST_UNSENT", 2_000)
    for n in range(30):
        await do(lab, "create", f"d{n:02}", {"n": n})
    kept = Looked(lab.connections, "kept")
    kept.unread = -1
    joined = await subscribe(lab, {}, "snapshot", connection=kept.id)
    await kept.until(2)
    await kept.looked_at()
    [channel] = lab.notifier.rooms.find(joined["roomId"]).channels.values()
    lab.notifier.deliveries.on_given_up(channel, kept.id, await lab.storage.newest())
    begun = len(kept.heard)
    assert begun < 30
    kept.unread = 0
    await kept.until(begun + 31)
    *shown, end = kept.heard[begun:]
    assert numbers(shown) == list(range(30))
    assert (end["type"], end["requestId"]) == ("snapshot", kept.heard[0]["requestId"])
    await do(lab, "update", "d00", {"n": 100})
    assert numbers(await kept.until(begun + 32))[-1] == 100
