"""Reason codes of MQTT 5, and the CONNACK return codes of MQTT 3.1.1 that stand for some."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class Reason(IntEnum):
    """Why a packet is what it is. Source: MQTT 5, 2.4; from 0x80 on something failed."""

    SUCCESS = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    RE_AUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


SUBACK_FAILURE: Final = 0x80
"""The one refusal of MQTT 3.1.1 in a SUBACK (3.9.3)."""

RETURN_CODES: Final[Mapping[Reason, int]] = MappingProxyType(
    {
        Reason.UNSUPPORTED_PROTOCOL_VERSION: 1,
        Reason.CLIENT_IDENTIFIER_NOT_VALID: 2,
        Reason.SERVER_UNAVAILABLE: 3,
        Reason.SERVER_BUSY: 3,
        Reason.QUOTA_EXCEEDED: 3,
        Reason.BAD_USER_NAME_OR_PASSWORD: 4,
        Reason.NOT_AUTHORIZED: 5,
    }
)
"""CONNACK return codes of MQTT 3.1.1 (table 3.1); other refusals only close the connection."""

_ANY_ACK: Final = (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
_RELEASE: Final = frozenset({0x00, 0x92})

PUBACK_REASONS: Final = frozenset(_ANY_ACK)
PUBREC_REASONS: Final = frozenset(_ANY_ACK)
PUBREL_REASONS: Final = _RELEASE
PUBCOMP_REASONS: Final = _RELEASE
AUTH_REASONS: Final = frozenset({0x00, 0x18, 0x19})
SUBACK_REASONS: Final = frozenset(
    {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}
)
UNSUBACK_REASONS: Final = frozenset({0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91})
CONNACK_REASONS: Final = frozenset(
    {0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F}
)
DISCONNECT_REASONS: Final = frozenset(
    {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, *range(0x8D, 0x91), *range(0x93, 0xA3)}
)


class PacketError(Exception):
    """Bytes or packets that break the protocol, or a refusal that ends the connection.

    MQTT 5 answers with `reason` in a CONNACK or DISCONNECT and closes; MQTT 3.1.1 closes,
    and says `return_code` in a CONNACK first where there is one and the packet was a CONNECT.

    Attributes:
        version: The protocol level, where a broken CONNECT still told it.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.version: int | None = None

    @property
    def return_code(self) -> int | None:
        """The CONNACK return code of MQTT 3.1.1; None where it just closes."""
        return RETURN_CODES.get(self.reason)


def malformed(text: str) -> PacketError:
    """The error for bytes that are not the packet they claim to be (MQTT 5, 1.2)."""
    return PacketError(Reason.MALFORMED_PACKET, text)


def protocol_error(text: str) -> PacketError:
    """The error for a packet that can be read but must not be sent so (MQTT 5, 1.2)."""
    return PacketError(Reason.PROTOCOL_ERROR, text)
