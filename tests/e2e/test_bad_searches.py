"""Searches and mappings that mean harm: a clear error each on every wire, and others unaffected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from router.settings import ScrollSettings
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.wires import WIRES, Payload, Wire
from trivium.server import Server, running

PLACE: Payload = {"index": "lab", "collection": "things"}
SCROLLS = 5


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    settings = fleet_settings(tmp_path).model_copy(
        update={"scrolls": ScrollSettings(open_per_user=SCROLLS)}
    )
    async with running(fleet_app(), settings) as server:
        yield server


def search(query: Any, **more: Any) -> Payload:
    return {**PLACE, "controller": "document", "action": "search", "body": {"query": query}, **more}


def deep(levels: int) -> Any:
    query: Any = {"match_all": {}}
    for _ in range(levels):
        query = {"bool": {"must": query}}
    return query


def mapped(properties: Any) -> Payload:
    body = {"mappings": {"properties": properties}}
    return {
        **PLACE,
        "collection": "other",
        "controller": "collection",
        "action": "create",
        "body": body,
    }


BAD = "services.storage.unexpected_bad_request"
TRICKS: list[tuple[Payload, str]] = [
    (search({"terms": {"n": [1] * 65_537}}), BAD),
    (search({"nested": {"path": "n", "query": {}}}), BAD),
    (search({"fuzzy": {"n": "x"}}), "trivium.unsupported.feature"),
    # mappings that contradict themselves
    (
        mapped({"a": {"type": "keyword"}, "a.b": {"type": "long"}}),
        "services.storage.cannot_change_mapping",
    ),
    (
        mapped({"a": {"type": "keyword", "properties": {}}}),
        "services.storage.unexpected_properties",
    ),
    (
        mapped({"a": {"type": "long", "null_value": "x"}}),
        "services.storage.invalid_mapping_argument",
    ),
]
# Deeper than a request may be: on the other wires such a frame can't be answered by its id. What
# is larger than one (a million terms) is refused unread: see test_http_hostile.
TOO_DEEP = (search(deep(450)), "network.http.body_parse_failed")


@pytest.mark.parametrize("name", WIRES)
async def test_each_gets_an_error_and_the_next_one_an_answer(server: Server, name: str) -> None:
    wire, other = [await WIRES[name](server.port, server.mqtt_port) for _ in range(2)]
    await prepare(other)
    for payload, error in [*TRICKS, *([TOO_DEEP] if name.startswith("http") else [])]:
        assert await told(wire, payload) == error
        answer = await other.ask(search({"term": {"n": 1}}))
        assert answer["result"]["total"] == 1, error
    await wire.close()
    await other.close()


async def told(wire: Wire, payload: Payload) -> str:
    """The id of the error; empty without one."""
    error = (await wire.ask(payload))["error"]
    return error["id"] if error else ""


async def test_scrolls_that_nobody_ends(server: Server) -> None:
    wire = await WIRES["websocket"](server.port, server.mqtt_port)
    await prepare(wire)
    scroll = search({}, scroll="1m", size=1)
    for _ in range(SCROLLS):
        assert await told(wire, scroll) == ""
    assert await told(wire, scroll) == "trivium.search.too_many_scrolls"
    assert (await wire.ask(search({"term": {"n": 1}})))["result"]["total"] == 1
    await wire.close()


async def prepare(wire: Wire) -> None:
    mapping = {"mappings": {"properties": {"n": {"type": "integer"}}}}
    actions: list[Payload] = [
        {"controller": "index", "action": "create", "index": "lab"},
        {**PLACE, "controller": "collection", "action": "create", "body": mapping},
    ]
    for n in range(2):
        body = {"n": n}
        create = {**PLACE, "controller": "document", "action": "create", "_id": f"d{n}"}
        actions.append({**create, "body": body, "refresh": "wait_for"})
    for action in actions:
        assert await told(wire, action) == ""
