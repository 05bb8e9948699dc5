"""Subscriptions that are answers over HTTP without an end: server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final, NamedTuple

import orjson

from router.connections import Connections, Notification
from router.envelope import Json, JsonObject

_BEGUN_WITHIN_S: Final = 60.0
_COME_BACK_MS: Final = 1_000
_HEARTBEAT: Final = b":\n\n"


class StreamLimits(NamedTuple):
    """What a stream may take.

    Attributes:
        heartbeat_s: Seconds between two signs of life where nothing happens.
        unsent_bytes: Bytes that wait for a client before its stream is ended; it comes back and
            goes on.
    """

    heartbeat_s: float = 15.0
    unsent_bytes: int = 1_048_576


class EventStream:
    """One client's stream; a `router.connections.Sink`.

    Whoever opens one either reads `chunks` to the end or calls `close`.

    Args:
        id: That of the HTTP connection, which has nothing else to do meanwhile.
        is_listening: Whether it is in a room; it may lose its right to that, or its token.
    """

    def __init__(
        self,
        connections: Connections,
        id: str,
        *,
        node: str,
        is_listening: Callable[[], bool],
        limits: StreamLimits,
    ) -> None:
        self.id = id
        self._connections = connections
        self._node = node
        self._is_listening = is_listening
        self._limits = limits
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._is_open = True
        # An answer may be dropped on its way out, by a pipe that fails.
        loop = asyncio.get_running_loop()
        self._unread = loop.call_later(_BEGUN_WITHIN_S, self.close)
        connections.opened(id, self)

    def begin(self, joined: JsonObject, position: str) -> None:
        """Say what was subscribed to, and from where to go on if nothing else comes.

        Args:
            position: `<feed>:<seq>`, empty if there is none yet.
        """
        head = f"retry: {_COME_BACK_MS}\n".encode()
        self._put(head + _event(joined, position, "subscribed"))

    def notify(self, notification: Notification) -> None:
        """Send a message, with its position as the id of the event."""
        if self._is_open:
            self._put(notification.encoded(("events", self._node), self._encode))

    def expel(self, reason: str) -> None:
        """End the stream, and say why."""
        if self._is_open:
            self._put(_event({"reason": reason}, "", "end"))
            self.close()

    def unsent(self) -> int:
        """Bytes that wait until the client reads them."""
        return self._bytes

    def hears(self, channel: str) -> bool:  # noqa: ARG002 - every one
        """Whether messages of a channel reach the client: as long as it is there."""
        return self._is_open

    def close(self) -> None:
        """The client is gone, or shall be: send what waits, and nothing more."""
        if self._is_open:
            self._is_open = False
            self._unread.cancel()
            self._connections.closed(self.id, self)
            self._news.set()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The stream, as fast as it is read."""
        self._unread.cancel()
        try:
            while self._waiting or (self._is_open and self._is_listening()):
                if self._waiting:
                    chunk = self._waiting.popleft()
                    yield chunk
                    # Only now the client, or the kernel, has it.
                    self._bytes -= len(chunk)
                elif await self._is_silent():
                    yield _HEARTBEAT
        finally:
            self.close()

    # -- inside -------------------------------------------------------------------------

    async def _is_silent(self) -> bool:
        self._news.clear()
        try:
            async with asyncio.timeout(self._limits.heartbeat_s):
                await self._news.wait()
        except TimeoutError:
            return True
        return False

    def _put(self, event: bytes) -> None:
        if self._bytes > self._limits.unsent_bytes:
            self.close()
            return
        self._waiting.append(event)
        self._bytes += len(event)
        self._news.set()

    def _encode(self, notification: Notification) -> bytes:
        content = {**notification.content, "room": notification.channel, "node": self._node}
        return _event(content, _position(notification.content), "")


def _position(content: JsonObject) -> str:
    # Before the last of its documents, a snapshot is no position to go on from.
    if "seq" not in content or (content.get("action"), content["type"]) == ("snapshot", "document"):
        return ""
    return f"{content['feed']}:{content['seq']}"


def _event(content: Json, position: str, name: str) -> bytes:
    """One event. Source: WHATWG HTML, 9.2 "Server-sent events"."""
    head = (f"event: {name}\n" if name else "") + (f"id: {position}\n" if position else "")
    return b"%bdata: %b\n\n" % (head.encode(), orjson.dumps(content))
