"""The last steps of a notification: through the application's pipes, in order, to who listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import structlog

from realtime.rooms import Channel
from router.connections import Connections, Notification
from router.envelope import JsonObject
from router.errors import RouterError
from router.events import Events

DOCUMENT: Final = "notify:document"
USER: Final = "notify:user"
SERVER: Final = "notify:server"
"""What the pipes of a kind of notification listen to (Kuzzle reference 3.4)."""

_EVERY: Final = "notify:dispatch"
_PARTING: Final = "core:realtime:notification:dispatch:before"

_TOO_SLOW: Final = "the application's pipes on notifications are too slow"

_log: Final = structlog.get_logger("trivium.realtime")


@dataclass(frozen=True, slots=True)
class PipeLimits:
    """What the pipes of notifications may take.

    Attributes:
        at_work: Notifications that are in pipes at a time; Kuzzle's 50.
        waiting: Notifications that wait for those before them.
        timeout_s: Time for all pipes of one notification; after that it is dropped.
    """

    at_work: int = 50
    waiting: int = 10_000
    timeout_s: float = 10.0


def _ignore() -> None:
    """Nobody wants to know."""


@dataclass(slots=True, eq=False)
class _Parcel:
    """A notification on its way; `content` is None until its pipes are through, or dropped it.

    Attributes:
        told: Called once it has been handed over, or never will be.
        seq: Its position, if it goes to all who hear it live.
        only: The connection that it concerns as a whole.
    """

    event: str
    given: JsonObject
    addressees: Mapping[Channel, tuple[str, ...]]
    told: Callable[[], None] = _ignore
    seq: int | None = None
    only: str | None = None
    content: JsonObject | None = None
    is_through: bool = False


class Deliveries:
    """Hands notifications to the connections, all in the order in which they were sent.

    Where no pipe listens that is at once. Otherwise several are in their pipes at a time, and one
    that is through waits for those before it. What a pipe fails on is logged and not sent: the
    pipe may be there to hide something.

    Attributes:
        connections: Where notifications go.
        events: What the pipes hang on.
        on_given_up: Called with each connection that was told a position no more, and is to hear
            of the channel all the same: its session outlives being cut off.
    """

    def __init__(self, connections: Connections, events: Events, limits: PipeLimits) -> None:
        self.connections = connections
        self.events = events
        self._limits = limits
        self._line: deque[_Parcel] = deque()
        self._waiting: deque[_Parcel] = deque()
        self._at_work: set[asyncio.Task[None]] = set()
        self.on_given_up: Callable[[Channel, str, int], None] = lambda _channel, _id, _seq: None
        connections.announce_by(self.announce)

    def send(
        self, event: str, channels: list[Channel], content: JsonObject, seq: int | None = None
    ) -> None:
        """Send a notification, of that position, to all who listen on the channels by now."""
        addressees = {each: tuple(each.listeners) for each in channels if each.listeners}
        if addressees:
            self._send(_Parcel(event, content, addressees, seq=seq))

    def send_to(
        self,
        event: str,
        channel: Channel,
        connection: str,
        content: JsonObject,
        *,
        told: Callable[[], None] = _ignore,
    ) -> None:
        """Send a notification to one who listens on the channel, or is held there.

        Args:
            told: Called once it has been handed over, or a pipe has kept it.
        """
        self._send(_Parcel(event, content, {channel: (connection,)}, told))

    def announce(self, connection: str, notification: Notification) -> None:
        """Send a connection a message that concerns it as a whole."""
        channel = Channel(notification.channel, "none", "none", {connection: None})
        addressees = {channel: (connection,)}
        self._send(_Parcel(SERVER, notification.content, addressees, only=connection))

    def _send(self, parcel: _Parcel) -> None:
        if not self._line and not self._is_heard(parcel.event):
            for channel, listeners in parcel.addressees.items():
                self._notify(parcel, channel.name, listeners, parcel.given)
            parcel.told()
            return
        if len(self._line) >= self._limits.waiting:
            self._give_up(parcel)
            return
        self._line.append(parcel)
        self._waiting.append(parcel)
        self._go_on()

    @property
    def first_seq(self) -> int | None:
        """The first position that is in pipes still; None if there is none."""
        return next((each.seq for each in self._line if each.seq is not None), None)

    @property
    def waiting(self) -> int:
        """How many notifications are in pipes, or wait for those before them."""
        return len(self._line)

    async def eased(self, most: int) -> None:
        """Return once no more than so many notifications wait for pipes, or half of what may."""
        most = min(most, self._limits.waiting // 2)
        while len(self._line) > most and self._at_work:
            await asyncio.wait(set(self._at_work), return_when=asyncio.FIRST_COMPLETED)

    async def close(self, timeout_s: float) -> None:
        """Wait for the pipes at work, at most so long; then drop what is left."""
        if self._at_work:
            await asyncio.wait(set(self._at_work), timeout=timeout_s)
        self._waiting.clear()
        left = list(self._at_work)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    # -- inside -------------------------------------------------------------------------

    def _is_heard(self, event: str) -> bool:
        events = self.events
        return not events.is_silent and any(map(events.heard, (event, _EVERY, _PARTING)))

    def _notify(
        self, parcel: _Parcel, channel: str, connections: Sequence[str], content: JsonObject
    ) -> None:
        notification = Notification(channel, content, is_direct=parcel.only is not None)
        # A listener that is cut off leaves its rooms meanwhile.
        for connection in connections:
            self.connections.notify(connection, notification)

    def _go_on(self) -> None:
        while self._waiting and len(self._at_work) < self._limits.at_work:
            task = asyncio.ensure_future(self._pass(self._waiting.popleft()))
            self._at_work.add(task)
            task.add_done_callback(self._passed)

    def _passed(self, task: asyncio.Task[None]) -> None:
        self._at_work.discard(task)
        while self._line and self._line[0].is_through:
            parcel = self._line.popleft()
            self._hand_over(parcel)
            parcel.told()
        self._go_on()

    async def _pass(self, parcel: _Parcel) -> None:
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                parcel.content = await self._piped(parcel)
        except Exception as error:  # noqa: BLE001 - a boundary: whatever an application's pipe raises
            request_id = parcel.given.get("requestId")
            _log.error("a pipe on notifications failed", request_id=request_id, exc_info=error)
        finally:
            parcel.is_through = True

    async def _piped(self, parcel: _Parcel) -> JsonObject | None:
        content: JsonObject | None = parcel.given
        for event in (parcel.event, _EVERY):
            if content is not None and self.events.heard(event):
                content = _checked(event, await self.events.trigger(event, content, may_drop=True))
        if content is None or not self.events.heard(_PARTING):
            return content
        names = {channel.name: channel for channel in parcel.addressees}
        parting = {"channels": [*names], "connectionId": parcel.only, "notification": content}
        outcome = _checked(_PARTING, await self.events.trigger(_PARTING, parting, may_drop=True))
        if outcome is None:
            return None
        kept = cast("list[str]", outcome.get("channels"))
        parcel.addressees = {names[name]: parcel.addressees[names[name]] for name in kept}
        return _checked(_PARTING, outcome.get("notification"))

    def _hand_over(self, parcel: _Parcel) -> None:
        if parcel.content is None:
            return
        try:
            for channel, listeners in parcel.addressees.items():
                # Who has left since then is told nothing any more.
                here = [one for one in listeners if one in channel.listeners or one in channel.held]
                self._notify(parcel, channel.name, here, parcel.content)
        except Exception as error:  # noqa: BLE001 - a boundary: a pipe made what can't be sent
            request_id = parcel.given.get("requestId")
            _log.error("a notification failed", request_id=request_id, exc_info=error)

    def _give_up(self, parcel: _Parcel) -> None:
        # Who misses something has to know: he comes back and asks for what he has missed.
        _log.error("notifications wait too long for pipes", waiting=len(self._line))
        for channel, listeners in parcel.addressees.items():
            for connection in listeners:
                self.connections.expel(connection, _TOO_SLOW)
                is_here = connection in channel.listeners or connection in channel.held
                seq = parcel.given.get("seq")
                if is_here and isinstance(seq, int):
                    self.on_given_up(channel, connection, seq)


def _checked(event: str, outcome: object) -> JsonObject | None:
    if outcome is None or isinstance(outcome, dict):
        return outcome
    raise RouterError(
        "plugin.runtime.unexpected_error", f"a pipe on {event} returned {type(outcome).__name__}"
    )
