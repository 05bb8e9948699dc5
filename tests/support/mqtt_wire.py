"""A real MQTT listener over a small router, and a client that sends whatever bytes a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.packets import V5, Connack, Connect, Disconnect, Packet, Publish
from protocols.codec.mqtt.stream import Decoder
from protocols.crowd import Crowd
from protocols.mqtt import MqttListener
from router.actions import Action
from router.connections import Connections
from router.envelope import Json, Request
from router.places import nowhere
from router.ports import Dispatcher
from router.settings import Settings
from tests.support.small_router import CountingObserver, Gate, small_router, small_table
from trivium.assembly import make_broker

T = TypeVar("T")

BOUND_S = 60.0
NOW = {"controller": "server", "action": "now"}
HOLD = {"controller": "test", "action": "hold"}


@dataclass
class Served:
    """A running listener. `recorded` are the requests of the action `test:record`."""

    listener: MqttListener
    port: int
    observer: CountingObserver
    connections: Connections
    gate: Gate
    recorded: list[Request] = field(default_factory=list)


@contextlib.asynccontextmanager
async def listening(
    settings: Settings | None = None, *, router: Dispatcher | None = None
) -> AsyncIterator[Served]:
    """A listener that is stopped at the end of the block; `router` instead of a small one."""
    gate, observer, connections = Gate(), CountingObserver(), Connections()
    table = small_table(gate)
    recorded: list[Request] = []

    async def record(request: Request) -> Json:
        recorded.append(request)
        return {}

    table.add(
        Action(
            controller="test", name="record", handler=record, places=nowhere, summary="For tests."
        )
    )
    settings = settings or Settings()
    listener = MqttListener(
        router or small_router(table),
        settings,
        observer=observer,
        connections=connections,
        crowd=Crowd(settings.limits.connections_per_address),
        node="node-1",
        broker=make_broker(settings),
    )
    port = await listener.start("127.0.0.1", 0)
    try:
        yield Served(listener, port, observer, connections, gate, recorded)
    finally:
        await listener.stop(0.1)


class RawClient:
    """One TCP connection, packets as this codec writes them or any bytes."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: int
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.version = version
        self._decoder = Decoder(max_bytes=2**28, version=version)

    async def send(self, *packets: Packet) -> None:
        """Send packets in one piece."""
        await self.send_bytes(b"".join(encode(packet, self.version) for packet in packets))

    async def send_bytes(self, chunk: bytes) -> None:
        """Send bytes."""
        self.writer.write(chunk)
        await self.writer.drain()

    async def ask(self, request: object, *, qos: int = 0, packet_id: int = 0) -> None:
        """Publish a request."""
        payload = json.dumps(request).encode()
        await self.send(
            Publish(topic="Kuzzle/request", payload=payload, qos=qos, packet_id=packet_id)
        )

    async def receive(self) -> Packet | None:
        """The next packet; None once the server has hung up."""
        async with asyncio.timeout(BOUND_S):
            while (packet := self._decoder.next_packet()) is None:
                chunk = await self.reader.read(65_536)
                if not chunk:
                    return None
                self._decoder.feed(chunk)
        return packet

    async def answer(self) -> dict[str, Any]:
        """The envelope of the next packet, which must be a message."""
        packet = await self.receive()
        assert isinstance(packet, Publish), packet
        envelope: dict[str, Any] = json.loads(packet.payload)
        return envelope

    async def goodbye(self) -> int | None:
        """The reason of the DISCONNECT that comes before the end; None for an end without."""
        packet = await self.receive()
        if packet is None:
            return None
        assert isinstance(packet, Disconnect), packet
        assert await self.receive() is None
        return packet.reason

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """Drop the connection without a goodbye on any layer."""
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def raw(port: int, version: int = V5) -> AsyncIterator[RawClient]:
    """A TCP connection that has not sent a CONNECT."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = RawClient(reader, writer, version)
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def client(port: int, version: int = V5, **fields: Any) -> AsyncIterator[RawClient]:
    """A client that has been let in."""
    async with raw(port, version) as connection:
        fields = {"client_id": "client-1", "version": version, **fields}
        await connection.send(Connect(**fields))
        connack = await connection.receive()
        assert isinstance(connack, Connack)
        assert connack.reason == 0
        yield connection


async def until(condition: Callable[[], T]) -> T:
    """What the condition gives once it gives something; it is asked for `BOUND_S`."""
    async with asyncio.timeout(BOUND_S):
        while not (met := condition()):
            await asyncio.sleep(0.005)
    return met


async def bounded(awaited: Awaitable[T]) -> T:
    """The result, or a failure after `BOUND_S`."""
    return await asyncio.wait_for(awaited, BOUND_S)


async def run(*command: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a program."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await bounded(process.communicate(stdin))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()
