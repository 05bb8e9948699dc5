"""Sessions that wait for their clients: paho on 3.1.1 and 5, gmqtt, mosquitto's tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gmqtt
import pytest
import websockets
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from router.envelope import Connection, Request
from tests.e2e.test_mqtt_clients import REQUEST, RESPONSE, PahoClient
from tests.support.fleet import fleet_app, fleet_settings
from tests.support.mqtt_wire import bounded, run
from trivium.server import Server, running

PLACE = {"index": "live", "collection": "things"}
SUBSCRIBE = {"controller": "realtime", "action": "subscribe", "body": {}, **PLACE}
V311, V5 = MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        await ask(server.port, controller="collection", action="create", **PLACE)
        yield server


async def ask(port: int, **request: Any) -> Any:
    """What a request by WebSocket comes to."""
    async with websockets.connect(f"ws://127.0.0.1:{port}/") as socket:
        await socket.send(json.dumps(request))
        answer = json.loads(await asyncio.wait_for(socket.recv(), 60))
        assert answer["status"] == 200, answer
        return answer["result"]


async def write(port: int, *names: str) -> None:
    """Create documents."""
    for name in names:
        create = {"controller": "document", "action": "create", "_id": name, "body": {}}
        await ask(port, **create, **PLACE)


class Device:
    """A paho client whose session waits for it."""

    def __init__(self, version: MQTTProtocolVersion, port: int, client_id: str = "device") -> None:
        options = {"clean_session": False} if version != V5 else {}
        self.paho = PahoClient(version, client_id, reconnect_on_failure=False, **options)
        self.flags: list[Any] = []
        on_connect = self.paho.client.on_connect

        def note(client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
            self.flags.append(flags)
            assert on_connect is not None
            on_connect(client, userdata, flags, code, properties)

        self.paho.client.on_connect = note
        lasting: dict[str, Any] = {}
        if version == V5:
            lasting["properties"] = Properties(PacketTypes.CONNECT)
            lasting["properties"].SessionExpiryInterval = 3_600
            lasting["clean_start"] = False
        self.paho.client.connect_async("127.0.0.1", port, **lasting)
        self.paho.client.loop_start()

    async def is_expected(self) -> bool:
        """Whether the router still had its session."""
        code, _ = await self.paho.take(self.paho.connected)
        assert code == 0
        return bool(self.flags[-1].session_present)

    async def listen(self, qos: int) -> Any:
        """Subscribe to everything in the collection."""
        self.paho.client.publish(REQUEST, json.dumps(SUBSCRIBE))
        joined = (await self.paho.envelope())["result"]
        self.paho.client.subscribe(joined["channel"], qos=qos)
        await self.paho.take(self.paho.subscribed)
        return joined

    async def heard(self, count: int) -> list[str]:
        """The ids of the documents that the next notifications are about."""
        found = []
        for _ in range(count):
            message = await self.paho.take(self.paho.messages)
            found.append(json.loads(message.payload)["result"]["_id"])
        return found

    async def leave(self) -> None:
        self.paho.client.disconnect()
        await asyncio.to_thread(self.paho.client.loop_stop)


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("version", [V311, V5])
async def test_paho_hears_what_happened_meanwhile(
    server: Server, version: MQTTProtocolVersion, qos: int
) -> None:
    device = Device(version, server.mqtt_port)
    assert not await device.is_expected()
    joined = await device.listen(qos)
    await write(server.port, "a")
    assert await device.heard(1) == ["a"]
    await device.leave()
    await write(server.port, "b", "c", "d")
    count = {"controller": "realtime", "action": "count", "body": {"roomId": joined["roomId"]}}
    assert await ask(server.port, **count) == {"count": 1}
    again = Device(version, server.mqtt_port)
    assert await again.is_expected()
    assert await again.heard(3) == ["b", "c", "d"]
    await write(server.port, "e")
    assert await again.heard(1) == ["e"]
    await again.leave()
    clean = PahoClient(version, "device")
    clean.client.connect("127.0.0.1", server.mqtt_port)
    clean.client.loop_start()
    await clean.take(clean.connected)
    assert await ask(server.port, **count) == {"count": 0}
    clean.client.disconnect()
    await asyncio.to_thread(clean.client.loop_stop)


@pytest.mark.parametrize("version", [gmqtt.constants.MQTTv311, gmqtt.constants.MQTTv50])
async def test_gmqtt_hears_what_happened_meanwhile(server: Server, version: int) -> None:
    device, messages = await gmqtt_client(server, version)
    device.publish(REQUEST, json.dumps(SUBSCRIBE), qos=1)
    topic, payload = await bounded(messages.get())
    assert topic == RESPONSE
    device.subscribe(json.loads(payload)["result"]["channel"], qos=1)
    await write(server.port, "a")
    assert heard(await bounded(messages.get())) == "a"
    await bounded(device.disconnect())
    await write(server.port, "b", "c")
    again, later = await gmqtt_client(server, version)
    assert [heard(await bounded(later.get())) for _ in range(2)] == ["b", "c"]
    await bounded(again.disconnect())


def heard(message: tuple[str, bytes]) -> str:
    """The id of the document that a notification is about."""
    return str(json.loads(message[1])["result"]["_id"])


async def gmqtt_client(
    server: Server, version: int
) -> tuple[gmqtt.Client, asyncio.Queue[tuple[str, bytes]]]:
    """A client of gmqtt whose session waits for it, and what it gets."""
    messages: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def on_message(_c: object, topic: str, payload: bytes, _q: int, _p: object) -> int:
        messages.put_nowait((topic, payload))
        return 0

    lasting = {"session_expiry_interval": 3_600} if version == gmqtt.constants.MQTTv50 else {}
    device = gmqtt.Client("gmqtt-1", clean_session=False, **lasting)
    device.on_message = on_message
    await bounded(device.connect("127.0.0.1", server.mqtt_port, version=version))
    return device, messages


@pytest.mark.needs("mosquitto_sub")
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
async def test_mosquitto_hears_what_happened_meanwhile(server: Server, version: str) -> None:
    lasting = ["-p", str(server.mqtt_port), "-V", version, "-i", "mosquitto-1", "-c", "-q", "1"]
    lasting += ["-x", "3600"] if version == "mqttv5" else []
    asking = json.dumps(SUBSCRIBE)
    await run("mosquitto_sub", *lasting, "-t", RESPONSE, "-E")
    code, _, err = await run("mosquitto_pub", *lasting, "-t", REQUEST, "-m", asking)
    assert (code, err) == (0, "")
    joined = await ask(server.port, **SUBSCRIBE)
    listening = ["mosquitto_sub", *lasting, "-t", joined["channel"]]
    code, _, err = await run(*listening, "-E")
    assert (code, err) == (0, "")
    await write(server.port, "a", "b", "c")
    code, out, err = await run(*listening, "-W", "8", "-C", "4" if version == "mqttv5" else "3")
    found = [json.loads(line) for line in out.splitlines()]
    told = [each["result"]["_id"] for each in found if each.get("type") == "document"]
    assert told == ["a", "b", "c"], err


async def test_a_delivery_is_carried_out_once_where_the_action_can(server: Server) -> None:
    create = Request(
        controller="document",
        action="create",
        args={**PLACE, "_id": "once"},
        body={},
        delivery="mqtt:session:1:0",
        connection=Connection("c", "mqtt"),
    )
    for _ in range(2):
        assert (await server.core.router.dispatch(create)).status == 200
    other = await server.core.router.dispatch(create.replace(delivery="mqtt:session:1:1"))
    assert other.status == 400
    now = create.replace(controller="server", action="now", args={}, body=None)
    assert (await server.core.router.dispatch(now)).status == 200
