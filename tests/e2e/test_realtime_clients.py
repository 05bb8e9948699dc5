"""Subscriptions by clients that we did not write: kuzzle-sdk in Node, paho on MQTT 3.1.1 and 5."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from paho.mqtt.enums import MQTTProtocolVersion

from tests.e2e.test_mqtt_clients import REQUEST, RESPONSE, PahoClient
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.ports import lasting_port
from tests.support.server import start
from tests.support.site import site
from trivium.server import Server, running

NODE = Path(__file__).parent.parent / "node"
PLACE = {"index": "live", "collection": "things"}


SAID = {
    "room": 64,
    "created": "create in a",
    "writer's volatile": "writer",
    "updated fields": ["deep.x", "n"],
    "out": "update out a",
    "published": ["publish", 50],
    "same room for another scope": True,
    "came": ["in", 2, "other"],
    "count": 2,
    "in again": "update in b",
    "deleted": "delete out b",
    "deleted, for out only": "delete out b",
    "for in only": ["update in b", 0],
    "own writes are not heard": 0,
    "went": ["out", 1, "other"],
    "people only": ["out", 0],
    "before the token expires": 1,
    "after the token expired": 0,
    "observed": 2,
    "after unsubscribing": 0,
    "ready to be cut": None,
    "after reconnecting": "d",
    "done": None,
}


@pytest.mark.needs("node", "kuzzle-sdk")
async def test_kuzzle_sdk_in_node(tmp_path: Path) -> None:
    assert await steps_over_a_kill(tmp_path, "realtime_program.mjs") == SAID


@pytest.mark.needs("chromium", "node", "playwright-core", "kuzzle-sdk")
async def test_kuzzle_sdk_in_chromium(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    with site(folder) as port:
        shutil.copy(NODE / "realtime_steps.mjs", folder)
        page = f"http://127.0.0.1:{port}"
        rest = (str(tmp_path / "profile"), str(shutil.which("chromium")))
        said = await steps_over_a_kill(tmp_path, "realtime_browser.mjs", before=(page,), rest=rest)
    assert said == SAID


async def steps_over_a_kill(
    folder: Path, name: str, before: tuple[str, ...] = (), rest: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What a program says, whose router is killed and started again on the way."""
    # The same again after the kill, so none that others may get meanwhile.
    chosen = ("--port", str(lasting_port()))
    server = await asyncio.to_thread(start, folder, arguments=chosen)
    program = None
    try:
        program = await asyncio.create_subprocess_exec(
            "node",
            *(str(NODE / name), *before, str(server.port), *rest),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "NODE_ENV": "production"},
        )
        assert program.stdin is not None
        said = await until(program, "ready to be cut")
        server.kill()
        server = await asyncio.to_thread(start, folder, arguments=chosen)
        program.stdin.write(b"go\n")
        said |= await until(program, "done")
        assert await asyncio.wait_for(program.wait(), 120) == 0
    finally:
        if program is not None and program.returncode is None:
            program.kill()
        server.stop()
    return said


async def until(program: asyncio.subprocess.Process, step: str) -> dict[str, Any]:
    """What the program says up to a step."""
    assert program.stdout is not None
    said: dict[str, Any] = {}
    while step not in said:
        line = await asyncio.wait_for(program.stdout.readline(), 120)
        assert line, said
        message = json.loads(line)
        said[message["step"]] = message["value"]
    return said


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
            await ask(socket, controller="collection", action="create", **PLACE)
        yield server


async def ask(socket: Any, **request: Any) -> Any:
    await socket.send(json.dumps({"requestId": "q", **request}))
    while (answer := json.loads(await asyncio.wait_for(socket.recv(), 60)))["room"] != "q":
        pass
    assert answer["status"] == 200, answer
    return answer["result"]


class Device:
    """A paho client that has subscribed to a filter, and to the topic of its channel."""

    def __init__(self, version: MQTTProtocolVersion, port: int) -> None:
        self.paho = PahoClient(version)
        self.paho.client.connect_async("127.0.0.1", port)
        self.paho.client.loop_start()

    async def subscribe(self, body: Any, qos: int, **more: Any) -> Any:
        assert (await self.paho.take(self.paho.connected))[0] == 0
        request = {"controller": "realtime", "action": "subscribe", "body": body, **PLACE, **more}
        joined = await self.ask(**request)
        self.paho.client.subscribe(joined["channel"], qos=qos)
        (code,) = await self.paho.take(self.paho.subscribed)
        assert code.value == qos
        return joined

    async def ask(self, **request: Any) -> Any:
        self.paho.client.publish(REQUEST, json.dumps(request))
        message = await self.paho.take(self.paho.messages)
        assert message.topic == RESPONSE
        answer = json.loads(message.payload)
        assert answer["status"] == 200, answer
        return answer["result"]

    async def close(self) -> None:
        self.paho.client.disconnect()
        await asyncio.to_thread(self.paho.client.loop_stop)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
async def test_paho(server: Server, version: MQTTProtocolVersion, qos: int) -> None:
    device = Device(version, server.mqtt_port)
    joined = await device.subscribe({"range": {"n": {"gte": 5}}}, qos)
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
        create = {"controller": "document", "action": "create", "body": {"n": 6}, "_id": "a"}
        await ask(socket, **create, **PLACE)
        update = {"controller": "document", "action": "update", "body": {"n": 1}, "_id": "a"}
        await ask(socket, **update, **PLACE)
        for action, scope in (("create", "in"), ("update", "out")):
            message = await device.paho.take(device.paho.messages)
            assert (message.topic, message.qos, message.retain) == (joined["channel"], qos, False)
            notice = json.loads(message.payload)
            assert (notice["action"], notice["scope"]) == (action, scope)
            assert "room" not in notice
            if version == MQTTProtocolVersion.MQTTv5:
                told = dict(message.properties.UserProperty)
                assert message.properties.ContentType == "application/json"
                assert (told["action"], told["scope"], told["index"]) == (action, scope, "live")
                assert told["seq"] == str(notice["seq"])
        count = {"controller": "realtime", "action": "count", "body": {"roomId": joined["roomId"]}}
        assert await ask(socket, **count) == {"count": 1}
        await device.close()
        while (await ask(socket, **count))["count"]:
            await asyncio.sleep(0)


@pytest.mark.parametrize("start", ["0", "snapshot"])
@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
async def test_paho_from_the_past(server: Server, version: MQTTProtocolVersion, start: str) -> None:
    write = {"controller": "document", "action": "createOrReplace", "_id": "a", **PLACE}
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/") as socket:
        for n in range(3):
            await ask(socket, **write, body={"n": n})
        device = Device(version, server.mqtt_port)
        joined = await device.subscribe({}, 1, **{"from": start})
        await ask(socket, **write, body={"n": 3})
        expected = [0, 1, 2, 3] if start == "0" else [2, None, 3]
        for n in expected:
            message = await device.paho.take(device.paho.messages)
            assert (message.topic, message.qos) == (joined["channel"], 1)
            notice = json.loads(message.payload)
            assert notice["result"].get("_source", {}).get("n") == n
            assert notice["seq"] >= joined["seq"]
        await device.close()


async def test_a_browser_goes_on_from_where_it_was_cut(server: Server) -> None:
    write = {"controller": "document", "action": "createOrReplace", "_id": "a", **PLACE}
    subscribe = {"controller": "realtime", "action": "subscribe", "body": {}, **PLACE}
    url = f"ws://127.0.0.1:{server.port}/"
    async with websockets.connect(url) as writer:
        async with websockets.connect(url) as socket:
            await ask(socket, **subscribe)
            await ask(writer, **write, body={"n": 0})
            seen = json.loads(await socket.recv())
        for n in range(1, 200):
            await ask(writer, **write, body={"n": n})
        async with websockets.connect(url) as socket:
            await ask(socket, **subscribe, **{"from": f"{seen['feed']}:{seen['seq']}"})
            for n in range(1, 200):
                assert json.loads(await socket.recv())["result"]["_source"]["n"] == n


async def test_a_topic_tells_only_the_connection_that_may_listen(server: Server) -> None:
    device = Device(MQTTProtocolVersion.MQTTv5, server.mqtt_port)
    joined = await device.subscribe({}, 1)
    stranger = PahoClient(MQTTProtocolVersion.MQTTv311, "stranger")
    stranger.client.connect_async("127.0.0.1", server.mqtt_port)
    stranger.client.loop_start()
    assert (await stranger.take(stranger.connected))[0] == 0
    stranger.client.subscribe(joined["channel"], qos=1)
    await stranger.take(stranger.subscribed)
    publish = {"controller": "realtime", "action": "publish", "body": {"n": 1}, **PLACE}
    device.paho.client.publish(REQUEST, json.dumps(publish))
    topics = {(await device.paho.take(device.paho.messages)).topic for _ in range(2)}
    assert topics == {joined["channel"], RESPONSE}
    # The stranger's own answer is the first and only thing that it hears.
    stranger.client.publish(REQUEST, json.dumps({"controller": "server", "action": "now"}))
    assert (await stranger.take(stranger.messages)).topic == RESPONSE
    stranger.client.disconnect()
    await asyncio.to_thread(stranger.client.loop_stop)
    await device.close()
