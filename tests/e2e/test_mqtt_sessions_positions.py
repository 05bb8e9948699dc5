"""Kept sessions over kills of the router, wherever they are in the feed: no gap, nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from protocols.codec.mqtt.packets import (
    Connack,
    Connect,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from protocols.codec.mqtt.properties import Properties
from storage.sqlite.connection import FILE_NAME
from tests.e2e.test_mqtt_sessions import PLACE, SUBSCRIBE, ask, write
from tests.support.mqtt_wire import RawClient, raw
from tests.support.server import Server, start

PAST = 600
SMALL = {"TRIVIUM__MQTT_SESSIONS__QUEUE_MESSAGES": "200"}
"""The past has more documents than a queue holds."""

HOLDING = """
import asyncio

from trivium import App

app = App()

@app.pipe("notify:document")
async def hold(content):
    if content["result"]["_id"].startswith("held") and not released():
        await asyncio.sleep(3_600)
    return content

def released():
    from pathlib import Path
    return Path("released").exists()
"""


async def connect(client: RawClient, *, most: int = 50) -> bool:
    """Go on with the session; whether it was there. So many messages come unacknowledged."""
    properties = Properties(session_expiry_interval=3_600, receive_maximum=most)
    await client.send(Connect(client_id="kept", clean_start=False, properties=properties))
    connack = await client.receive()
    assert isinstance(connack, Connack)
    return connack.session_present


async def listen(client: RawClient, **more: Any) -> str:
    """Subscribe to the collection; the channel."""
    await client.ask({**SUBSCRIBE, **more})
    channel = str((await client.answer())["result"]["channel"])
    asked = (Subscription(topic_filter=channel, qos=1),)
    await client.send(Subscribe(packet_id=1, subscriptions=asked))
    while not isinstance(await client.receive(), Suback):
        pass
    return channel


async def take(client: RawClient, count: int) -> list[Any]:
    """The next notifications, each acknowledged."""
    found = []
    for _ in range(count):
        packet = await client.receive()
        assert isinstance(packet, Publish), packet
        found.append({**json.loads(packet.payload), "dup": packet.dup})
        await client.send(Puback(packet_id=packet.packet_id))
    return found


async def receive(client: RawClient, count: int) -> list[Publish]:
    """The next notifications, none acknowledged."""
    found = []
    for _ in range(count):
        packet = await client.receive()
        assert isinstance(packet, Publish), packet
        found.append(packet)
    return found


async def fill(
    server: Server, names: range, *, collection: str = PLACE["collection"], text: str = ""
) -> None:
    place = {**PLACE, "collection": collection}
    documents: Any = [{"_id": f"{n:06d}", "body": {"text": text}} for n in names]
    for begin in range(0, len(documents), 200):
        body = {"documents": documents[begin : begin + 200]}
        await ask(server.port, controller="document", action="mCreate", body=body, **place)


def forget_feed(data: Path) -> None:
    """Leave only the last row of the feed, as time does."""
    with contextlib.closing(apsw.Connection(str(data / FILE_NAME))) as connection:
        connection.execute("DELETE FROM changes WHERE seq < (SELECT max(seq) FROM changes)")


def names(heard: list[Any]) -> list[str]:
    return [each["result"]["_id"] for each in heard]


def once(heard: list[Any]) -> list[str]:
    """Without what was sent again for want of an acknowledgement, which says so."""
    seen: dict[str, None] = {}
    for each in heard:
        name = each["result"]["_id"]
        assert each["dup"] or name not in seen, each
        seen[name] = None
    return list(seen)


@pytest.mark.parametrize("beginning", [0, "snapshot"])
async def test_a_kill_while_the_past_is_read_leaves_no_gap(
    tmp_path: Path, beginning: int | str
) -> None:
    heard: list[Any] = []
    server = await asyncio.to_thread(start, tmp_path, environment=SMALL)
    await ask(server.port, controller="collection", action="create", **PLACE)
    await fill(server, range(PAST))
    async with raw(server.mqtt_port) as client:
        await connect(client)
        await listen(client, **{"from": beginning})
        heard += await take(client, 130)
        await asyncio.to_thread(server.kill)
    if beginning == "snapshot":
        heard.clear()  # it is shown anew
    server = await asyncio.to_thread(start, tmp_path, environment=SMALL)
    await write(server.port, "x-while-away")
    if beginning == 0:
        async with raw(server.mqtt_port) as client:
            assert await connect(client)
            heard += await take(client, 170)
            await asyncio.to_thread(server.kill)
        server = await asyncio.to_thread(start, tmp_path, environment=SMALL)
    async with raw(server.mqtt_port) as client:
        assert await connect(client)
        while not heard or heard[-1]["result"].get("_id") != "x-while-away":
            heard += await take(client, 1)
        await write(server.port, "y-live")
        heard += await take(client, 1)
    await asyncio.to_thread(server.stop)
    expected = [f"{n:06d}" for n in range(PAST)]
    told = [each for each in heard if each["type"] == "document"]
    shown = once(told) if beginning == 0 else list(dict.fromkeys(names(told)))
    if beginning == "snapshot":
        # What waited for the client when the router ended comes first.
        assert sorted(shown) == [*expected, "x-while-away", "y-live"]
        ends = [each for each in heard if each["type"] == "snapshot"]
        assert [each["result"] for each in ends] == [{"count": PAST}]
    else:
        assert shown == [*expected, "x-while-away", "y-live"]


async def test_a_client_that_acknowledges_slowly_misses_nothing_of_the_past(
    tmp_path: Path,
) -> None:
    server = await asyncio.to_thread(start, tmp_path, environment=SMALL)
    try:
        await ask(server.port, controller="collection", action="create", **PLACE)
        await fill(server, range(PAST))
        async with raw(server.mqtt_port) as client:
            await connect(client, most=5)
            await listen(client, **{"from": 0})
            assert names(await take(client, PAST)) == [f"{n:06d}" for n in range(PAST)]
    finally:
        await asyncio.to_thread(server.stop)


async def test_who_acknowledges_late_what_happens_reads_the_past(tmp_path: Path) -> None:
    live, told = 100, 20
    server = await asyncio.to_thread(start, tmp_path)
    try:
        for collection in (PLACE["collection"], "other"):
            place = {**PLACE, "collection": collection}
            await ask(server.port, controller="collection", action="create", **place)
        await fill(server, range(told))
        async with raw(server.mqtt_port) as client:
            await connect(client, most=1_000)
            channel = await listen(client, collection="other")
            # More bytes than a listener may leave unread are on their way.
            await fill(server, range(live), collection="other", text="x" * 2_000)
            late = await receive(client, live)
            await listen(client, **{"from": 0})
            assert names(await take(client, told)) == [f"{n:06d}" for n in range(told)]
            assert {each.topic for each in late} == {channel}
    finally:
        await asyncio.to_thread(server.stop)


async def test_what_was_in_pipes_when_the_router_ended_is_told_after_it(tmp_path: Path) -> None:
    app = tmp_path / "app.py"
    app.write_text(HOLDING)
    # What is held is not to be given up before the end, however long that takes.
    patient = {"TRIVIUM__REALTIME__PIPE_TIMEOUT_S": "3600"}
    server = await asyncio.to_thread(start, tmp_path, app=app, environment=patient)
    await ask(server.port, controller="collection", action="create", **PLACE)
    async with raw(server.mqtt_port) as client:
        await connect(client)
        await listen(client)
        await write(server.port, "told")
        assert names(await take(client, 1)) == ["told"]
    await write(server.port, "held-1", "behind", "held-2")
    await asyncio.to_thread(server.kill)
    (tmp_path / "released").touch()
    server = await asyncio.to_thread(start, tmp_path, app=app, environment=patient)
    try:
        await write(server.port, "live")
        async with raw(server.mqtt_port) as client:
            assert await connect(client)
            assert names(await take(client, 4)) == ["held-1", "behind", "held-2", "live"]
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_position_that_is_kept_no_longer_is_told(tmp_path: Path) -> None:
    server = await asyncio.to_thread(start, tmp_path, environment=SMALL)
    await ask(server.port, controller="collection", action="create", **PLACE)
    await fill(server, range(PAST))
    async with raw(server.mqtt_port) as client:
        await connect(client, most=5)
        await listen(client, **{"from": 0})
        await take(client, 5)
        await asyncio.to_thread(server.kill)
    await asyncio.to_thread(forget_feed, server.data)
    server = await asyncio.to_thread(start, tmp_path)
    try:
        async with raw(server.mqtt_port) as client:
            assert await connect(client)
            while (heard := (await take(client, 1))[0])["type"] == "document":
                pass
            assert heard["error"]["id"] == "trivium.feed.gone"
    finally:
        await asyncio.to_thread(server.stop)
