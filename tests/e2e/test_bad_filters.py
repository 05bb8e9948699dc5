"""Subscriptions that nobody should make, on every wire that they can be made on: each is refused
by its id, and a subscriber beside them hears all that it should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage.contract import Author
from tests.support.people import add_user, login, peopled
from tests.support.wires import WIRES, Payload, Wire
from trivium.server import Server

PLACE: Payload = {"index": "lab", "collection": "things"}
SUBSCRIBE: Payload = {**PLACE, "controller": "realtime", "action": "subscribe"}
BOB = {"username": "bob", "password": "bob's long password"}
LISTENER: Any = {"controllers": {"realtime": {"actions": {"*": True}}}}
WIRE_NAMES = ("websocket", "mqtt-3.1.1", "mqtt-5")

Listened = tuple[Server, "asyncio.Queue[Any]"]


def nested(levels: int) -> Any:
    body: Any = {"exists": "a"}
    for _ in range(levels):
        body = {"not": body}
    return body


def alternatives(count: int) -> Any:
    """A filter whose normal form has 2 to the power of `count` alternatives."""
    pair = [{"or": [{"equals": {f"a{n}": 1}}, {"equals": {f"b{n}": 1}}]} for n in range(count)]
    return {"and": pair}


BAD: dict[str, Any] = {
    "an unknown keyword": {"nope": {"a": 1}},
    "two keywords": {"exists": "a", "missing": "b"},
    "no object": {"equals": 5},
    "a range of texts": {"range": {"a": {"gt": "x"}}},
    "a range that is empty": {"range": {"a": {"gt": 5, "lt": 1}}},
    "a place on no globe": {"geoDistance": {"a": {"lat": 100, "lon": 0}, "distance": "1km"}},
    "a line for a polygon": {"geoPolygon": {"a": {"points": [[0, 0], [1, 1]]}}},
    "no pattern": {"regexp": {"a": "("}},
    "a pattern that looks back": {"regexp": {"a": r"(a)\1"}},
    "a pattern that needs a gigabyte": {"regexp": {"a": "((a{100}){100}){100}"}},
    "many conditions": {"in": {"a": [str(number) for number in range(2_000)]}},
    "levels within the frame": nested(40),
    "a million alternatives": alternatives(20),
}
"""Deeper ones are refused with their frame: tests/e2e/test_bad_company.py."""


@pytest.fixture
async def listened() -> AsyncIterator[Listened]:
    """A router with users, and what a subscriber of the application hears there."""
    async with peopled() as server:
        core = server.core
        for index in ("lab", "secret"):
            await core.storage.create_collection(index, "things")
        await core.register.roles.write("create", "listener", LISTENER, Author())
        bound: Any = {"policies": [{"roleId": "listener", "restrictedTo": [{"index": "lab"}]}]}
        await core.register.profiles.write("create", "listeners", bound, Author())
        await add_user(core, "bob-id", BOB, "listeners")
        heard: asyncio.Queue[Any] = asyncio.Queue()
        everything: Any = {}
        await server.sdk.realtime.subscribe("lab", "things", everything, heard.put)
        yield server, heard


async def opened(server: Server, name: str) -> tuple[Wire, str]:
    wire = await WIRES[name](server.port, server.mqtt_port)
    return wire, (await wire.ask(login(BOB)))["result"]["jwt"]


async def hears(listened: Listened, number: int) -> None:
    """Fails unless the subscriber beside hears a message soon."""
    server, heard = listened
    await server.sdk.realtime.publish("lab", "things", {"n": number, "a": "a" * 30_000})
    notice = await asyncio.wait_for(heard.get(), 5)
    assert notice["result"]["_source"]["n"] == number


@pytest.mark.parametrize("name", WIRE_NAMES)
async def test_bad_filters_are_refused(listened: Listened, name: str) -> None:
    server = listened[0]
    wire, jwt = await opened(server, name)
    for number, (about, body) in enumerate(BAD.items()):
        answer = await wire.ask({**SUBSCRIBE, "jwt": jwt, "body": body, "requestId": f"r{number}"})
        assert answer["status"] == 400, (about, answer)
        assert answer["error"]["id"] == "api.assert.koncorde_dsl_error", (about, answer)
        await hears(listened, number)
    assert len(server.core.realtime.notifier.rooms) == 1
    await wire.close()


@pytest.mark.parametrize("name", WIRE_NAMES)
async def test_a_pattern_that_explodes_elsewhere_costs_nobody_anything(
    listened: Listened, name: str
) -> None:
    wire, jwt = await opened(listened[0], name)
    for number, pattern in enumerate(("(a+)+b", "(a|aa)*c", "(.*b){20}", "^(([a-z])+.)+[A-Z]$")):
        body = {"regexp": {"a": pattern}}
        answer = await wire.ask({**SUBSCRIBE, "jwt": jwt, "body": body})
        assert answer["status"] == 200, answer
        await hears(listened, number)
    await wire.close()


@pytest.mark.parametrize("name", WIRE_NAMES)
async def test_what_one_may_not_read_is_refused(listened: Listened, name: str) -> None:
    server = listened[0]
    secret = await server.sdk.realtime.subscribe("secret", "things", {}, print)
    wire, jwt = await opened(server, name)
    everywhere = {**SUBSCRIBE, "index": "secret", "body": {}}
    guesses = [
        {"controller": "realtime", "action": action, "body": {"roomId": room}}
        for action in ("join", "count")
        for room in (secret, "0" * 64)
    ]
    for ask in (everywhere, *guesses):
        answer = await wire.ask({**ask, "jwt": jwt})
        assert answer["error"]["id"] == "security.rights.forbidden", (ask, answer)
    leave = {"controller": "realtime", "action": "unsubscribe", "body": {"roomId": secret}}
    answer = await wire.ask({**leave, "jwt": jwt})
    assert answer["error"]["id"] == "core.realtime.not_subscribed"
    assert await server.sdk.realtime.count(secret) == 1
    await hears(listened, 1)
    await wire.close()


@pytest.mark.parametrize("name", ["http", "http-query"])
async def test_a_request_that_ends_at_once_is_told_so(listened: Listened, name: str) -> None:
    wire, jwt = await opened(listened[0], name)
    answer = await wire.ask({**SUBSCRIBE, "jwt": jwt, "body": {}})
    assert answer["error"]["id"] == "trivium.unsupported.feature"
    await hears(listened, 1)
    await wire.close()
