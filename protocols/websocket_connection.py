"""One upgraded connection: what it sends and receives, and the ways in which it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from websockets.frames import CloseCode
from websockets.protocol import SEND_EOF

from protocols.codec import messages
from protocols.websocket_messages import MessageParser

_log: Final = structlog.get_logger("trivium.websocket")

# How far a burst of answers may pass the limit, for a moment, although the client reads well.
SLOW_READER_BURST: Final = 8


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may hold and how long it may take.

    Attributes:
        max_bytes: Longest message; a longer one closes with 1009.
        max_unsent_bytes: A client that has more than this unread, and no less than
            `slow_reader_grace_s` ago, or `SLOW_READER_BURST` times as much at once, is closed
            with 1011.
        idle_timeout_s: Without a frame for so long the connection is closed with 1001.
        close_timeout_s: Time for the client's half of a closing handshake.
    """

    max_bytes: int
    max_unsent_bytes: int
    idle_timeout_s: float
    slow_reader_grace_s: float = 1.0
    close_timeout_s: float = 2.0


class Receiver(Protocol):
    """What a connection hands its messages to."""

    def message(self, payload: bytes, *, is_text: bool) -> None:
        """A whole message came in; text is valid UTF-8."""

    def is_busy(self) -> bool:
        """Whether the client waits for something, so that its silence is no sign."""

    def gone(self) -> None:
        """Nothing can be sent any more; called once."""


class WebSocketConnection:
    """The server's end of one connection, after its opening handshake.

    It is also the parser that aiohttp feeds with what follows the upgrade request (`feed_data`,
    `feed_eof`). Attach a receiver before the first byte.

    Args:
        transport: Written to directly; reading stops and goes on through it.

    Attributes:
        closed: Done once the TCP connection is gone.
    """

    __slots__ = (
        "_heard_at",
        "_limits",
        "_loop",
        "_max_unsent_bytes",
        "_open",
        "_parser",
        "_receiver",
        "_slow_timer",
        "_timer",
        "_transport",
        "closed",
    )

    def __init__(self, transport: asyncio.Transport, limits: ConnectionLimits) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._limits = limits
        self._max_unsent_bytes = limits.max_unsent_bytes
        self._parser = MessageParser(self._deliver, max_bytes=limits.max_bytes)
        self._receiver: Receiver = _Nobody()
        self._open = True
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(limits.idle_timeout_s, self._check_idle)
        self._slow_timer: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def attach(self, receiver: Receiver) -> None:
        """Name who gets the messages."""
        self._receiver = receiver

    # -- what the client sends ----------------------------------------------------------

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes from the client; never raises. The pair tells aiohttp to keep feeding."""
        frames = self._parser.frames_read
        self._parser.receive_data(data)
        if self._parser.frames_read != frames:
            self._heard_at = self._loop.time()
        if self._parser.writes:
            self._flush()
        return False, b""

    def feed_eof(self) -> None:
        """The TCP connection is gone."""
        self._timer.cancel()
        self._end()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_reading(self) -> None:
        """Take nothing from the client until `resume_reading`."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on taking what the client sends."""
        if not self._transport.is_closing():
            self._heard_at = self._loop.time()
            self._transport.resume_reading()

    # -- what the client gets -----------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return self._open

    @property
    def unsent(self) -> int:
        """Bytes that wait until the client reads them."""
        return self._transport.get_write_buffer_size()

    def send(self, payload: bytes, *, is_text: bool = True) -> None:
        """Send a message in one frame; dropped quietly once the connection is closing."""
        if not self._open:
            return
        self._transport.write(messages.write(payload, is_text=is_text))
        if self._transport.get_write_buffer_size() > self._max_unsent_bytes:
            self._check_reader(len(payload))

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; the connection is gone at most `close_timeout_s` later.

        Never give 1000: the Kuzzle SDKs read it as their user's own wish, and don't come back.
        """
        if self._open:
            self._parser.send_close(code, reason)
            self._flush()

    def abort(self) -> None:
        """Drop the connection, with all that is unsent."""
        self._end()
        self._transport.abort()

    # -- inside -------------------------------------------------------------------------

    def _deliver(self, payload: bytes, is_text: bool) -> None:
        # Pongs go out before the messages behind the pings are looked at.
        if self._parser.writes:
            self._flush()
        try:
            self._receiver.message(payload, is_text=is_text)
        except Exception as error:  # noqa: BLE001 - the boundary: a connection's read loop
            _log.error("message failed unexpectedly", exc_info=error)
            self.close(CloseCode.INTERNAL_ERROR, "internal error")

    def _flush(self) -> None:
        # Writes what the parser wants sent, and follows it into the closing handshake.
        for chunk in self._parser.data_to_send():
            if chunk != SEND_EOF:
                self._transport.write(chunk)
            else:
                self._send_eof()
        if self._open and self._parser.close_expected():
            self._end()
            # The client's half of the handshake has to be read.
            if not self._transport.is_closing():
                self._transport.resume_reading()
            self._timer.cancel()
            self._timer = self._loop.call_later(self._limits.close_timeout_s, self._transport.abort)
        elif self._transport.get_write_buffer_size() > self._max_unsent_bytes:
            self._check_reader(0)

    def _send_eof(self) -> None:
        # After both halves of the handshake, the server closes (RFC 6455, 7.1.1). A client that
        # was refused may still be sending: closing then would reset the connection, and the
        # client would never read why.
        is_clean = self._parser.close_rcvd is not None
        if is_clean or not self._transport.can_write_eof():
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()

    def _end(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._slow_timer is not None:
            self._slow_timer.cancel()
        self._receiver.gone()

    def _check_idle(self) -> None:
        silent_s = 0.0 if self._receiver.is_busy() else self._loop.time() - self._heard_at
        left_s = self._limits.idle_timeout_s - silent_s
        if left_s <= 0:
            self.close(CloseCode.GOING_AWAY, "nothing was received for too long")
        else:
            self._timer = self._loop.call_later(left_s, self._check_idle)

    def _check_reader(self, sent: int) -> None:
        # One answer may be longer than the limit: what was waiting before it counts.
        waiting = self._transport.get_write_buffer_size() - sent
        if waiting > SLOW_READER_BURST * self._max_unsent_bytes:
            self._cut_off()
        elif self._slow_timer is None and self._open:
            self._watch_reader()

    def _watch_reader(self) -> None:
        self._slow_timer = self._loop.call_later(
            self._limits.slow_reader_grace_s,
            self._check_progress,
            self._transport.get_write_buffer_size(),
        )

    def _check_progress(self, unsent_before: int) -> None:
        self._slow_timer = None
        unsent = self._transport.get_write_buffer_size()
        if unsent <= self._max_unsent_bytes:
            return
        if unsent < unsent_before:
            # A long answer over a slow line: it does get there.
            self._watch_reader()
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        _log.warning("slow reader cut off", unsent_bytes=self._transport.get_write_buffer_size())
        self.close(CloseCode.INTERNAL_ERROR, "too much backpressure: client is too slow")


class _Nobody:
    """Receives for a connection until its receiver is attached."""

    def message(self, payload: bytes, *, is_text: bool) -> None:
        """Drop the message."""

    def is_busy(self) -> bool:
        """Never."""
        return False

    def gone(self) -> None:
        """Nobody to tell."""
