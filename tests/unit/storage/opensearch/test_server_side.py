"""What the server holds: names, aliases and documents as Kuzzle's, the rest hidden."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from router.settings import OpenSearchSettings
from tests.support.opensearch import OpenSearchServer
from tests.support.opensearch_clients import CountingClient
from tests.support.stores import COLLECTION, INDEX, TARGET, a_write, found, put

pytestmark = pytest.mark.needs("opensearch")

PHYSICAL = f"&{INDEX}.{COLLECTION}"
MAPPING: Any = {
    "dynamic": "strict",
    "_meta": {"a": 1},
    "properties": {
        "size": {"type": "integer"},
        "ratio": {"type": "double"},
        "open": {"dynamic": "true", "properties": {}},
        "model": {"type": "keyword", "ignore_above": 9, "fields": {"text": {"type": "text"}}},
        "parts": {"type": "nested", "properties": {"name": {"type": "keyword"}}},
    },
}


def ask(server: OpenSearchServer, path: str) -> Any:
    return server.ask("GET", f"/{quote(PHYSICAL, safe='')}{path}")


async def test_names_and_aliases_are_kuzzles(open_store: Any, opensearch: OpenSearchServer) -> None:
    storage = await open_store()
    await storage.create_collection(*TARGET)
    told = opensearch.ask("GET", "/_alias?expand_wildcards=all")
    public = {name: list(each["aliases"]) for name, each in told.items() if name.startswith("&")}  # type: ignore[index, call-overload]
    assert public == {
        PHYSICAL: [f"@{PHYSICAL}"],
        f"&{INDEX}._kuzzle_keep": [f"@&{INDEX}._kuzzle_keep"],
    }


async def test_a_document_is_content_stamp_and_one_hidden_field(
    open_store: Any, opensearch: OpenSearchServer
) -> None:
    storage = await open_store()
    await storage.create_collection(*TARGET)
    written = await put(storage, "one", {"size": 1})
    told = ask(opensearch, "/_doc/one")["_source"]
    hidden = told.pop("_trivium")
    assert told == written.source
    assert hidden["id"] == "one"
    assert hidden["last"]["version"] == 1
    properties = ask(opensearch, "/_mapping")[PHYSICAL]["mappings"]["properties"]
    assert properties["_trivium"]["properties"]["last"] == {"type": "object", "enabled": False}
    assert set(properties["_kuzzle_info"]["properties"]) == {
        "author",
        "createdAt",
        "updatedAt",
        "updater",
    }


@pytest.mark.parametrize(
    "content",
    [{"_trivium": {"id": "forged"}}, {"": 1, "size": 3}, {"a..b": 1, "ratio": -0.0}, {" ": {}}],
)
async def test_what_the_server_cannot_read_is_kept_whole(open_store: Any, content: Any) -> None:
    storage = await open_store()
    await storage.create_collection(*TARGET, {**MAPPING, "dynamic": "false"})
    await put(storage, "one", content)
    await storage.write(a_write("update", "one", {"model": "M"}))
    document = await storage.get(*TARGET, "one")
    assert document.version == 2
    info = document.source["_kuzzle_info"]
    assert document.source == {**content, "model": "M", "_kuzzle_info": info}
    assert await found(storage, {"query": {"term": {"model": "M"}}}) == ["one"]
    if "size" in content:
        assert await found(storage, {"query": {"term": {"size": 3}}}) == ["one"]


async def test_the_next_router_reads_the_same_mapping(open_store: Any) -> None:
    storage = await open_store()
    await storage.create_collection(*TARGET, MAPPING)
    await put(storage, "one", {"open": {"learnt": "2026-01-01", "text": "x"}})
    again = await open_store()
    assert again.mapping(*TARGET) == storage.mapping(*TARGET)
    assert again.feed == storage.feed
    assert again.now_ms() >= (await storage.changes(0))[-1].at_ms


async def test_waiting_writes_share_requests(open_store: Any) -> None:
    clients: list[CountingClient] = []

    def connect(settings: OpenSearchSettings) -> CountingClient:
        clients.append(CountingClient(settings))
        return clients[-1]

    storage = await open_store(connect)
    await storage.create_collection(*TARGET)
    before = dict(clients[0].counts)
    await asyncio.gather(*(put(storage, f"d{n}", {}) for n in range(300)))
    await asyncio.gather(*(storage.get(*TARGET, f"d{n}") for n in range(300)))
    await storage.changes(0)
    made = {key: count - before.get(key, 0) for key, count in clients[0].counts.items()}
    assert made["_bulk"] <= 4  # one of documents, one of rows; timing may split them
    assert made["_mget"] <= 4


async def test_those_who_wait_for_a_refresh_share_it(open_store: Any) -> None:
    clients: list[CountingClient] = []

    def connect(settings: OpenSearchSettings) -> CountingClient:
        clients.append(CountingClient(settings))
        return clients[-1]

    storage = await open_store(connect, refresh_ms=50)
    await storage.create_collection(*TARGET)
    before = clients[0].counts.get("_refresh", 0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(3):
        await asyncio.gather(*(put(storage, f"d{n}", {}, refresh=True) for n in range(100)))
    took_s = loop.time() - began
    made = clients[0].counts["_refresh"] - before
    assert 3 <= made <= 3 + took_s / 0.05
