"""Idempotency keys on the wires: sent again after cuts and kills, done once."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.support.server import Server, serving, start
from tests.support.wires import WIRES, Wire

REQUESTS = int(os.environ.get("TRIVIUM_ONCE_REQUESTS", "2000"))
"""Each sent one to four times; 100 000 take some minutes."""

# Dies behind the write, before the answer; once.
DEADLY = """
import os
from pathlib import Path
from trivium import App

app = App()

@app.pipe("device-manager:asset:update:after")
async def die(payload):
    if not Path("died").exists():
        Path("died").touch()
        os.kill(os.getpid(), 9)
    return payload
"""


def asked(action: str, asset: str = "Truck-1", **more: Any) -> dict[str, Any]:
    return {
        "controller": "device-manager/asset",
        "action": action,
        "index": "fleet",
        "_id": asset,
        **more,
    }


async def prepare(server: Server, assets: int = 1) -> None:
    wire = await WIRES["websocket"](server.port, server.mqtt_port)
    engine = {"controller": "device-manager/engine", "action": "create", "index": "fleet"}
    assert (await wire.ask(engine))["status"] == 200
    for number in range(1, assets + 1):
        body = {"model": "Truck", "reference": str(number)}
        assert (await wire.ask(asked("create", f"Truck-{number}", body=body)))["status"] == 200
    await wire.close()


async def version(wire: Wire, asset: str = "Truck-1") -> Any:
    return (await wire.ask(asked("get", asset)))["result"]["_version"]


async def test_a_kill_between_the_write_and_its_answer(tmp_path: Path) -> None:
    app = tmp_path / "deadly.py"
    app.write_text(DEADLY)
    server = start(tmp_path, app=app)
    update = asked("update", body={"metadata": {"weight": 2}}, idempotencyKey="k1")
    try:
        await prepare(server)
        wire = await WIRES["websocket"](server.port, server.mqtt_port)
        asking = asyncio.create_task(wire.ask(update))
        assert await asyncio.to_thread(server.process.wait, 60) == -9
        assert not asking.done()
        asking.cancel()
        server = await asyncio.to_thread(start, tmp_path, app=app)
        wire = await WIRES["http"](server.port, server.mqtt_port)
        answers = [await wire.ask(update) for _ in range(2)]
        assert [each["result"]["_version"] for each in answers] == [2, 2]
        assert answers[0]["result"]["_source"]["metadata"] == {"weight": 2}
        assert await version(wire) == 2
        await wire.close()
    finally:
        server.kill()


async def test_one_key_by_header_by_argument_and_by_user_property(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        await prepare(server)
        changes = {"metadata": {"weight": 5}}
        url = f"{server.url}/_/device-manager/fleet/assets/Truck-1"
        async with (
            aiohttp.ClientSession() as http,
            http.put(url, json=changes, headers={"Idempotency-Key": '"k2"'}) as answer,
        ):
            by_header = (await answer.json())["result"]
        wire = await WIRES["websocket"](server.port, server.mqtt_port)
        by_argument = await wire.ask(asked("update", body=changes, idempotencyKey="k2"))
        assert by_argument["result"] == by_header
        # An anonymous MQTT client is known by its client id, not its address: another scope.
        first, again = await asyncio.to_thread(_by_property, server, asked("update", body=changes))
        assert first["result"]["_version"] == again["result"]["_version"] == 3
        assert await version(wire) == 3
        await wire.close()


def _by_property(server: Server, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers to two requests of one client whose PUBLISH has the key."""
    answers: list[dict[str, Any]] = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="truck", protocol=paho.MQTTv5)
    client.on_message = lambda *it: answers.append(json.loads(it[2].payload))
    client.connect(server.host, server.mqtt_port)
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = ("idempotency-key", "k3")
    for count in (1, 2):
        client.publish("Kuzzle/request", json.dumps(request), qos=1, properties=properties)
        deadline = time.monotonic() + 60
        while len(answers) < count and time.monotonic() < deadline:
            client.loop(timeout=0.02)
    client.disconnect()
    return answers


async def test_each_of_many_requests_is_done_once(tmp_path: Path) -> None:
    """Sent one to four times each, at once and one behind the other, with kills in between."""
    chance = random.Random(11)
    assets = 20
    targets = [f"Truck-{1 + n % assets}" for n in range(REQUESTS)]
    server = start(tmp_path)
    try:
        await prepare(server, assets)
        wire = await WIRES["websocket"](server.port, server.mqtt_port)
        parts = [range(at, min(at + 500, REQUESTS)) for at in range(0, REQUESTS, 500)]
        kills_apart = max(2, len(parts) // 20)
        for number, part in enumerate(parts):
            sent = [n for n in part for _ in range(chance.randint(1, 4))]
            chance.shuffle(sent)
            tasks = [asyncio.create_task(wire.ask(_numbered(n, targets[n]))) for n in sent]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if number % kills_apart == 1:
                server.kill()
                server = await asyncio.to_thread(start, tmp_path)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                wire = await WIRES["websocket"](server.port, server.mqtt_port)
                tasks = [asyncio.create_task(wire.ask(_numbered(n, targets[n]))) for n in part]
            answers = await asyncio.gather(*tasks)
            assert {each["status"] for each in answers} == {200}
        for asset, updates in Counter(targets).items():
            assert await version(wire, asset) == 1 + updates, asset
        await wire.close()
    finally:
        server.kill()


def _numbered(number: int, asset: str) -> dict[str, Any]:
    body = {"metadata": {"number": number}}
    return asked("update", asset, body=body, idempotencyKey=f"n{number}")
