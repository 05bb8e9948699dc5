"""The writer: order, bulks, bounds, given-up futures, bad writes among good ones, stopping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from router.errors import RouterError
from router.settings import StorageSettings
from storage.contract import Written, outcome
from storage.query import Search
from storage.sqlite.store import SqliteStorage
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, put

WAITING = 40


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    settings = StorageSettings(data=tmp_path, batch=8, writes_waiting=WAITING)
    storage = SqliteStorage(settings)
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION)
    yield storage
    await storage.close()


async def test_a_batch_that_holds_every_kind_of_write(storage: SqliteStorage) -> None:
    await put(storage, "old", {"n": 0})
    writes = [
        a_write("create", "new", {"n": 1}),
        a_write("create", "new", {"n": 2}),
        a_write("update", "old", {"m": 1}),
        a_write("delete", "old"),
        a_write("create", "old", {"n": 3}),
        a_write("create", "brief", {}),
        a_write("delete", "brief"),
        a_write("delete", "brief"),
    ]
    outcomes = await storage.bulk(writes)
    told = [each.version if isinstance(each, Written) else each.id for each in outcomes]
    exists, missing = "services.storage.document_already_exists", "services.storage.not_found"
    assert told == [1, exists, 2, 2, 4, 1, 1, missing]
    assert (await storage.get(INDEX, COLLECTION, "old")).version == 4
    assert await storage.mget(INDEX, COLLECTION, ["brief"]) == [None]
    assert (await put(storage, "brief", {})).version == 3


async def test_a_write_that_no_check_foresaw_fails_alone(storage: SqliteStorage) -> None:
    nonsense = a_write("create", cast("str", 7))
    first, broken, last = await storage.bulk(
        [a_write("create", "a"), nonsense, a_write("create", "b")]
    )
    assert isinstance(broken, RouterError)
    assert broken.id == "services.storage.unexpected_error"
    assert isinstance(first, Written)
    assert isinstance(last, Written)
    assert (await put(storage, "a", {})).version == 2


async def test_writes_and_changes_of_the_catalog_keep_their_order(storage: SqliteStorage) -> None:
    before = storage.write(a_write("create", "a", index="later"))
    made = asyncio.ensure_future(storage.create_collection("later", COLLECTION))
    await asyncio.sleep(0)
    after = storage.write(a_write("create", "a", index="later"))
    assert (await outcome(before)).id == "services.storage.unknown_index"
    await made
    assert (await after).version == 1


async def test_a_full_queue_refuses_at_once(storage: SqliteStorage) -> None:
    too_many = [a_write("create", f"a{n}") for n in range(WAITING + 1)]
    with pytest.raises(RouterError) as caught:
        await storage.bulk(too_many)
    assert caught.value.id == "api.process.overloaded"
    answers = [storage.write(write) for write in too_many * 3]
    outcomes = [await outcome(answer) for answer in answers]
    refused = [each for each in outcomes if isinstance(each, RouterError)]
    assert "api.process.overloaded" in {each.id for each in refused}
    assert await storage.count([TARGET], Search()) <= len(too_many)


async def test_an_owner_who_gives_up_disturbs_nobody(storage: SqliteStorage) -> None:
    given_up = storage.write(a_write("create", "a"))
    made = asyncio.ensure_future(storage.create_index("other"))
    await asyncio.sleep(0)
    bulk = asyncio.ensure_future(storage.bulk([a_write("create", "b")]))
    await asyncio.sleep(0)
    given_up.cancel()
    made.cancel()
    bulk.cancel()
    assert (await put(storage, "c", {})).version == 1
    assert storage.has_index("other")
    assert (await storage.get(INDEX, COLLECTION, "a")).version == 1


async def test_an_empty_bulk_has_no_outcomes(storage: SqliteStorage) -> None:
    assert await storage.bulk([]) == []


async def test_closing_finishes_what_was_handed_in(storage: SqliteStorage, tmp_path: Path) -> None:
    answers = [storage.write(a_write("create", f"a{n}")) for n in range(WAITING)]
    await storage.close()
    assert [(await answer).version for answer in answers] == [1] * WAITING
    again = SqliteStorage(StorageSettings(data=tmp_path))
    await again.open()
    assert len(await again.changes(0)) == WAITING
    await again.close()


async def test_what_is_handed_in_while_closing_is_refused(storage: SqliteStorage) -> None:
    closing = asyncio.ensure_future(storage.close())
    await asyncio.sleep(0)
    refused = await outcome(storage.write(a_write("create", "late")))
    await closing
    assert isinstance(refused, RouterError)
    assert refused.id == "api.process.shutting_down"


async def test_a_document_that_left_the_cache_is_read_again(tmp_path: Path) -> None:
    storage = SqliteStorage(StorageSettings(data=tmp_path / "small", document_cache_mb=1))
    await storage.open()
    await storage.create_collection(INDEX, COLLECTION)
    fill = "x" * 100_000
    for name in range(15):
        await put(storage, str(name), {"fill": fill})
    written = await storage.write(a_write("update", "0", {"n": 1}))
    assert written.version == 2
    assert written.previous is not None
    assert written.previous["fill"] == fill
    assert (await storage.get(INDEX, COLLECTION, "1")).source["fill"] == fill
    await storage.close()
