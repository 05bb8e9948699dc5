"""Reads the packets that open and close a connection: CONNECT, CONNACK, DISCONNECT, AUTH."""

from __future__ import annotations

from typing import Final

from protocols.codec.mqtt.fields import Fields
from protocols.codec.mqtt.packets import (
    V3_1,
    V3_1_1,
    V5,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Will,
)
from protocols.codec.mqtt.properties import NO_PROPERTIES, Place, read_properties
from protocols.codec.mqtt.reasons import (
    AUTH_REASONS,
    CONNACK_REASONS,
    DISCONNECT_REASONS,
    PacketError,
    Reason,
    malformed,
    protocol_error,
)
from router import topics

_NAMES: Final = {(b"MQIsdp", V3_1), (b"MQTT", V3_1_1), (b"MQTT", V5)}
_RETURN_CODES_3: Final = frozenset(range(6))


def read_connect(fields: Fields, _version: int) -> Connect:
    """The CONNECT that a packet's body carries; it says itself in which version it is.

    Raises:
        PacketError: Unsupported protocol version for a level or name that isn't one of the
            three; malformed; a protocol error. Its `version` is set as soon as it was read.

    Source: MQTT 5 and 3.1.1, 3.1; MQTT 3.1, 3.1 for the name MQIsdp.
    """
    name, version = fields.binary(), fields.integer(1)
    if name not in {b"MQTT", b"MQIsdp"}:
        raise malformed("this is not the MQTT protocol")
    try:
        if (name, version) not in _NAMES:
            raise PacketError(
                Reason.UNSUPPORTED_PROTOCOL_VERSION,
                f"protocol level {version} is not spoken here; 3, 4 and 5 are",
            )
        return _read_rest(fields, version)
    except PacketError as error:
        error.version = version
        raise


def _read_rest(fields: Fields, version: int) -> Connect:
    flags = fields.integer(1)
    _check_flags(flags, version)
    keep_alive_s = fields.integer(2)
    properties = read_properties(fields, Place.CONNECT) if version == V5 else NO_PROPERTIES
    if properties.authentication_data is not None and properties.authentication_method is None:
        raise protocol_error("authentication data without a method")
    client_id = fields.text()
    will = _read_will(fields, flags, version) if flags & 0x04 else None
    username = fields.text() if flags & 0x80 else None
    password = fields.binary() if flags & 0x40 else None
    fields.end()
    return Connect(
        client_id=client_id,
        version=version,
        clean_start=bool(flags & 0x02),
        keep_alive_s=keep_alive_s,
        will=will,
        username=username,
        password=password,
        properties=properties,
    )


def _check_flags(flags: int, version: int) -> None:
    if flags & 0x01 and version != V3_1:
        raise malformed("the reserved connect flag is set")
    if flags & 0x18 == 0x18:
        raise malformed("the will's QoS is 3")
    if not flags & 0x04 and flags & 0x38:
        raise malformed("will flags without a will")
    if version != V5 and flags & 0xC0 == 0x40:
        raise malformed("a password without a user name")


def _read_will(fields: Fields, flags: int, version: int) -> Will:
    properties = read_properties(fields, Place.WILL) if version == V5 else NO_PROPERTIES
    topic = fields.text()
    if not topics.is_name(topic):
        raise malformed("the will's topic is not a topic name")
    response_topic = properties.response_topic
    if response_topic is not None and not topics.is_name(response_topic):
        raise protocol_error("the response topic is not a topic name")
    return Will(
        topic=topic,
        payload=fields.binary(),
        qos=flags >> 3 & 0x03,
        retain=bool(flags & 0x20),
        properties=properties,
    )


def read_connack(fields: Fields, version: int) -> Connack:
    """The answer to CONNECT. Source: 3.2."""
    flags = fields.integer(1)
    if flags > 1:
        raise malformed("reserved acknowledge flags are set")
    reason = fields.reason(CONNACK_REASONS if version == V5 else _RETURN_CODES_3)
    properties = read_properties(fields, Place.CONNACK) if version == V5 else NO_PROPERTIES
    return Connack(reason=reason, session_present=bool(flags), properties=properties)


def read_disconnect(fields: Fields, version: int) -> Disconnect:
    """The last packet; empty below MQTT 5. Source: 3.14."""
    if version != V5 or not fields.left:
        return Disconnect()
    reason = fields.reason(DISCONNECT_REASONS)
    properties = read_properties(fields, Place.DISCONNECT) if fields.left else NO_PROPERTIES
    return Disconnect(reason=reason, properties=properties)


def read_auth(fields: Fields, version: int) -> Auth:
    """Part of an enhanced authentication; a reserved type below MQTT 5. Source: 3.15."""
    if version != V5:
        raise malformed("packet type 15 is reserved")
    if not fields.left:
        return Auth()
    reason = fields.reason(AUTH_REASONS)
    properties = read_properties(fields, Place.AUTH) if fields.left else NO_PROPERTIES
    return Auth(reason=reason, properties=properties)
