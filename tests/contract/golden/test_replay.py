"""Exchanges recorded from the live peer, replayed: what differs is listed with its reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.contract.golden.differences import BY_CHANCE, DIFFERENT, LEFT_OUT, UNRECORDED
from tests.contract.golden.mqtt_sessions import NOTIFIED, sessions
from tests.contract.golden.replay import OurTokens, differences, exchanges
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.wires import HttpWire, MqttWire
from trivium.server import Server, running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    settings = fleet_settings(tmp_path, http_form="assets")
    async with running(fleet_app(), settings) as server:
        wire = await HttpWire(server.port, routes=False).open()
        create = {"controller": "device-manager/engine", "action": "create"}
        assert (await wire.ask({**create, "index": "engine-ayse"}))["status"] == 200
        await wire.close()
        yield server


@pytest.fixture
async def peopled(server: Server) -> Server:
    """The same server with the user whom the peer had; everybody may still do everything."""
    login = {"username": "golden", "password": "golden-pass"}
    body: Any = {"content": {"profileIds": ["admin"], "name": "G"}, "credentials": {"local": login}}
    await server.sdk.of("security").createUser(_id="golden-user", body=body)
    return server


def judge(wire: str, found: dict[str, list[str]]) -> None:
    """Every difference is explained, and every explanation still needed."""
    explained = {name for name in found if name in DIFFERENT or f"{wire}/{name}" in DIFFERENT}
    unexplained = [f"{n}: {lines}" for n, lines in found.items() if lines and n not in explained]
    needless = [name for name, lines in found.items() if not lines and name in explained]
    if unexplained or needless:
        pytest.fail("\n".join(["unexplained:", *unexplained, "no longer so:", *needless]))
    recorded = {exchange["name"] for exchange in exchanges(wire)}
    assert recorded - found.keys() == recorded & LEFT_OUT.keys()


async def test_http(peopled: Server) -> None:
    found: dict[str, list[str]] = {}
    tokens = OurTokens()
    for exchange in exchanges("http"):
        if exchange["name"] in LEFT_OUT:
            continue
        if exchange["name"] in UNRECORDED:
            await _unrecorded(peopled.port, exchange, tokens)
        answer = await _raw_http(peopled.port, exchange["request"], tokens)
        recorded = exchange["response"]["body"]
        tokens.learn(recorded, answer)
        if exchange["name"] in BY_CHANCE:
            for hit in recorded["result"]["hits"] + answer["result"]["hits"]:
                del hit["_source"]
        found[exchange["name"]] = differences(recorded, answer)
    judge("http", found)


async def _unrecorded(port: int, exchange: dict[str, Any], tokens: OurTokens) -> None:
    payload = {**UNRECORDED[exchange["name"]]}
    bearer = exchange["request"]["headers"].get("Authorization", "").removeprefix("Bearer ")
    if bearer and payload["action"] != "login":
        payload["jwt"] = tokens.inside(bearer)
    wire = await HttpWire(port, routes=False).open()
    answer = await wire.ask(payload)
    await wire.close()
    assert answer["status"] == 200
    if payload["action"] == "login":
        tokens.put(bearer, answer["result"]["jwt"])


async def test_websocket(peopled: Server) -> None:
    found: dict[str, list[str]] = {}
    tokens = OurTokens()
    async with websockets.connect(f"ws://127.0.0.1:{peopled.port}/") as socket:
        for exchange in exchanges("websocket"):
            if exchange["name"] in LEFT_OUT:
                continue
            sent = tokens.inside(exchange["sent"])
            await socket.send(sent.encode() if exchange["sentBinary"] else sent)
            answer = json.loads(await asyncio.wait_for(socket.recv(), 60))
            recorded = exchange["received"][0]["json"] if exchange["received"] else None
            found[exchange["name"]] = differences(recorded, answer)
            if recorded is None:
                found[exchange["name"]] = ["the peer is silent"]
            else:
                tokens.learn(recorded, answer)
    judge("websocket", found)


async def test_mqtt(peopled: Server) -> None:
    found: dict[str, list[str]] = {}
    tokens = OurTokens()
    wire = await MqttWire(peopled.mqtt_port).open()
    try:
        for exchange in exchanges("mqtt"):
            if "publish" not in exchange or exchange["name"] == NOTIFIED:
                continue
            recorded: dict[str, Any] = exchange["received"][0]["json"]
            sent = tokens.inside(exchange["publish"]["payload"])
            answer = await wire.tell(sent, exchange["publish"]["qos"])
            tokens.learn(recorded, answer)
            found[exchange["name"]] = differences(recorded, answer)
    finally:
        await wire.close()
    judge("mqtt", {**found, **await sessions(peopled.mqtt_port)})


async def test_restricted(server: Server) -> None:
    """The same server once an administrator exists: all exchanges, in order, with our tokens."""
    sdk = server.sdk
    for kuid in ("test-admin", "golden-user"):
        body: Any = {"content": {"profileIds": ["default"]}}
        await sdk.of("security").createUser(_id=kuid, body=body)
    asset = {"model": "Container", "reference": "golden1"}
    await sdk.of("device-manager/assets").create(engineId="engine-ayse", body=asset)
    found: dict[str, list[str]] = {}
    tokens = OurTokens()
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
        for exchange in exchanges("restricted"):
            if "sent" in exchange:
                await socket.send(exchange["sent"])
                answer = json.loads(await asyncio.wait_for(socket.recv(), 60))
                recorded = exchange["received"][0]["json"]
            else:
                answer = await _raw_http(server.port, exchange["request"], tokens)
                recorded = exchange["response"]["body"]
            tokens.learn(recorded, answer)
            found[exchange["name"]] = differences(recorded, answer)
            if recorded["error"] and "props" in recorded["error"]:
                assert answer["error"]["props"] == recorded["error"]["props"], exchange["name"]
    judge("restricted", found)


async def _raw_http(port: int, asked: dict[str, Any], tokens: OurTokens) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    head = f"{asked['method']} {asked['path']} HTTP/1.1\r\n"
    headers = {**asked["headers"], "Connection": "close"}
    head += "".join(f"{name}: {tokens.inside(value)}\r\n" for name, value in headers.items())
    writer.write(head.encode() + b"\r\n" + asked["body"].encode())
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    await writer.wait_closed()
    body = answer.partition(b"\r\n\r\n")[2]
    return json.loads(body) if body else None
