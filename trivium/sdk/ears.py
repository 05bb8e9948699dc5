"""Connections of this process that listen: they call the application back."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias, cast

import structlog

from router.connections import Connections, Notification
from router.copies import copied
from router.envelope import JsonObject

Callback: TypeAlias = "Callable[[JsonObject], object | Awaitable[object]]"
OnEnd: TypeAlias = Callable[[str], object]

_TYPICAL_BYTES: Final = 1_024

_log: Final = structlog.get_logger("trivium.app")


class Ear:
    """One subscription's connection, which calls a callback with one message after the other.

    A `router.connections.Sink`.

    Args:
        on_end: Called with the reason once the subscription is ended by anything but `close`.
        most: Messages that wait for the callback; one more ends the subscription.

    Attributes:
        room: Who subscribed, and to which room, once that is known.
        task: What calls the callback, while there is something to tell it.
    """

    def __init__(
        self, connections: Connections, callback: Callback, on_end: OnEnd | None, *, most: int
    ) -> None:
        self.id = f"sdk-{uuid.uuid4()}"
        self._most = most
        self._connections = connections
        self._callback = callback
        self._on_end = on_end
        self._waiting: deque[JsonObject] = deque()
        self.room: tuple[str, str] | None = None
        self.task: asyncio.Task[None] | None = None
        connections.opened(self.id, self)

    def notify(self, notification: Notification) -> None:
        """Call the callback with this, once it is done with all that came before."""
        if len(self._waiting) >= self._most:
            self.expel(f"more than {self._most} notifications wait for its callback")
            return
        # Everybody gets the same content; what a callback does to its own is its affair.
        content = cast("JsonObject", copied(notification.content))
        self._waiting.append({**content, "room": notification.channel})
        if self.task is None:
            self.task = asyncio.ensure_future(self._run())

    def expel(self, reason: str) -> None:
        """End the subscription, and say why."""
        _log.error("a subscription of the application was ended", reason=reason)
        self.close()
        if self._on_end is not None:
            asyncio.get_running_loop().call_soon(self._on_end, reason)

    def unsent(self) -> int:
        """What waits for the callback, each notification counted as if it had so many bytes."""
        return len(self._waiting) * _TYPICAL_BYTES

    def hears(self, channel: str) -> bool:  # noqa: ARG002 - there is one
        """Whether messages of a channel reach the callback: always."""
        return True

    def close(self) -> None:
        """Call the callback no more; what it is at goes on."""
        self._waiting.clear()
        self._connections.closed(self.id)

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._call(self._waiting.popleft())
        finally:
            self.task = None

    async def _call(self, content: JsonObject) -> None:
        try:
            outcome = self._callback(content)
            if inspect.isawaitable(outcome):
                await outcome
        except Exception as error:  # noqa: BLE001 - a boundary: whatever an application's callback raises
            request_id = content.get("requestId")
            _log.error("a callback of a subscription failed", request_id=request_id, exc_info=error)


class Ears:
    """The subscriptions of an application, by who made them (a user's id) and their room.

    Args:
        most: Notifications that wait for one callback; one more ends its subscription.
    """

    def __init__(self, connections: Connections, *, most: int) -> None:
        self._connections = connections
        self._most = most
        self._open: dict[str, Ear] = {}
        self._rooms: dict[tuple[str, str], set[Ear]] = {}
        connections.on_closed(self._forget)

    def open(self, callback: Callback, on_end: OnEnd | None) -> Ear:
        """A connection that calls the callback; it is in no room yet."""
        ear = Ear(self._connections, callback, on_end, most=self._most)
        self._open[ear.id] = ear
        return ear

    def entered(self, user_id: str, room_id: str, ear: Ear) -> None:
        """The user's subscription to this room is heard by this ear."""
        if ear.id in self._open:
            ear.room = (user_id, room_id)
            self._rooms.setdefault(ear.room, set()).add(ear)

    def leave(self, user_id: str, room_id: str) -> bool:
        """End all of the user's subscriptions to a room; whether there was any."""
        left = list(self._rooms.get((user_id, room_id), ()))
        for ear in left:
            ear.close()
        return bool(left)

    async def close(self, timeout_s: float) -> None:
        """End them all; callbacks at work get so long, then they are cancelled."""
        ears = list(self._open.values())
        for ear in ears:
            ear.close()
        tasks = [ear.task for ear in ears if ear.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, id: str) -> None:
        ear = self._open.pop(id, None)
        if ear is None or ear.room is None:
            return
        heard = self._rooms[ear.room]
        heard.discard(ear)
        if not heard:
            del self._rooms[ear.room]
