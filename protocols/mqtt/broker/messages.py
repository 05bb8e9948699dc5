"""An application message between the client that published it and those that get it."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from protocols.codec.mqtt.packets import Publish, Will
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties

_MS: Final = 1_000


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What was published, without what concerned the publisher's connection alone.

    Attributes:
        sender: The user and client id of the publisher; empty for the router itself.
        properties: Those that every receiver gets as they are ([MQTT-3.3.2-4] and on).
        expires_at_ms: ms since 1970; infinite for a message that never expires.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    sender: tuple[str, str] = ("", "")
    properties: Properties = NO_PROPERTIES
    expires_at_ms: float = math.inf

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.topic) + len(self.payload) + _OVERHEAD + properties_size(self.properties)

    def is_expired(self, now_ms: float) -> bool:
        """Whether it shall not be sent any more."""
        return now_ms >= self.expires_at_ms

    def packet(
        self, *, qos: int, retain: bool, now_ms: float, identifiers: tuple[int, ...] = ()
    ) -> Publish:
        """The message as one receiver gets it.

        Its message expiry interval is what is left of it ([MQTT-3.3.2-6]).
        """
        properties = self.properties
        if identifiers or self.expires_at_ms < math.inf:
            left_s = None
            if self.expires_at_ms < math.inf:
                left_s = max(0, math.ceil((self.expires_at_ms - now_ms) / _MS))
            properties = msgspec.structs.replace(
                properties, message_expiry_interval=left_s, subscription_identifiers=identifiers
            )
        return Publish(
            topic=self.topic, payload=self.payload, qos=qos, retain=retain, properties=properties
        )


_OVERHEAD: Final = 512
"""Bytes that a message takes beside its texts, in memory."""


def properties_size(properties: Properties) -> int:
    """About how many bytes the texts of the properties take."""
    if properties is NO_PROPERTIES:
        return 0
    texts = sum(len(name) + len(value) for name, value in properties.user_properties)
    others = (properties.content_type, properties.response_topic, properties.correlation_data)
    return texts + sum(len(each) for each in others if each)


def message_of(packet: Publish | Will, sender: tuple[str, str], now_ms: float) -> Message:
    """The message that a client's will carries, or its PUBLISH with the topic filled in."""
    properties = packet.properties
    expiry_s = properties.message_expiry_interval
    return Message(
        topic=packet.topic,
        payload=packet.payload,
        qos=packet.qos,
        retain=packet.retain,
        sender=sender,
        properties=_forwarded(properties),
        expires_at_ms=math.inf if expiry_s is None else now_ms + expiry_s * _MS,
    )


def _forwarded(properties: Properties) -> Properties:
    if properties is NO_PROPERTIES:
        return properties
    found = Properties(
        payload_format_indicator=properties.payload_format_indicator,
        content_type=properties.content_type,
        response_topic=properties.response_topic,
        correlation_data=properties.correlation_data,
        user_properties=properties.user_properties,
    )
    return NO_PROPERTIES if found == NO_PROPERTIES else found
