"""A database that Kuzzle made is served, and left as others can read it."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.opensearch import OpenSearchServer
from tests.support.stores import a_write, found, put

pytestmark = pytest.mark.needs("opensearch")

PLACE = ("tenant", "things")
PHYSICAL = quote("&tenant.things", safe="")
STAMP = {"author": "-1", "createdAt": 1_700_000_000_000, "updatedAt": None, "updater": None}
PROPERTIES: dict[str, Any] = {
    "size": {"type": "integer"},
    "odd": {"type": "flat_object"},
    "deep": {"properties": {"odd": {"type": "flat_object"}, "key": {"type": "keyword"}}},
    "_kuzzle_info": {
        "properties": {
            "author": {"type": "keyword"},
            "createdAt": {"type": "date"},
            "updater": {"type": "keyword"},
            "updatedAt": {"type": "date"},
        }
    },
}


@pytest.fixture
async def kuzzle(open_store: Any, opensearch: OpenSearchServer) -> Any:
    """Makes a database as Kuzzle does, then opens it; the server before, the store after."""
    mappings = {"dynamic": "false", "properties": PROPERTIES}
    opensearch.ask("PUT", f"/{PHYSICAL}", {"mappings": mappings})
    keeper = {"aliases": {"@&bare._kuzzle_keep": {}}}
    opensearch.ask("PUT", f"/{quote('&bare._kuzzle_keep')}", keeper)
    for name, size in (("b", 1), ("a", 1), ("b", 2), ("b", 3)):
        body = {"size": size, "_kuzzle_info": STAMP}
        opensearch.ask("PUT", f"/{PHYSICAL}/_doc/{name}?refresh=true", body)
    return await open_store()


async def test_its_indexes_and_collections_are_there(kuzzle: Any) -> None:
    assert kuzzle.indexes() == ["bare", "tenant"]
    assert kuzzle.collections("bare") == []
    assert kuzzle.collections("tenant") == ["things"]


async def test_a_missing_alias_is_added(kuzzle: Any, opensearch: OpenSearchServer) -> None:
    told: Any = opensearch.ask("GET", f"/{PHYSICAL}/_alias")
    assert list(told["&tenant.things"]["aliases"]) == ["@&tenant.things"]


async def test_fields_of_types_that_are_not_known_are_not_mapped(kuzzle: Any) -> None:
    told: Any = kuzzle.mapping(*PLACE)
    assert told["properties"]["size"] == {"type": "integer"}
    assert told["properties"]["deep"] == {"properties": {"key": {"type": "keyword"}}}
    assert "odd" not in told["properties"]
    assert "_trivium" not in told["properties"]


async def test_versions_are_those_of_the_engine_and_go_on(kuzzle: Any) -> None:
    assert (await kuzzle.get(*PLACE, "b")).version == 3
    change = a_write("update", "b", {"size": 4}, index="tenant", collection="things")
    written = await kuzzle.write(change)
    assert written.version == 4
    assert written.source["_kuzzle_info"]["author"] == "-1"
    assert (await kuzzle.get(*PLACE, "b")).version == 4
    assert (await kuzzle.get(*PLACE, "a")).version == 1


async def test_versions_outlast_indexing_anew(kuzzle: Any) -> None:
    await kuzzle.update_mapping(*PLACE, {"properties": {"label": {"type": "keyword"}}})
    assert (await kuzzle.get(*PLACE, "b")).version == 3
    assert (await kuzzle.get(*PLACE, "a")).version == 1


async def test_it_is_searched_in_order(kuzzle: Any) -> None:
    await put(kuzzle, "c", {"size": 3}, index="tenant", collection="things")
    assert await found(kuzzle, {}, PLACE) == ["a", "b", "c"]
    assert await found(kuzzle, {"sort": {"_id": "desc"}}, PLACE) == ["c", "b", "a"]
    body = {"query": {"range": {"size": {"gte": 3}}}}
    assert await found(kuzzle, body, PLACE) == ["b", "c"]


async def test_the_alias_says_which_collection_an_index_is(
    open_store: Any, opensearch: OpenSearchServer
) -> None:
    # As Kuzzle names a collection whose own name is taken.
    alias, name = {"@&tenant.logs": {}}, quote("&tenant.logs.4711", safe="")
    opensearch.ask("PUT", f"/{name}", {"aliases": alias, "mappings": {"properties": PROPERTIES}})
    body = {"size": 1, "_kuzzle_info": STAMP}
    opensearch.ask("PUT", f"/{name}/_doc/one?refresh=true", body)
    storage = await open_store()
    assert storage.collections("tenant") == ["logs"]
    document = await storage.get("tenant", "logs", "one")
    assert (document.version, document.source) == (1, body)
    change = a_write("update", "one", {"size": 2}, index="tenant", collection="logs")
    written = await storage.write(change)
    assert written.source["_kuzzle_info"] == {
        **STAMP,
        "updater": "ada",
        "updatedAt": written.source["_kuzzle_info"]["updatedAt"],
    }


async def test_a_name_that_another_collection_has_taken_is_passed_by(
    open_store: Any, opensearch: OpenSearchServer
) -> None:
    taken = {"aliases": {"@&tenant.renamed": {}}}
    opensearch.ask("PUT", f"/{quote('&tenant.things', safe='')}", taken)
    first, second = await open_store(), await open_store()
    assert first.collections("tenant") == ["renamed"]
    await asyncio.gather(*(each.create_collection(*PLACE) for each in (first, second)))
    await put(first, "one", {"a": 1}, index="tenant", collection="things")
    assert (await second.get(*PLACE, "one")).version == 1
    told: Any = opensearch.ask("GET", f"/_alias/{quote('@&tenant.things', safe='')}")
    assert list(told) == ["&tenant.things.1"]
    assert await first.mget("tenant", "renamed", ["one"]) == [None]
