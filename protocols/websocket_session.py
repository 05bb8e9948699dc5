"""What the messages of one WebSocket connection mean: requests, and their answers."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from protocols.codec import frame
from protocols.codec.frame import BadFrameError, FrameLimits
from protocols.websocket_connection import WebSocketConnection
from router.connections import Notification
from router.envelope import Connection, Request, refusal
from router.errors import RouterError, TooSoonError
from router.ports import ConnectionObserver, Dispatcher
from router.rates import Rates

# An application's code may hold on to a request that was cancelled; a stop doesn't wait for it.
CANCEL_TIMEOUT_S: Final = 1.0

POLICY_VIOLATION: Final = 1008
"""RFC 6455, 7.4.1. Kuzzle's SDKs come back after any code but 1000."""

RATE_EXCEEDED: Final = "network.websocket.ratelimit_exceeded"

_PONG: Final = b'{"p":2}'
_LONGEST_PING: Final = 32


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every session of a wire.

    Attributes:
        max_requests: Unanswered requests of one connection; beyond it it isn't read from.
        node: This router's name, sent with every answer.
        rate_limit: Messages a second of one connection; 0 is any number.
        rates: Counts them.
    """

    limits: FrameLimits
    max_requests: int
    node: str
    rate_limit: int = 0
    rates: Rates = field(default_factory=Rates)


class WebSocketSession:
    """Dispatches the requests of one connection in the order they come, answers as they end.

    Args:
        peer: The client's connection, as requests name it.
    """

    __slots__ = (
        "_dispatcher",
        "_drained",
        "_held",
        "_is_retired",
        "_loop",
        "_observer",
        "_peer",
        "_tasks",
        "_terms",
        "wire",
    )

    def __init__(
        self,
        wire: WebSocketConnection,
        dispatcher: Dispatcher,
        *,
        peer: Connection,
        terms: Terms,
        observer: ConnectionObserver,
    ) -> None:
        self.wire = wire
        self._dispatcher = dispatcher
        self._peer = peer
        self._terms = terms
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        # Made when needed: an empty deque takes 0.7 KB.
        self._held: deque[bytes] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._is_retired = False

    @property
    def id(self) -> str:
        """The id of its connection."""
        return self._peer.id

    def message(self, payload: bytes, *, is_text: bool) -> None:  # noqa: ARG002
        """Take one message; text and binary mean the same."""
        if not payload:
            return
        limit = self._terms.rate_limit
        if limit and not self._terms.rates.spend(self._peer.id, limit):
            self._observer.refused("websocket", RATE_EXCEEDED)
            self._refuse(TooSoonError(RATE_EXCEEDED, retry_after_s=1), None)
        elif len(payload) <= _LONGEST_PING and _is_ping(payload):
            self.wire.send(_PONG)
        elif len(self._tasks) >= self._terms.max_requests:
            self._hold(payload)
        else:
            self._start(payload)

    def notify(self, notification: Notification) -> None:
        """Send a message that answers nothing."""
        self.wire.send(notification.encoded("websocket", self._encode))

    def expel(self, reason: str) -> None:
        """Close the connection, since its client may be here no longer."""
        self.wire.close(POLICY_VIOLATION, reason)

    def unsent(self) -> int:
        """Bytes that wait until the client reads them."""
        return self.wire.unsent

    def hears(self, channel: str) -> bool:  # noqa: ARG002 - every one
        """Whether messages of a channel reach the client: as long as it is there."""
        return self.wire.is_open

    def is_busy(self) -> bool:
        """Whether requests are being answered."""
        return bool(self._tasks)

    def gone(self) -> None:
        """Drop what waits; what is at work goes on, and its answers are not sent."""
        self._held = None

    def retire(self) -> None:
        """Refuse what comes from now on."""
        self._is_retired = True

    async def drain(self) -> None:
        """Refuse what comes from now on, and return once what was let in is answered."""
        self.retire()
        if self._tasks:
            self._drained = self._drained or self._loop.create_future()
            await asyncio.shield(self._drained)

    async def cancel(self) -> None:
        """Cancel what is still at work, and return once it has ended, or after a second."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CANCEL_TIMEOUT_S)
        self._tasks.clear()

    # -- inside -------------------------------------------------------------------------

    def _encode(self, notification: Notification) -> bytes:
        return frame.encode_notification(notification, room=True, node=self._terms.node)

    def _start(self, payload: bytes) -> None:
        try:
            request = frame.decode(payload, self._peer, self._terms.limits)
        except BadFrameError as error:
            self._observer.refused("websocket", "bad frame")
            self._refuse(error.as_refusal("network.websocket.unexpected_error"), error.request_id)
            return
        if self._is_retired:
            self._refuse(RouterError("network.entrypoint.shutting_down"), request.request_id)
            return
        self._tasks.add(self._loop.create_task(self._answer(request)))

    async def _answer(self, request: Request) -> None:
        try:
            response = await self._dispatcher.dispatch(request)
            if self.wire.is_open:
                self.wire.send(frame.encode(response, room=True, node=self._terms.node))
        finally:
            self._tasks.discard(asyncio.current_task())
            if self._held:
                self._start_held()
            if self._drained is not None and not self._tasks and not self._drained.done():
                self._drained.set_result(None)

    def _hold(self, payload: bytes) -> None:
        if self._held is None:
            self._held = deque()
        self._held.append(payload)
        self.wire.pause_reading()

    def _start_held(self) -> None:
        while self._held and len(self._tasks) < self._terms.max_requests:
            self._start(self._held.popleft())
        if not self._held:
            self._held = None
            self.wire.resume_reading()

    def _refuse(self, error: RouterError, request_id: str | None) -> None:
        # Without an id of the client's there is no room it could listen to.
        answer = refusal(error, request_id=request_id)
        self.wire.send(frame.encode(answer, room=request_id is not None, node=self._terms.node))


def _is_ping(payload: bytes) -> bool:
    # `{"p":1}` and nothing else, however it is spaced.
    if payload == b'{"p":1}':
        return True
    if b'"p"' not in payload:
        return False
    try:
        value = frame.parse(payload, _PING_LIMITS)
    except BadFrameError:
        return False
    return value == {"p": 1} and value["p"] is not True


_PING_LIMITS: Final = FrameLimits()
