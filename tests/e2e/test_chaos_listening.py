"""Who resumes misses nothing: writers and subscribers on all wires, cuts, and killed routers.

`TRIVIUM_LISTENING_CUTS=200 TRIVIUM_LISTENING_KILLS=20` is the whole of it, in place of as much as
a run of all tests allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import websockets

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connack,
    Connect,
    Packet,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
)
from router.settings import StorageSettings
from storage.replay import retold
from storage.sqlite.store import SqliteStorage
from tests.support import mqtt_wire
from tests.support.server import Server, start

CUTS = int(os.environ.get("TRIVIUM_LISTENING_CUTS", "30"))
KILLS = int(os.environ.get("TRIVIUM_LISTENING_KILLS", "3"))
BETWEEN_CUTS_S = 0.15
DOCUMENTS = 20
PLACE = {"index": "lab", "collection": "things"}
RANGE: Any = {"range": {"n": {"gte": 50}}}
GONE = (
    *(OSError, EOFError, TimeoutError, aiohttp.ClientError),
    *(websockets.exceptions.WebSocketException, asyncio.IncompleteReadError),
)


class Router:
    """The router of the moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.server: Server = start(folder)

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.kill()

    async def kill(self) -> None:
        await asyncio.to_thread(self.server.kill)
        self.server = await asyncio.to_thread(start, self._folder)


class Subscriber:
    """One that comes back after each break with the last position that it saw.

    Attributes:
        seen: The numbers and ids of what it was told.
    """

    def __init__(self, router: Router, wire: str, filter: Any) -> None:
        self.router = router
        self.wire = wire
        self.filter = filter
        self.position = "0"
        self.seen: list[tuple[int, str]] = []
        self.breaks = 0
        self.cut: Callable[[], None] | None = None
        self.has_ended = asyncio.Event()

    async def listen(self) -> None:
        while not self.has_ended.is_set():
            try:
                async with contextlib.aclosing(WIRES[self.wire](self)) as notices:
                    async for notice in notices:
                        self.hear(notice)
                        if self.has_ended.is_set():
                            return
            except GONE:
                self.breaks += 1
                await asyncio.sleep(0.05)
            finally:
                self.cut = None

    def hear(self, notice: Any) -> None:
        assert notice.get("type") == "document", notice
        self.position = f"{notice['feed']}:{notice['seq']}"
        self.seen.append((notice["seq"], notice["result"]["_id"]))
        if notice["result"]["_id"] == "end":
            self.has_ended.set()

    @property
    def request(self) -> dict[str, Any]:
        ask = {"controller": "realtime", "action": "subscribe", "requestId": "q", **PLACE}
        return {**ask, "body": self.filter, "from": self.position}


async def by_websocket(one: Subscriber) -> AsyncIterator[Any]:
    async with websockets.connect(one.router.server.websocket_url) as socket:
        one.cut = socket.transport.abort
        await socket.send(json.dumps(one.request))
        answer = json.loads(await socket.recv())
        assert answer["status"] == 200, answer
        while True:
            yield json.loads(await socket.recv())


async def by_events(one: Subscriber) -> AsyncIterator[Any]:
    server = one.router.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    one.cut = writer.transport.abort
    try:
        path = f"/lab/things/_subscribe?filter={quote(json.dumps(one.filter))}&from=0"
        last = f"Last-Event-ID: {one.position}\r\n" if one.position != "0" else ""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n".encode())
        status = await reader.readline()
        assert not status or b"200 OK" in status
        while line := await reader.readline():
            if line.startswith(b"data: "):
                told = json.loads(line[6:])
                if "type" in told:
                    yield told
        raise EOFError
    finally:
        writer.close()


async def by_mqtt(one: Subscriber, version: int) -> AsyncIterator[Any]:
    async with mqtt_wire.raw(one.router.server.mqtt_port, version) as client:
        one.cut = client.reset
        await client.send(Connect(client_id="", version=version))
        assert isinstance(await packet_of(client), Connack)
        await client.ask(one.request)
        joined = json.loads((await message_of(client)).payload)
        assert joined["status"] == 200, joined
        topic = Subscription(topic_filter=joined["result"]["channel"], qos=1)
        await client.send(Subscribe(packet_id=1, subscriptions=(topic,)))
        assert isinstance(await packet_of(client), Suback)
        while True:
            message = await message_of(client)
            yield json.loads(message.payload)
            await client.send(Puback(packet_id=message.packet_id))


async def message_of(client: mqtt_wire.RawClient) -> Publish:
    packet = await packet_of(client)
    assert isinstance(packet, Publish), packet
    return packet


async def packet_of(client: mqtt_wire.RawClient) -> Packet:
    packet = await client.receive()
    if packet is None:
        raise EOFError
    return packet


WIRES: dict[str, Callable[[Subscriber], Any]] = {
    "websocket": by_websocket,
    "events": by_events,
    "mqtt 3.1.1": lambda one: by_mqtt(one, V3_1_1),
    "mqtt 5": lambda one: by_mqtt(one, V5),
}


def a_write(chance: random.Random) -> dict[str, Any]:
    action = chance.choice(["createOrReplace", "createOrReplace", "update", "update", "delete"])
    own = f"d{chance.randrange(DOCUMENTS)}"
    body = {"n": chance.randrange(100), f"k{chance.randrange(3)}": chance.randrange(9)}
    write = {"controller": "document", "action": action, "_id": own, "requestId": "w", **PLACE}
    return write if action == "delete" else {**write, "body": body}


async def write_by_websocket(router: Router, chance: random.Random) -> None:
    async with websockets.connect(router.server.websocket_url) as socket:
        while True:
            await socket.send(json.dumps(a_write(chance)))
            await socket.recv()
            await asyncio.sleep(0.002)


async def write_by_http(router: Router, chance: random.Random) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            url = f"{router.server.url}/_query"
            async with session.post(url, json=a_write(chance)) as answer:
                await answer.read()
            await asyncio.sleep(0.002)


async def write_by_mqtt(router: Router, chance: random.Random) -> None:
    async with mqtt_wire.client(router.server.mqtt_port, V5) as client:
        while True:
            await client.ask(a_write(chance))
            await client.answer()
            await asyncio.sleep(0.002)


async def go_on(
    write: Callable[[Router, random.Random], Any], router: Router, chance: random.Random
) -> None:
    while True:
        with contextlib.suppress(*GONE, AssertionError):  # what hangs up is no packet
            await write(router, chance)
        await asyncio.sleep(0.05)


async def disturb(router: Router, subscribers: list[Subscriber], chance: random.Random) -> int:
    """Cut connections, and kill the router now and then; how many connections were cut."""
    kills = set(chance.sample(range(CUTS), min(KILLS, CUTS)))
    cuts = 0
    while cuts < CUTS:
        await asyncio.sleep(chance.uniform(0, 2 * BETWEEN_CUTS_S))
        there = [one for one in subscribers if one.cut is not None]
        if not there:
            continue
        one = chance.choice(there)
        # Taken away, for it may be long until the other side has noticed.
        cut, one.cut = one.cut, None
        assert cut is not None
        cut()
        if cuts in kills:
            await router.kill()
        cuts += 1
    return cuts


async def test_each_who_resumes_is_told_every_change_once_and_in_order(tmp_path: Path) -> None:
    with Router(tmp_path) as router:
        told, subscribers, cuts = await under_fire(router)
    for one in subscribers:
        expected = [each for each, is_met in told if one.filter == {} or is_met]
        assert one.seen == expected, (one.wire, one.filter, one.breaks)
    breaks = sum(one.breaks for one in subscribers)
    assert breaks >= cuts
    changes, notices = len(told), sum(len(one.seen) for one in subscribers)
    print(f"{changes=} {notices=} {cuts=} kills={KILLS} {breaks=}")


Told = list[tuple[tuple[int, str], bool]]


async def under_fire(router: Router) -> tuple[Told, list[Subscriber], int]:
    """What was written, who listened, and how many connections were cut."""
    subscribers = [
        Subscriber(router, wire, which) for wire in WIRES for which in ({}, RANGE) for _ in "ab"
    ]
    async with asyncio.timeout(200 + 30 * KILLS + 5 * CUTS), aiohttp.ClientSession() as session:
        async with session.put(f"{router.server.url}/lab/things") as answer:
            assert answer.status == 200
        listening = [asyncio.create_task(one.listen()) for one in subscribers]
        writing = [
            asyncio.create_task(go_on(write, router, random.Random(seed)))
            for seed, write in enumerate((write_by_websocket, write_by_http, write_by_mqtt))
        ]
        cuts = await disturb(router, subscribers, random.Random(7))
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        end = {"controller": "document", "action": "create", "_id": "end", "body": {"n": 99}}
        async with session.post(f"{router.server.url}/_query", json={**end, **PLACE}) as answer:
            assert answer.status == 200
        await asyncio.gather(*listening)
    await asyncio.to_thread(router.server.stop)
    return await all_told(router.server.data), subscribers, cuts


async def all_told(data: Path) -> Told:
    """Each change of the feed by its number and id, and whether it concerns the filter."""
    storage = SqliteStorage(StorageSettings(data=data))
    await storage.open()
    found = []
    for change in await storage.changes(0, 1_000_000):
        if (change.index, change.collection) != ("lab", "things"):
            continue
        write, written = retold(change, await storage.before(change))
        states = [written.previous, None if write.verb == "delete" else written.source]
        matches = any(state is not None and state.get("n", 0) >= 50 for state in states)
        found.append(((change.seq, change.id), matches))
    await storage.close()
    return found
