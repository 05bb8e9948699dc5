"""Subscriptions that begin in the past: nothing is lost between the past and the stream, and
nothing comes twice, whenever a write falls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from realtime import holds, past, snapshots
from realtime.koncorde.parse import FilterLimits
from realtime.memberships import Memberships, Told
from router.connections import Connections
from router.envelope import ANONYMOUS
from router.settings import OpenSearchSettings, StorageSettings
from storage.contract import Change, Hit, Storage, Write
from storage.memory import MemoryStorage
from storage.opensearch.store import OpenSearchStorage
from storage.sqlite.store import SqliteStorage
from tests.support.inprocess import InProcess, in_process
from tests.support.listeners import Listener
from tests.support.opensearch import OpenSearchServer
from tests.support.opensearch_clients import DyingClient

PLACE = {"index": "lab", "collection": "things"}
RANGE = {"range": {"n": {"gte": 5}}}

Act = Callable[[], Awaitable[object]]


class Seams(MemoryStorage):
    """Does something of the test's at the seams: when a page of the feed was read, or one of
    documents, and before its reader has it."""

    def __init__(self) -> None:
        super().__init__()
        self.after_changes: Act | None = None
        self.after_scan: Act | None = None
        self.before_scan: Act | None = None

    async def changes(self, since: int, limit: int = 1000) -> list[Change]:
        found = await super().changes(since, limit)
        if self.after_changes is not None:
            await self.after_changes()
        return found

    async def scan(self, *args: Any) -> list[Hit]:
        if self.before_scan is not None:
            await self.before_scan()
        found = await super().scan(*args)
        if self.after_scan is not None:
            await self.after_scan()
        return found


class Busy(Listener):
    """One that is told much beside the past, and reads it as fast as it comes."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections, "c1")
        self.looks = 0
        self.is_idle = False

    def unsent(self) -> int:
        self.looks += 1
        return 0 if self.is_idle else 150 + self.looks % 2


@pytest.fixture(params=["memory", "sqlite"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[InProcess]:
    store: Storage = MemoryStorage()
    if request.param == "sqlite":
        store = SqliteStorage(StorageSettings(data=tmp_path))
    await store.open()
    async with in_process(store) as router:
        await router.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        yield router
    await store.close()


@pytest.fixture
async def shared(opensearch: OpenSearchServer) -> AsyncIterator[tuple[InProcess, InProcess]]:
    """Two routers on one OpenSearch."""
    opensearch.wipe()
    async with contextlib.AsyncExitStack() as undo:
        routers = []
        for _ in range(2):
            settings = OpenSearchSettings(nodes=opensearch.url, refresh_ms=1)
            store = OpenSearchStorage(settings)
            await store.open()
            undo.push_async_callback(store.close)
            routers.append(await undo.enter_async_context(in_process(store)))
        first, second = routers
        await first.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        await second.storage.catch_up()
        yield first, second


@pytest.fixture
async def seams() -> AsyncIterator[InProcess]:
    async with in_process(Seams()) as router:
        await router.result("collection:create", {"mappings": {"dynamic": "false"}}, **PLACE)
        yield router


def listener(lab: InProcess, connection: str = "c1") -> Listener:
    return Listener(lab.connections, connection)


async def subscribe(lab: InProcess, body: Any, start: Any = None, **more: Any) -> Any:
    arguments = {**PLACE, "from": start, **more}
    # A wire answers in a task of its own.
    return await asyncio.create_task(lab.result("realtime:subscribe", body, **arguments))


async def do(lab: InProcess, action: str, id: str, body: Any = None, **more: Any) -> Any:
    more = {"connection": "writer", "_id": id, **PLACE, **more}
    return await lab.result(f"document:{action}", body, **more)


def told(heard: list[Any]) -> list[tuple[Any, ...]]:
    return [(each["action"], each["scope"], each["result"]["_id"]) for each in heard]


def numbers(heard: list[Any]) -> list[int]:
    return [each["result"]["_source"]["n"] for each in heard if each["type"] == "document"]


async def history(lab: InProcess) -> None:
    await do(lab, "create", "a", {"n": 6})
    await do(lab, "create", "b", {"n": 1})
    await do(lab, "update", "b", {"n": 7, "deep": {"x": 1}})
    await do(lab, "update", "b", {"n": 2}, volatile={"who": "me"})
    await do(lab, "replace", "a", {"n": 9})
    await do(lab, "deleteFields", "a", {"fields": ["n"]})
    await do(lab, "createOrReplace", "a", {"n": 5})
    await do(lab, "delete", "a")
    await do(lab, "create", "silent", {"n": 9}, silent=True)


class TestTheWait:
    """A client over MQTT can't listen to a channel before it has the answer that names it."""

    async def test_who_leaves_meanwhile_is_waited_for_no_longer(self, lab: InProcess) -> None:
        listener(lab).channels = set()
        for _ in range(20):
            joined = await subscribe(lab, RANGE, "now")
            await subscribe(lab, RANGE, "now")
            await lab.result("realtime:unsubscribe", {"roomId": joined["roomId"]})
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("past of a listener") <= 2

    async def test_who_waits_is_written_down_as_one_who_listens(self, lab: InProcess) -> None:
        listener(lab, "before").channels = set()
        await subscribe(lab, RANGE, "now", connection="before")
        memberships = Memberships(lab.notifier, FilterLimits(100, 32), lab.past)
        kept, _ = memberships.of("before", ANONYMOUS.id)
        after = listener(lab, "after")
        memberships.restore("after", ANONYMOUS.id, kept, Told({}, {}, {}))
        await memberships.resume()
        after.subscribe(lab.notifier.rooms.of("after")[0].heard_on("after")[0])
        await do(lab, "create", "a", {"n": 6})
        assert numbers(await after.until(1)) == [6]


class TestPositions:
    async def test_the_past_is_told_as_it_was_live(self, lab: InProcess) -> None:
        live, late = listener(lab, "live"), listener(lab, "late")
        await subscribe(lab, RANGE, connection="live")
        await history(lab)
        await subscribe(lab, RANGE, "0", connection="late")
        heard = await late.until(len(live.heard))
        for ours, theirs in zip(heard, live.heard, strict=True):
            assert {**ours, "timestamp": 0} == {**theirs, "timestamp": 0}
        assert len(heard) == 7

    @pytest.mark.parametrize("scope", ["in", "out", "none"])
    async def test_only_what_was_asked_for_is_told(self, lab: InProcess, scope: str) -> None:
        live, late = listener(lab, "live"), listener(lab, "late")
        await subscribe(lab, RANGE, connection="live", scope=scope)
        await history(lab)
        await subscribe(lab, RANGE, 0, connection="late", scope=scope)
        await do(lab, "create", "last", {"n": 5})
        await do(lab, "delete", "last")
        heard = await late.until(len(live.heard))
        assert told(heard) == told(live.heard)

    async def test_one_goes_on_from_where_one_was(self, lab: InProcess) -> None:
        first = listener(lab, "first")
        await subscribe(lab, {}, connection="first")
        for n in range(5):
            await do(lab, "createOrReplace", "a", {"n": n})
        seen = first.heard[2]
        lab.connections.closed("first")
        for start in (seen["seq"], str(seen["seq"]), f"{seen['feed']}:{seen['seq']}"):
            again = listener(lab, f"again {start}")
            await subscribe(lab, {}, start, connection=again.id)
            assert numbers(await again.until(2)) == [3, 4]

    async def test_now_tells_a_position_that_nothing_is_missing_behind(
        self, lab: InProcess
    ) -> None:
        await do(lab, "create", "a", {"n": 0})
        ear = listener(lab)
        joined = await subscribe(lab, {}, "now")
        await do(lab, "update", "a", {"n": 1})
        assert numbers(await ear.until(1)) == [1]
        assert joined["feed"] == lab.storage.feed
        assert ear.heard[0]["seq"] > joined["seq"]
        other = listener(lab, "c2")
        await subscribe(lab, {}, f"{joined['feed']}:{joined['seq']}", connection="c2")
        assert numbers(await other.until(1)) == [1]

    async def test_positions_elsewhere_are_gone(self, lab: InProcess) -> None:
        await do(lab, "create", "a", {"n": 0})
        listener(lab)
        for start in ("other:1", "99", 99, f"{lab.storage.feed}:99"):
            ask = {**PLACE, "from": start}
            error = await lab.refused("trivium.feed.gone", "realtime:subscribe", {}, **ask)
            assert error["status"] == 410
            assert "snapshot" in error["message"]
        for start in ("soon", "-1", "1.5", True, [], "a:b:1", ""):
            ask = {**PLACE, "from": start}
            await lab.refused("api.assert.invalid_argument", "realtime:subscribe", {}, **ask)
        assert await lab.result("realtime:list") == {}

    async def test_a_room_is_joined_from_the_past(self, lab: InProcess) -> None:
        listener(lab, "first")
        joined = await subscribe(lab, RANGE, connection="first")
        await do(lab, "create", "a", {"n": 6})
        ear = listener(lab, "second")
        room = {"roomId": joined["roomId"]}
        ask = {"connection": "second", "from": 0}
        await asyncio.create_task(lab.result("realtime:join", room, **ask))
        assert numbers(await ear.until(1)) == [6]

    async def test_messages_and_people_are_heard_meanwhile(self, lab: InProcess) -> None:
        ear = listener(lab)
        ear.subscribe("none")
        joined = await subscribe(lab, {}, "now", users="all")
        other = listener(lab, "c2")
        await subscribe(lab, {}, connection=other.id)
        await lab.result("realtime:publish", {"n": 1}, connection="c2", **PLACE)
        assert [each["type"] for each in ear.heard] == ["user", "document"]
        assert joined["seq"] == await lab.storage.newest()


class TestSeams:
    """A write at every moment at which one could be lost or doubled."""

    async def test_between_the_last_page_and_the_stream(self, seams: InProcess) -> None:
        await do(seams, "create", "a", {"n": 0})
        ear, left = listener(seams), iter((1, 2))

        async def write() -> None:
            n = next(left, None)
            if n is not None:
                await do(seams, "update", "a", {"n": n})

        seams.storage.after_changes = write
        await subscribe(seams, {}, 0)
        await ear.until(3)
        await do(seams, "update", "a", {"n": 4})
        assert numbers(await ear.until(4)) == [0, 1, 2, 4]

    async def test_written_but_not_acknowledged_when_it_is_read(self, seams: InProcess) -> None:
        ear = listener(seams)
        await do(seams, "create", "a", {"n": 0})
        reads = 0

        async def wait() -> None:
            nonlocal reads
            reads += 1

        seams.storage.after_changes = wait
        writing = asyncio.create_task(do(seams, "update", "a", {"n": 1}))
        await subscribe(seams, {}, 0)
        await writing
        await do(seams, "update", "a", {"n": 2})
        assert numbers(await ear.until(3)) == [0, 1, 2]
        assert reads

    async def test_more_than_is_kept_while_a_page_is_read(
        self, seams: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(holds, "MOST", 3)
        ear, left = listener(seams), iter(range(3))

        async def write() -> None:
            if next(left, None) is not None:
                for _ in range(10):
                    await do(seams, "createOrReplace", "a", {"n": await seams.storage.newest()})

        seams.storage.after_changes = write
        await subscribe(seams, {}, 0)
        heard = await ear.until(30)
        assert [each["result"]["_version"] for each in heard] == list(range(1, 31))

    async def test_over_many_pages_with_a_writer_at_work(
        self, lab: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(past, "PAGE", 7)
        ear, count = listener(lab), 300

        async def write() -> None:
            for n in range(count):
                await do(lab, "createOrReplace", f"d{n % 3}", {"n": n})

        writer = asyncio.create_task(write())
        while await lab.storage.newest() < count // 2:
            await asyncio.sleep(0)
        await subscribe(lab, {}, 0)
        await writer
        assert numbers(await ear.until(count)) == list(range(count))

    async def test_subscribing_again_begins_again_and_doubles_nothing(self, lab: InProcess) -> None:
        ear = listener(lab)
        await do(lab, "create", "a", {"n": 0})
        for start in (0, None, 0):
            await subscribe(lab, {}, start)
        await ear.until(1)
        await do(lab, "update", "a", {"n": 1})
        ear.heard.clear()
        await do(lab, "update", "a", {"n": 2})
        await subscribe(lab, {}, "now")
        await do(lab, "update", "a", {"n": 3})
        heard = numbers(await ear.until(2))
        assert heard[-2:] == [2, 3]
        assert len(heard) == len(set(heard))


class TestSnapshots:
    async def test_documents_first_then_the_stream(self, lab: InProcess) -> None:
        ear = listener(lab)
        for n in range(10):
            await do(lab, "create", f"d{n}", {"n": n})
        joined = await subscribe(lab, RANGE, "snapshot")
        *documents, end = await ear.until(6)
        assert [each["result"]["_id"] for each in documents] == ["d5", "d6", "d7", "d8", "d9"]
        for each in documents:
            assert (each["type"], each["action"], each["scope"]) == ("document", "snapshot", "in")
            assert (each["feed"], each["seq"]) == (joined["feed"], joined["seq"])
            assert each["result"]["_version"] == 1
        assert (end["type"], end["result"], end["seq"]) == ("snapshot", {"count": 5}, joined["seq"])
        await do(lab, "update", "d1", {"n": 5})
        assert told((await ear.until(7))[6:]) == [("update", "in", "d1")]

    async def test_of_nothing(self, lab: InProcess) -> None:
        ear = listener(lab)
        await subscribe(lab, {}, "snapshot", collection="nowhere")
        (end,) = await ear.until(1)
        assert end["result"] == {"count": 0}

    async def test_those_who_hear_of_leaving_alone_get_none(self, lab: InProcess) -> None:
        ear = listener(lab)
        await do(lab, "create", "a", {"n": 6})
        await subscribe(lab, RANGE, "snapshot", scope="out")
        await do(lab, "update", "a", {"n": 1})
        heard = await ear.until(2)
        assert [each["action"] for each in heard] == ["snapshot", "update"]

    @pytest.mark.parametrize("moment", ["before_scan", "after_scan"])
    async def test_what_changes_meanwhile_is_shown_as_it_was_and_then_told(
        self, seams: InProcess, moment: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(snapshots, "PAGE", 2)
        ear = listener(seams)
        for n in range(9):
            await do(seams, "create", f"d{n}", {"n": n})
        acts = iter(
            [
                [("update", "d0", {"n": 100}), ("delete", "d3", None), ("update", "d7", {"n": 7})],
                [("update", "d3x", {"n": 1})],
                [("delete", "d8", None), ("createOrReplace", "d8", {"n": 800})],
                [("update", "d0", {"n": 101}), ("delete", "d1", None), ("delete", "d6", None)],
            ]
        )

        async def act() -> None:
            for verb, key, body in next(acts, []):
                await seams.ask(f"document:{verb}", body, connection="w", _id=key, **PLACE)

        setattr(seams.storage, moment, act)
        await subscribe(seams, {}, "snapshot")
        heard = await ear.until(9 + 1 + 8)
        shown = {each["result"]["_id"]: each["result"]["_source"]["n"] for each in heard[:9]}
        assert shown == {f"d{n}": n for n in range(9)}
        assert [each["result"]["_id"] for each in heard[:9]] == sorted(shown)
        assert heard[9]["type"] == "snapshot"
        assert told(heard[10:]) == [
            ("update", "in", "d0"),
            ("delete", "out", "d3"),
            ("update", "in", "d7"),
            ("delete", "out", "d8"),
            ("create", "in", "d8"),
            ("update", "in", "d0"),
            ("delete", "out", "d1"),
            ("delete", "out", "d6"),
        ]

    async def test_too_much_that_changes_ends_it(
        self, seams: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(snapshots, "MOST_CHANGED", 3)
        ear = listener(seams)
        await do(seams, "create", "a", {"n": 0})

        async def act() -> None:
            seams.storage.after_scan = None
            for n in range(4):
                await do(seams, "create", f"new{n}", {"n": n})

        seams.storage.after_scan = act
        await subscribe(seams, {}, "snapshot")
        (end,) = await ear.until(1)
        assert (end["type"], end["error"]["id"]) == ("error", "api.process.overloaded")
        assert await seams.result("realtime:list") == {}


class TestReaders:
    async def test_who_must_subscribe_to_the_channel_first_misses_nothing(
        self, lab: InProcess
    ) -> None:
        ear = listener(lab)
        ear.subscribe("another")
        await do(lab, "create", "a", {"n": 0})
        joined = await subscribe(lab, {}, 0)
        await do(lab, "update", "a", {"n": 1})
        assert ear.heard == []
        ear.subscribe(joined["channel"])
        assert numbers(await ear.until(2)) == [0, 1]

    async def test_the_answer_comes_first(self, lab: InProcess) -> None:
        ear = listener(lab)
        await do(lab, "create", "a", {"n": 0})
        heard_with_the_answer: list[Any] = []

        async def ask() -> None:
            await lab.result("realtime:subscribe", {}, **{**PLACE, "from": 0})
            for _ in range(20):
                await asyncio.sleep(0)
            heard_with_the_answer.extend(ear.heard)

        await asyncio.create_task(ask())
        assert heard_with_the_answer == []
        assert numbers(await ear.until(1)) == [0]

    async def test_who_reads_slowly_is_waited_for(
        self, lab: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(past, "MOST_UNSENT", 10)
        ear = listener(lab)
        for n in range(3):
            await do(lab, "createOrReplace", "a", {"n": n})
        ear.unread = 11
        await subscribe(lab, {}, 0)
        await do(lab, "createOrReplace", "a", {"n": 3})
        assert ear.heard == []
        ear.unread = 0
        assert numbers(await ear.until(4)) == [0, 1, 2, 3]

    async def test_who_never_reads_is_cut_off(
        self, lab: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(past, "MOST_UNSENT", 100)
        monkeypatch.setattr(past, "PATIENCE_S", 0.1)
        ear = listener(lab)
        ear.unread = -1
        for n in range(50):
            await do(lab, "createOrReplace", "a", {"n": n})
        await subscribe(lab, {}, 0)
        async with asyncio.timeout(60):
            while not ear.expelled:
                await asyncio.sleep(0.01)
        assert "too slowly" in ear.expelled
        assert len(ear.heard) == 1
        assert await lab.result("realtime:list") == {}

    async def test_who_reads_but_never_comes_to_the_end_is_waited_for(
        self, lab: InProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(past, "MOST_UNSENT", 100)
        monkeypatch.setattr(past, "PATIENCE_S", 0.1)
        ear = Busy(lab.connections)
        await do(lab, "createOrReplace", "a", {"n": 0})
        await subscribe(lab, {}, 0)
        async with asyncio.timeout(60):
            while ear.looks < 30 and not ear.expelled:
                await asyncio.sleep(0.01)
        assert (ear.heard, ear.expelled) == ([], "")
        ear.is_idle = True
        assert numbers(await ear.until(1)) == [0]

    async def test_who_leaves_is_told_nothing_more(self, seams: InProcess) -> None:
        ear = listener(seams)
        await do(seams, "create", "a", {"n": 0})
        joined = await subscribe(seams, {}, "now")
        await subscribe(seams, {}, 0)
        await seams.result("realtime:unsubscribe", {"roomId": joined["roomId"]})
        await do(seams, "create", "b", {"n": 0})
        assert ear.heard == []

    async def test_a_store_that_fails_ends_the_subscription_with_the_reason(
        self, seams: InProcess
    ) -> None:
        ear = listener(seams)
        await do(seams, "create", "a", {"n": 0})

        async def fail() -> None:
            raise ZeroDivisionError

        joined = await subscribe(seams, {}, 0)
        seams.storage.after_changes = fail
        (end,) = await ear.until(1)
        assert (end["type"], end["status"], end["room"]) == ("error", 500, joined["channel"])


@pytest.mark.needs("opensearch")
class TestRoutersOnOneStore:
    async def test_all_hear_the_same_by_the_same_numbers(
        self, shared: tuple[InProcess, InProcess]
    ) -> None:
        first, second = shared
        ears = [listener(router, name) for router in shared for name in ("one", "two")]
        await subscribe(first, RANGE, connection="one")
        await subscribe(second, RANGE, "now", connection="one")
        await do(first, "create", "a", {"n": 6})
        await do(second, "update", "a", {"n": 7})
        await do(first, "update", "a", {"n": 1}, volatile={"who": "me"})
        await do(second, "create", "b", {"n": 5})
        await do(first, "delete", "b")
        await do(first, "create", "silent", {"n": 9}, silent=True)
        await do(second, "createOrReplace", "silent", {"n": 1}, silent=True)
        heard = await ears[0].until(5)
        assert told(heard) == [
            ("create", "in", "a"),
            ("update", "in", "a"),
            ("update", "out", "a"),
            ("create", "in", "b"),
            ("delete", "out", "b"),
        ]
        await subscribe(first, RANGE, heard[0]["seq"], connection="two")
        await subscribe(second, RANGE, f"{heard[0]['feed']}:{heard[0]['seq']}", connection="two")
        for ear, since in ((ears[1], 1), (ears[2], 0), (ears[3], 1)):
            others = await ear.until(5 - since)
            for mine, its in zip(heard[since:], others, strict=True):
                assert {**its, "timestamp": 0} == {**mine, "timestamp": 0}

    async def test_a_snapshot_and_a_stream_while_both_write(
        self, shared: tuple[InProcess, InProcess], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(snapshots, "PAGE", 3)
        monkeypatch.setattr(past, "PAGE", 7)
        count = 60

        async def write(router: InProcess, name: str) -> None:
            for n in range(count):
                await do(router, "createOrReplace", f"{name}{n % 5}", {"n": n})

        ear = listener(shared[0])
        writers = [
            asyncio.create_task(write(router, name))
            for router, name in zip(shared, "ab", strict=True)
        ]
        while await shared[1].storage.newest() < count // 2:
            await asyncio.sleep(0.01)
        await subscribe(shared[0], {}, "snapshot")
        await asyncio.gather(*writers)
        last = {f"{name}{n}" for name in "ab" for n in range(5)}
        seen: dict[str, int] = {}
        async with asyncio.timeout(60):
            while set(seen) != last or any(version < count // 5 for version in seen.values()):
                await asyncio.sleep(0.01)
                for each in ear.heard:
                    if each["type"] == "document":
                        key, version = each["result"]["_id"], each["result"]["_version"]
                        assert version == seen.get(key, version - 1) + 1
                        seen[key] = version
                ear.heard.clear()

    async def test_what_was_acknowledged_before_is_not_told(
        self, shared: tuple[InProcess, InProcess]
    ) -> None:
        ear = listener(shared[0])
        for n in range(5):
            await do(shared[n % 2], "createOrReplace", "a", {"n": n})
        await subscribe(shared[0], {})
        await do(shared[1], "createOrReplace", "a", {"n": 5})
        assert numbers(await ear.until(1)) == [5]

    @pytest.mark.parametrize("start", ["snapshot", "now"])
    async def test_a_snapshot_tells_what_a_router_that_died_left_untold(
        self, shared: tuple[InProcess, InProcess], opensearch: OpenSearchServer, start: str
    ) -> None:
        settings = OpenSearchSettings(nodes=opensearch.url)
        dying = OpenSearchStorage(settings, connect=partial(DyingClient, dies_at=1, is_late=False))
        await dying.open()
        await dying.write(Write(verb="create", id="left", content={"n": 1}, **PLACE))
        await dying.close()
        ear = listener(shared[0])
        await subscribe(shared[0], {}, start)
        if start == "now":  # whoever takes a snapshot puts it into the feed, for all
            listener(shared[1])
            await subscribe(shared[1], {}, "snapshot")
        heard = await ear.until(1 + (start == "snapshot"))
        documents = [each for each in heard if each["type"] == "document"]
        assert told(documents) == [("create", "in", "left")]
        assert all(each.get("count", 0) == 0 for each in heard if each["type"] == "snapshot")
