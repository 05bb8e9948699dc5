"""A way to a server that can be cut: a TCP proxy on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

HOST = "127.0.0.1"
_CHUNK = 65_536


class Cuttable:
    """Passes bytes on both ways between those who connect here and the server at `url`."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        assert place.port is not None
        self._to = (place.hostname, place.port)
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self.cuts = 0

    @property
    def url(self) -> str:
        """Where to connect instead."""
        assert self._server is not None
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def open(self, port: int = 0) -> Cuttable:
        """Listen; whoever calls this closes it."""
        self._server = await asyncio.start_server(self._accept, HOST, port)
        return self

    def cut(self) -> int:
        """Reset every connection, whatever was on its way; how many there were."""
        gone = len(self._open)
        for writer in self._open:
            writer.transport.abort()
        self.cuts += gone > 0
        return gone

    def swallow(self) -> None:
        """Pass nothing on any more, not even that one side has hung up."""
        self._flows.clear()

    async def close(self) -> None:
        """Listen no more."""
        assert self._server is not None
        self._server.close()
        self.cut()
        self._flows.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError):
                there, to = await asyncio.open_connection(*self._to)
                self._open.add(to)
                try:
                    await asyncio.gather(self._pass_on(reader, to), self._pass_on(there, writer))
                finally:
                    self._open.discard(to)
                    to.transport.abort()
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(_CHUNK):
                if self._flows.is_set():
                    writer.write(piece)
                    await writer.drain()
        await self._flows.wait()
        # One side's end is the other's: neither HTTP client nor server half-closes.
        writer.close()
