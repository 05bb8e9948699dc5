"""Who resumes misses nothing: writers and subscribers on all wires, cuts, and killed routers; one
router on the embedded store, two on one OpenSearch.

`TRIVIUM_LISTENING_CUTS=200 TRIVIUM_LISTENING_KILLS=20` is the whole of it, in place of as much as
a run of all tests allows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
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
from router.settings import OpenSearchSettings, StorageSettings
from storage.contract import Change, Document, Storage
from storage.opensearch.store import OpenSearchStorage
from storage.replay import retold
from storage.sqlite.store import SqliteStorage
from tests.support import mqtt_wire
from tests.support.opensearch import OpenSearchServer
from tests.support.server import Server, start

BETWEEN_CUTS_S = 0.15
DOCUMENTS = 20
PLACE = {"index": "lab", "collection": "things"}
RANGE: Any = {"range": {"n": {"gte": 50}}}
GONE = (
    *(OSError, EOFError, TimeoutError, aiohttp.ClientError),
    *(websockets.exceptions.WebSocketException, asyncio.IncompleteReadError),
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often connections are cut, and routers killed."""

    cuts: int
    kills: int

    @classmethod
    def of(cls, cuts: int, kills: int) -> Trouble:
        """What was asked for, else this."""
        asked = os.environ.get
        chosen = int(asked("TRIVIUM_LISTENING_CUTS", cuts))
        return cls(chosen, min(chosen, int(asked("TRIVIUM_LISTENING_KILLS", kills))))

    @property
    def bound_s(self) -> float:
        return 200.0 + 30 * self.kills + 5 * self.cuts


class Routers:
    """The routers of the moment, on one store; whoever comes takes any of them."""

    def __init__(self, folders: Sequence[Path], *arguments: str) -> None:
        self._folders = folders
        self._arguments = arguments
        self._chance = random.Random(3)
        self.all: list[Server] = []

    def __enter__(self) -> Routers:
        for folder in self._folders:
            folder.mkdir(exist_ok=True)
            self.all.append(start(folder, arguments=self._arguments))
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.all:
            server.kill()

    @property
    def any(self) -> Server:
        return self._chance.choice(self.all)

    async def kill(self) -> None:
        """End one at once; start it again."""
        place = self._chance.randrange(len(self.all))
        await asyncio.to_thread(self.all[place].kill)
        folder, chosen = self._folders[place], self._arguments
        self.all[place] = await asyncio.to_thread(start, folder, arguments=chosen)

    async def stop(self) -> None:
        for server in self.all:
            await asyncio.to_thread(server.stop)


class Subscriber:
    """One that comes back after each break with the last position that it saw.

    Attributes:
        seen: The numbers and ids of what it was told.
    """

    def __init__(self, routers: Routers, wire: str, filter: Any) -> None:
        self.routers = routers
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
    async with websockets.connect(one.routers.any.websocket_url) as socket:
        one.cut = socket.transport.abort
        await socket.send(json.dumps(one.request))
        answer = json.loads(await socket.recv())
        assert answer["status"] == 200, answer
        while True:
            yield json.loads(await socket.recv())


async def by_events(one: Subscriber) -> AsyncIterator[Any]:
    server = one.routers.any
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
    async with mqtt_wire.raw(one.routers.any.mqtt_port, version) as client:
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


async def write_by_websocket(routers: Routers, chance: random.Random) -> None:
    async with websockets.connect(routers.any.websocket_url) as socket:
        while True:
            await socket.send(json.dumps(a_write(chance)))
            await socket.recv()
            await asyncio.sleep(0.002)


async def write_by_http(routers: Routers, chance: random.Random) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            url = f"{routers.any.url}/_query"
            async with session.post(url, json=a_write(chance)) as answer:
                await answer.read()
            await asyncio.sleep(0.002)


async def write_by_mqtt(routers: Routers, chance: random.Random) -> None:
    async with mqtt_wire.client(routers.any.mqtt_port, V5) as client:
        while True:
            await client.ask(a_write(chance))
            await client.answer()
            await asyncio.sleep(0.002)


async def go_on(
    write: Callable[[Routers, random.Random], Any], routers: Routers, chance: random.Random
) -> None:
    while True:
        with contextlib.suppress(*GONE, AssertionError):  # what hangs up is no packet
            await write(routers, chance)
        await asyncio.sleep(0.05)


async def disturb(
    routers: Routers, subscribers: list[Subscriber], trouble: Trouble, chance: random.Random
) -> None:
    """Cut connections, and kill a router now and then."""
    kills = set(chance.sample(range(trouble.cuts), trouble.kills))
    cuts = 0
    while cuts < trouble.cuts:
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
            await routers.kill()
        cuts += 1


async def test_each_who_resumes_is_told_every_change_once_and_in_order(tmp_path: Path) -> None:
    async def told() -> Told:
        return await all_told(SqliteStorage(StorageSettings(data=tmp_path / "data")))

    with Routers([tmp_path]) as routers:
        await check(routers, Trouble.of(cuts=30, kills=3), told)


@pytest.mark.needs("opensearch")
async def test_each_is_on_opensearch_whichever_router_it_comes_to(
    tmp_path: Path, opensearch: OpenSearchServer
) -> None:
    async def told() -> Told:
        return await all_told(OpenSearchStorage(OpenSearchSettings(nodes=opensearch.url)))

    opensearch.wipe()
    folders = [tmp_path / name for name in "ab"]
    with Routers(folders, "--storage", f"opensearch:{opensearch.url}") as routers:
        await check(routers, Trouble.of(cuts=10, kills=1), told)


Told = list[tuple[tuple[int, str], bool]]


async def check(routers: Routers, trouble: Trouble, read: Callable[[], Awaitable[Told]]) -> None:
    subscribers = await under_fire(routers, trouble)
    told = await read()
    for one in subscribers:
        expected = [each for each, is_met in told if one.filter == {} or is_met]
        assert one.seen == expected, (one.wire, one.filter, one.breaks)
    breaks = sum(one.breaks for one in subscribers)
    assert breaks >= trouble.cuts
    changes, notices = len(told), sum(len(one.seen) for one in subscribers)
    print(f"{changes=} {notices=} {trouble=} {breaks=}")


async def under_fire(routers: Routers, trouble: Trouble) -> list[Subscriber]:
    """Those who listened while others wrote, each up to the same last change."""
    subscribers = [
        Subscriber(routers, wire, which) for wire in WIRES for which in ({}, RANGE) for _ in "ab"
    ]
    async with asyncio.timeout(trouble.bound_s), aiohttp.ClientSession() as session:
        for server in routers.all:  # so that each knows it
            async with session.put(f"{server.url}/lab/things") as answer:
                assert answer.status == 200
        listening = [asyncio.create_task(one.listen()) for one in subscribers]
        writing = [
            asyncio.create_task(go_on(write, routers, random.Random(seed)))
            for seed, write in enumerate((write_by_websocket, write_by_http, write_by_mqtt))
        ]
        await disturb(routers, subscribers, trouble, random.Random(7))
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        end = {"controller": "document", "action": "create", "_id": "end", "body": {"n": 99}}
        async with session.post(f"{routers.any.url}/_query", json={**end, **PLACE}) as answer:
            assert answer.status == 200
        await asyncio.gather(*listening)
    await routers.stop()
    return subscribers


async def all_told(storage: Storage) -> Told:
    """Each change of the feed by its number and id, and whether it concerns the filter; what comes
    behind the last change that was waited for was told to nobody any more."""
    await storage.open()
    ids = ["end", *(f"d{number}" for number in range(DOCUMENTS))]
    ends = asyncio.get_running_loop().time() + 60
    while True:
        found, states = retrace(await all_rows(storage))
        stored = dict(zip(ids, await storage.mget("lab", "things", ids), strict=True))
        if all(agree(stored[each], states.get(each)) for each in ids):
            break
        # What a router that was killed left untold comes into the feed a little later.
        assert asyncio.get_running_loop().time() < ends, (stored, states)
        await asyncio.sleep(0.2)
    await storage.close()
    last = next(place for place, (each, _) in enumerate(found) if each[1] == "end")
    return found[: last + 1]


async def all_rows(storage: Storage) -> list[Change]:
    rows: list[Change] = []
    while page := await storage.changes(rows[-1].seq if rows else 0, 1_000):
        rows += page
    return [row for row in rows if (row.index, row.collection) == ("lab", "things")]


def retrace(rows: list[Change]) -> tuple[Told, dict[str, Document | None]]:
    """What rows tell, and the documents as they leave them. No version of any may be missing."""
    found: Told = []
    states: dict[str, Document | None] = {}
    versions: dict[str, int] = {}
    for row in rows:
        assert row.version == versions.get(row.id, 0) + 1, row
        versions[row.id] = row.version
        before = states.get(row.id)
        write, written = retold(row, before.source if before else None)
        after = None if write.verb == "delete" else written.source
        states[row.id] = (
            None if after is None else Document(id=row.id, version=row.version, source=after)
        )
        met = [each is not None and each.get("n", 0) >= 50 for each in (written.previous, after)]
        found.append(((row.seq, row.id), any(met)))
    return found, states


def agree(stored: Document | None, told: Document | None) -> bool:
    """Whether a document is as the feed leaves it."""
    if stored is None or told is None:
        return stored is told
    return (stored.version, stored.source) == (told.version, told.source)
