"""WebSocket without a library: frames bit by bit, a raw client, and a listener to point it at."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from aiohttp import web

from protocols.callers import Proxies
from protocols.crowd import Crowd
from protocols.http import HttpListener
from protocols.websocket import WebSocketWire
from router.actions import ActionTable
from router.connections import Connections
from router.ports import Dispatcher
from router.settings import Settings
from tests.support.small_router import CountingObserver

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
BOUND_S = 60.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 section 1.3

T = TypeVar("T")


class Frame(NamedTuple):
    """A frame as a server sent it."""

    opcode: int
    payload: bytes
    fin: bool

    @property
    def code(self) -> int:
        """The code of a close frame; 1005 is the RFC's word for none."""
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else 1005

    @property
    def reason(self) -> str:
        return self.payload[2:].decode()


def frame(
    payload: bytes | str = b"",
    opcode: int = TEXT,
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = b"\x11\x22\x33\x44",
    length: int | None = None,
) -> bytes:
    """One frame of a client's. `length` lies about the payload's; `mask` None leaves it bare."""
    payload = payload.encode() if isinstance(payload, str) else payload
    size = len(payload) if length is None else length
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    masked = 0x80 if mask is not None else 0
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 65536:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    if mask is None:
        return head + payload
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def request(**fields: Any) -> bytes:
    """A request in a text frame."""
    return frame(json.dumps(fields))


def read_frames(sent: bytes) -> list[Frame]:
    """The frames that a server wrote, all whole; fails on a masked one."""
    frames: list[Frame] = []
    start = 0
    while start < len(sent):
        size, head = sent[start + 1], 2
        assert size < 128, "a server must not mask"
        if size >= 126:
            wide = "!H" if size == 126 else "!Q"
            size = struct.unpack_from(wide, sent, start + 2)[0]
            head += struct.calcsize(wide)
        begin = start + head
        assert begin + size <= len(sent), "the last frame is cut"
        frames.append(Frame(sent[start] & 15, sent[begin : begin + size], bool(sent[start] & 128)))
        start = begin + size
    return frames


class MemoryTransport(asyncio.Transport):
    """Keeps what is written; `unsent` of it counts as not yet read by the client."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.unsent = 0
        self.is_paused = False
        self.eof_sent = False
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview[int]) -> None:
        assert not self.eof_sent, "written after the end"
        self.written += data

    def frames(self) -> list[Frame]:
        return read_frames(bytes(self.written))

    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(f.payload) for f in self.frames() if f.opcode == TEXT]

    def close_frame(self) -> Frame | None:
        return next((f for f in self.frames() if f.opcode == CLOSE), None)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof_sent = True

    def is_closing(self) -> bool:
        return self.aborted

    def close(self) -> None:
        self.aborted = True

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


@dataclass
class RawClient:
    """A TCP connection after its opening handshake, for frames that no library would send."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def open(
        cls, port: int, *, extra: Mapping[str, str] | None = None, glued: bytes = b""
    ) -> RawClient:
        """Upgrade; `glued` follows the request in the same write."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        client = cls(reader, writer)
        writer.write(upgrade_request(extra=extra) + glued)
        await client.read_head()
        return client

    async def read_head(self) -> None:
        head = await bounded(self.reader.readuntil(b"\r\n\r\n"))
        self.head, *lines = head.decode().split("\r\n")
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }

    def send(self, frame_bytes: bytes) -> None:
        self.writer.write(frame_bytes)

    async def frame(self) -> Frame:
        """The next frame of the server's."""
        head = await bounded(self.reader.readexactly(2))
        size = head[1]
        assert size < 128, "a server must not mask"
        if size >= 126:
            wide = "!H" if size == 126 else "!Q"
            extended = await bounded(self.reader.readexactly(struct.calcsize(wide)))
            size = struct.unpack(wide, extended)[0]
        payload = await bounded(self.reader.readexactly(size))
        return Frame(head[0] & 15, payload, bool(head[0] & 128))

    async def answer(self) -> dict[str, Any]:
        """The next text message, read as JSON."""
        got = await self.frame()
        assert got.opcode == TEXT, got
        answer: dict[str, Any] = json.loads(got.payload)
        return answer

    async def ended(self) -> bool:
        """Wait until the server has closed the TCP connection."""
        try:
            await bounded(self.reader.read())
        except ConnectionError:
            return True
        return self.reader.at_eof()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def upgrade_request(
    path: str = "/", *, extra: Mapping[str, str] | None = None, verb: str = "GET"
) -> bytes:
    """The opening handshake; a header of `extra` takes the place of the usual one."""
    headers = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
        **(extra or {}),
    }
    lines = [f"{verb} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


@dataclass
class Listening:
    """A wire that serves on a port of its own."""

    port: int
    wire: WebSocketWire
    observer: CountingObserver
    connections: Connections


@asynccontextmanager
async def listening(
    router: Dispatcher,
    settings: Settings | None = None,
    *,
    stop_timeout_s: float = 10.0,
    is_guarded: bool = True,
) -> AsyncIterator[Listening]:
    """The wire behind the program's own HTTP listener."""
    settings = settings or Settings()
    observer, connections = CountingObserver(), Connections()
    proxies = Proxies(settings.http)
    crowd = Crowd(settings.limits.connections_per_address, proxies.believes)
    wire = WebSocketWire(
        router, settings, observer=observer, connections=connections, crowd=crowd, node="node-1"
    )
    http = HttpListener(
        router,
        ActionTable(),
        settings,
        observer=CountingObserver(),
        crowd=crowd,
        node="node-1",
        readiness=lambda: True,
        metrics=lambda: (b"", "text/plain"),
        upgrade=wire.upgrade,
        guard=lambda: is_guarded,
    )
    port = await http.start("127.0.0.1", 0)
    try:
        yield Listening(port, wire, observer, connections)
    finally:
        await wire.stop(stop_timeout_s)
        await http.stop(stop_timeout_s)


@asynccontextmanager
async def plain_server(
    handler: Callable[[web.BaseRequest], Any],
) -> AsyncIterator[int]:
    """aiohttp's own low-level server over one handler; gives its port."""
    server = web.Server(handler, access_log=None)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await server.shutdown(1.0)


async def bounded(awaitable: Any) -> Any:
    """The result of an awaitable, or a failure after `BOUND_S`."""
    return await asyncio.wait_for(awaitable, BOUND_S)


async def until(condition: Callable[[], T], what: str) -> T:
    """Let the loop run until the condition holds; fails by its name after `BOUND_S`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BOUND_S
    while loop.time() < deadline:
        met = condition()
        if met:
            return met
        await asyncio.sleep(0.005)
    raise AssertionError(f"not within {BOUND_S} s: {what}")
