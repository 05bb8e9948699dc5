"""Every engine: mappings decide what may be written and what can be found."""

from __future__ import annotations

from typing import Any

import pytest

from storage.contract import Storage
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, found, put, refused

STAMP = {
    "properties": {
        "author": {"type": "keyword"},
        "createdAt": {"type": "date"},
        "updater": {"type": "keyword"},
        "updatedAt": {"type": "date"},
    }
}


async def test_a_bare_collection_maps_the_stamp_only(empty: Storage) -> None:
    await empty.create_collection(*TARGET)
    assert empty.mapping(*TARGET) == {
        "dynamic": "false",
        "_meta": {},
        "properties": {"_kuzzle_info": STAMP},
    }
    await put(empty, "one", {"anything": {"goes": [1, "x"]}})
    assert await found(empty, {"query": {"exists": {"field": "anything"}}}) == []


async def test_a_mapping_is_told_as_it_was_declared(empty: Storage) -> None:
    properties: Any = {
        "model": {"type": "keyword", "ignore_above": 9, "fields": {"text": {"type": "text"}}},
        "metadata": {"dynamic": "true", "properties": {"at": {"type": "date"}}},
        "parts": {"type": "nested", "properties": {}},
    }
    declared: Any = {"dynamic": "strict", "_meta": {"a": 1}, "properties": properties}
    await empty.create_collection(*TARGET, declared)
    told = empty.mapping(*TARGET)
    parts = {"type": "nested"}
    expected = {**properties, "parts": parts, "_kuzzle_info": STAMP}
    assert told == {**declared, "properties": expected}


async def test_the_stamps_mapping_is_not_the_clients(empty: Storage) -> None:
    forged = {"properties": {"_kuzzle_info": {"properties": {"author": {"type": "long"}}}}}
    await empty.create_collection(*TARGET, forged)
    await empty.update_mapping(*TARGET, forged)
    told: Any = empty.mapping(*TARGET)
    assert told["properties"] == {"_kuzzle_info": STAMP}


async def test_a_later_mapping_adds_to_it(storage: Storage) -> None:
    later = {"dynamic": "strict", "_meta": {"b": 2}, "properties": {"more": {"type": "long"}}}
    await storage.update_mapping(*TARGET, later)
    told: Any = storage.mapping(*TARGET)
    assert (told["dynamic"], told["_meta"]) == ("strict", {"b": 2})
    assert told["properties"]["more"] == {"type": "long"}
    assert told["properties"]["size"] == {"type": "integer"}


async def test_a_field_keeps_its_type(storage: Storage) -> None:
    before = storage.mapping(*TARGET)
    later = {"properties": {"more": {"type": "long"}, "size": {"type": "keyword"}}}
    with refused("services.storage.cannot_change_mapping", "size"):
        await storage.update_mapping(*TARGET, later)
    assert storage.mapping(*TARGET) == before


async def test_stored_documents_are_found_by_new_fields(storage: Storage) -> None:
    await put(storage, "one", {"new": 7, "metadata": {"zone": "A"}, "model": "Truck"})
    await put(storage, "two", {"new": "not a number"})
    await put(storage, "three", {})
    later = {
        "properties": {
            "new": {"type": "long"},
            "metadata": {"properties": {"zone": {"type": "keyword"}}},
            "model": {"type": "keyword", "fields": {"low": {"type": "keyword"}}},
        }
    }
    await storage.update_mapping(*TARGET, later)
    assert await found(storage, {"query": {"range": {"new": {"gte": 7}}}}) == ["one"]
    assert await found(storage, {"query": {"term": {"metadata.zone": "A"}}}) == ["one"]
    assert await found(storage, {"query": {"term": {"model.low": "Truck"}}}) == ["one"]
    # What was stored before its field was mapped and doesn't fit stays, unindexed.
    assert await found(storage, {"query": {"exists": {"field": "new"}}}) == ["one"]
    # Whether an update that leaves it alone is taken is the engine's affair.
    with refused("services.storage.unexpected_bad_request"):
        await storage.write(a_write("update", "two", {"new": "nor this"}))
    await storage.write(a_write("update", "two", {"new": 8}))
    await storage.refresh(*TARGET)
    assert await found(storage, {"query": {"range": {"new": {"gte": 8}}}}) == ["two"]


async def test_strict_refuses_fields_that_are_not_mapped(storage: Storage) -> None:
    await storage.update_mapping(*TARGET, {"dynamic": "strict"})
    with refused("services.storage.strict_mapping_rejection", "unknown", INDEX, COLLECTION):
        await put(storage, "one", {"unknown": 1})
    with refused("services.storage.strict_mapping_rejection", "deep", INDEX, COLLECTION):
        await put(storage, "one", {"metadata": {"deep": None}})
    await put(storage, "one", {"size": 1, "metadata": {"city": "Paris"}})
    with refused("services.storage.strict_mapping_rejection", "unknown", INDEX, COLLECTION):
        await storage.write(a_write("update", "one", {"unknown": 1}))


async def test_a_null_that_an_update_adds_is_read_as_one_that_was_written(storage: Storage) -> None:
    strict = {"dynamic": "strict", "properties": {"known": {"type": "keyword"}}}
    missing = {"type": "keyword", "null_value": "none"}
    await storage.update_mapping(*TARGET, {"properties": {"shut": strict, "missing": missing}})
    await put(storage, "a", {"other": 1, "shut": {"known": "x"}})
    with refused("services.storage.strict_mapping_rejection", "unknown", INDEX, COLLECTION):
        await storage.write(a_write("update", "a", {"shut": {"unknown": None}}))
    await storage.write(a_write("update", "a", {"missing": None}))
    for query in ({"term": {"missing": "none"}}, {"exists": {"field": "missing"}}):
        assert await found(storage, {"query": query}) == ["a"]


async def test_dynamic_maps_what_it_meets(storage: Storage) -> None:
    await storage.update_mapping(*TARGET, {"dynamic": "true"})
    content = {
        "label": "Hello",
        "day": "2026-01-31",
        "whole": 1,
        "part": 1.5,
        "on": True,
        "box": {"in": {"side": ["x", "y"]}},
        "nothing": None,
        "none": [],
    }
    await put(storage, "one", content)
    told: Any = storage.mapping(*TARGET)
    text = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    learnt = {name: told["properties"].get(name) for name in content}
    assert learnt == {
        "label": text,
        "day": {"type": "date"},
        "whole": {"type": "long"},
        "part": {"type": "float"},
        "on": {"type": "boolean"},
        "box": {"properties": {"in": {"properties": {"side": text}}}},
        "nothing": None,
        "none": None,
    }
    assert await found(storage, {"query": {"term": {"label.keyword": "Hello"}}}) == ["one"]
    assert await found(storage, {"query": {"term": {"box.in.side.keyword": "y"}}}) == ["one"]
    assert await found(storage, {"query": {"range": {"day": {"lt": "2026-02-01"}}}}) == ["one"]


async def test_the_first_value_decides(storage: Storage) -> None:
    await storage.update_mapping(*TARGET, {"dynamic": "true"})
    answers = [
        storage.write(a_write("create", "one", {"fresh": 1})),
        storage.write(a_write("create", "two", {"fresh": 2})),
        storage.write(a_write("create", "three", {"fresh": "three"})),
    ]
    await answers[0]
    await answers[1]
    with refused("services.storage.unexpected_bad_request"):
        await answers[2]
    assert await found(storage, {"query": {"exists": {"field": "fresh"}}}) == ["one", "two"]


async def test_objects_have_their_own_dynamic(empty: Storage) -> None:
    properties = {
        "open": {"dynamic": "true", "properties": {}},
        "shut": {"dynamic": "strict", "properties": {"in": {"properties": {}}}},
    }
    await empty.create_collection(*TARGET, {"dynamic": "false", "properties": properties})
    await put(empty, "one", {"open": {"a": 1}, "other": 1})
    told: Any = empty.mapping(*TARGET)
    assert told["properties"]["open"]["properties"] == {"a": {"type": "long"}}
    assert "other" not in told["properties"]
    with refused("services.storage.strict_mapping_rejection"):
        await put(empty, "two", {"shut": {"in": {"a": 1}}})


@pytest.mark.parametrize(
    "content",
    [
        {"size": "many"},
        {"size": 2**31},
        {"size": True},
        {"size": {}},
        {"size": [1, "x"]},
        {"live": "yes"},
        {"live": 1},
        {"seen": "yesterday"},
        {"seen": True},
        {"model": {"a": 1}},
        {"model": "x" * 32_767},
        {"metadata": "text"},
        {"metadata": [1]},
        {"place": {"lat": 91, "lon": 0}},
        {"place": "nowhere!"},
        {"place": True},
        {"address": "300.1.1.1"},
        {"blob": "no base64!"},
        {"parts": {"name": {}}},
    ],
)
async def test_a_value_against_its_type_is_refused(storage: Storage, content: Any) -> None:
    with refused("services.storage.unexpected_bad_request"):
        await put(storage, "one", content)
    assert await storage.mget(*TARGET, ["one"]) == [None]


@pytest.mark.parametrize(
    "content",
    [
        {"size": "12", "live": "false", "model": 12, "ratio": "1e3"},
        {"size": None, "live": None, "seen": None, "metadata": None, "place": None},
        {"size": [1, [2, None]], "live": "", "tags": ["a", None]},
        {"seen": [1_700_000_000_000, "2026-01-31T10:00:00.123Z", "2026"]},
        {"place": [2.55, 49.01]},
        {"place": ["49.01,2.55", {"lat": "49", "lon": 2}, [2, 49], "u09tvw"]},
        {"metadata": [{"city": "a"}, None, {"city": ["b"]}], "parts": [{"name": "x"}]},
        {"metadata.city": "Paris", "blob": "aGVsbG8=", "address": ["10.0.0.1", "::1"]},
    ],
)
async def test_a_value_that_fits_is_stored_as_it_came(storage: Storage, content: Any) -> None:
    written = await put(storage, "one", content)
    assert {**written.source, **content} == written.source


async def test_mappings_outlive_their_documents(storage: Storage) -> None:
    await storage.update_mapping(*TARGET, {"dynamic": "true"})
    await put(storage, "one", {"fresh": 1})
    await storage.write(a_write("delete", "one"))
    told: Any = storage.mapping(*TARGET)
    assert told["properties"]["fresh"] == {"type": "long"}
