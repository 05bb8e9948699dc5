"""What one client is told: answers to its requests, and notifications."""

from __future__ import annotations

from typing import Final

from protocols.codec import frame
from protocols.codec.mqtt.encode import encode_message, encode_publish, message_head
from protocols.codec.mqtt.packets import V5, Publish
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.codec.mqtt.reasons import PacketError, Reason, protocol_error
from protocols.mqtt.description import message_of, position_of
from protocols.mqtt.outbox import Outbox
from protocols.mqtt.terms import Terms
from protocols.mqtt.writer import Writer
from router.connections import Notification
from router.envelope import Response

RATE_EXCEEDED: Final = "network.mqtt.ratelimit_exceeded"
TOO_MANY: Final = "api.process.too_many_requests"

_LIMITS: Final = frozenset(
    {
        RATE_EXCEEDED,
        "api.process.overloaded",
        "api.process.too_many_logins_requests",
        TOO_MANY,
    }
)
"""Errors by which a request is refused before anything is done, since there were too many."""


class Answers:
    """Writes for a client whose version is known."""

    __slots__ = ("_head", "_outbox", "_terms", "_writer")

    def __init__(self, terms: Terms, writer: Writer, outbox: Outbox) -> None:
        self._terms = terms
        self._writer = writer
        self._outbox = outbox
        self._head = message_head(terms.response_topic, writer.version)

    def answer(
        self, asked: Publish, response: Response, *, is_here: bool = True, lasts: bool = True
    ) -> None:
        """Send the answer to where the client asked for it.

        Args:
            is_here: Whether the client is; else only what its session keeps is of any use.
            lasts: Whether whoever resumes the session may read it.
        """
        if not (is_here or (asked.qos and self._writer.version == V5)):
            return
        payload = frame.encode(response, node=self._terms.node)
        properties = asked.properties
        if self._writer.version != V5 or (not asked.qos and properties is NO_PROPERTIES):
            self._writer.push(encode_message(self._head, payload))
            return
        topic = properties.response_topic or self._terms.response_topic
        answer = NO_PROPERTIES
        if properties.correlation_data is not None:
            answer = Properties(correlation_data=properties.correlation_data)
        self._outbox.publish(
            Publish(topic=topic, payload=payload, qos=min(asked.qos, 1), properties=answer),
            lasts=lasts,
        )

    def receipt(self, response: Response) -> tuple[Reason, Properties]:
        """How to acknowledge the PUBLISH of a request that has its answer.

        Only a limit is told here, for whoever counts acknowledgements to slow down; every other
        error is an answer like any other.

        Source: MQTT 5, 3.4.2.1 and 3.5.2.1.
        """
        error = response.error
        if error is None or error["id"] not in _LIMITS:
            return Reason.SUCCESS, NO_PROPERTIES
        retry_after = response.headers.get("Retry-After", "")
        return self._refused(Reason.QUOTA_EXCEEDED, str(error["message"]), retry_after)

    def too_soon(self) -> tuple[Reason, Properties]:
        """How to acknowledge a message beyond what may come within a second."""
        return self._refused(Reason.QUOTA_EXCEEDED, "too many messages within a second", "1")

    def refused(self, reason: Reason, text: str) -> tuple[Reason, Properties]:
        """How to acknowledge a PUBLISH that goes to nobody.

        Source: MQTT 3.1.1, 3.3.5: without a way to refuse, a server may acknowledge all the same.
        """
        return self._refused(reason, text, "")

    def _refused(self, reason: Reason, text: str, retry_after: str) -> tuple[Reason, Properties]:
        if self._writer.version != V5:
            return Reason.SUCCESS, NO_PROPERTIES
        return reason, self._writer.problem(text, retry_after=retry_after)

    def notify(self, notification: Notification, qos: int) -> None:
        """Send a message that answers nothing."""
        if qos:
            message = message_of(notification, qos, self._terms.node)
            self._outbox.publish(message, seq=position_of(notification))
        else:
            form = ("mqtt", self._writer.version)
            self._writer.push(notification.encoded(form, self._encode))

    def _encode(self, notification: Notification) -> bytes:
        message = message_of(notification, 0, self._terms.node)
        return encode_publish(message, self._writer.version)


def check_publish(packet: Publish, terms: Terms) -> None:
    """Let a PUBLISH of MQTT 5 pass that asks for what is offered. Raises: PacketError."""
    if packet.retain and not terms.allow_pub_sub:
        raise PacketError(Reason.RETAIN_NOT_SUPPORTED, "messages are not retained here")
    if packet.properties.subscription_identifiers:
        raise protocol_error("a client's PUBLISH has no subscription identifier")
