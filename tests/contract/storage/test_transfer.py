"""Copying a store into one of any engine keeps documents, versions, stamps and mappings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest

from storage.contract import Change
from storage.sqlite.store import SqliteStorage
from storage.transfer import NotEmptyError, Transferable, copy, total
from storage.undo import document_before
from tests.contract.storage.conftest import MAPPING, emptied
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, found, new_store, put

ENGINES = ["sqlite", pytest.param("opensearch", marks=[pytest.mark.needs("opensearch")])]
MANY = 23


@pytest.fixture(params=ENGINES)
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transferable]:
    """An empty store of each engine that can take a copy."""
    store = new_store(request.param, tmp_path / "target", emptied(request))
    await store.open()
    yield store  # type: ignore[misc]  # both engines can do more than the contract says
    await store.close()


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    """A store with documents of several versions."""
    store = a_sqlite(tmp_path / "source")
    await store.open()
    await store.create_index("bare")
    await store.create_collection(INDEX, COLLECTION, MAPPING)
    for number in range(MANY):
        await put(store, f"é-{number}", {"size": number, "zero": -0.0, "odd": {"": None}})
    await store.write(a_write("update", "é-7", {"model": "Truck"}))
    await store.write(a_write("delete", "é-8"))
    for verb in ("delete", "create"):
        await store.write(a_write(verb, "é-9", {"size": 9}))
    for _ in range(2):  # the second life of a collection begins anew
        await store.create_collection(INDEX, "gone")
        await put(store, "one", {}, collection="gone")
        await store.delete_collection(INDEX, "gone")
    yield store
    await store.close()


def a_sqlite(folder: Path) -> SqliteStorage:
    """A store that was not opened yet."""
    store = new_store("sqlite", folder)
    assert isinstance(store, SqliteStorage)
    return store


async def test_a_copy_has_versions_stamps_and_mappings(
    source: SqliteStorage, target: Transferable
) -> None:
    await copy(source, target, size=5)
    assert target.indexes() == ["bare", INDEX]
    assert target.mapping(*TARGET) == source.mapping(*TARGET)
    there, here = await source.get(*TARGET, "é-7"), await target.get(*TARGET, "é-7")
    assert (here.version, here.source) == (there.version, there.source)
    assert here.version == 2
    assert await total(target) == await total(source)
    assert (await total(target)).documents == MANY - 1
    assert (await total(target)).graves == 1


async def test_a_copy_has_the_feed_under_an_id_of_its_own(
    source: SqliteStorage, target: Transferable
) -> None:
    await copy(source, target, size=5)
    assert target.feed != source.feed
    rows, copied = await source.changes(0), await target.changes(0)
    assert len(copied) == MANY + 6
    assert [nameless(row) for row in copied] == [nameless(row) for row in rows]
    assert target.now_ms() >= rows[-1].at_ms
    # What is written next comes behind, and leads back to the state before it.
    before = (await target.get(*TARGET, "é-7")).source
    written = await target.write(a_write("update", "é-7", {"model": "Van"}))
    (row,) = await target.changes(copied[-1].seq)
    assert (row.id, row.version) == ("é-7", 3)
    assert document_before(row, written.source) == before


async def test_a_copy_goes_on_from_the_versions_of_deleted_documents(
    source: SqliteStorage, target: Transferable
) -> None:
    await copy(source, target)
    assert (await put(target, "é-8", {})).version == 3
    assert (await target.write(a_write("update", "é-9", {}))).version == 4
    await target.write(a_write("delete", "é-9"))
    assert (await put(target, "é-9", {})).version == 6


def nameless(row: Change) -> Change:
    """A row without what is different in every feed."""
    return msgspec.structs.replace(row, feed="", seq=0)


async def test_a_copy_is_searched_and_written_on(
    source: SqliteStorage, target: Transferable
) -> None:
    await copy(source, target)
    assert await found(target, {"query": {"term": {"model": "Truck"}}}) == ["é-7"]
    written = await target.write(a_write("update", "é-7", {"model": "Van"}))
    assert written.version == 3
    assert await found(target, {"query": {"term": {"model": "Truck"}}}) == []


async def test_a_document_that_stays_behind_leaves_its_content_out_of_the_feed_too(
    source: SqliteStorage, target: Transferable
) -> None:
    hidden = (*TARGET, "é-7")
    secrets = [f"hush{number}" for number in range(35)]  # one row holds the whole document
    for secret in secrets:
        await source.write(a_write("update", "é-7", {"keys": {"k": secret}}))
    await source.write(a_write("replace", "é-7", {"keys": {}}))
    await copy(source, target, size=5, without=hidden)
    rows, copied = await source.changes(0), await target.changes(0)
    assert [told_of(row) for row in copied] == [told_of(row) for row in rows]
    for row, there in zip(copied, rows, strict=True):
        if row.id == "é-7":
            assert (row.changes, row.undo, row.whole) == ({}, None, None)
        else:
            assert nameless(row) == nameless(there)
    assert await total(target, without=hidden) == await total(source, without=hidden)
    assert await total(target) != await total(source)
    assert await target.mget(*TARGET, ["é-7"]) == [None]


def told_of(row: Change) -> tuple[str, int, str, str | None, int]:
    """What a row says beside the contents."""
    return row.id, row.version, row.action, row.author, row.at_ms


async def test_there_and_back_is_the_same(
    source: SqliteStorage, target: Transferable, tmp_path: Path
) -> None:
    await copy(source, target)
    back = a_sqlite(tmp_path / "back")
    await back.open()
    await copy(target, back, size=4)
    assert await total(back) == await total(source)
    assert back.mapping(*TARGET) == source.mapping(*TARGET)
    await back.close()


async def test_a_document_may_stay_behind(source: SqliteStorage, target: Transferable) -> None:
    behind = (*TARGET, "é-7")
    await copy(source, target, size=1, without=behind)
    assert await total(target) == await total(source, without=behind)
    assert (await total(target)).documents == MANY - 2
    assert await target.mget(*TARGET, ["é-7"]) == [None]


async def test_one_version_more_is_another_checksum(
    source: SqliteStorage, target: Transferable
) -> None:
    await copy(source, target)
    await target.write(a_write("update", "é-7", {}))
    assert (await total(target)).documents == MANY - 1
    assert (await total(target)).checksum != (await total(source)).checksum


async def test_a_target_with_indexes_is_refused(
    source: SqliteStorage, target: Transferable
) -> None:
    await target.create_index("other")
    with pytest.raises(NotEmptyError):
        await copy(source, target)
    assert target.indexes() == ["other"]


@pytest.mark.parametrize("stop", [10, MANY - 1, MANY + 10])
async def test_an_interrupted_copy_goes_on(
    source: SqliteStorage, target: Transferable, stop: int
) -> None:
    with pytest.raises(InterruptedError):
        await copy(source, target, size=5, progress=stopping_after(stop))
    done = await total(target)
    assert done.documents == min(stop, MANY - 1)
    assert (done.rows > 0) == (stop >= MANY + 4)
    await copy(source, target, size=5, is_resumed=True)
    assert await total(target) == await total(source)


def stopping_after(limit: int) -> Callable[[int], None]:
    """A progress that ends the copy once so many documents are there."""
    done = 0

    def note(count: int) -> None:
        nonlocal done
        done += count
        if done >= limit:
            raise InterruptedError

    return note
