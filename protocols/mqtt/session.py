"""One client's connection as a state machine, from bytes to requests and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Subscribe,
)
from protocols.codec.mqtt.properties import Properties
from protocols.codec.mqtt.reasons import PacketError, Reason, protocol_error
from protocols.codec.mqtt.stream import Decoder
from protocols.mqtt import handshake
from protocols.mqtt.attaching import attach
from protocols.mqtt.exchange import Exchange
from protocols.mqtt.inbox import Answer
from protocols.mqtt.job import Job, Storing
from protocols.mqtt.knock import Knock
from protocols.mqtt.patience import Patience
from protocols.mqtt.publishing import check_will
from protocols.mqtt.sessions import Claim, Sessions
from protocols.mqtt.state import EVERY_TOPIC, NO_TOPICS, SessionState
from protocols.mqtt.writer import Writer
from router.connections import Notification
from router.envelope import Bearer, Connection, Response
from router.ports import TopicRights

BAD_FRAME: Final = "network.mqtt.unexpected_error"

PACKETS_PER_TURN: Final = 128
"""Packets read before other clients have their turn; a read may bring 100 000 small ones."""

CONNECT_HEADER: Final = 0x10
"""The byte that every connection begins with: [MQTT-3.1.0-1]."""

_ORDERLY: Final = frozenset({Reason.SESSION_TAKEN_OVER, Reason.SERVER_SHUTTING_DOWN})


class Session:
    """The server's side of one MQTT connection.

    Call `receive`, `tick`, `answered`, `end` as things happen; after each, write and empty
    `out`, dispatch and empty `jobs`, report and empty `refused`, and close the connection
    once `is_ended`. Times are seconds of one clock that never goes back.

    Args:
        sessions: Where the client's session is found.
        connection: The client as far as it is known before its CONNECT.
        wake: Called when something has happened that none of the calls above told of.
        is_full: Refuse the CONNECT, since there are too many connections.

    Attributes:
        out: Bytes to write, in order.
        jobs: Requests to dispatch, in order; give each back by `answered`.
        knock: Credentials to check; take it away, and call `admitted` or `turned_away`.
        refused: Short fixed texts, one for each thing that was refused.
        is_paused: Nothing should be read from the client until answers have been made.
        is_behind: There is more to read; call `go_on` when others have had their turn.
        is_promising: `out` says that something will not be forgotten; the caller resets this.
        is_hurried: `deadline` has come nearer; the caller resets this.
        has_subscribed: Whether it has, since the caller reset this.
        said_goodbye: Whether the client itself ended the connection.
    """

    __slots__ = (
        "_decoder",
        "_exchange",
        "_is_full",
        "_is_held",
        "_patience",
        "_sessions",
        "_state",
        "_terms",
        "_writer",
        "connection",
        "has_subscribed",
        "is_behind",
        "is_connected",
        "is_ended",
        "is_hurried",
        "is_paused",
        "is_promising",
        "jobs",
        "knock",
        "out",
        "refused",
        "said_goodbye",
        "wake",
    )

    _exchange: Exchange
    _state: SessionState

    def __init__(
        self,
        sessions: Sessions,
        connection: Connection,
        *,
        now: float,
        wake: Callable[[], None],
        is_full: bool = False,
    ) -> None:
        self.connection = connection
        self.wake = wake
        self.is_connected = False
        self.is_ended = False
        self.is_paused = False
        self.is_behind = False
        self.is_promising = False
        self.is_hurried = True
        self.has_subscribed = False
        self.said_goodbye = False
        self.refused: list[str] = []
        self._writer = Writer(self.refused)
        self.out = self._writer.out
        self.jobs: list[Job | Storing] = []
        self.knock: Knock | None = None
        self._sessions = sessions
        self._terms = terms = sessions.terms
        self._is_full = is_full
        self._is_held = False
        self._decoder = Decoder(max_bytes=terms.max_packet_bytes)
        self._patience = Patience(terms, now)

    # -- what the connection should do --------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """Bytes of answers that wait for the client's acknowledgements, without other bound."""
        if not self.is_connected or self._state.outbox.bounds is not None:
            return 0
        return self._state.outbox.held_bytes

    @property
    def kept_bytes(self) -> int:
        """See `Outbox.kept_bytes`."""
        return self._state.outbox.kept_bytes if self.is_connected else 0

    @property
    def has_backlog(self) -> bool:
        """Whether `send_backlog` has something that the client takes now."""
        return self.is_connected and not self.is_ended and self._exchange.backlog.is_due

    @property
    def is_kept(self) -> bool:
        """Whether the client's session goes on without the connection."""
        return self.is_connected and self._state.expiry_s > 0

    @property
    def deadline(self) -> float:
        """When to call `tick`, if nothing happens before."""
        # What a paused client has sent has not been read.
        return math.inf if self.is_ended or self.is_paused else self._patience.deadline

    @property
    def has_more(self) -> bool:
        """Whether packets that have come are still to be read, now or after an answer."""
        return not self.is_ended and (self.is_behind or (self.is_paused and not self._is_held))

    # -- what happens -------------------------------------------------------------------

    def receive(self, chunk: bytes, now: float) -> None:
        """The client has sent bytes, one at least."""
        if not self._writer.version and not self._decoder.is_partial and chunk[0] != CONNECT_HEADER:
            # Whoever speaks another protocol shall not have to wait for the rest of a packet.
            self._refuse(protocol_error("the first packet is CONNECT"))
            return
        self._decoder.feed(chunk)
        self._read(now)

    def go_on(self, now: float) -> None:
        """Read on where `is_behind` was set."""
        self.is_behind = False
        self._read(now)

    def answered(self, job: Job, response: Response, now: float) -> None:
        """The answer to a job is made: send it, acknowledge its PUBLISH, read on."""
        self._exchange.answered(job, response, is_here=not self.is_ended)
        self._read_on(now)

    def stored(self, job: Storing, reason: Reason, now: float) -> None:
        """A message is on the disk, or can't be: acknowledge its PUBLISH, read on."""
        self._exchange.stored(job, reason)
        self._read_on(now)

    def send_backlog(self) -> None:
        """Send the client some of the retained messages that it has subscribed to."""
        self._exchange.backlog.send()

    def notify(self, notification: Notification) -> None:
        """Send a message to a client that listens to its topic, with the QoS it asked for."""
        if self.is_ended or not self.is_connected:
            return
        qos = self._state.subscriptions.qos(notification.channel)
        if qos is not None or notification.is_direct:
            self._exchange.answers.notify(notification, qos or 0)

    def hears(self, topic: str) -> bool:
        """Whether the client listens to a topic."""
        return self.is_connected and self._state.subscriptions.qos(topic) is not None

    def admitted(
        self, knock: Knock, bearer: Bearer | None, rights: TopicRights, now: float
    ) -> None:
        """The credentials of the CONNECT are good: let the client in, read on."""
        if self.is_ended:
            return
        self.connection = msgspec.structs.replace(self.connection, bearer=bearer)
        try:
            self._let_in(knock, rights)
        except PacketError as error:
            self._refuse(error)
            return
        if not self._is_held:
            self.is_paused = False
            self._patience.hear(now)
            self._read(now)

    def turned_away(self, error: PacketError) -> None:
        """The credentials of the CONNECT are not good, or can't be checked: refuse it."""
        if not self.is_ended:
            self._refuse(error)

    def tick(self, now: float) -> None:
        """Time has passed; ends the connection if a deadline has."""
        if now < self.deadline:
            return
        if self.is_connected:
            self.end(*self._patience.complaint())
        else:
            self._finish()
            self.refused.append("connect_timeout")

    def end(self, reason: Reason, text: str) -> None:
        """End the connection from this side; MQTT 5 is told why in a DISCONNECT."""
        if self.is_ended:
            return
        if self.is_connected and self._writer.version == V5:
            self._writer.send(Disconnect(reason=reason, properties=Properties(reason_string=text)))
        self._finish()
        if reason not in _ORDERLY:
            self.refused.append(reason.name.lower())

    def pause(self) -> None:
        """Read nothing more from the client for good; answers still go out."""
        self.is_paused = self._is_held = True

    def hung_up(self) -> None:
        """The client is gone; what it sent before is still to be read."""
        if self.is_connected:
            self._sessions.release(self._state)

    def lost(self) -> None:
        """The connection is done with: the session waits for its client, or ends with it."""
        self._finish()
        if self.is_connected:
            self._sessions.leave(self._state, self)

    # -- inside -------------------------------------------------------------------------

    def _read_on(self, now: float) -> None:
        if self.is_ended:
            # The client may be back on another connection.
            self._state.flush()
        elif self.is_paused and not self._is_held:
            self.is_paused = False
            self.is_hurried = True
            self._patience.hear(now)
            self._read(now)

    def _read(self, now: float) -> None:
        for _ in range(PACKETS_PER_TURN):
            if self.is_ended or self.is_paused:
                return
            try:
                packet = self._decoder.next_packet()
                if packet is None:
                    break
                self._patience.hear(now)
                self._handle(packet)
            except PacketError as error:
                self._refuse(error)
        else:
            self.is_behind = True
        if self._decoder.is_partial and self._patience.wait_for_rest(now):
            self.is_hurried = True

    def _handle(self, packet: Packet) -> None:
        kind = type(packet)
        if self.is_connected is (kind is Connect):
            raise protocol_error("the first packet is CONNECT, and no other is")
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, packet)
            return
        self._exchange.handle(packet)
        self.has_subscribed |= kind is Subscribe
        if self._exchange.at_work >= self._terms.requests_per_connection:
            self.is_paused = True

    def _finish(self) -> None:
        if self.is_connected and not self.is_ended:
            self._state.detach()
            if self._state.expiry_s:
                self._exchange.backlog.leave()
        self.is_ended = True

    def _refuse(self, error: PacketError) -> None:
        if self.is_connected:
            self.end(error.reason, error.text)
            return
        told = self._writer.version or None if error.version is None else error.version
        connack = None if told is None else handshake.refusal(error, told)
        if told is not None and connack is not None:
            # A level that nobody knows is answered in the nearest one that we do.
            self._writer.version = min(max(told, V3_1_1), V5)
            self._writer.send(connack)
        self._finish()
        self.refused.append(error.reason.name.lower())

    # -- packets ------------------------------------------------------------------------

    def _on_connect(self, packet: Connect) -> None:
        self._writer.version = packet.version
        properties = packet.properties
        if properties.maximum_packet_size is not None:
            self._writer.max_packet_bytes = properties.maximum_packet_size
        client_id, connack = handshake.accept(packet, self._terms, is_full=self._is_full)
        knock = Knock(packet, client_id, connack)
        is_asked = knock.has_credentials and self._terms.checks_credentials
        if not (is_asked or self._terms.checks_rights):
            self._let_in(knock, EVERY_TOPIC if self._terms.allow_pub_sub else NO_TOPICS)
            return
        self.knock = knock
        # Nothing is read before it is known who speaks.
        self.is_paused = True

    def _let_in(self, knock: Knock, rights: TopicRights) -> None:
        packet = knock.connect
        bearer = self.connection.bearer
        owner = self.connection.certified if bearer is None else bearer.kuid
        client = msgspec.structs.replace(self.connection, client_id=knock.client_id)
        check_will(self._sessions, packet.will, client, owner, rights)
        expiry_s = handshake.expiry_s(packet, self._terms)
        claim = Claim(owner, knock.client_id, packet.clean_start, expiry_s)
        self._state, is_present = self._sessions.claim(self.connection.id, claim, self)
        self.connection = self._state.connection = msgspec.structs.replace(
            self.connection, id=self._state.id, client_id=knock.client_id
        )
        self.is_connected = True
        self.is_promising = self.is_kept
        self.is_hurried = True
        self._patience.connect(packet.keep_alive_s)
        self._state.will = packet.will
        self._state.rights = rights
        self._exchange = Exchange(
            self._sessions, self._state, self._writer, self.connection, self.jobs
        )
        self._writer.send(msgspec.structs.replace(knock.connack, session_present=is_present))
        attach(self._state, packet, self._terms, self._writer, self._promise)
        if is_present:
            self._exchange.following.go_on()

    def _promise(self, packet: Answer) -> None:
        self.is_promising = True
        self._writer.send(packet)

    def _on_pingreq(self, _packet: Pingreq) -> None:
        self._writer.send(Pingresp())

    def _on_disconnect(self, packet: Disconnect) -> None:
        asked_s = packet.properties.session_expiry_interval
        if asked_s is not None:
            if asked_s and not self._state.expiry_s:
                raise protocol_error("the session expires with the connection")
            self._state.expiry_s = min(asked_s, self._terms.kept.most_s)
        # [MQTT-3.14.4-3]: any other reason leaves the will to be published.
        if packet.reason == Reason.SUCCESS:
            self._state.will = None
        self.said_goodbye = True
        self._finish()


_HANDLERS: Final[dict[type, Callable[[Session, Any], None]]] = {
    Connect: Session._on_connect,
    Pingreq: Session._on_pingreq,
    Disconnect: Session._on_disconnect,
}
