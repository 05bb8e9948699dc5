"""What the router says of its own accord, on real sockets, and who reads it too slowly."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Disconnect,
    Publish,
    Subscribe,
    Subscription,
)
from protocols.codec.mqtt.properties import Properties
from router.connections import Connections, Notification
from router.settings import MqttSettings, Settings, WebSocketSettings
from tests.support import mqtt_wire, websocket
from tests.support.small_router import small_router, small_table
from tests.support.websocket import CLOSE, RawClient

EVERY_LOOP = True
NEWS = Notification("room-1", {"type": "document", "result": {"_id": "d1"}})
SERVER = Notification("kuzzle:notification:server", {"type": "TokenExpired"}, is_direct=True)
NOW = b'{"controller":"server","action":"now","requestId":"r1"}'


def everybody(connections: Connections) -> list[str]:
    """The ids of all connections."""
    return list(connections._sinks)


class TestWebSocket:
    async def test_it_arrives_with_its_channel_as_room(self) -> None:
        async with websocket.listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port)
            [mine] = everybody(server.connections)
            assert server.connections.notify(mine, NEWS)
            message = json.loads((await client.frame()).payload)
            assert message == {**NEWS.content, "node": "node-1", "room": "room-1"}
            await client.close()
            await websocket.until(lambda: len(server.connections) == 0, "it is forgotten")
            assert not server.connections.notify(mine, NEWS)

    async def test_who_is_expelled_is_told_why(self) -> None:
        async with websocket.listening(small_router(small_table())) as server:
            client = await RawClient.open(server.port)
            server.connections.expel(everybody(server.connections)[0], "the user was deleted")
            closing = await client.frame()
            assert (closing.code, closing.reason) == (1008, "the user was deleted")
            await client.close()

    async def test_who_does_not_read_is_cut_off_and_others_are_not(self) -> None:
        settings = Settings(websocket=WebSocketSettings(max_unsent_bytes=4_096))
        long = Notification("room-1", {"text": "x" * 100_000})
        async with websocket.listening(small_router(small_table()), settings) as server:
            slow = await RawClient.open(server.port)
            [mine] = everybody(server.connections)
            slow.writer.transport.pause_reading()
            good = await RawClient.open(server.port)
            [other] = [one for one in everybody(server.connections) if one != mine]
            # The kernel takes some megabytes before anything waits here.
            for _ in range(2_000):
                server.connections.notify(mine, long)
                if mine not in server.connections:
                    break
                await asyncio.sleep(0)
            await websocket.until(lambda: mine not in server.connections, "the slow one is gone")
            assert server.connections.notify(other, NEWS)
            assert json.loads((await good.frame()).payload)["room"] == "room-1"
            await good.close()
            await slow.close()

    async def test_who_is_cut_off_is_told_why(self) -> None:
        settings = Settings(websocket=WebSocketSettings(max_unsent_bytes=4_096))
        long = Notification("room-1", {"text": "x" * 100_000})
        async with websocket.listening(small_router(small_table()), settings) as server:
            slow = await RawClient.open(server.port)
            [mine] = everybody(server.connections)
            slow.writer.transport.pause_reading()
            session: Any = server.connections._sinks[mine]
            while session.wire.is_open:
                server.connections.notify(mine, long)
                await asyncio.sleep(0)
            slow.writer.transport.resume_reading()
            while (last := await slow.frame()).opcode != CLOSE:
                pass
            await slow.close()
            assert (last.code, last.reason) == (1011, "too much backpressure: client is too slow")


@pytest.mark.parametrize("version", [V3_1_1, V5])
class TestMqtt:
    async def test_a_subscriber_gets_it_on_the_topic_of_its_channel(self, version: int) -> None:
        async with (
            mqtt_wire.listening() as served,
            mqtt_wire.client(served.port, version) as client,
        ):
            [mine] = everybody(served.connections)
            served.connections.notify(mine, NEWS)
            await client.send(
                Subscribe(packet_id=1, subscriptions=(Subscription(topic_filter="room-1"),))
            )
            await client.receive()
            served.connections.notify(mine, NEWS)
            message = await client.receive()
            assert isinstance(message, Publish)
            assert (message.topic, message.qos, message.retain) == ("room-1", 0, False)
            assert json.loads(message.payload) == {**NEWS.content, "node": "node-1"}

    async def test_what_concerns_the_connection_needs_no_subscription(self, version: int) -> None:
        async with (
            mqtt_wire.listening() as served,
            mqtt_wire.client(served.port, version) as client,
        ):
            served.connections.notify(everybody(served.connections)[0], SERVER)
            message = await client.receive()
            assert isinstance(message, Publish)
            assert message.topic == "kuzzle:notification:server"
            assert json.loads(message.payload)["type"] == "TokenExpired"

    async def test_nobody_gets_anything_before_the_connect(self, version: int) -> None:
        async with mqtt_wire.listening() as served, mqtt_wire.raw(served.port, version) as client:
            await mqtt_wire.until(lambda: len(served.connections))
            served.connections.notify(everybody(served.connections)[0], SERVER)
            await client.send_bytes(b"\xff")
            assert await client.receive() is None

    async def test_who_is_expelled_is_disconnected(self, version: int) -> None:
        async with (
            mqtt_wire.listening() as served,
            mqtt_wire.client(served.port, version) as client,
        ):
            served.connections.expel(everybody(served.connections)[0], "the user was deleted")
            assert await client.goodbye() == (0x87 if version == V5 else None)
            await mqtt_wire.until(lambda: not len(served.connections))

    async def test_who_does_not_read_is_cut_off(self, version: int) -> None:
        settings = Settings(mqtt=MqttSettings(max_unsent_bytes=4_096))
        long = Notification("room-1", {"text": "x" * 100_000}, is_direct=True)
        async with (
            mqtt_wire.listening(settings) as served,
            mqtt_wire.client(served.port, version) as client,
        ):
            client.writer.transport.pause_reading()
            [mine] = everybody(served.connections)
            for _ in range(2_000):
                if not served.connections.notify(mine, long):
                    break
                await asyncio.sleep(0)
            await mqtt_wire.until(lambda: mine not in served.connections)

    async def test_who_is_cut_off_is_told_why(self, version: int) -> None:
        settings = Settings(mqtt=MqttSettings(max_unsent_bytes=4_096))
        long = Notification("room-1", {"text": "x" * 100_000}, is_direct=True)
        async with (
            mqtt_wire.listening(settings) as served,
            mqtt_wire.client(served.port, version) as client,
        ):
            client.writer.transport.pause_reading()
            [mine] = everybody(served.connections)
            connection: Any = served.connections._sinks[mine]
            while not connection._is_closing:
                served.connections.notify(mine, long)
                await asyncio.sleep(0)
            client.writer.transport.resume_reading()
            while isinstance(last := await client.receive(), Publish):
                pass
            if version == V5:
                assert isinstance(last, Disconnect)
                assert (last.reason, last.properties.reason_string) == (
                    0x97,
                    "the client reads too slowly",
                )
            else:
                assert last is None

    async def test_it_comes_with_the_qos_that_was_asked_for(self, version: int) -> None:
        async with (
            mqtt_wire.listening() as served,
            mqtt_wire.client(served.port, version) as client,
        ):
            asked = (Subscription(topic_filter="room-1", qos=2),)
            await client.send(Subscribe(packet_id=1, subscriptions=asked))
            assert getattr(await client.receive(), "reasons", None) == (2,)
            [mine] = everybody(served.connections)
            served.connections.notify(mine, NEWS)
            message = await client.receive()
            assert isinstance(message, Publish)
            assert (message.qos, message.packet_id) == (2, 1)
            told = dict(message.properties.user_properties)
            assert told == ({"type": "document"} if version == V5 else {})


async def test_who_acknowledges_nothing_is_cut_off() -> None:
    settings = Settings(mqtt=MqttSettings(max_unsent_bytes=4_096))
    long = Notification("room-1", {"text": "x" * 1_000})
    receive_maximum = Properties(receive_maximum=1)
    async with (
        mqtt_wire.listening(settings) as served,
        mqtt_wire.client(served.port, V5, properties=receive_maximum) as client,
    ):
        asked = (Subscription(topic_filter="room-1", qos=1),)
        await client.send(Subscribe(packet_id=1, subscriptions=asked))
        await client.receive()
        [mine] = everybody(served.connections)
        for _ in range(100):
            served.connections.notify(mine, long)
        assert isinstance(await client.receive(), Publish)
        assert await client.goodbye() == 0x97
        await mqtt_wire.until(lambda: mine not in served.connections)
