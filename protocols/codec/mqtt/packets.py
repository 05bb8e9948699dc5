"""The fifteen packets as values."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties

V3_1: Final = 3
V3_1_1: Final = 4
V5: Final = 5
"""Protocol levels. 3 is MQTT 3.1 with the name MQIsdp, which the peer accepts too."""


class Will(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the server publishes when the connection ends without a DISCONNECT (3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = NO_PROPERTIES


class Connect(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A client's first packet. `clean_start` is Clean Session in MQTT 3.1.1."""

    client_id: str
    version: int = V5
    clean_start: bool = True
    keep_alive_s: int = 0
    will: Will | None = None
    username: str | None = None
    password: bytes | None = None
    properties: Properties = NO_PROPERTIES


class Connack(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to CONNECT; `reason` is a return code in MQTT 3.1.1."""

    reason: int = 0
    session_present: bool = False
    properties: Properties = NO_PROPERTIES


class Publish(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A message, either way. `packet_id` is 0 with QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = NO_PROPERTIES


class Puback(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to a PUBLISH with QoS 1."""

    packet_id: int
    reason: int = 0
    properties: Properties = NO_PROPERTIES


class Pubrec(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to a PUBLISH with QoS 2."""

    packet_id: int
    reason: int = 0
    properties: Properties = NO_PROPERTIES


class Pubrel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to a PUBREC."""

    packet_id: int
    reason: int = 0
    properties: Properties = NO_PROPERTIES


class Pubcomp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer to a PUBREL."""

    packet_id: int
    reason: int = 0
    properties: Properties = NO_PROPERTIES


class Subscription(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One filter of a SUBSCRIBE with its options; those after `qos` are of MQTT 5."""

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


class Subscribe(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a client wants to receive."""

    packet_id: int
    subscriptions: tuple[Subscription, ...]
    properties: Properties = NO_PROPERTIES


class Suback(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One reason for each filter of a SUBSCRIBE, in its order."""

    packet_id: int
    reasons: tuple[int, ...]
    properties: Properties = NO_PROPERTIES


class Unsubscribe(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a client no longer wants to receive."""

    packet_id: int
    topic_filters: tuple[str, ...]
    properties: Properties = NO_PROPERTIES


class Unsuback(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One reason for each filter of an UNSUBSCRIBE in MQTT 5; none in MQTT 3.1.1."""

    packet_id: int
    reasons: tuple[int, ...] = ()
    properties: Properties = NO_PROPERTIES


class Pingreq(msgspec.Struct, frozen=True, gc=False):
    """A sign of life."""


class Pingresp(msgspec.Struct, frozen=True, gc=False):
    """The answer to it."""


class Disconnect(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last packet; from a server in MQTT 5 only."""

    reason: int = 0
    properties: Properties = NO_PROPERTIES


class Auth(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Part of an enhanced authentication; MQTT 5 only."""

    reason: int = 0
    properties: Properties = NO_PROPERTIES


Acknowledgement: TypeAlias = Puback | Pubrec | Pubrel | Pubcomp

Packet: TypeAlias = (
    Connect
    | Connack
    | Publish
    | Acknowledgement
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Pingreq
    | Pingresp
    | Disconnect
    | Auth
)
