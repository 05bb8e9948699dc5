"""bulk:*, by query, export and import over HTTP, on SQLite and on a real OpenSearch alike."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from storage.contract import Write
from tests.e2e.test_export import exported
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.opensearch import OpenSearchServer
from tests.support.program import trivium
from tests.support.stores import new_store
from tests.support.wires import HttpWire
from trivium.server import Server, running

PLACE = {"index": "lab", "collection": "things"}
MAPPING: Any = {
    "properties": {
        "n": {"type": "integer"},
        "kind": {"type": "keyword"},
        "place": {"type": "geo_point"},
    }
}
COUNT = 1_203  # more than a page of every action
STAMP = {"author": "ada", "createdAt": 1, "updater": None, "updatedAt": None}


class Lab:
    """A router on one of the engines, and a way to it."""

    def __init__(self, server: Server, wire: HttpWire) -> None:
        self.server = server
        self._wire = wire

    async def ask(self, name: str, body: Any = None, **place: Any) -> Any:
        controller, _, action = name.partition(":")
        request = {"controller": controller, "action": action, "body": body, **PLACE, **place}
        return await self._wire.ask(request)

    async def result(self, name: str, body: Any = None, **place: Any) -> Any:
        answer = await self.ask(name, body, **place)
        assert answer["status"] == 200, answer
        return answer["result"]

    async def fill(self) -> None:
        store = self.server.core.storage
        writes = [
            Write(verb="create", id=f"d{n}", content={"n": n, "kind": "old"}, **PLACE)
            for n in range(COUNT)
        ]
        await store.bulk(writes)
        await store.refresh(*PLACE.values())


ON_OPENSEARCH = pytest.param("opensearch", marks=pytest.mark.needs("opensearch"))


@pytest.fixture(params=["sqlite", ON_OPENSEARCH])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    url = ""
    if request.param == "opensearch":
        there: OpenSearchServer = request.getfixturevalue("opensearch")
        there.wipe()
        url = there.url
    storage = new_store(request.param, tmp_path / "data", url)
    async with running(fleet_app(), fleet_settings(tmp_path / "data"), storage) as server:
        await storage.create_collection(*PLACE.values(), MAPPING)
        wire = await HttpWire(server.port).open()
        yield Lab(server, wire)
        await wire.close()


class TestBulk:
    async def test_import_does_every_line_on_its_own(self, lab: Lab) -> None:
        await lab.result("document:create", {"n": 1}, _id="there")
        lines: list[Any] = [
            {"index": {"_id": "a"}}, {"n": 1},
            {"create": {"_id": "there"}}, {"n": 2},
            {"create": {"_id": "b"}}, {"n": 3},
            {"update": {"_id": "a"}}, {"doc": {"kind": "x"}},
            {"update": {"_id": "none"}}, {"doc": {"kind": "x"}},
            {"update": {"_id": "new"}}, {"doc": {"kind": "y"}, "doc_as_upsert": True},
            {"index": {"_id": "bad"}}, {"n": "many"},
            {"delete": {"_id": "there"}},
        ]  # fmt: skip
        told = await lab.result("bulk:import", {"bulkData": lines}, refresh="wait_for")
        done = [
            (name, each["_id"], each["status"])
            for it in told["successes"]
            for name, each in it.items()
        ]
        assert done == [
            ("index", "a", 201), ("create", "b", 201), ("update", "a", 200),
            ("update", "new", 201), ("delete", "there", 200),
        ]  # fmt: skip
        failed = [
            (name, each["_id"], each["status"])
            for it in told["errors"]
            for name, each in it.items()
        ]
        assert failed == [("create", "there", 400), ("update", "none", 404), ("index", "bad", 400)]
        found = await lab.result("document:search", {"query": {"term": {"kind": "x"}}})
        assert [hit["_id"] for hit in found["hits"]] == ["a"]

    async def test_writes_are_stored_as_they_come(self, lab: Lab) -> None:
        body = {"n": 1, "_kuzzle_info": STAMP}
        one = await lab.result("bulk:write", body, _id="one")
        assert (one["_version"], one["_source"]) == (1, body)
        again = await lab.result("bulk:write", body, _id="one")
        assert again["_version"] == 2
        documents = [{"_id": "two", "body": body}, {"_id": "bad", "body": {"n": "x"}}, {"body": {}}]
        many = await lab.result("bulk:mWrite", {"documents": documents})
        assert many["successes"][0]["_source"] == body
        assert len(many["successes"]) == 2
        assert [(each["document"]["_id"], each["status"]) for each in many["errors"]] == [
            ("bad", 400)
        ]
        assert (await lab.result("document:get", _id="two"))["_source"] == body

    async def test_by_query_knows_no_limit(self, lab: Lab) -> None:
        await lab.fill()
        some = {"query": {"range": {"n": {"gte": 3}}}}
        told = await lab.result("bulk:updateByQuery", {**some, "changes": {"kind": "new"}})
        assert told == {"updated": COUNT - 3}
        again = await lab.result("bulk:deleteByQuery", some, refresh="wait_for")
        assert again == {"deleted": COUNT - 3}
        left = await lab.result("document:search", {"sort": [{"n": "asc"}]})
        assert [(hit["_id"], hit["_source"]["kind"]) for hit in left["hits"]] == [
            (f"d{n}", "old") for n in range(3)
        ]


class TestByQuery:
    async def test_updates_and_deletes_what_matches_once(self, lab: Lab) -> None:
        await lab.fill()
        some = {"query": {"range": {"n": {"lt": 150}}}}
        told = await lab.result(
            "document:updateByQuery", {**some, "changes": {"n": 5_000}}, refresh="wait_for"
        )
        assert sorted(each["_id"] for each in told["successes"]) == sorted(
            f"d{n}" for n in range(150)
        )
        assert told["errors"] == []
        ids = [f"d{n}" for n in range(COUNT)]
        found = (await lab.result("document:mGet", {"ids": ids}))["successes"]
        assert [each["_version"] for each in found] == [2] * 150 + [1] * (COUNT - 150)
        gone = await lab.result("document:deleteByQuery", {"query": {"term": {"n": 5_000}}})
        assert len(gone["ids"]) == len(gone["documents"]) == 150
        await lab.result("collection:refresh")
        assert (await lab.result("document:count", {}))["count"] == COUNT - 150

    async def test_refuses_a_query_in_the_same_words(self, lab: Lab) -> None:
        for name in ("document:deleteByQuery", "bulk:deleteByQuery", "bulk:updateByQuery"):
            answer = await lab.ask(name, {"query": {"equals": {"n": 1}}, "changes": {"n": 1}})
            assert answer["error"]["id"] == "services.storage.unknown_query_keyword"


class TestExport:
    async def test_holds_every_page_in_the_order_of_ids(self, lab: Lab) -> None:
        await lab.fill()
        _, text = await exported(lab.server)
        head, *lines = [json.loads(line) for line in text.splitlines()]
        assert head == {"type": "collection", **PLACE}
        assert [line["_id"] for line in lines] == sorted(f"d{n}" for n in range(COUNT))
        assert {line["body"]["kind"] for line in lines} == {"old"}

    async def test_as_csv_holds_what_a_query_finds(self, lab: Lab) -> None:
        await lab.fill()
        body = {"query": {"range": {"n": {"gte": 1_200}}}, "fields": ["kind", "n"]}
        _, text = await exported(lab.server, body=body, format="csv")
        rows = list(csv.reader(io.StringIO(text)))
        assert rows == [
            ["_id", "kind", "n"],
            *[[f"d{n}", "old", str(n)] for n in (1200, 1201, 1202)],
        ]

    # On the other engine: test_import.py.
    @pytest.mark.parametrize("lab", [ON_OPENSEARCH], indirect=True)
    async def test_comes_back_by_the_command_as_it_was(self, lab: Lab, tmp_path: Path) -> None:
        await lab.fill()
        stamped = {"n": 9, "place": {"lat": 1.5, "lon": 2}, "_kuzzle_info": STAMP}
        await lab.result("bulk:write", stamped, _id="é 1", refresh="wait_for")
        file, again = tmp_path / "out.jsonl", tmp_path / "again.jsonl"
        for words in (
            ("export", *PLACE.values(), str(file)),
            ("import", str(file)),
            ("export", *PLACE.values(), str(again)),
        ):
            if words[0] == "import":
                await lab.result("collection:truncate")
            ran = await asyncio.to_thread(trivium, *words, "--port", str(lab.server.port))
            assert ran.returncode == 0, ran.stderr
            await lab.result("collection:refresh")
        assert file.read_text() == again.read_text()
        assert len(file.read_text().splitlines()) == COUNT + 2
