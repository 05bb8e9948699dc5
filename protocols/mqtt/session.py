"""One client's connection as a state machine, from bytes to requests and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from protocols.codec import frame
from protocols.codec.frame import BadFrameError
from protocols.codec.mqtt.packets import (
    V3_1_1,
    V5,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Will,
)
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.codec.mqtt.reasons import PacketError, Reason, protocol_error
from protocols.codec.mqtt.stream import Decoder
from protocols.mqtt import handshake
from protocols.mqtt.answers import Answers, check_publish
from protocols.mqtt.inbox import Inbox
from protocols.mqtt.job import Job, read_request
from protocols.mqtt.knock import Knock
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.patience import Patience
from protocols.mqtt.subscriptions import Subscriptions
from protocols.mqtt.terms import Terms
from protocols.mqtt.writer import Writer
from router.connections import Notification
from router.envelope import Connection, Request, Response, refusal

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
        connection: The client as far as it is known before its CONNECT.
        is_full: Refuse the CONNECT, since there are too many connections.

    Attributes:
        out: Bytes to write, in order.
        jobs: Requests to dispatch, in order; give each back by `answered`.
        knock: Credentials to check; take it away, and call `admitted` or `turned_away`.
        refused: Short fixed texts, one for each thing that was refused.
        is_paused: Nothing should be read from the client until answers have been made.
        is_behind: There is more to read; call `go_on` when others have had their turn.
        is_hurried: `deadline` has come nearer; the caller resets this.
        said_goodbye: Whether the client itself ended the connection.
    """

    __slots__ = (
        "_answers",
        "_at_work",
        "_decoder",
        "_inbox",
        "_is_full",
        "_is_held",
        "_outbox",
        "_patience",
        "_subscriptions",
        "_terms",
        "_will",
        "_writer",
        "connection",
        "is_behind",
        "is_connected",
        "is_ended",
        "is_hurried",
        "is_paused",
        "jobs",
        "knock",
        "out",
        "refused",
        "said_goodbye",
    )

    def __init__(
        self, terms: Terms, connection: Connection, *, now: float, is_full: bool = False
    ) -> None:
        self.connection = connection
        self.is_connected = False
        self.is_ended = False
        self.is_paused = False
        self.is_behind = False
        self.is_hurried = True
        self.said_goodbye = False
        self.refused: list[str] = []
        self._writer = Writer(self.refused)
        self.out = self._writer.out
        self.jobs: list[Job] = []
        self.knock: Knock | None = None
        self._terms = terms
        self._is_full = is_full
        self._is_held = False
        self._decoder = Decoder(max_bytes=terms.max_packet_bytes)
        self._patience = Patience(terms, now)
        self._at_work = 0
        self._will: Will | None = None
        self._inbox = Inbox(self._writer.send, receive_maximum=None)
        self._outbox = Outbox(self._writer.publish, receive_maximum=65_535)
        self._answers = Answers(terms, self._writer, self._outbox)
        self._subscriptions = Subscriptions(terms, V3_1_1)

    # -- what the connection should do --------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """Bytes of answers that wait for the client's acknowledgements."""
        return self._outbox.held_bytes

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
        self._at_work -= 1
        if self.is_ended:
            return
        self._answers.answer(job.publish, response)
        if job.receipt is not None:
            self._inbox.settle(job.receipt)
        if self.is_paused and not self._is_held:
            self.is_paused = False
            self.is_hurried = True
            self._patience.hear(now)
            self._read(now)

    def notify(self, notification: Notification) -> None:
        """Send a message to a client that listens to its topic, with the QoS it asked for."""
        if self.is_ended or not self.is_connected:
            return
        qos = self._subscriptions.qos(notification.channel)
        if qos is not None or notification.is_direct:
            self._answers.notify(notification, qos or 0)

    def admitted(self, knock: Knock, bearer: object, now: float) -> None:
        """The credentials of the CONNECT are good: let the client in, read on."""
        if self.is_ended:
            return
        self.connection = msgspec.structs.replace(self.connection, bearer=bearer)
        self._let_in(knock)
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
            self.is_ended = True
            self.refused.append("connect_timeout")

    def end(self, reason: Reason, text: str) -> None:
        """End the connection from this side; MQTT 5 is told why in a DISCONNECT."""
        if self.is_ended:
            return
        if self.is_connected and self._writer.version == V5:
            self._writer.send(Disconnect(reason=reason, properties=Properties(reason_string=text)))
        self.is_ended = True
        if reason not in _ORDERLY:
            self.refused.append(reason.name.lower())

    def pause(self) -> None:
        """Read nothing more from the client for good; answers still go out."""
        self.is_paused = self._is_held = True

    def lost(self) -> Request | None:
        """The connection is gone; the request that the client left for this case, if any.

        None after a proper DISCONNECT, or if the will's payload is not a request.
        """
        self.is_ended = True
        will, self._will = self._will, None
        if will is None:
            return None
        try:
            return frame.decode(will.payload, self.connection, self._terms.frame)
        except BadFrameError:
            self.refused.append("bad_will")
            return None

    # -- inside -------------------------------------------------------------------------

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
        handler = _HANDLERS.get(kind)
        if handler is None:
            raise protocol_error(f"a client does not send {kind.__name__.upper()}")
        if self.is_connected is (kind is Connect):
            raise protocol_error("the first packet is CONNECT, and no other is")
        handler(self, packet)

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
        self.is_ended = True
        self.refused.append(error.reason.name.lower())

    # -- packets ------------------------------------------------------------------------

    def _on_connect(self, packet: Connect) -> None:
        self._writer.version = packet.version
        properties = packet.properties
        if properties.maximum_packet_size is not None:
            self._writer.max_packet_bytes = properties.maximum_packet_size
        client_id, connack = handshake.accept(packet, self._terms, is_full=self._is_full)
        knock = Knock(packet, client_id, connack)
        if not (knock.has_credentials and self._terms.checks_credentials):
            self._let_in(knock)
            return
        self.knock = knock
        # Nothing is read before it is known who speaks.
        self.is_paused = True

    def _let_in(self, knock: Knock) -> None:
        packet, properties = knock.connect, knock.connect.properties
        self.connection = msgspec.structs.replace(self.connection, client_id=knock.client_id)
        self.is_connected = True
        self.is_hurried = True
        self._patience.connect(packet.keep_alive_s)
        self._will = packet.will
        if packet.version == V5:
            self._writer.tells_problems = properties.request_problem_information != 0
            self._inbox = Inbox(self._writer.send, receive_maximum=self._terms.receive_maximum)
            receive_maximum = properties.receive_maximum or 65_535
            self._outbox = Outbox(self._writer.publish, receive_maximum=receive_maximum)
            self._answers = Answers(self._terms, self._writer, self._outbox)
            self._subscriptions = Subscriptions(self._terms, V5)
        self._writer.send(knock.connack)

    def _on_publish(self, packet: Publish) -> None:
        if self._writer.version == V5:
            check_publish(packet)
        receipt = None
        if packet.qos:
            receipt = self._inbox.take(packet)
            if receipt is None:
                return
        if packet.topic != self._terms.request_topic:
            self.refused.append("topic")
            if receipt is not None:
                self._inbox.settle(receipt, *self._answers.to_other_topic())
            return
        try:
            request = read_request(packet, self.connection, self._terms.frame)
        except BadFrameError as error:
            self.refused.append("bad_frame")
            refused = refusal(error.as_refusal(BAD_FRAME), request_id=error.request_id)
            self._answers.answer(packet, refused)
            if receipt is not None:
                self._inbox.settle(receipt)
            return
        self._at_work += 1
        if self._at_work >= self._terms.requests_per_connection:
            self.is_paused = True
        self.jobs.append(Job(packet, receipt, request))

    def _on_puback(self, packet: Puback) -> None:
        self._outbox.acknowledged(packet.packet_id)

    def _on_pubrec(self, packet: Pubrec) -> None:
        # Nothing is sent with QoS 2, so that the id is unknown.
        if packet.reason < Reason.UNSPECIFIED_ERROR:
            self._writer.send(
                Pubrel(packet_id=packet.packet_id, reason=Reason.PACKET_IDENTIFIER_NOT_FOUND)
            )

    def _on_pubrel(self, packet: Pubrel) -> None:
        self._inbox.release(packet.packet_id)

    def _on_pubcomp(self, _packet: Pubcomp) -> None:
        """Ends an exchange that never began; nothing to answer."""

    def _on_subscribe(self, packet: Subscribe) -> None:
        reasons = self._subscriptions.add(packet)
        properties = NO_PROPERTIES
        if any(reason >= Reason.UNSPECIFIED_ERROR for reason in reasons):
            self.refused.append("subscription")
            properties = self._writer.problem(
                f"only exact topics other than {self._terms.request_topic} can be subscribed to"
            )
        answer = Suback(packet_id=packet.packet_id, reasons=reasons, properties=properties)
        self._writer.send(answer)

    def _on_unsubscribe(self, packet: Unsubscribe) -> None:
        reasons = self._subscriptions.remove(packet)
        self._writer.send(Unsuback(packet_id=packet.packet_id, reasons=reasons))

    def _on_pingreq(self, _packet: Pingreq) -> None:
        self._writer.send(Pingresp())

    def _on_disconnect(self, packet: Disconnect) -> None:
        if packet.properties.session_expiry_interval:
            raise protocol_error("the session expires with the connection")
        # [MQTT-3.14.4-3]: any other reason leaves the will to be published.
        if packet.reason == Reason.SUCCESS:
            self._will = None
        self.said_goodbye = True
        self.is_ended = True


_HANDLERS: Final[dict[type, Callable[[Session, Any], None]]] = {
    Connect: Session._on_connect,
    Publish: Session._on_publish,
    Puback: Session._on_puback,
    Pubrec: Session._on_pubrec,
    Pubrel: Session._on_pubrel,
    Pubcomp: Session._on_pubcomp,
    Subscribe: Session._on_subscribe,
    Unsubscribe: Session._on_unsubscribe,
    Pingreq: Session._on_pingreq,
    Disconnect: Session._on_disconnect,
}
