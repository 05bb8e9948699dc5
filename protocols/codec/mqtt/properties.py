"""Properties of MQTT 5: which there are, where each may stand, how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from protocols.codec.mqtt.fields import Fields, write_binary, write_text, write_variable
from protocols.codec.mqtt.reasons import PacketError, Reason, malformed, protocol_error


class Place(Enum):
    """What properties belong to: a packet type, or the will inside a CONNECT."""

    CONNECT = auto()
    WILL = auto()
    CONNACK = auto()
    PUBLISH = auto()
    PUBACK = auto()  # and PUBREC, PUBREL, PUBCOMP: they take the same ones
    SUBSCRIBE = auto()
    SUBACK = auto()  # and UNSUBACK
    UNSUBSCRIBE = auto()
    DISCONNECT = auto()
    AUTH = auto()


class Properties(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The properties of one packet; None and the empty tuple are absent.

    Source: MQTT 5, table 2-4. Only the last two may stand in a packet more than once
    (`subscription_identifiers` in a PUBLISH only).
    """

    payload_format_indicator: int | None = None
    message_expiry_interval: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    session_expiry_interval: int | None = None
    assigned_client_identifier: str | None = None
    server_keep_alive: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem_information: int | None = None
    will_delay_interval: int | None = None
    request_response_information: int | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason_string: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: int | None = None
    retain_available: int | None = None
    maximum_packet_size: int | None = None
    wildcard_subscription_available: int | None = None
    subscription_identifier_available: int | None = None
    shared_subscription_available: int | None = None
    subscription_identifiers: tuple[int, ...] = ()
    user_properties: tuple[tuple[str, str], ...] = ()


NO_PROPERTIES: Final = Properties()

MAX_PROPERTIES: Final = 1_000
"""Most properties read from one packet, so that a packet full of them costs no more than its
payload would. No precedent in the specification, which sets no limit."""


class _Kind(Enum):
    SWITCH = auto()  # a byte that is 0 or 1
    TWO = auto()
    FOUR = auto()
    VARIABLE = auto()
    TEXT = auto()
    BINARY = auto()
    PAIR = auto()


class _Property(NamedTuple):
    name: str
    kind: _Kind
    places: frozenset[Place]
    # What a zero is answered with, where a zero is not allowed.
    zero: Reason | None = None


def _property(name: str, kind: _Kind, *places: Place, zero: Reason | None = None) -> _Property:
    return _Property(name, kind, frozenset(places), zero)


_P = Place
_EVERYWHERE: Final = tuple(Place)
_ANSWERS: Final = (_P.CONNACK, _P.PUBACK, _P.SUBACK, _P.DISCONNECT, _P.AUTH)
_ERROR: Final = Reason.PROTOCOL_ERROR

_TABLE: Final[Mapping[int, _Property]] = MappingProxyType(
    {
        0x01: _property("payload_format_indicator", _Kind.SWITCH, _P.PUBLISH, _P.WILL),
        0x02: _property("message_expiry_interval", _Kind.FOUR, _P.PUBLISH, _P.WILL),
        0x03: _property("content_type", _Kind.TEXT, _P.PUBLISH, _P.WILL),
        0x08: _property("response_topic", _Kind.TEXT, _P.PUBLISH, _P.WILL),
        0x09: _property("correlation_data", _Kind.BINARY, _P.PUBLISH, _P.WILL),
        0x0B: _property(
            "subscription_identifiers", _Kind.VARIABLE, _P.PUBLISH, _P.SUBSCRIBE, zero=_ERROR
        ),
        0x11: _property(
            "session_expiry_interval", _Kind.FOUR, _P.CONNECT, _P.CONNACK, _P.DISCONNECT
        ),
        0x12: _property("assigned_client_identifier", _Kind.TEXT, _P.CONNACK),
        0x13: _property("server_keep_alive", _Kind.TWO, _P.CONNACK),
        0x15: _property("authentication_method", _Kind.TEXT, _P.CONNECT, _P.CONNACK, _P.AUTH),
        0x16: _property("authentication_data", _Kind.BINARY, _P.CONNECT, _P.CONNACK, _P.AUTH),
        0x17: _property("request_problem_information", _Kind.SWITCH, _P.CONNECT),
        0x18: _property("will_delay_interval", _Kind.FOUR, _P.WILL),
        0x19: _property("request_response_information", _Kind.SWITCH, _P.CONNECT),
        0x1A: _property("response_information", _Kind.TEXT, _P.CONNACK),
        0x1C: _property("server_reference", _Kind.TEXT, _P.CONNACK, _P.DISCONNECT),
        0x1F: _property("reason_string", _Kind.TEXT, *_ANSWERS),
        0x21: _property("receive_maximum", _Kind.TWO, _P.CONNECT, _P.CONNACK, zero=_ERROR),
        0x22: _property("topic_alias_maximum", _Kind.TWO, _P.CONNECT, _P.CONNACK),
        0x23: _property("topic_alias", _Kind.TWO, _P.PUBLISH, zero=Reason.TOPIC_ALIAS_INVALID),
        0x24: _property("maximum_qos", _Kind.SWITCH, _P.CONNACK),
        0x25: _property("retain_available", _Kind.SWITCH, _P.CONNACK),
        0x26: _property("user_properties", _Kind.PAIR, *_EVERYWHERE),
        0x27: _property("maximum_packet_size", _Kind.FOUR, _P.CONNECT, _P.CONNACK, zero=_ERROR),
        0x28: _property("wildcard_subscription_available", _Kind.SWITCH, _P.CONNACK),
        0x29: _property("subscription_identifier_available", _Kind.SWITCH, _P.CONNACK),
        0x2A: _property("shared_subscription_available", _Kind.SWITCH, _P.CONNACK),
    }
)

_NUMBERS: Final = {entry.name: number for number, entry in _TABLE.items()}


def read_properties(fields: Fields, place: Place) -> Properties:
    """The properties that stand next in a packet, behind their length.

    Raises:
        PacketError: Malformed for an unknown one or one that does not belong here, a protocol
            error for one that stands there twice or has a value that is not allowed, quota
            exceeded for more than `MAX_PROPERTIES`.

    Source: MQTT 5, 2.2.2.
    """
    length = fields.variable()
    if not length:
        return NO_PROPERTIES
    part = fields.part(length)
    single: dict[str, Any] = {}
    many: dict[str, list[Any]] = {}
    for _ in range(MAX_PROPERTIES + 1):
        if not part.left:
            return Properties(**single, **_tuples(many))
        number = part.variable()
        entry = _TABLE.get(number)
        if entry is None or place not in entry.places:
            raise malformed(f"property 0x{number:02X} does not belong here")
        value = _read_value(part, entry)
        if entry.kind is _Kind.PAIR or (entry.kind is _Kind.VARIABLE and place is Place.PUBLISH):
            many.setdefault(entry.name, []).append(value)
        elif entry.name in single:
            raise protocol_error(f"property {entry.name} stands there twice")
        else:
            single[entry.name] = (value,) if entry.kind is _Kind.VARIABLE else value
    raise PacketError(Reason.QUOTA_EXCEEDED, f"more than {MAX_PROPERTIES} properties")


def _tuples(many: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: tuple(values) for name, values in many.items()}


def write_properties(properties: Properties) -> bytes:
    """The properties behind their length, in the order of their fields."""
    if properties is NO_PROPERTIES:
        return b"\0"
    written = bytearray()
    for name in Properties.__struct_fields__:
        value = getattr(properties, name)
        if value is None or value == ():
            continue
        number = _NUMBERS[name]
        many = value if isinstance(value, tuple) else (value,)
        for item in many:
            written.append(number)
            written += _write_value(_TABLE[number].kind, item)
    return write_variable(len(written)) + written


def _read_value(fields: Fields, entry: _Property) -> int | str | bytes | tuple[str, str]:
    value: int | str | bytes | tuple[str, str] = _READERS[entry.kind](fields)
    if entry.kind is _Kind.SWITCH and value not in (0, 1):
        raise protocol_error(f"property {entry.name} is neither 0 nor 1")
    if value == 0 and entry.zero is not None:
        raise PacketError(entry.zero, f"property {entry.name} is zero")
    return value


_READERS: Final[Mapping[_Kind, Any]] = {
    _Kind.SWITCH: lambda fields: fields.integer(1),
    _Kind.TWO: lambda fields: fields.integer(2),
    _Kind.FOUR: lambda fields: fields.integer(4),
    _Kind.VARIABLE: Fields.variable,
    _Kind.TEXT: Fields.text,
    _Kind.BINARY: Fields.binary,
    _Kind.PAIR: lambda fields: (fields.text(), fields.text()),
}


def _write_value(kind: _Kind, value: Any) -> bytes:
    return bytes(_WRITERS[kind](value))


_WRITERS: Final[Mapping[_Kind, Any]] = {
    _Kind.SWITCH: lambda value: value.to_bytes(1, "big"),
    _Kind.TWO: lambda value: value.to_bytes(2, "big"),
    _Kind.FOUR: lambda value: value.to_bytes(4, "big"),
    _Kind.VARIABLE: write_variable,
    _Kind.TEXT: write_text,
    _Kind.BINARY: write_binary,
    _Kind.PAIR: lambda pair: write_text(pair[0]) + write_text(pair[1]),
}
