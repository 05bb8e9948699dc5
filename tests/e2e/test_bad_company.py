"""Hostile clients on every wire at once; the well-behaved ones beside them notice nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from pathlib import Path

import pytest

from tests.support.fleet import fleet_app, fleet_settings
from tests.support.websocket import until
from tests.support.wires import WIRES, HttpWire, Payload, Wire
from trivium.server import Server, running

ROUNDS = 40
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04evil"


def masked(payload: bytes, opcode: int = 1) -> bytes:
    size = len(payload).to_bytes(8, "big")
    return bytes((0x80 | opcode, 0x80 | 127)) + size + b"\0\0\0\0" + payload


def published(payload: bytes) -> bytes:
    body = b"\x00\x0eKuzzle/request" + payload
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes((digit | 0x80 if size else digit,))
        if not size:
            return b"\x30" + length + body


JSON_TRICKS = [
    b"{",
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"\xff\xfe\x00",
    b'{"controller":"server","action":"now","n":NaN}',
    b'{"controller":"server","action":"now","n":' + b"9" * 400 + b"}",
    b'{"__proto__":{"x":1},"controller":"server","controller":"nope","action":"now"}',
    b'{"controller":"document","action":"create","index":"lab","collection":"things","body":"x"}',
    b"null",
    b"",
    b'{"controller":{"a":1},"action":["x"]}',
    b'{"' + b"k" * 1_100_000 + b'":1}',
]
HTTP_TRICKS = [
    b"GET / HTTP/1.1\r\n",
    b"\x16\x03\x01\x02\x00",
    b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /_query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    *(
        b"POST /_query HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(trick)
        + trick
        for trick in JSON_TRICKS
    ),
]
WEBSOCKET_TRICKS = [
    UPGRADE + b"\x81\x05hello",
    UPGRADE + b"\xf1\x80\x00\x00\x00\x00",
    UPGRADE + b"\x89\xfe\x01\x00\x00\x00\x00\x00",
    UPGRADE + b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff",
    *(UPGRADE + masked(trick) for trick in JSON_TRICKS),
]
MQTT_TRICKS = [
    b"\x10\xff\xff\xff\xff\xff",
    CONNECT[:7],
    CONNECT + CONNECT,
    CONNECT + b"\x30\x02\x00\x09",
    CONNECT + b"\x36\x02\x00\x00",
    CONNECT + b"\x82\x02\x00\x01",
    *(CONNECT + published(trick) for trick in JSON_TRICKS),
]


async def attack(port: int, trick: bytes) -> None:
    """Send it, perhaps in pieces, read a little or nothing, and leave rudely or not at all."""
    chance = random.Random(trick[:64] + str(port).encode())
    with contextlib.suppress(ConnectionError, TimeoutError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            cut = chance.randrange(len(trick) + 1)
            writer.write(trick[:cut])
            await asyncio.wait_for(writer.drain(), 5)
            writer.write(trick[cut:])
            await asyncio.wait_for(reader.read(100), chance.uniform(0.01, 0.3))
        finally:
            writer.transport.abort()


async def attack_all(server: Server, until: asyncio.Event) -> int:
    """Play every trick over and over until told to stop; how often."""
    played = 0
    tricks = [(server.port, trick) for trick in HTTP_TRICKS + WEBSOCKET_TRICKS]
    tricks += [(server.mqtt_port, trick) for trick in MQTT_TRICKS]
    random.Random(3).shuffle(tricks)
    while not until.is_set():
        for start in range(0, len(tricks), 8):
            await asyncio.gather(*(attack(*trick) for trick in tricks[start : start + 8]))
            played += 8
            if until.is_set():
                break
    return played


async def behave(wire: Wire, name: str) -> None:
    """Update an asset again and again; each answer must be the right one."""
    for counter in range(1, ROUNDS + 1):
        answer = await wire.ask(_asset("update", name, {"metadata": {"counter": counter}}))
        assert answer["status"] == 200, answer
        assert answer["result"]["_version"] == counter + 1
        assert answer["result"]["_source"]["metadata"] == {"counter": counter}


async def test_the_well_behaved_notice_nothing(tmp_path: Path) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        await _prepare(server)
        wires = {name: await open_(server.port, server.mqtt_port) for name, open_ in WIRES.items()}
        over = asyncio.Event()
        attackers = asyncio.create_task(attack_all(server, over))
        try:
            await asyncio.gather(*(behave(wire, name) for name, wire in wires.items()))
        finally:
            over.set()
            played = await attackers
            for wire in wires.values():
                await wire.close()
        assert played > 0


@pytest.mark.parametrize(
    ("tricks", "is_mqtt"),
    [(HTTP_TRICKS, False), (WEBSOCKET_TRICKS, False), (MQTT_TRICKS, True)],
    ids=["http", "websocket", "mqtt"],
)
async def test_every_trick_leaves_the_router_as_it_was(
    tricks: list[bytes], is_mqtt: bool, tmp_path: Path
) -> None:
    async with running(fleet_app(), fleet_settings(tmp_path)) as server:
        await _prepare(server)
        descriptors = _open_files()
        for trick in tricks:
            await attack(server.mqtt_port if is_mqtt else server.port, trick)
        await until(lambda: _open_files() <= descriptors + 4, "those who left are forgotten")
        wire = await HttpWire(server.port).open()
        answer = await wire.ask(_asset("get", "http"))
        await wire.close()
        assert answer["result"]["_version"] == 1
        await until(lambda: server.core.admission.running == 0, "nothing is at work")


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def _prepare(server: Server) -> None:
    wire = await HttpWire(server.port, routes=False).open()
    engine = {"controller": "device-manager/engine", "action": "create", "index": "fleet"}
    assert (await wire.ask(engine))["status"] == 200
    for name in WIRES:
        body = {"model": "Truck", "reference": name}
        assert (await wire.ask(_asset("create", name, body)))["status"] == 200
    await wire.close()


def _asset(action: str, name: str, body: Payload | None = None) -> Payload:
    asked = {"controller": "device-manager/asset", "action": action, "index": "fleet", "_id": name}
    return asked if body is None else {**asked, "body": body}
