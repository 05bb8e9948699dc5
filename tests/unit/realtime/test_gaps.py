"""Many listeners who have missed something: the feed is read once for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime import past
from realtime.koncorde.parse import FilterLimits
from realtime.memberships import Memberships, Told
from router.envelope import ANONYMOUS
from tests.support.inprocess import InProcess, in_process
from tests.support.listeners import Listener
from tests.unit.realtime.test_past import PLACE, Seams, do, listener, numbers

MANY = 100


@pytest.fixture
async def lab() -> AsyncIterator[InProcess]:
    async with in_process(Seams()) as router:
        await router.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        yield router


async def writes(lab: InProcess, count: int) -> int:
    """So many rows, each with the position before it as its number; the first of these."""
    first = await lab.storage.newest()
    for n in range(first, first + count):
        await do(lab, "createOrReplace", f"d{n % 7}", {"n": n, "tenth": n % 10})
    return first


class Sessions:
    """Kept ones, each of which was told up to a position before its router was killed."""

    def __init__(self, lab: InProcess) -> None:
        self.memberships = Memberships(lab.notifier, FilterLimits(100, 32), lab.past)
        self._lab = lab

    def restore(self, id: str, filter: Any, after: int, scope: str = "all") -> Listener:
        """Its client is away."""
        ear = listener(self._lab, id)
        ear.channels = set()
        feed = self._lab.storage.feed
        channels = [["none", scope, after, "live", ""]]
        kept = {**PLACE, "filter": filter, "feed": feed, "channels": channels, "volatile": None}
        self.memberships.restore(id, ANONYMOUS.id, [kept], Told({}, {}, {}))
        return ear

    async def resume(self) -> None:
        await self.memberships.prepare()
        await self.memberships.resume()


async def test_the_feed_is_read_once_while_others_write(lab: InProcess) -> None:
    first = await writes(lab, 450)
    sessions, pages = Sessions(lab), 0

    async def write() -> None:
        nonlocal pages
        pages += 1
        if pages <= 10:
            await writes(lab, 60)

    filters = [{"equals": {"tenth": n % 10}} for n in range(MANY)]
    ears = [sessions.restore(f"s{n}", each, 0, "in") for n, each in enumerate(filters)]
    lab.storage.after_changes = write
    await sessions.resume()
    for n, ear in enumerate(ears):
        all_its = [each for each in range(first, first + 1_050) if each % 10 == n % 10]
        assert numbers(await ear.until(105)) == all_its
    assert not any(sessions.memberships.behind(ear.id) for ear in ears)
    assert pages <= 15
    await writes(lab, 10)
    live = [[each % 10 for each in numbers(ear.heard)[105:]] for ear in ears]
    assert live == [[n % 10] for n in range(MANY)]


async def test_each_goes_on_from_its_own_position(lab: InProcess) -> None:
    first = await writes(lab, 250)
    sessions = Sessions(lab)
    ears = {n: sessions.restore(f"s{n}", {}, first + n) for n in (0, 30, 100, 249, 250)}
    await sessions.resume()
    for n, ear in ears.items():
        assert numbers(await ear.until(250 - n)) == list(range(first + n, first + 250))


async def test_it_is_told_what_leaves_and_what_is_deleted(lab: InProcess) -> None:
    sessions = Sessions(lab)
    await do(lab, "create", "a", {"n": 6})
    await do(lab, "update", "a", {"n": 1})
    await do(lab, "update", "a", {"n": 7})
    await do(lab, "create", "silent", {"n": 8}, silent=True)
    await do(lab, "delete", "a")
    ear = sessions.restore("s", {"range": {"n": {"gte": 5}}}, 0)
    await sessions.resume()
    heard = [(each["action"], each["scope"]) for each in await ear.until(4)]
    assert heard == [("create", "in"), ("update", "out"), ("update", "in"), ("delete", "out")]


async def test_others_do_not_wait_for_one_who_reads_slowly(
    lab: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "MOST_UNSENT", 10)
    first = await writes(lab, 20)
    sessions = Sessions(lab)
    slow, quick = sessions.restore("slow", {}, 0), sessions.restore("quick", {}, 0)
    slow.unread = 11
    await sessions.resume()
    assert numbers(await quick.until(20)) == list(range(first, first + 20))
    assert slow.heard == []
    slow.unread = 0
    assert numbers(await slow.until(20)) == list(range(first, first + 20))


async def test_one_whose_position_can_not_be_read_ends_alone(lab: InProcess) -> None:
    first = await writes(lab, 20)
    sessions = Sessions(lab)
    far, near = sessions.restore("far", {}, 0), sessions.restore("near", {}, first + 10)

    async def fail() -> None:
        lab.storage.after_changes = None
        raise ZeroDivisionError

    lab.storage.after_changes = fail
    await sessions.resume()
    assert numbers(await near.until(10)) == list(range(first + 10, first + 20))
    (end,) = far.heard
    assert (end["type"], end["status"]) == ("error", 500)


async def test_whoever_leaves_is_told_nothing_more(lab: InProcess) -> None:
    first = await writes(lab, 20)
    sessions = Sessions(lab)
    gone, here = sessions.restore("gone", {}, 0), sessions.restore("here", {}, 0)
    await sessions.resume()
    lab.connections.closed("gone")
    assert numbers(await here.until(20)) == list(range(first, first + 20))
    assert gone.heard == []
