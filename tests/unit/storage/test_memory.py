"""What the in-memory storage can be told to do, so that others can be tested against it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.memory import MemoryStorage
from tests.support.stores import TARGET, a_write, found_at_once, put, refused


@pytest.fixture
async def storage() -> AsyncIterator[MemoryStorage]:
    memory = MemoryStorage()
    await memory.open()
    await memory.create_collection(*TARGET, {"properties": {"size": {"type": "long"}}})
    yield memory
    await memory.close()


class TestConflicts:
    async def test_retries_outlast_as_many_conflicts(self, storage: MemoryStorage) -> None:
        await put(storage, "one", {"a": 1})
        storage.conflict(3)
        written = await storage.write(a_write("update", "one", {"b": 1}, retries=3))
        assert written.version == 2
        assert written.source["a"] == 1

    async def test_one_more_conflict_is_told(self, storage: MemoryStorage) -> None:
        stored = await put(storage, "one", {"a": 1})
        storage.conflict(3)
        with refused("services.storage.version_conflict", *TARGET, "one", 1, stored.source):
            await storage.write(a_write("update", "one", {"b": 1}, retries=2))
        assert (await storage.get(*TARGET, "one")).source == stored.source
        assert len(await storage.changes(0)) == 1

    async def test_the_refusal_is_a_409_that_names_the_document(
        self, storage: MemoryStorage
    ) -> None:
        storage.conflict(1)
        with pytest.raises(Exception, match='In "tenant-a":"assets" the document "one"') as caught:
            await put(storage, "one", {})
        assert getattr(caught.value, "status", None) == 409
        assert getattr(caught.value, "props", None) == [*TARGET, "one", None, None]

    async def test_conflicts_are_used_up(self, storage: MemoryStorage) -> None:
        storage.conflict(2)
        for _ in range(2):
            with refused("services.storage.version_conflict"):
                await put(storage, "one", {})
        assert (await put(storage, "one", {})).version == 1


class TestHiding:
    async def test_searches_see_no_write_until_a_refresh(self, storage: MemoryStorage) -> None:
        await put(storage, "old", {"size": 1})
        storage.hide_until_refresh()
        await put(storage, "new", {"size": 1})
        await storage.write(a_write("update", "old", {"size": 2}))
        assert await found_at_once(storage, {"query": {"term": {"size": 1}}}) == ["old"]
        assert (await storage.get(*TARGET, "old")).source["size"] == 2
        await storage.refresh(*TARGET)
        assert await found_at_once(storage, {"query": {"term": {"size": 1}}}) == ["new"]

    async def test_a_deleted_document_is_found_until_a_refresh(
        self, storage: MemoryStorage
    ) -> None:
        await put(storage, "old", {})
        storage.hide_until_refresh()
        await storage.write(a_write("delete", "old"))
        assert await found_at_once(storage) == ["old"]
        await storage.refresh(*TARGET)
        assert await found_at_once(storage) == []

    async def test_a_write_that_refreshes_shows_itself_and_the_ones_before(
        self, storage: MemoryStorage
    ) -> None:
        storage.hide_until_refresh()
        await put(storage, "a", {})
        answer = storage.write(a_write("create", "b", refresh=True))
        assert await found_at_once(storage) == []  # not answered yet
        await answer
        assert await found_at_once(storage) == ["a", "b"]
        await put(storage, "c", {})
        assert await found_at_once(storage) == ["a", "b"]

    async def test_a_new_collection_hides_its_writes_too(self, storage: MemoryStorage) -> None:
        storage.hide_until_refresh()
        await storage.create_collection("tenant-b", "things")
        place = {"index": "tenant-b", "collection": "things"}
        await put(storage, "one", {}, **place)
        assert await found_at_once(storage, {}, ("tenant-b", "things")) == []
        await storage.refresh("tenant-b", "things")
        assert await found_at_once(storage, {}, ("tenant-b", "things")) == ["one"]


async def test_time_never_goes_back() -> None:
    clock = [1_000]
    storage = MemoryStorage(read_ms=lambda: clock[0])
    await storage.create_collection(*TARGET)
    stamps: list[Any] = []
    for clock[0] in (1_000, 400, 2_000):
        stamps.append((await put(storage, "one", {})).source["_kuzzle_info"])
        assert storage.now_ms() == stamps[-1]["updatedAt"]
    assert [stamp["updatedAt"] for stamp in stamps] == [1_000, 1_000, 2_000]


async def test_a_collection_may_go_before_its_write_is_answered(storage: MemoryStorage) -> None:
    answer = storage.write(a_write("create", "one", refresh=True))
    await storage.delete_collection(*TARGET)
    assert (await answer).version == 1


async def test_a_caller_that_gave_up_is_not_answered(storage: MemoryStorage) -> None:
    answer = storage.write(a_write("create", "one"))
    answer.cancel()
    await asyncio.sleep(0)
    assert (await storage.get(*TARGET, "one")).version == 1


async def test_a_closed_store_has_forgotten_everything(storage: MemoryStorage) -> None:
    await put(storage, "one", {})
    await storage.close()
    assert storage.indexes() == []
    assert await storage.changes(0) == []


async def test_each_store_has_a_feed_of_its_own() -> None:
    assert MemoryStorage().feed != MemoryStorage().feed
