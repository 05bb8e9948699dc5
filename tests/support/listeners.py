"""Connections that keep what they are told, for tests without wires."""

from __future__ import annotations

import asyncio
from typing import Any

from router.connections import Connections, Notification


class Listener:
    """A connection that keeps what it is told.

    Attributes:
        heard: The notifications, with their channel as `room`.
        expelled: Why it was closed; empty if it wasn't.
        unread: What it says it has not read yet; -1: everything that it was told.
        channels: What it hears; None: every channel.
    """

    def __init__(self, connections: Connections, id: str) -> None:
        self.heard: list[Any] = []
        self.expelled = ""
        self.unread = 0
        self.channels: set[str] | None = None
        self.id = id
        self._connections = connections
        self._told = asyncio.Event()
        connections.opened(id, self)

    def notify(self, notification: Notification) -> None:
        self.heard.append({**notification.content, "room": notification.channel})
        self._told.set()

    def expel(self, reason: str) -> None:
        self.expelled = reason
        self._connections.closed(self.id)

    def unsent(self) -> int:
        return len(str(self.heard)) if self.unread < 0 else self.unread

    def hears(self, channel: str) -> bool:
        return self.channels is None or channel in self.channels

    def subscribe(self, channel: str) -> None:
        """Listen to a channel, as MQTT clients do; to no other but those subscribed to."""
        self.channels = {*(self.channels or ()), channel}
        self._connections.subscribed(self.id)

    async def until(self, count: int) -> list[Any]:
        """The notifications once there are so many, at least."""
        async with asyncio.timeout(60):
            while len(self.heard) < count:
                self._told.clear()
                await self._told.wait()
        return self.heard
