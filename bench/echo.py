"""The baseline of the wires: a bare asyncio server that answers every request with the same bytes.

It parses nothing but where a request ends, so it is the floor that any Python server on this
event loop stands on. `python -m bench.echo` prints its port and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import cast

import uvloop

_ANSWER = b'{"action":"now","controller":"server","error":null,"result":{"now":1},"status":200}'
_HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_ANSWER),
    _ANSWER,
)
_FRAME = bytes((0x81, len(_ANSWER))) + _ANSWER
_BODY = len(b"Kuzzle/response").to_bytes(2, "big") + b"Kuzzle/response" + _ANSWER
_PUBLISH = bytes((0x30, len(_BODY))) + _BODY
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Echo(asyncio.Protocol):
    """One connection of any of the three wires; told apart by its first bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._kind = ""

    def data_received(self, data: bytes) -> None:
        if self._kind == "websocket":
            self._transport.write(_FRAME)
        elif self._kind == "mqtt":
            self._transport.write(b"\x90\x03\x00\x01\x00" if data[0] == 0x82 else _PUBLISH)
        elif data[0] == 0x10:
            self._kind = "mqtt"
            self._transport.write(b"\x20\x02\x00\x00")
        elif b"Sec-WebSocket-Key: " in data:
            self._kind = "websocket"
            key = data.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
            accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
        else:
            self._transport.write(_HTTP)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
