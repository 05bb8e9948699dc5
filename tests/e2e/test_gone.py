"""Subscribers that vanish without a word, and thousands that come back at once.

The storm has 300 clients by default; the whole one:
    TRIVIUM_RECONNECTS=10000 pytest tests/e2e/test_gone.py -k storm -s
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from protocols.codec.mqtt.packets import V3_1_1, V5, Publish
from storage.memory import MemoryStorage
from tests.support import mqtt_wire
from tests.support.cpu import cpu_seconds
from tests.support.cuts import Cuttable
from tests.support.people import settings
from tests.support.server import start
from tests.support.websocket import RawClient, frame, until, upgrade_request
from tests.support.wires import HttpWire
from trivium import App
from trivium.server import Server, running

SUBSCRIBE: Any = {
    "controller": "realtime",
    "action": "subscribe",
    "index": "lab",
    "collection": "things",
    "body": {},
}
RECONNECTS = int(os.environ.get("TRIVIUM_RECONNECTS", "300"))
REQUEST = json.dumps(SUBSCRIBE).encode()


@asynccontextmanager
async def before(port: int) -> AsyncIterator[Cuttable]:
    """A way to a port that may begin to swallow everything."""
    way = await Cuttable(f"http://127.0.0.1:{port}").open()
    try:
        yield way
    finally:
        await way.close()


def port_of(way: Cuttable) -> int:
    return int(way.url.rpartition(":")[2])


class TestHalfOpen:
    """Nothing arrives any more, not even that the other side hung up."""

    async def test_websocket(self) -> None:
        chosen = settings(**{"websocket.idle_timeout_s": 2})
        async with running(App(), chosen, MemoryStorage()) as server, before(server.port) as way:
            client = await RawClient.open(port_of(way))
            client.send(frame(REQUEST))
            assert (await client.answer())["status"] == 200
            await self.is_found(server, way, client.close)

    @pytest.mark.parametrize("version", [V3_1_1, V5])
    async def test_mqtt(self, version: int) -> None:
        async with (
            running(App(), settings(), MemoryStorage()) as server,
            before(server.mqtt_port) as way,
            mqtt_wire.client(port_of(way), version, keep_alive_s=2) as client,
        ):
            await client.send(Publish(topic="Kuzzle/request", payload=REQUEST))
            assert isinstance(await client.receive(), Publish)
            await self.is_found(server, way, client.close)

    async def is_found(self, server: Server, way: Cuttable, hang_up: Any) -> None:
        rooms, connections = server.core.realtime.notifier.rooms, server.core.connections
        assert (rooms.subscriptions, len(connections)) == (1, 1)
        way.swallow()
        await hang_up()
        await until(lambda: not rooms.subscriptions, "its subscription has ended")
        await until(lambda: not len(connections), "it is forgotten")

    async def test_the_system_looks_after_those_who_need_not_say_anything(self) -> None:
        # A keep-alive of 0 lets an MQTT client be silent for ever.
        async with running(App(), settings(), MemoryStorage()) as server:
            for port in (server.port, server.mqtt_port):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                theirs = writer.get_extra_info("sockname")
                accepted = await until(partial(_accepted, theirs), "it is accepted")
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                idle = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                probes = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT)
                every = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
                assert idle + probes * every <= 120
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000
                accepted.close()
                writer.close()


def _accepted(theirs: Any) -> socket.socket | None:
    """The server's end of a connection, found among the open files of this process."""
    for name in os.listdir("/proc/self/fd"):
        try:
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        try:
            if found.getpeername() == theirs:
                return found
        except OSError:
            pass
        found.close()
    return None


class Subscriber(asyncio.Protocol):
    """Upgrades and subscribes as soon as it is connected."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.joined: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self._heard = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(upgrade_request() + frame(REQUEST))

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if not self.joined.done() and b'"roomId"' in self._heard:
            self.joined.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.joined.done():
            self.joined.set_exception(exc or ConnectionError("refused"))
        self.lost.set_result(None)


async def everybody(port: int, count: int) -> list[Subscriber]:
    """So many subscribers that come at once."""
    loop = asyncio.get_running_loop()

    async def one() -> Subscriber:
        made = (await loop.create_connection(Subscriber, "127.0.0.1", port))[1]
        await made.joined
        return made

    async with asyncio.timeout(120):
        return await asyncio.gather(*(one() for _ in range(count)))


async def subscriptions(wire: HttpWire) -> int:
    answer = await wire.ask({"controller": "server", "action": "metrics"})
    found: int = answer["result"]["realtime"]["subscriptions"]
    return found


async def test_a_storm_of_reconnects_is_served(tmp_path: Path) -> None:
    _allow_files(RECONNECTS + 500)
    limits = {
        "TRIVIUM__LIMITS__CONNECTIONS": str(2 * RECONNECTS + 10),
        "TRIVIUM__LIMITS__CONNECTIONS_PER_ADDRESS": "0",
    }
    server = await asyncio.to_thread(start, tmp_path, environment=limits)
    wire = await HttpWire(server.port).open()
    try:
        there = await everybody(server.port, RECONNECTS)
        assert await subscriptions(wire) == RECONNECTS
        # The network fails for all of them, and they come back before the dust has settled.
        for each in there:
            each.transport.abort()
        began, cpu_s = time.perf_counter(), cpu_seconds(server.process.pid)
        back = await everybody(server.port, RECONNECTS)
        took_s, cpu_s = time.perf_counter() - began, cpu_seconds(server.process.pid) - cpu_s
        async with asyncio.timeout(120):
            while await subscriptions(wire) != RECONNECTS:
                pass
        for each in back:
            each.transport.abort()
        async with asyncio.timeout(120):
            while await subscriptions(wire):
                pass
    finally:
        await wire.close()
        server.kill()
    print(f"{RECONNECTS} reconnects in {took_s:.1f} s, {cpu_s:.1f} s of the router's CPU")
    # Whatever else this machine does: 10 000 in 10 s are a millisecond of CPU each.
    assert cpu_s < 1 + RECONNECTS / 1_000


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
