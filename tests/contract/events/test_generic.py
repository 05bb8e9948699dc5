"""`generic:document:*`: an application file listens, clients ask over the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fleet import fleet_settings
from tests.support.wires import WIRES, Wire
from trivium.appfile import load_app
from trivium.server import running

APP = """
import asyncio
from trivium import App

app = App()
HEARD = []
CHANGE = {}

def listen(event):
    @app.pipe(event)
    async def pipe(documents, request):
        await asyncio.sleep(0)
        HEARD.append([event.removeprefix("generic:document:"), request.action, documents])
        change = CHANGE.get(event)
        return documents if change is None else change(documents)

    @app.hook(event)
    def hook(documents, request):
        HEARD.append(["hook", event.removeprefix("generic:document:"), documents])

for group in ("Get", "Write", "Update", "Delete"):
    for stage in ("before", "after"):
        listen(f"generic:document:{stage}{group}")

@app.pipe("document:beforeUpdate")
def narrow(exchange):
    HEARD.append(["document:beforeUpdate", exchange.request.action, []])
    return exchange

@app.pipe("generic:document:injectMetadata")
def inject(payload):
    HEARD.append(["injectMetadata", payload["request"].action, [payload.get("defaultMetadata")]])
    way = CHANGE.get("generic:document:injectMetadata")
    return payload if way is None else way(payload)

def sign(payload):
    for name in ("metadata", "defaultMetadata"):
        if name in payload:
            payload[name]["tenant"] = name
            payload[name]["updater"] = "the application"
            payload[name]["createdAt"] = payload[name]["updatedAt"] = 1
    return payload

async def heard(request):
    # Hooks run beside the request that they are told of.
    for _ in range(20):
        await asyncio.sleep(0)
    found, HEARD[:] = list(HEARD), []
    return found

def mark(documents):
    return [{**each, "_source": {**each["_source"], "marked": True}} for each in documents]

def rename(documents):
    return [{**each, "_id": each["_id"] + "-renamed"} for each in documents]

def half(documents):
    return documents[:1]

def hide(documents):
    return [{**each, "_source": {"hidden": True}} for each in documents]

def refuse(documents):
    raise ValueError("not today")

WAYS = {"mark": mark, "rename": rename, "half": half, "hide": hide, "refuse": refuse,
        "sign": sign, "bare": lambda payload: {},
        "nothing": lambda documents: None, "text": lambda documents: "text",
        "none": lambda documents: [], "number": lambda documents: [5]}

async def change(request):
    CHANGE.clear()
    CHANGE.update({f"generic:document:{key}": WAYS[way] for key, way in request.body.items()})
    return None

app.controller.register("spy", {"heard": heard, "change": change})
"""
PLACE = {"index": "lab", "collection": "things"}


class Client:
    """One wire to the application, and what it listened to."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def ask(self, name: str, body: Any = None, **arguments: Any) -> Any:
        controller, _, action = name.partition(":")
        payload = {"controller": controller, "action": action, **arguments}
        return await self._wire.ask(payload if body is None else {**payload, "body": body})

    async def document(self, action: str, body: Any = None, **arguments: Any) -> Any:
        return await self.ask(f"document:{action}", body, **PLACE, **arguments)

    async def result(self, action: str, body: Any = None, **arguments: Any) -> Any:
        answer = await self.document(action, body, **arguments)
        assert answer["error"] is None, answer
        return answer["result"]

    async def heard(self) -> Any:
        return (await self.ask("spy:heard"))["result"]

    async def change(self, **ways: str) -> None:
        assert (await self.ask("spy:change", ways))["status"] == 200


@pytest.fixture(params=["http-query", "websocket", "mqtt-5"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    file = tmp_path / "listening.py"
    file.write_text(APP)
    async with running(load_app(file), fleet_settings(tmp_path / "data")) as server:
        wire = await WIRES[request.param](server.port, server.mqtt_port)
        client = Client(wire)
        await client.ask("collection:create", **PLACE)
        for number in (1, 2):
            await client.result("create", {"n": number}, _id=f"d{number}", refresh="wait_for")
        await client.heard()
        yield client
        await wire.close()


D1 = {"_id": "d1", "_source": {"n": 5}}
ASKED: list[tuple[str, Any, dict[str, Any], str, Any]] = [
    ("create", {"n": 5}, {"_id": "d9"}, "Write", [{"_id": "d9", "_source": {"n": 5}}]),
    ("create", {"n": 5}, {}, "Write", [{"_id": None, "_source": {"n": 5}}]),
    ("createOrReplace", {"n": 5}, {"_id": "d1"}, "Write", [D1]),
    ("replace", {"n": 5}, {"_id": "d1"}, "Write", [D1]),
    ("update", {"n": 5}, {"_id": "d1"}, "Update", [D1]),
    ("upsert", {"changes": {"n": 5}}, {"_id": "d1"}, "Update", [D1]),
    ("deleteFields", {"fields": ["n"]}, {"_id": "d1"}, "Update", [{"_id": "d1", "_source": ["n"]}]),
    ("get", None, {"_id": "d1"}, "Get", [{"_id": "d1"}]),
    ("exists", None, {"_id": "d1"}, "Get", [{"_id": "d1"}]),
    ("mGet", {"ids": ["d1", "no"]}, {}, "Get", [{"_id": "d1"}, {"_id": "no"}]),
    ("mExists", {"ids": ["d1"]}, {}, "Get", [{"_id": "d1"}]),
    ("delete", None, {"_id": "d1"}, "Delete", [{"_id": "d1"}]),
    ("mDelete", {"ids": ["d1"]}, {}, "Delete", [{"_id": "d1"}]),
    *(
        (action, {"documents": [{"_id": "d1", "body": {"n": 5}}]}, {}, group, [D1])
        for action, group in (
            *[(name, "Write") for name in ("mCreate", "mCreateOrReplace", "mReplace")],
            ("mUpdate", "Update"),
        )
    ),
    (
        "mUpsert",
        {"documents": [{"_id": "d1", "changes": {"n": 5}, "default": {"m": 1}}]},
        {},
        "Update",
        [{**D1, "default": {"m": 1}}],
    ),
]


@pytest.mark.parametrize(("action", "body", "arguments", "group", "documents"), ASKED)
@pytest.mark.parametrize("client", ["websocket"], indirect=True)
async def test_what_is_told_before_and_after(
    client: Client, action: str, body: Any, arguments: Any, group: str, documents: Any
) -> None:
    result = await client.result(action, body, **arguments)
    heard = await client.heard()
    hooks = [each for each in heard if each[0] == "hook"]
    pipes = [each for each in heard if each[0] in (f"before{group}", f"after{group}")]
    before, after = pipes
    assert before == [f"before{group}", action, documents]
    assert after[:2] == [f"after{group}", action]
    assert hooks == [["hook", *before[::2]], ["hook", *after[::2]]]
    shown = result["successes"] if action.startswith("m") else [result]
    if action in ("mDelete", "mExists"):
        shown = [{"_id": key} for key in shown]
    assert after[2] == shown


async def test_what_only_the_action_finds_is_told_after_it(client: Client) -> None:
    query = {"query": {"match_all": {}}, "sort": ["_id"]}
    hits = (await client.result("search", query))["hits"]
    assert [each[:2] for each in await client.heard() if each[0] != "hook"] == [
        ["afterGet", "search"]
    ]
    assert [hit["_id"] for hit in hits] == ["d1", "d2"]
    done = await client.result("updateByQuery", {"query": {"match_all": {}}, "changes": {"m": 1}})
    ((event, _, documents),) = [each for each in await client.heard() if each[0] != "hook"]
    assert (event, documents) == ("afterUpdate", done["successes"])
    gone = await client.result("deleteByQuery", {"query": {"ids": {"values": ["d1"]}}})
    ((event, _, documents),) = [each for each in await client.heard() if each[0] != "hook"]
    assert (event, documents) == ("afterDelete", gone["documents"])


async def test_the_narrower_event_comes_within(client: Client) -> None:
    await client.result("update", {"n": 3}, _id="d1")
    pipes = [each[0] for each in await client.heard() if each[0] != "hook"]
    assert pipes == ["beforeUpdate", "document:beforeUpdate", "injectMetadata", "afterUpdate"]


async def test_what_a_pipe_returns_is_written(client: Client) -> None:
    await client.change(beforeWrite="mark", beforeUpdate="mark")
    assert (await client.result("create", {"n": 3}, _id="d3"))["_source"]["marked"] is True
    many = {"documents": [{"_id": "d4", "body": {"n": 4}}, {"body": {"n": 5}}]}
    written = (await client.result("mCreate", many))["successes"]
    assert [each["_source"]["marked"] for each in written] == [True, True]
    await client.result("upsert", {"changes": {"n": 6}, "default": {"m": 1}}, _id="d6")
    upserted = {"documents": [{"_id": "d7", "changes": {"n": 7}, "default": {"m": 1}}]}
    await client.result("mUpsert", upserted)
    await client.result("update", {"n": 9}, _id="d1")
    found = (await client.result("mGet", {"ids": ["d1", "d6", "d7"]}))["successes"]
    assert [each["_source"]["marked"] for each in found] == [True, True, True]
    assert [each["_source"].get("m") for each in found] == [None, 1, 1]


async def test_ids_that_a_pipe_returns_count(client: Client) -> None:
    await client.change(beforeWrite="rename", beforeGet="rename", beforeDelete="rename")
    assert (await client.result("create", {"n": 3}, _id="d3"))["_id"] == "d3-renamed"
    assert (await client.result("get", _id="d3"))["_id"] == "d3-renamed"
    assert (await client.result("mExists", {"ids": ["d3"]}))["successes"] == ["d3-renamed"]
    assert await client.result("mDelete", {"ids": ["d3"]}) == {
        "successes": ["d3-renamed"],
        "errors": [],
    }


async def test_a_pipe_may_take_documents_out(client: Client) -> None:
    await client.change(beforeWrite="half", afterGet="half")
    many = {"documents": [{"_id": "x1", "body": {}}, {"_id": "x2", "body": {}}]}
    assert [each["_id"] for each in (await client.result("mCreate", many))["successes"]] == ["x1"]
    found = await client.result("mGet", {"ids": ["d1", "d2", "x2"]})
    assert [each["_id"] for each in found["successes"]] == ["d1"]
    assert found["errors"] == ["x2"]


async def test_what_is_shown_may_be_changed_without_being_stored(client: Client) -> None:
    await client.change(afterGet="hide")
    assert (await client.result("get", _id="d1"))["_source"] == {"hidden": True}
    assert (await client.result("search", {}))["hits"][0]["_source"] == {"hidden": True}
    await client.change()
    assert (await client.result("get", _id="d1"))["_source"]["n"] == 1


@pytest.mark.parametrize("way", ["refuse", "nothing", "text", "none", "number"])
async def test_a_pipe_that_breaks_fails_the_request_and_nothing_is_written(
    client: Client, way: str
) -> None:
    await client.change(beforeWrite=way)
    answer = await client.document("create", {"n": 3}, _id="d3")
    assert (answer["status"], answer["error"]["id"]) == (500, "plugin.runtime.unexpected_error")
    await client.change()
    assert await client.result("exists", _id="d3") is False


@pytest.mark.parametrize(
    ("action", "body", "arguments", "error"),
    [
        ("create", None, {}, "api.assert.body_required"),
        ("update", {"n": 1}, {}, "api.assert.missing_argument"),
        ("get", None, {}, "api.assert.missing_argument"),
        ("upsert", None, {"_id": "d1"}, "api.assert.body_required"),
        ("deleteFields", {"fields": 5}, {"_id": "d1"}, "api.assert.invalid_type"),
        ("upsert", {"changes": 5}, {"_id": "d1"}, "api.assert.invalid_type"),
        ("mCreate", None, {}, "api.assert.body_required"),
        ("mCreate", {"documents": 5}, {}, "api.assert.invalid_type"),
        ("mCreate", {"documents": [{"_source": {}}]}, {}, "api.assert.unexpected_argument"),
        ("mGet", None, {}, "api.assert.missing_argument"),
        ("mDelete", None, {}, "api.assert.body_required"),
    ],
)
async def test_a_bad_request_is_refused_as_without_listeners(
    client: Client, action: str, body: Any, arguments: Any, error: str
) -> None:
    """The peer answers 500 here, as its events look into the body first."""
    answer = await client.document(action, body, **arguments)
    assert answer["error"]["id"] == error


async def test_malformed_documents_are_refused_one_by_one(client: Client) -> None:
    sent = {"documents": [5, {"_id": 6, "body": {}}, {"_id": "x", "body": 7}, {"body": {"n": 1}}]}
    result = await client.result("mCreate", sent)
    assert len(result["successes"]) == 1
    assert [each["status"] for each in result["errors"]] == [400, 400, 400]


async def test_what_happened_once_is_told_once(client: Client) -> None:
    first = await client.result("update", {"n": 8}, _id="d1", idempotencyKey="k1")
    again = await client.result("update", {"n": 8}, _id="d1", idempotencyKey="k1")
    assert again == first
    pipes = [each[0] for each in await client.heard() if each[0] != "hook"]
    assert pipes.count("beforeUpdate") == 1


@pytest.mark.parametrize(
    ("action", "body", "id", "tenant"),
    [
        ("create", {"n": 1}, "new", "metadata"),
        ("createOrReplace", {"n": 1}, "d1", "metadata"),
        ("replace", {"n": 1}, "d1", "metadata"),
        ("update", {"n": 1}, "d1", "metadata"),
        ("upsert", {"changes": {"n": 1}}, "d1", "metadata"),
        ("upsert", {"changes": {"n": 1}}, "new", "defaultMetadata"),
    ],
)
async def test_an_application_adds_to_the_stamp(
    client: Client, action: str, body: Any, id: str, tenant: str
) -> None:
    await client.change(injectMetadata="sign")
    await client.result(action, body, _id=id)
    info = (await client.result("get", _id=id))["_source"]["_kuzzle_info"]
    assert (info["tenant"], info["updater"]) == (tenant, "the application")
    assert info["author"] == "-1"
    # When it was is the store's to say.
    assert info["createdAt"] > 1_600_000_000_000
    # Any other way to write asks nobody, as in the peer.
    await client.heard()
    await client.result("mUpdate", {"documents": [{"_id": id, "body": {"n": 2}}]})
    await client.result("delete", _id=id)
    assert "injectMetadata" not in [each[0] for each in await client.heard()]


@pytest.mark.parametrize("way", ["bare", "nothing", "text"])
async def test_a_payload_without_metadata_fails_the_request(client: Client, way: str) -> None:
    await client.change(injectMetadata=way)
    answer = await client.document("create", {"n": 1}, _id="new")
    assert answer["error"]["id"] == "plugin.runtime.unexpected_error"
    assert await client.result("exists", _id="new") is False
