"""Every engine: indexes and collections come, go, and are listed."""

from __future__ import annotations

from typing import Any

import pytest

from storage.contract import Storage, Write
from storage.query import Search
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, found, put, refused


async def test_an_index_is_there_once_created(empty: Storage) -> None:
    assert not empty.has_index("one")
    await empty.create_index("one")
    assert empty.has_index("one")
    assert empty.collections("one") == []


async def test_indexes_are_listed_sorted(empty: Storage) -> None:
    for name in ("b", "c", "a"):
        await empty.create_index(name)
    assert empty.indexes() == ["a", "b", "c"]


async def test_an_index_is_created_once(empty: Storage) -> None:
    await empty.create_index("one")
    with refused("services.storage.index_already_exists", "public", "one"):
        await empty.create_index("one")


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "_all", "a" * 127])
async def test_bad_names_are_refused(empty: Storage, name: str) -> None:
    with refused("services.storage.invalid_index_name", name):
        await empty.create_index(name)
    with refused("services.storage.invalid_index_name", name):
        await empty.create_collection(name, "good")
    with refused("services.storage.invalid_collection_name", name):
        await empty.create_collection("good", name)
    with refused("services.storage.collection_reserved"):
        await empty.create_collection("good", "_kuzzle_keep")
    assert empty.indexes() == []


async def test_a_deleted_index_is_gone_with_its_documents(storage: Storage) -> None:
    await put(storage, "one", {"model": "M"})
    await storage.delete_index(INDEX)
    assert not storage.has_index(INDEX)
    assert not storage.has_collection(*TARGET)
    await storage.create_collection(INDEX, COLLECTION)
    assert await found(storage) == []
    with refused("services.storage.not_found"):
        await storage.get(*TARGET, "one")


async def test_a_collection_brings_its_index_along(empty: Storage) -> None:
    await empty.create_collection("one", "things")
    assert empty.indexes() == ["one"]
    assert empty.has_collection("one", "things")
    assert not empty.has_collection("one", "others")
    assert not empty.has_collection("two", "things")


async def test_collections_are_listed_sorted(empty: Storage) -> None:
    for name in ("b", "c", "a"):
        await empty.create_collection("one", name)
    assert empty.collections("one") == ["a", "b", "c"]


async def test_creating_a_collection_again_updates_it(storage: Storage) -> None:
    await put(storage, "one", {"more": "x"})
    await storage.create_collection(*TARGET, {"properties": {"more": {"type": "keyword"}}})
    mapping: Any = storage.mapping(*TARGET)
    assert mapping["properties"]["more"] == {"type": "keyword"}
    assert mapping["properties"]["size"] == {"type": "integer"}
    assert await found(storage, {"query": {"term": {"more": "x"}}}) == ["one"]


async def test_creating_a_collection_again_without_mapping_keeps_it(storage: Storage) -> None:
    before = storage.mapping(*TARGET)
    await storage.create_collection(*TARGET)
    assert storage.mapping(*TARGET) == before


async def test_a_bad_mapping_creates_nothing(empty: Storage) -> None:
    with refused("services.storage.invalid_mapping"):
        await empty.create_collection("one", "things", {"propertees": {}})
    assert not empty.has_collection("one", "things")


async def test_a_deleted_collection_is_gone_with_its_documents(storage: Storage) -> None:
    await put(storage, "one", {"model": "M"})
    await storage.create_collection(INDEX, "others")
    await storage.delete_collection(*TARGET)
    assert storage.collections(INDEX) == ["others"]
    await storage.create_collection(*TARGET)
    assert await found(storage) == []
    assert (await put(storage, "one", {})).created


async def test_collections_of_one_name_in_two_indexes_are_two(storage: Storage) -> None:
    await storage.create_collection("tenant-b", COLLECTION)
    await put(storage, "one", {})
    assert await storage.mget("tenant-b", COLLECTION, ["one"]) == [None]


@pytest.mark.parametrize(
    ("index", "error"),
    [("nowhere", "services.storage.unknown_index"), (INDEX, "services.storage.unknown_collection")],
)
async def test_every_call_checks_that_its_collection_exists(
    storage: Storage, index: str, error: str
) -> None:
    place = (index, "nowhere")
    with refused(error, *(place if index == INDEX else [index])):
        await storage.get(*place, "one")
    with refused(error):
        await storage.mget(*place, [])
    with refused(error):
        await storage.write(Write(verb="create", index=index, collection="nowhere", id="a"))
    with refused(error):
        await storage.search([TARGET, place], Search())
    with refused(error):
        await storage.count([place], Search())
    with refused(error):
        await storage.refresh(*place)
    with refused(error):
        await storage.update_mapping(*place, {})
    with refused(error):
        await storage.delete_collection(*place)
    with refused(error):
        storage.mapping(*place)


async def test_an_unknown_index_is_told(empty: Storage) -> None:
    with refused("services.storage.unknown_index", "nowhere"):
        await empty.delete_index("nowhere")
    with refused("services.storage.unknown_index", "nowhere"):
        empty.collections("nowhere")


async def test_a_refused_write_to_nowhere_fails_alone(storage: Storage) -> None:
    lost = Write(verb="create", index="nowhere", collection="x", id="a")
    outcomes = await storage.bulk([lost, a_write("create", "b")])
    assert [getattr(each, "id", None) for each in outcomes] == [
        "services.storage.unknown_index",
        "b",
    ]
