"""Every engine: indexes and collections come, go, and are listed."""

from __future__ import annotations

import asyncio
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


async def test_a_truncated_collection_is_empty_and_keeps_its_mapping(storage: Storage) -> None:
    await put(storage, "one", {"model": "M", "size": 1}, refresh=True)
    mapping = storage.mapping(*TARGET)
    await storage.truncate(*TARGET)
    assert await found(storage) == []
    assert storage.mapping(*TARGET) == mapping
    with refused("services.storage.not_found"):
        await storage.get(*TARGET, "one")
    again = await storage.write(a_write("create", "one", {"model": "M"}))
    assert again.version == 1
    assert await found(storage, {"query": {"term": {"model": "M"}}}) == ["one"]


async def test_what_was_handed_in_before_a_truncation_is_gone(storage: Storage) -> None:
    before = [put(storage, f"d{n}", {}) for n in range(20)]
    await asyncio.gather(*before, storage.truncate(*TARGET))
    await storage.truncate(*TARGET)
    assert await found(storage) == []


async def test_only_what_is_there_is_truncated(storage: Storage) -> None:
    with refused("services.storage.unknown_collection"):
        await storage.truncate(INDEX, "none")
    with refused("services.storage.unknown_index"):
        await storage.truncate("none", COLLECTION)


async def test_usage_counts_documents_and_bytes(storage: Storage) -> None:
    await storage.create_collection("another", "empty")
    for size in (10, 10_000):
        await put(storage, f"d{size}", {"blob": "eHh4" * size}, refresh=True)
    empty, full = sorted(await storage.usage(), key=lambda each: each.documents)
    assert (empty.index, empty.collection, empty.documents) == ("another", "empty", 0)
    assert (full.index, full.collection, full.documents) == (*TARGET, 2)
    assert full.bytes > empty.bytes


async def test_dynamic_templates_decide_on_new_fields(storage: Storage) -> None:
    strings = {"match_mapping_type": "string", "mapping": {"type": "keyword"}}
    wide = {"path_match": "deep.*", "mapping": {"type": "double"}}
    await storage.create_collection(
        INDEX,
        "learning",
        {"dynamic": "true", "dynamic_templates": [{"s": strings}, {"w": wide}]},
    )
    write = {"collection": "learning", "refresh": True}
    await storage.write(a_write("create", "one", {"word": "Two Words", "deep": {"n": 1}}, **write))
    properties: Any = storage.mapping(INDEX, "learning")["properties"]
    assert properties["word"] == {"type": "keyword"}
    assert properties["deep"]["properties"]["n"] == {"type": "double"}
    query = {"query": {"term": {"word": "Two Words"}}}
    assert await found(storage, query, (INDEX, "learning")) == ["one"]


async def test_a_collection_takes_its_versions_along(storage: Storage) -> None:
    first = await put(storage, "one", {})
    await storage.write(a_write("update", "one", {}))
    await storage.write(a_write("delete", "one"))
    await storage.delete_collection(*TARGET)
    await storage.create_collection(*TARGET)
    again = await put(storage, "one", {})
    assert (first.version, again.version) == (1, 1)
    assert again.incarnation != first.incarnation
