"""Every engine: writes take place in the order they were handed in, and none is lost."""

from __future__ import annotations

import asyncio
from typing import Any

from router.errors import RouterError
from storage.contract import Storage, Written, outcome
from storage.dsl import read_search
from tests.support.stores import TARGET, a_write, found, found_at_once, put, refused


async def test_the_order_is_that_of_the_calls_not_of_the_awaiting(storage: Storage) -> None:
    await put(storage, "one", {})
    handed_in = [storage.write(a_write("update", "one", {"size": n})) for n in range(50)]
    written = [await answer for answer in reversed(handed_in)][::-1]
    assert [each.version for each in written] == list(range(2, 52))
    assert [each.source["size"] for each in written] == list(range(50))
    assert (await storage.get(*TARGET, "one")).source["size"] == 49


async def test_each_write_sees_the_one_before(storage: Storage) -> None:
    answers = [
        storage.write(a_write("create", "one", {"a": 1})),
        storage.write(a_write("create", "one", {"a": 2})),
        storage.write(a_write("update", "one", {"b": 1})),
        storage.write(a_write("delete", "one")),
        storage.write(a_write("update", "one", {"c": 1})),
        storage.write(a_write("upsert", "one", {"d": 1})),
    ]
    outcomes = [await outcome(answer) for answer in answers]
    told = [each.id if isinstance(each, RouterError) else each.version for each in outcomes]
    assert told == [
        1,
        "services.storage.document_already_exists",
        2,
        2,  # a delete answers the document before it
        "services.storage.not_found",
        4,
    ]
    assert set((await storage.get(*TARGET, "one")).source) == {"d", "_kuzzle_info"}


async def test_a_thousand_callers_at_once_lose_nothing(storage: Storage) -> None:
    await put(storage, "one", {"metadata": {}})

    async def write(number: int) -> Written:
        await asyncio.sleep(0)
        change = {"metadata": {f"k{number}": number}, "size": number}
        return await storage.write(a_write("update", "one", change))

    written = await asyncio.gather(*(write(number) for number in range(1_000)))
    assert sorted(each.version for each in written) == list(range(2, 1_002))
    document = await storage.get(*TARGET, "one")
    metadata: Any = document.source["metadata"]
    assert metadata == {f"k{number}": number for number in range(1_000)}
    last = max(written, key=lambda each: each.version)
    assert document.source["size"] == last.source["size"]
    assert await found(storage, {"query": {"term": {"size": last.source["size"]}}}) == ["one"]


async def test_one_bad_write_among_many_fails_alone(storage: Storage) -> None:
    writes = [a_write("create", f"d{n}", {"size": "many" if n % 3 == 0 else n}) for n in range(30)]
    outcomes = await asyncio.gather(*(outcome(storage.write(each)) for each in writes))
    assert [isinstance(each, RouterError) for each in outcomes] == [n % 3 == 0 for n in range(30)]
    assert len(await found(storage)) == 20


async def test_a_caller_that_gives_up_does_not_take_its_write_back(storage: Storage) -> None:
    async def impatient() -> None:
        await storage.write(a_write("create", "one", {"size": 1}))

    task = asyncio.create_task(impatient())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    again = await put(storage, "one", {"size": 2})
    assert again.version == 2
    assert (await put(storage, "two", {})).version == 1


class TestBulk:
    async def test_outcomes_stand_at_their_writes_places(self, storage: Storage) -> None:
        outcomes = await storage.bulk(
            [
                a_write("create", "a", {"size": 1}),
                a_write("create", "a", {"size": 2}),
                a_write("update", "b", {}),
                a_write("update", "a", {"model": "M"}),
                a_write("create", "c", {"size": "many"}),
                a_write("delete", "a"),
            ]
        )
        told = [each.id if isinstance(each, RouterError) else each.version for each in outcomes]
        assert told == [
            1,
            "services.storage.document_already_exists",
            "services.storage.not_found",
            2,
            "services.storage.unexpected_bad_request",
            2,
        ]
        assert await found(storage) == []

    async def test_nothing_in_bulk_is_nothing(self, storage: Storage) -> None:
        assert await storage.bulk([]) == []

    async def test_it_keeps_its_place_among_single_writes(self, storage: Storage) -> None:
        first = storage.write(a_write("create", "a", {"size": 1}))
        outcomes = await storage.bulk([a_write("update", "a", {"size": 2})])
        assert isinstance(outcomes[0], Written)
        assert (await first).version == 1
        assert outcomes[0].version == 2

    async def test_a_large_one_is_written_whole(self, storage: Storage) -> None:
        outcomes = await storage.bulk(
            [a_write("create", f"d{n:04}", {"size": n}) for n in range(2_000)]
        )
        assert all(isinstance(each, Written) for each in outcomes)
        await storage.refresh(*TARGET)
        page = await storage.search([TARGET], read_search({"sort": [{"size": "desc"}], "size": 3}))
        assert page.total == 2_000
        assert [hit.id for hit in page.hits] == ["d1999", "d1998", "d1997"]


class TestRefresh:
    async def test_a_write_that_refreshes_is_found_at_once(self, storage: Storage) -> None:
        await put(storage, "one", {"model": "M"}, refresh=True)
        assert await found_at_once(storage, {"query": {"term": {"model": "M"}}}) == ["one"]
        await storage.write(a_write("update", "one", {"model": "N"}, refresh=True))
        assert await found_at_once(storage, {"query": {"term": {"model": "M"}}}) == []
        await storage.write(a_write("delete", "one", refresh=True))
        assert await found_at_once(storage) == []

    async def test_after_a_refresh_everything_is_found(self, storage: Storage) -> None:
        await put(storage, "one", {"model": "M"})
        await storage.refresh(*TARGET)
        assert await found_at_once(storage, {"query": {"term": {"model": "M"}}}) == ["one"]

    async def test_a_refused_write_that_refreshes_is_answered(self, storage: Storage) -> None:
        with refused("services.storage.not_found"):
            await storage.write(a_write("update", "one", {}, refresh=True))

    async def test_retries_are_harmless_without_conflicts(self, storage: Storage) -> None:
        await put(storage, "one", {})
        written = await storage.write(a_write("update", "one", {}, retries=100))
        assert written.version == 2
