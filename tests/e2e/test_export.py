"""document:export: files over HTTP, in constant memory, for slow readers and for those who leave.

`TRIVIUM_EXPORT_DOCUMENTS=1000000` exports a million documents instead of twenty thousand.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from storage.contract import Hit, Write
from storage.query import Search
from storage.sqlite.store import SqliteStorage
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.wires import WebSocketWire
from trivium.server import Server, running

PLACE = {"index": "lab", "collection": "things"}
PATH = "/lab/things/_export"
COUNT = int(os.environ.get("TRIVIUM_EXPORT_DOCUMENTS", "20000"))
BOUND_S = 90.0
MAPPING: Any = {
    "properties": {
        "name": {"type": "keyword"},
        "n": {"type": "integer"},
        "deep": {"properties": {"er": {"type": "keyword"}}},
        "place": {"type": "geo_point"},
    }
}
DOCUMENTS: dict[str, Any] = {
    "a": {"name": 'say "hi", you', "n": 1, "deep": {"er": "x"}, "place": {"lat": 1, "lon": 2}},
    "b": {"name": "line\nbreak", "n": 2, "more": [1, {"x": 2}]},
    "c": {"n": 3, "deep": {"er": "é"}},
}


class CountingStorage(SqliteStorage):
    """A store that counts the pages it was asked for."""

    pages = 0

    async def scan(
        self, index: str, collection: str, search: Search, after_id: str = ""
    ) -> list[Hit]:
        self.pages += 1
        return await super().scan(index, collection, search, after_id)


@asynccontextmanager
async def lab(folder: Path) -> AsyncIterator[tuple[Server, CountingStorage]]:
    settings = fleet_settings(folder)
    storage = CountingStorage(settings.storage)
    async with running(fleet_app(), settings, storage) as server:
        await storage.create_collection(*PLACE.values(), MAPPING)
        yield server, storage


async def fill(storage: CountingStorage, documents: dict[str, Any]) -> None:
    writes = [
        Write(verb="create", id=key, content=each, **PLACE) for key, each in documents.items()
    ]
    await storage.bulk(writes)


async def exported(server: Server, *, body: Any = None, **query: str) -> tuple[Any, str]:
    url = f"http://127.0.0.1:{server.port}{PATH}"
    verb = "GET" if body is None else "POST"
    async with (
        aiohttp.ClientSession() as session,
        session.request(verb, url, params=query, json=body) as answer,
    ):
        return answer, await answer.text()


async def test_json_lines(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await fill(storage, DOCUMENTS)
        answer, text = await exported(server)
    first, *lines = [json.loads(line) for line in text.splitlines()]
    assert first == {"type": "collection", **PLACE}
    assert [line["_id"] for line in lines] == ["a", "b", "c"]
    assert lines[0]["body"].pop("_kuzzle_info")["author"] is None
    assert lines[0] == {"_id": "a", "body": DOCUMENTS["a"]}
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "html/text"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="lab-things.jsonl"'
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"query": {"range": {"n": {"gte": 2}}}, "fields": ["n", "deep.er"]}, {}),
        (None, {"query": '{"range": {"n": {"gte": 2}}}', "fields": "n, deep.er"}),
        (None, {"query": '{"range": {"n": {"gte": 2}}}', "fields": '["_id", "n", "deep.er"]'}),
    ],
)
async def test_csv_of_some_fields(body: Any, query: dict[str, str], tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await fill(storage, DOCUMENTS)
        answer, text = await exported(server, body=body, format="csv", **query)
    assert text == "_id,n,deep.er\nb,2,\nc,3,é\n"
    assert answer.headers["Content-Type"] == "text/csv"


async def test_csv_of_all_mapped_fields(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await fill(storage, DOCUMENTS)
        body = {"fieldsName": {"name": "Name"}}
        _, text = await exported(server, body=body, format="csv", separator=";")
        _, more = await exported(server, body={"fields": ["more"]}, format="csv")
    rows = list(csv.reader(io.StringIO(text), delimiter=";"))
    assert rows[0] == ["_id", "Name", "n", "deep.er", "place"]
    assert rows[1] == ["a", 'say "hi", you', "1", "x", "[OBJECT]"]
    assert rows[2][1] == "line\nbreak"
    assert list(csv.reader(io.StringIO(more)))[2] == ["b", '[1,{"x":2}]']


async def test_of_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, _):
        assert (await exported(server, format="csv"))[1] == "_id,name,n,deep.er,place\n"
        assert len((await exported(server))[1].splitlines()) == 1


@pytest.mark.parametrize(
    ("body", "query", "error"),
    [
        (None, {"format": "xml"}, "api.assert.invalid_argument"),
        (None, {"format": "csv", "separator": "::"}, "api.assert.invalid_argument"),
        (None, {"format": "csv", "fieldsName": "[1]"}, "api.assert.invalid_type"),
        (None, {"query": "{"}, "api.assert.invalid_type"),
        (None, {"collapse": '{"field": "n"}'}, "trivium.unsupported.feature"),
        ({"fields": [5]}, {"format": "csv"}, "api.assert.invalid_type"),
        ({"query": {"equals": {}}}, {}, "services.storage.unknown_query_keyword"),
        ({"query": {"term": {"n": "x"}}}, {}, "services.storage.unexpected_bad_request"),
        ([1], {}, "api.assert.invalid_type"),
    ],
)
async def test_refusals_come_in_an_envelope(
    body: Any, query: dict[str, str], error: str, tmp_path: Path
) -> None:
    async with lab(tmp_path) as (server, _):
        answer, text = await exported(server, body=body, **query)
    assert json.loads(text)["error"]["id"] == error
    assert answer.status == json.loads(text)["status"]


async def test_other_wires_are_told_so(tmp_path: Path) -> None:
    ask = {"controller": "document", "action": "export", **PLACE}
    async with lab(tmp_path) as (server, _):
        wire = await WebSocketWire(server.port).open()
        answer = await wire.ask(ask)
        gone = await wire.ask({**ask, "collection": "none"})
        await wire.close()
    assert answer["error"]["id"] == "api.assert.unsupported_protocol"
    assert answer["status"] == gone["status"] == 500


async def test_an_unknown_collection(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await storage.delete_collection(*PLACE.values())
        answer, text = await exported(server)
    assert (answer.status, json.loads(text)["error"]["id"]) == (
        412,
        "services.storage.unknown_collection",
    )


async def asked(server: Server, head: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4_096)
    writer.write(head.encode())
    return reader, writer


async def test_http_1_0_gets_it_to_the_end_of_the_connection(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await fill(storage, DOCUMENTS)
        head = f"GET {PATH} HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
        reader, writer = await asked(server, head)
        answer = await asyncio.wait_for(reader.read(), BOUND_S)
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"Connection: close" in head
    assert len(body.splitlines()) == 4


async def test_head_asks_for_no_body_and_the_connection_goes_on(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await fill(storage, DOCUMENTS)
        one = f"HEAD {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        two = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = "GET /_now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        reader, writer = await asked(server, one + two + last)
        answer = await asyncio.wait_for(reader.read(), BOUND_S)
        writer.close()
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.count(b"0\r\n\r\nHTTP/1.1 200 OK") == 1


async def many(storage: CountingStorage) -> None:
    for start in range(0, COUNT, 5_000):
        ids = range(start, min(start + 5_000, COUNT))
        await fill(storage, {f"d{n:07}": {"n": n, "text": "x" * 200} for n in ids})


async def until(condition: Any) -> None:
    async with asyncio.timeout(BOUND_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_everything_arrives_in_constant_memory(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await many(storage)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        url = f"http://127.0.0.1:{server.port}{PATH}"
        lines, started = 0, time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=None, sock_read=BOUND_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            async for data in answer.content.iter_any():
                lines += data.count(b"\n")
        took = time.perf_counter() - started
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{COUNT} documents: {took:.1f} s, {COUNT / took:.0f}/s, {grown_mb:.1f} MB more")
    assert lines == COUNT + 1
    # Both ends and SQLite's cache of 32 MB are in this process; a million documents are 250 MB.
    assert grown_mb < 80


async def test_a_client_that_stops_reading_stops_the_export(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await many(storage)
        head = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        asked_before = storage.pages
        reader, writer = await asked(server, head)
        await reader.readexactly(10_000)
        seen, since = -1, 0
        while since < 5:  # as much as the sockets' buffers take
            since = since + 1 if storage.pages == seen else 0
            seen = storage.pages
            await asyncio.sleep(0.2)
        assert storage.pages - asked_before < COUNT // 1_000
        other, own = await asked(
            server, "GET /_now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        assert b" 40" not in (await asyncio.wait_for(other.read(), BOUND_S))[:15]
        own.close()
        writer.transport.abort()
        await until(lambda: not server.wires.http._connections)
        assert storage.pages <= seen + 1


async def test_what_fails_on_the_way_is_told_in_the_stream(tmp_path: Path) -> None:
    async with lab(tmp_path) as (server, storage):
        await fill(storage, {f"d{n:04}": {"n": n} for n in range(3_000)})
        head = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        original = storage.scan

        async def failing(
            index: str, collection: str, search: Search, after_id: str = ""
        ) -> list[Hit]:
            if after_id:
                await storage.delete_collection(*PLACE.values())
            return await original(index, collection, search, after_id)

        storage.scan = failing  # type: ignore[method-assign]
        reader, writer = await asked(server, head)
        answer = await asyncio.wait_for(reader.read(), BOUND_S)
        writer.close()
    assert b"services.storage.unknown_collection" in answer
    assert answer.endswith(b"0\r\n\r\n")
