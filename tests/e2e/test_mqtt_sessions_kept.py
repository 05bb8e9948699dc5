"""Sessions over restarts and kills of the router: nothing that was acknowledged is lost to them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from tests.e2e.test_mqtt_sessions import PLACE, SUBSCRIBE, Device, ask, write
from tests.e2e.test_mqtt_sessions import V5 as PAHO_V5
from tests.e2e.test_mqtt_sessions import V311 as PAHO_V311
from tests.support.mqtt_client import BOTH, REQUEST, RESPONSE
from tests.support.mqtt_wire import RawClient, raw, run, until
from tests.support.server import Server, start

END: dict[str, Callable[[Server], object]] = {"stopped": Server.stop, "killed": Server.kill}
KILLS = int(os.environ.get("TRIVIUM_TEST_KILLS", "2"))
LASTING = Properties(session_expiry_interval=3_600)


@pytest.mark.parametrize(("version", "end"), [(PAHO_V311, "stopped"), (PAHO_V5, "killed")])
async def test_paho_hears_what_happened_before_the_router_ended(
    tmp_path: Path, version: Any, end: str
) -> None:
    first = await asyncio.to_thread(start, tmp_path)
    await ask(first.port, controller="collection", action="create", **PLACE)
    device = Device(version, first.mqtt_port)
    assert not await device.is_expected()
    joined = await device.listen(1)
    await device.leave()
    await write(first.port, "a", "b")
    await asyncio.to_thread(END[end], first)
    second = await asyncio.to_thread(start, tmp_path)
    try:
        count = {"controller": "realtime", "action": "count", "body": {"roomId": joined["roomId"]}}
        assert await ask(second.port, **count) == {"count": 1}
        await write(second.port, "c")
        again = Device(version, second.mqtt_port)
        assert await again.is_expected()
        assert await again.heard(3) == ["a", "b", "c"]
        await write(second.port, "d")
        assert await again.heard(1) == ["d"]
        await again.leave()
    finally:
        await asyncio.to_thread(second.stop)


async def connected(client: RawClient, **fields: Any) -> bool:
    """Connect a client whose session is kept; whether it was there."""
    properties = LASTING if client.version == V5 else NO_PROPERTIES
    hello = {"client_id": "raw-1", "clean_start": False, "properties": properties, **fields}
    await client.send(Connect(version=client.version, **hello))
    connack = await client.receive()
    assert isinstance(connack, Connack)
    assert connack.reason == 0
    return connack.session_present


async def listen(client: RawClient, qos: int) -> str:
    """Subscribe to everything in the collection; the topic."""
    await client.ask(SUBSCRIBE)
    channel = str((await client.answer())["result"]["channel"])
    asked = (Subscription(topic_filter=channel, qos=qos),)
    await client.send(Subscribe(packet_id=1, subscriptions=asked))
    assert isinstance(await client.receive(), Suback)
    return channel


async def messages(client: RawClient, count: int) -> list[Publish]:
    """The next packets, which must be messages."""
    found = [await client.receive() for _ in range(count)]
    assert all(isinstance(each, Publish) for each in found), found
    return [each for each in found if isinstance(each, Publish)]


def about(message: Packet) -> str:
    """The id of the document that a notification is about."""
    assert isinstance(message, Publish)
    return str(json.loads(message.payload)["result"]["_id"])


@pytest.mark.parametrize("version", BOTH)
async def test_what_was_under_way_in_both_directions_goes_on_after_a_kill(
    tmp_path: Path, version: int
) -> None:
    first = await asyncio.to_thread(start, tmp_path)
    await ask(first.port, controller="collection", action="create", **PLACE)
    create = {"controller": "document", "action": "create", "body": {}, **PLACE}
    async with raw(first.mqtt_port, version) as client:
        assert not await connected(client)
        await listen(client, 2)
        await write(first.port, "a", "b", "c")
        one, two, three = await messages(client, 3)
        await client.send(Pubrec(packet_id=one.packet_id))
        assert await client.receive() == Pubrel(packet_id=one.packet_id)
        await client.send(Pubrec(packet_id=two.packet_id))
        assert await client.receive() == Pubrel(packet_id=two.packet_id)
        await client.send(Pubcomp(packet_id=two.packet_id))
        await client.ask({**create, "_id": "mine"}, qos=2, packet_id=7)
        while not isinstance(packet := await client.receive(), Pubrec):
            assert isinstance(packet, Publish)
        await asyncio.to_thread(first.kill)
    second = await asyncio.to_thread(start, tmp_path)
    try:
        async with raw(second.mqtt_port, version) as client:
            assert await connected(client)
            assert await client.receive() == Pubrel(packet_id=one.packet_id)
            again = await messages(client, 2)
            assert (about(again[0]), again[0].packet_id) == ("c", three.packet_id)
            assert again[0].dup
            # The same request again is not done again: `mine` would exist already.
            payload = json.dumps({**create, "_id": "mine"}).encode()
            await client.send(Publish(topic=REQUEST, payload=payload, qos=2, packet_id=7, dup=True))
            while not isinstance(packet := await client.receive(), Pubrec):
                assert isinstance(packet, Publish)
                assert packet.topic != RESPONSE or b'"status":200' in packet.payload
            await client.send(Pubrel(packet_id=7))
            assert await client.receive() == Pubcomp(packet_id=7)
    finally:
        await asyncio.to_thread(second.stop)


async def test_a_will_that_waits_outlives_the_router(tmp_path: Path) -> None:
    first = await asyncio.to_thread(start, tmp_path)
    await ask(first.port, controller="collection", action="create", **PLACE)
    last = {"controller": "document", "action": "create", "_id": "will", "body": {}, **PLACE}
    will = Will(
        topic=REQUEST,
        payload=json.dumps(last).encode(),
        properties=Properties(will_delay_interval=1),
    )
    async with raw(first.mqtt_port) as client:
        await connected(client, will=will)
        client.reset()
    async with raw(first.mqtt_port) as client:
        await connected(client, client_id="raw-2", will=will)
        await client.send(Disconnect())
    await asyncio.to_thread(first.kill)
    second = await asyncio.to_thread(start, tmp_path)
    try:
        exists = {"controller": "document", "action": "exists", "_id": "will", **PLACE}
        async with asyncio.timeout(60):
            while not await ask(second.port, **exists):
                await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(second.stop)


@pytest.mark.parametrize("qos", [1, 2])
async def test_kills_lose_nothing_that_was_acknowledged(tmp_path: Path, qos: int) -> None:
    chance = random.Random(qos)
    server = await asyncio.to_thread(start, tmp_path)
    await ask(server.port, controller="collection", action="create", **PLACE)
    acknowledged: list[str] = []
    heard: list[str] = []
    number = 0
    async with raw(server.mqtt_port) as client:
        await connected(client)
        await listen(client, qos)
    for _ in range(KILLS):
        hearing = asyncio.create_task(hear(server, heard, qos))
        writing = asyncio.create_task(publish_until_cut(server, number, acknowledged))
        enough = len(acknowledged) + chance.randint(1, 100)
        await until(lambda: len(acknowledged) >= enough)  # noqa: B023 - awaited at once
        await asyncio.to_thread(server.kill)
        number = await writing
        await hearing
        server = await asyncio.to_thread(start, tmp_path)
    hearing = asyncio.create_task(hear(server, heard, qos))
    async with asyncio.timeout(120):
        while not set(acknowledged) <= set(heard):
            await asyncio.sleep(0.05)
    await asyncio.to_thread(server.stop)
    await hearing
    assert len(acknowledged) >= KILLS
    if qos == 2:
        assert len(heard) == len(set(heard))
    first = list(dict.fromkeys(heard))
    assert first == sorted(first, key=int)


async def hear(server: Server, heard: list[str], qos: int) -> None:
    """Go on with the session and take what comes, until the connection is cut."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with raw(server.mqtt_port) as client:
            await client.send(Connect(client_id="raw-1", clean_start=False, properties=LASTING))
            while (packet := await client.receive()) is not None:
                if isinstance(packet, Publish):
                    await take(client, packet, heard)
                elif isinstance(packet, Pubrel):
                    await client.send(Pubcomp(packet_id=packet.packet_id))


async def take(client: RawClient, packet: Publish, heard: list[str]) -> None:
    """Acknowledge a message, and note it unless it is one of QoS 2 that was noted before."""
    if packet.qos == 1:
        heard.append(about(packet))
        await client.send(Puback(packet_id=packet.packet_id))
        return
    name = about(packet)
    if not (packet.dup and name in heard):
        heard.append(name)
    await client.send(Pubrec(packet_id=packet.packet_id))


async def publish_until_cut(server: Server, number: int, acknowledged: list[str]) -> int:
    """Create documents by requests of QoS 1, one after the other; the next number."""
    create = {"controller": "document", "action": "create", "body": {}, **PLACE}
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with raw(server.mqtt_port, V3_1_1) as client:
            await client.send(Connect(client_id="writer", version=V3_1_1))
            await client.receive()
            while True:
                number += 1
                await client.ask({**create, "_id": str(number)}, qos=1, packet_id=1)
                while not isinstance(packet := await client.receive(), Puback):
                    if packet is None:
                        return number
                acknowledged.append(str(number))
    return number


@pytest.mark.needs("mosquitto_sub", "mosquitto_pub")
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
async def test_what_clients_publish_waits_for_mosquitto_over_a_kill(
    tmp_path: Path, version: str
) -> None:
    pub_sub = {"TRIVIUM__MQTT__ALLOW_PUB_SUB": "true"}
    lasting = ["mosquitto_sub", "-V", version, "-i", "waiting", "-c", "-q", "2", "-t", "a/#"]
    first = await asyncio.to_thread(start, tmp_path, environment=pub_sub)
    port = ["-p", str(first.mqtt_port)]
    assert (await run(*lasting, *port, "-E"))[0] == 0
    for number in range(3):
        sending = ["mosquitto_pub", *port, "-V", version, "-q", str(min(number + 1, 2))]
        assert (await run(*sending, "-t", f"a/{number}", "-m", str(number)))[0] == 0
    await asyncio.to_thread(first.kill)
    second = await asyncio.to_thread(start, tmp_path, environment=pub_sub)
    try:
        port = ["-p", str(second.mqtt_port)]
        code, out, err = await run(*lasting, *port, "-C", "3", "-W", "60")
        assert (code, out.split(), err) == (0, ["0", "1", "2"], "")
    finally:
        await asyncio.to_thread(second.stop)
