"""The changes feed: numbers, pruning by age and size, positions that are gone, the clock."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import orjson
import pytest

from router.errors import RouterError
from router.settings import StorageSettings
from storage.clock import Clock
from storage.contract import Change
from storage.sqlite.connection import FILE_NAME
from storage.sqlite.feed import PRUNE_ROWS
from storage.sqlite.store import SqliteStorage
from storage.undo import WHOLE_EVERY, undone
from tests.support.stores import COLLECTION, INDEX, a_write, put, refused

DAY_MS = 86_400_000


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


async def opened(folder: Path, watch: Watch, **settings: object) -> SqliteStorage:
    storage = SqliteStorage(
        StorageSettings.model_validate({"data": folder, **settings}), read_ms=watch
    )
    await storage.open()
    if not storage.has_index(INDEX):
        await storage.create_collection(INDEX, COLLECTION)
    return storage


async def rows_of(storage: SqliteStorage) -> list[Change]:
    """Every row that is still there, found the way a client that was told `gone` would."""
    for _ in range(100):
        connection = apsw.Connection(str(storage._settings.data / FILE_NAME), flags=1)
        oldest = connection.execute("SELECT coalesce(min(seq), 1) FROM changes").get
        connection.close()
        try:
            return await storage.changes(oldest - 1, limit=1_000_000)
        except RouterError as error:
            if error.id != "trivium.feed.gone":
                raise
            # The writer, being idle, has just pruned the oldest ones.
            await asyncio.sleep(0.01)
    raise AssertionError("rows go on going")


async def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    watch = Watch()
    storage = await opened(tmp_path, watch)
    await put(storage, "a", {})
    feed = storage.feed
    await storage.close()
    storage = await opened(tmp_path, watch)
    await put(storage, "a", {})
    assert [row.seq for row in await storage.changes(0)] == [1, 2]
    assert storage.feed == feed
    await storage.close()


async def test_rows_of_a_removed_collection_keep_their_names(tmp_path: Path) -> None:
    storage = await opened(tmp_path, Watch())
    await put(storage, "a", {"n": 1})
    await storage.delete_index(INDEX)
    await storage.create_collection(INDEX, COLLECTION)
    await put(storage, "a", {"n": 2})
    rows = await storage.changes(0)
    assert [(row.index, row.collection, row.version) for row in rows] == [
        (INDEX, COLLECTION, 1),
        (INDEX, COLLECTION, 1),
    ]
    await storage.close()


async def test_a_position_ahead_of_the_feed_is_gone(tmp_path: Path) -> None:
    storage = await opened(tmp_path, Watch())
    assert await storage.changes(0) == []
    with refused("trivium.feed.gone", 1):
        await storage.changes(1)
    await storage.close()


class TestPruning:
    async def test_rows_go_when_they_are_too_old(self, tmp_path: Path) -> None:
        watch = Watch()
        storage = await opened(tmp_path, watch, feed_days=2)
        await put(storage, "a", {})
        watch.now_ms += DAY_MS
        await put(storage, "b", {})
        assert len(await storage.changes(0)) == 2
        watch.now_ms += DAY_MS + 1
        await put(storage, "c", {})
        assert [row.id for row in await rows_of(storage)] == ["b", "c"]
        with refused("trivium.feed.gone", 0):
            await storage.changes(0)
        assert [row.id for row in await storage.changes(1)] == ["b", "c"]
        await storage.close()

    async def test_rows_go_when_they_are_too_many(self, tmp_path: Path) -> None:
        storage = await opened(tmp_path, Watch(), feed_mb=1)
        fill = "x" * 20_000
        for number in range(150):
            await put(storage, f"a{number}", {"fill": fill})
        rows = await rows_of(storage)
        assert 40 <= len(rows) <= 60
        assert rows[-1].id == "a149"
        await storage.close()

    async def test_the_newest_row_stays_so_that_numbers_never_come_back(
        self, tmp_path: Path
    ) -> None:
        watch = Watch()
        storage = await opened(tmp_path, watch, feed_days=1)
        await put(storage, "a", {})
        watch.now_ms += 30 * DAY_MS
        await storage.close()
        storage = await opened(tmp_path, watch, feed_days=1)
        await put(storage, "b", {})
        watch.now_ms += 30 * DAY_MS
        await put(storage, "c", {})
        assert [row.seq for row in await rows_of(storage)][-1] == 3
        await storage.close()

    async def test_many_old_rows_go_in_steps(self, tmp_path: Path) -> None:
        watch = Watch()
        storage = await opened(tmp_path, watch, feed_days=1)
        count = PRUNE_ROWS * 2 + 10
        await storage.bulk([a_write("create", f"a{number}") for number in range(count)])
        watch.now_ms += 2 * DAY_MS
        await put(storage, "new", {})
        await storage.close()
        storage = await opened(tmp_path, watch, feed_days=1)
        await put(storage, "newer", {})
        await storage.close()
        storage = await opened(tmp_path, watch)
        assert [row.id for row in await rows_of(storage)] == ["new", "newer"]
        await storage.close()


class TestRebuilding:
    async def test_each_row_takes_a_document_back_to_the_one_before(self, tmp_path: Path) -> None:
        storage = await opened(tmp_path, Watch())
        states = [(await put(storage, "a", {"n": 0, "deep": {"kept": 1}})).source]
        for number in range(1, WHOLE_EVERY + 3):
            update = a_write("update", "a", {"n": number, "deep": {f"k{number}": [number]}})
            states.append((await storage.write(update)).source)
        await storage.close()

        connection = apsw.Connection(str(tmp_path / FILE_NAME))
        rows = connection.execute(
            "SELECT seq, version, undo, whole, previous FROM changes ORDER BY seq DESC"
        ).fetchall()
        connection.close()
        document = states[-1]
        for seq, version, undo, whole, previous in rows[:-1]:
            assert previous == seq - 1
            assert (whole is not None) == (version % WHOLE_EVERY == 0)
            if whole is not None:
                assert orjson.loads(whole) == states[version - 1]
            document = undone(document, orjson.loads(undo))
            assert document == states[version - 2]


class TestTheClock:
    def test_never_goes_back(self) -> None:
        watch = Watch()
        clock = Clock(watch)
        first = clock.stamp_ms()
        watch.now_ms -= 5_000
        assert clock.now_ms() == clock.stamp_ms() == first
        watch.now_ms += 6_000
        assert clock.stamp_ms() == first + 1_000

    @pytest.mark.parametrize("step_ms", [-3_600_000, 3_600_000])
    async def test_goes_on_from_the_newest_write_after_a_restart(
        self, tmp_path: Path, step_ms: int
    ) -> None:
        watch = Watch()
        storage = await opened(tmp_path, watch)
        await put(storage, "a", {})
        newest = (await storage.changes(0))[-1].at_ms
        await storage.close()
        watch.now_ms += step_ms
        storage = await opened(tmp_path, watch)
        assert storage.now_ms() == max(newest, watch.now_ms)
        await storage.close()
