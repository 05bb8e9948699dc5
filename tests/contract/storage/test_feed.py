"""Every engine: the changes feed tells every write once, in order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any, get_args

import pytest

from router.envelope import JsonObject
from storage.contract import Author, Storage, Verb, outcome
from storage.undo import WHOLE_EVERY, document_after, document_before
from tests.support.stores import TARGET, a_write, put


async def test_a_row_tells_who_wrote_what_and_when(storage: Storage) -> None:
    earliest = storage.now_ms()
    written = await put(storage, "one", {"size": 1})
    (row,) = await storage.changes(0)
    assert (row.index, row.collection, row.id, row.version) == (*TARGET, "one", 1)
    assert (row.author, row.request_id, row.wire) == ("ada", "r1", "mqtt")
    assert row.action == "create_or_replace"
    assert row.feed == storage.feed
    assert row.changes == written.source
    assert earliest <= row.at_ms <= storage.now_ms()


async def test_the_router_itself_is_no_author(storage: Storage) -> None:
    await put(storage, "one", {}, author=Author())
    (row,) = await storage.changes(0)
    assert (row.author, row.request_id, row.wire) == (None, "", "internal")


async def test_an_update_tells_what_was_merged(storage: Storage) -> None:
    await put(storage, "one", {"a": {"x": 1}, "b": 1})
    forged: Any = {"a": {"y": 2}, "_kuzzle_info": {"author": "root"}}
    written = await storage.write(a_write("update", "one", forged))
    row = (await storage.changes(0))[1]
    assert row.changes == {"a": {"y": 2}, "_kuzzle_info": written.source["_kuzzle_info"]}


@pytest.mark.parametrize("exists", [True, False])
async def test_an_upsert_tells_the_changes_or_the_whole(storage: Storage, exists: bool) -> None:
    if exists:
        await put(storage, "one", {"kept": 1})
    written = await storage.write(a_write("upsert", "one", {"a": 1}, default={"b": 1}))
    row = (await storage.changes(0))[-1]
    info = written.source["_kuzzle_info"]
    assert row.changes == ({"a": 1} if exists else {"a": 1, "b": 1}) | {"_kuzzle_info": info}


async def test_a_delete_tells_no_content_and_takes_a_version(storage: Storage) -> None:
    await put(storage, "one", {})
    await storage.write(a_write("delete", "one"))
    await put(storage, "one", {})
    rows = await storage.changes(0)
    assert [(row.action, row.version) for row in rows] == [
        ("create_or_replace", 1),
        ("delete", 2),
        ("create_or_replace", 3),
    ]
    assert rows[1].changes is None


async def test_every_verb_is_told_by_its_name(storage: Storage) -> None:
    verbs: list[Verb] = list(get_args(Verb))
    verbs.remove("delete_fields")
    verbs.insert(1, "delete_fields")  # while there is a document
    for verb in verbs:
        await storage.write(a_write(verb, "one", {}))
    assert [row.action for row in await storage.changes(0)] == verbs


async def test_refused_writes_leave_no_row(storage: Storage) -> None:
    await outcome(storage.write(a_write("update", "none", {})))
    await outcome(storage.write(a_write("create", "one", {"size": "x"})))
    assert await storage.changes(0) == []


async def test_rows_come_in_order_from_anywhere(storage: Storage) -> None:
    for number in range(10):
        await put(storage, f"d{number}", {})
    rows = await storage.changes(0)
    assert [row.id for row in rows] == [f"d{number}" for number in range(10)]
    numbers = [row.seq for row in rows]
    assert numbers == sorted(set(numbers))
    assert await storage.changes(numbers[3]) == rows[4:]
    assert await storage.changes(numbers[3], limit=2) == rows[4:6]
    assert await storage.changes(numbers[-1]) == []


async def test_the_rows_of_a_document_are_in_the_order_of_its_versions(storage: Storage) -> None:
    for name in ("a", "b"):
        await put(storage, name, {})
    writes = [a_write("update", "ab"[n % 2], {"size": n}) for n in range(100)]
    await asyncio.gather(*(storage.write(each) for each in writes))
    rows = await storage.changes(0)
    for name in ("a", "b"):
        assert [row.version for row in rows if row.id == name] == list(range(1, 52))


async def test_collections_share_the_feed(storage: Storage) -> None:
    await storage.create_collection("tenant-b", "devices")
    await put(storage, "one", {})
    await put(storage, "one", {}, index="tenant-b", collection="devices")
    rows = await storage.changes(0)
    assert [(row.index, row.collection) for row in rows] == [TARGET, ("tenant-b", "devices")]


async def test_the_rows_lead_from_each_state_to_the_next_and_back(storage: Storage) -> None:
    verbs: list[Verb] = ["create", *(["update"] * 40), "replace", "delete", "upsert", "upsert"]
    states: list[JsonObject | None] = [None]
    for number, verb in enumerate(verbs):
        changes = {"n": number, "deep": {f"k{number % 7}": [number]}, "odd": {"": -0.0}}
        written = await storage.write(a_write(verb, "one", changes))
        states.append(None if verb == "delete" else written.source)
    rows = await storage.changes(0)
    assert len(rows) == len(verbs)
    for row, (before, after) in zip(rows, pairwise(states), strict=True):
        assert document_before(row, after) == before
        assert document_after(row, before) == after
        is_update = row.action == "update" or row.version == len(verbs)
        assert row.whole == (after if is_update and row.version % WHOLE_EVERY == 0 else None)


async def test_updates_that_were_written_together_have_a_row_each(storage: Storage) -> None:
    await put(storage, "one", {"n": 0})
    writes = [a_write("update", "one", {"n": n, f"k{n}": n}) for n in range(1, 41)]
    written = await asyncio.gather(*(storage.write(each) for each in writes))
    after: JsonObject | None = written[-1].source
    for row in reversed(await storage.changes(0)):
        if row.whole is not None:
            assert row.whole == after
        after = document_before(row, after)
    assert after is None


async def test_where_it_is_now_tells_what_comes_later(storage: Storage) -> None:
    at_first = await storage.newest()
    await put(storage, "one", {})
    since = await storage.newest()
    assert [row.id for row in await storage.changes(at_first)] == ["one"]
    assert await storage.changes(since) == []
    await storage.write(a_write("delete", "one"))
    await put(storage, "two", {})
    assert [row.id for row in await storage.changes(since)] == ["one", "two"]
    assert await storage.newest() > since
