"""One TCP connection: carries bytes between its socket and its session."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import Final, cast

import structlog

from protocols.codec.mqtt.reasons import PacketError, Reason
from protocols.locality import is_loopback
from protocols.mqtt.held import Held
from protocols.mqtt.host import Host
from protocols.mqtt.job import Job, Storing
from protocols.mqtt.knock import Knock
from protocols.mqtt.session import Session
from router.connections import Notification
from router.envelope import Bearer, Connection, Response
from router.ports import TopicRights

_log: Final = structlog.get_logger("trivium.mqtt")

LINGER_S: Final = 2.0
"""Time for the client to read the last packet and to close; then the connection is dropped."""

SLOW_READER_GRACE_S: Final = 1.0
SLOW_READER_BURST: Final = 8
"""A burst of answers may pass the limit for a moment although the client reads well; so may a
long answer over a slow line. Cut off is who has more unread than a second ago, or far too much."""


class MqttConnection(asyncio.Protocol):
    """Feeds a session from a socket, and does what it says."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._session: Session
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._slow_timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._held = Held(self, lambda: host.sessions.failures)
        self._feeding: asyncio.Handle | None = None
        self._is_clogged = False
        self._is_reading = True
        self._is_closing = False
        self._is_lost = False
        self._is_concluded = False
        self._has_logged = False

    @property
    def id(self) -> str:
        """What requests call the connection."""
        return self._session.connection.id

    @property
    def is_kept(self) -> bool:
        """Whether the client's session goes on without it."""
        return self._session.is_kept

    @property
    def client_id(self) -> str:
        """What the client calls itself, or is called; empty before its CONNECT."""
        return self._session.connection.client_id

    # -- from the socket ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the CONNECT."""
        # uvloop's transports are none by inheritance.
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        connection = Connection(
            id=str(uuid.uuid4()),
            wire="mqtt",
            address=address,
            certified=self._host.certified(transport),
            is_local=lambda: is_loopback(address),
            is_secure=transport.get_extra_info("ssl_object") is not None,
        )
        self._session = Session(
            self._host.sessions,
            connection,
            now=self._loop.time(),
            wake=self._wake,
            is_full=self._host.is_full(address),
        )
        self._host.opened(self, address)
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client; those that come after the end are not looked at."""
        if self._is_closing:
            return
        try:
            self._session.receive(data, self._loop.time())
        except Exception:  # noqa: BLE001 - the boundary: a connection's read loop
            self.fail()
        else:
            self._obey()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """Go on with what the client sent before it hung up; after that carry out its will."""
        self._is_closing = self._is_lost = True
        for timer in (self._timer, self._slow_timer):
            if timer is not None:
                timer.cancel()
        self._host.lost(self._session.connection.address)
        self._host.left(self)
        self._session.hung_up()
        if not self._session.has_more:
            self._conclude()

    def pause_writing(self) -> None:
        """The client reads more slowly than it is written to."""
        self._is_clogged = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._is_clogged = False
        self._obey()

    # -- from the listener --------------------------------------------------------------

    def answered(self, job: Job, response: Response) -> None:
        """The answer to a request of this client is made."""
        self._session.answered(job, response, self._loop.time())
        self._obey()

    def stored(self, job: Storing, reason: Reason) -> None:
        """A message of this client is on the disk, or can't be."""
        self._session.stored(job, reason, self._loop.time())
        self._obey()

    def admitted(self, knock: Knock, bearer: Bearer | None, rights: TopicRights) -> None:
        """The client's credentials are good."""
        self._session.admitted(knock, bearer, rights, self._loop.time())
        self._obey()

    def turned_away(self, error: PacketError) -> None:
        """The client's credentials are not good, or can't be checked."""
        self._session.turned_away(error)
        self._obey()

    def fail(self, request_id: str | None = None) -> None:
        """A fault of ours, now being handled: log it and end the connection it happened on.

        Source: [MQTT-4.8.0-2] of MQTT 3.1.1.
        """
        _log.exception("connection failed unexpectedly", wire="mqtt", request_id=request_id)
        self.end(Reason.IMPLEMENTATION_SPECIFIC_ERROR, "the router failed")

    def end(self, reason: Reason, text: str) -> None:
        """End the connection, saying why where the client's version can be told."""
        self._session.end(reason, text)
        self._obey()

    def notify(self, notification: Notification) -> None:
        """Send a message that answers nothing."""
        self._session.notify(notification)
        self._wake()

    def expel(self, reason: str) -> None:
        """Close the connection, since its client may be here no longer."""
        self.end(Reason.NOT_AUTHORIZED, reason)

    def unsent(self) -> int:
        """Bytes that wait until the client reads them, or more once its queue is half full."""
        return max(self._unsent(), self._session.kept_bytes)

    def hears(self, channel: str) -> bool:
        """Whether messages of a channel reach the client: it has subscribed to its topic."""
        return self._session.hears(channel)

    def pause(self) -> None:
        """Let no more requests in; those at work go on."""
        self._session.pause()
        self._obey()

    def abort(self) -> None:
        """Drop the connection with all that is unsent."""
        self._transport.abort()

    # -- from what was held -------------------------------------------------------------

    def say(self, chunk: bytes) -> None:
        """Write bytes that nothing stands against."""
        if self._transport.is_closing():
            return
        self._transport.write(chunk)
        if self._unsent() > self._host.max_unsent_bytes:
            self._check_reader(len(chunk))

    def said_all(self) -> None:
        """Everything that was held is said."""
        if self._is_closing and not self._transport.is_closing():
            self._hang_up()

    # -- inside -------------------------------------------------------------------------

    def _wake(self) -> None:
        self._obey()
        # A message that is held back for want of acknowledgements is unread as well.
        if self._unsent() > self._host.max_unsent_bytes:
            self._check_reader(0)

    def _obey(self) -> None:
        # Does what the session wants after each thing that happened.
        session = self._session
        self._ask(session)
        if session.out:
            self._write(session)
        if session.jobs:
            self._run(session)
        if session.refused:
            self._report()
        if session.is_ended:
            self._close()
        elif (session.is_paused or session.is_behind) is self._is_reading:
            self._set_reading(not self._is_reading)
        if session.is_behind and self._turn is None:
            self._turn = self._loop.call_soon(self._take_turn)
        if session.has_backlog and self._feeding is None and not self._is_clogged:
            self._feeding = self._loop.call_soon(self._feed)
        if session.is_hurried and not self._is_closing:
            self._arm()
        if self._is_lost and not session.has_more:
            self._conclude()

    def _ask(self, session: Session) -> None:
        if session.knock is not None:
            knock, session.knock = session.knock, None
            self._host.admit(self, session.connection, knock)
        if session.has_subscribed:
            session.has_subscribed = False
            self._host.subscribed(self)

    def _run(self, session: Session) -> None:
        for job in session.jobs:
            self._host.run(self, job)
        session.jobs.clear()

    def _set_reading(self, is_reading: bool) -> None:
        if self._transport.is_closing() or is_reading is self._is_reading:
            return
        self._is_reading = is_reading
        if is_reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _write(self, session: Session) -> None:
        out = session.out
        chunk = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        if self._is_closing or self._transport.is_closing():
            return
        pending = self._host.sessions.pending() if session.is_promising else None
        session.is_promising = session.is_kept
        if pending is None and not self._held:
            self.say(chunk)
        else:
            # A client is told of nothing that a power cut could undo; what follows waits its turn.
            self._held.put(chunk, pending)

    def _take_turn(self) -> None:
        self._turn = None
        try:
            self._session.go_on(self._loop.time())
        except Exception:  # noqa: BLE001 - the boundary: a connection's read loop
            self.fail()
        else:
            self._obey()

    def _feed(self) -> None:
        self._feeding = None
        if not self._session.has_backlog:
            return
        try:
            self._session.send_backlog()
        except Exception:  # noqa: BLE001 - the boundary: what a connection's client asked for
            self.fail()
        else:
            self._obey()

    def _arm(self) -> None:
        self._session.is_hurried = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._session.deadline
        if deadline != math.inf:
            self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._session.tick(self._loop.time())
        self._obey()
        if not self._is_closing:
            self._arm()

    def _close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        # The client may be long in hanging up, or gone; its will doesn't wait for that.
        self._let_go()
        transport = self._transport
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(LINGER_S, transport.abort)
        if not self._held:
            self._hang_up()

    def _hang_up(self) -> None:
        transport = self._transport
        if self._session.said_goodbye or transport.is_closing() or not transport.can_write_eof():
            # TLS has a closing handshake of its own.
            transport.close()
            return
        # Closing with bytes unread would reset the connection, and the client might never
        # see why: say the last word, and read on until it hangs up.
        try:
            transport.write_eof()
        except OSError:
            # The client has hung up already, and asyncio's loop has not seen it yet.
            transport.abort()
        else:
            self._set_reading(True)

    def _conclude(self) -> None:
        if not self._is_concluded:
            self._is_concluded = True
            self._let_go()
            self._host.closed(self)

    def _let_go(self) -> None:
        self._session.lost()
        if self._session.refused:
            self._report()

    def _check_reader(self, written: int) -> None:
        # One answer may be longer than the limit: what was waiting before it counts.
        waiting = self._unsent() - written
        if waiting > SLOW_READER_BURST * self._host.max_unsent_bytes:
            self._cut_off()
        elif self._slow_timer is None:
            self._watch_reader()

    def _watch_reader(self) -> None:
        self._slow_timer = self._loop.call_later(
            SLOW_READER_GRACE_S, self._check_progress, self._unsent()
        )

    def _check_progress(self, unsent_before: int) -> None:
        self._slow_timer = None
        unsent = self._unsent()
        if unsent <= self._host.max_unsent_bytes or self._is_closing:
            return
        if unsent < unsent_before:
            # A long answer over a slow line: it does get there.
            self._watch_reader()
        else:
            self._cut_off()

    def _cut_off(self) -> None:
        self.end(Reason.QUOTA_EXCEEDED, "the client reads too slowly")

    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() + self._session.held_bytes

    def _report(self) -> None:
        session = self._session
        for reason in session.refused:
            self._host.refused(reason)
        if not self._has_logged:
            # Once for each connection: a client must not be able to fill the log.
            self._has_logged = True
            _log.info(
                "refused",
                wire="mqtt",
                reason=session.refused[0],
                client_id=self.client_id,
                address=session.connection.address,
            )
        session.refused.clear()
