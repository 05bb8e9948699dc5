"""Sessions and messages of a router that keeps its documents on OpenSearch."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from protocols.codec.mqtt.packets import (
    V5,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from tests.e2e.test_mqtt_sessions_kept import connected, messages
from tests.support.mqtt_client import BOTH
from tests.support.mqtt_wire import RawClient, client, raw
from tests.support.opensearch import OpenSearchServer
from tests.support.server import Server, start

pytestmark = pytest.mark.needs("opensearch")

OPEN = {"TRIVIUM__MQTT__ALLOW_PUB_SUB": "true"}
STAY = "messages between MQTT clients stay on this router"


async def started(folder: Path, opensearch: OpenSearchServer) -> Server:
    chosen = ("--storage", f"opensearch:{opensearch.url}")
    return await asyncio.to_thread(start, folder, arguments=chosen, environment=OPEN)


async def published(sender: RawClient, *topics: str, retain: bool = False) -> None:
    """Publish with QoS 1, one after the other; each is acknowledged."""
    for topic in topics:
        message = Publish(topic=topic, payload=topic.encode(), qos=1, packet_id=1, retain=retain)
        await sender.send(message)
        puback = await sender.receive()
        assert isinstance(puback, Puback)
        assert puback.reason < 0x80


async def subscribed(listener: RawClient, topic_filter: str, qos: int) -> None:
    asked = (Subscription(topic_filter=topic_filter, qos=qos),)
    await listener.send(Subscribe(packet_id=1, subscriptions=asked))
    assert isinstance(await listener.receive(), Suback)


@pytest.mark.parametrize("version", BOTH)
async def test_what_waits_for_a_client_outlives_kills_of_the_router(
    tmp_path: Path, opensearch: OpenSearchServer, version: int
) -> None:
    opensearch.wipe()
    first = await started(tmp_path, opensearch)
    try:
        async with raw(first.mqtt_port, version) as device:
            assert not await connected(device)
            await subscribed(device, "a/#", 2)
            async with client(first.mqtt_port, V5, client_id="sender") as sender:
                await published(sender, "a/1")
                (under_way,) = await messages(device, 1)
        async with client(first.mqtt_port, V5, client_id="sender") as sender:
            await published(sender, "a/2", "b/1", "a/3")
            await published(sender, "a/kept", retain=True)
    finally:
        await asyncio.to_thread(first.kill)
    second = await started(tmp_path, opensearch)
    try:
        async with raw(second.mqtt_port, version) as device:
            assert await connected(device)
            found = await messages(device, 4)
            assert [each.topic for each in found] == ["a/1", "a/2", "a/3", "a/kept"]
            assert (found[0].packet_id, found[0].dup) == (under_way.packet_id, True)
            for each in found:
                await device.send(Puback(packet_id=each.packet_id))
            await device.send(Pingreq())
            assert isinstance(await device.receive(), Pingresp)
        async with raw(second.mqtt_port, version) as device:
            assert await connected(device)
            # Nothing comes again, and what is retained is in the store that routers share.
            await subscribed(device, "a/kept", 0)
            (kept,) = await messages(device, 1)
            assert (kept.topic, kept.payload, kept.retain) == ("a/kept", b"a/kept", True)
        assert [line["event"] for line in second.lines()].count(STAY) == 1
    finally:
        await asyncio.to_thread(second.kill)
