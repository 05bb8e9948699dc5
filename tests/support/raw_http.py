"""HTTP as bytes: what a client that follows no rules sends, and what it gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from typing import Any, NamedTuple

TIMEOUT_S = 60.0


class RawAnswer(NamedTuple):
    """One response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def envelope(self) -> dict[str, Any]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value

    @property
    def error_id(self) -> str | None:
        error = self.envelope["error"]
        return None if error is None else error["id"]


class RawClient:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(
        cls, port: int, *, limit: int = 2**20, tls: ssl.SSLContext | None = None
    ) -> RawClient:
        async with asyncio.timeout(TIMEOUT_S):
            return cls(*await asyncio.open_connection("127.0.0.1", port, limit=limit, ssl=tls))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def read(self, *, has_body: bool = True) -> RawAnswer:
        """The next response."""
        async with asyncio.timeout(TIMEOUT_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            line, *fields = head.rstrip("\r\n").split("\r\n")
            headers = {name.lower(): value for name, value in (f.split(": ", 1) for f in fields)}
            length = int(headers["content-length"]) if has_body else 0
            return RawAnswer(
                int(line.split(" ")[1]), headers, await self._reader.readexactly(length)
            )

    async def ask(self, data: bytes, *, has_body: bool = True) -> RawAnswer:
        await self.send(data)
        return await self.read(has_body=has_body)

    async def read_rest(self) -> bytes:
        """What comes until the server closes; fails if it doesn't."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self._reader.read()

    def half_close(self) -> None:
        self._writer.write_eof()

    async def reset(self) -> None:
        """Hang up without good-bye (RST), unlike `close`, which might be a half-close."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.close()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


def get(path: str, *headers: str, version: str = "1.1") -> bytes:
    """A GET request with a Host."""
    lines = [f"GET {path} HTTP/{version}", "Host: localhost", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A POST request with a Host and a length."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
