"""Packets to bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from protocols.codec.mqtt.fields import write_binary, write_text, write_variable
from protocols.codec.mqtt.packets import (
    V3_1,
    V5,
    Acknowledgement,
    Auth,
    Connack,
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
    Subscription,
    Unsuback,
    Unsubscribe,
)
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties, write_properties


def encode(packet: Packet, version: int) -> bytes:
    """The bytes of a packet in a protocol level; properties are left out below 5.

    A packet that the version does not have (AUTH below 5) is a programming error.
    """
    if isinstance(packet, Publish):
        return encode_publish(packet, version)
    first, write = _WRITERS[type(packet)]
    body = write(packet, version)
    return b"%c%b%b" % (first, write_variable(len(body)), body)


def message_head(topic: str, version: int) -> bytes:
    """What stands before the payload of a QoS 0 PUBLISH without properties; see
    `encode_message`."""
    return write_text(topic) + (b"\0" if version == V5 else b"")


def encode_message(head: bytes, payload: bytes) -> bytes:
    """A QoS 0 PUBLISH without properties, for a topic that many messages go to."""
    return b"\x30%b%b%b" % (write_variable(len(head) + len(payload)), head, payload)


def encode_publish(packet: Publish, version: int) -> bytes:
    """The bytes of a PUBLISH; `encode` comes here too."""
    topic = packet.topic.encode()
    head = len(topic).to_bytes(2, "big") + topic
    if packet.qos:
        head += packet.packet_id.to_bytes(2, "big")
    if version == V5:
        head += write_properties(packet.properties)
    first = 0x30 | packet.dup << 3 | packet.qos << 1 | packet.retain
    size = len(head) + len(packet.payload)
    return b"%c%b%b%b" % (first, write_variable(size), head, packet.payload)


def _properties(properties: Properties, version: int) -> bytes:
    return write_properties(properties) if version == V5 else b""


def _write_connect(packet: Connect, version: int) -> bytes:
    will = packet.will
    flags = packet.clean_start << 1
    flags |= (packet.username is not None) << 7 | (packet.password is not None) << 6
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
    body = bytearray(write_text("MQIsdp" if version == V3_1 else "MQTT"))
    body += bytes((version, flags)) + packet.keep_alive_s.to_bytes(2, "big")
    body += _properties(packet.properties, version) + write_text(packet.client_id)
    if will is not None:
        body += _properties(will.properties, version) + write_text(will.topic)
        body += write_binary(will.payload)
    if packet.username is not None:
        body += write_text(packet.username)
    if packet.password is not None:
        body += write_binary(packet.password)
    return bytes(body)


def _write_connack(packet: Connack, version: int) -> bytes:
    head = bytes((packet.session_present, packet.reason))
    return head + _properties(packet.properties, version)


def _write_acknowledgement(packet: Acknowledgement, version: int) -> bytes:
    packet_id = packet.packet_id.to_bytes(2, "big")
    return packet_id + _ending(packet.reason, packet.properties, version)


def _ending(reason: int, properties: Properties, version: int) -> bytes:
    # The reason and the properties may be left out from the back (3.4.2.1, 3.14.2.1).
    if version != V5 or (not reason and properties is NO_PROPERTIES):
        return b""
    if properties is NO_PROPERTIES:
        return bytes((reason,))
    return bytes((reason,)) + write_properties(properties)


def _write_subscribe(packet: Subscribe, version: int) -> bytes:
    body = packet.packet_id.to_bytes(2, "big") + _properties(packet.properties, version)
    return body + b"".join(
        write_text(subscription.topic_filter) + bytes((_options(subscription),))
        for subscription in packet.subscriptions
    )


def _options(subscription: Subscription) -> int:
    return (
        subscription.qos
        | subscription.no_local << 2
        | subscription.retain_as_published << 3
        | subscription.retain_handling << 4
    )


def _write_suback(packet: Suback, version: int) -> bytes:
    packet_id = packet.packet_id.to_bytes(2, "big")
    return packet_id + _properties(packet.properties, version) + bytes(packet.reasons)


def _write_unsubscribe(packet: Unsubscribe, version: int) -> bytes:
    body = packet.packet_id.to_bytes(2, "big") + _properties(packet.properties, version)
    return body + b"".join(map(write_text, packet.topic_filters))


def _write_unsuback(packet: Unsuback, version: int) -> bytes:
    packet_id = packet.packet_id.to_bytes(2, "big")
    if version != V5:
        return packet_id
    return packet_id + write_properties(packet.properties) + bytes(packet.reasons)


def _write_nothing(_packet: Packet, _version: int) -> bytes:
    return b""


def _write_disconnect(packet: Disconnect | Auth, version: int) -> bytes:
    return _ending(packet.reason, packet.properties, version)


_WRITERS: Final[dict[type, tuple[int, Callable[[Any, int], bytes]]]] = {
    Connect: (0x10, _write_connect),
    Connack: (0x20, _write_connack),
    Puback: (0x40, _write_acknowledgement),
    Pubrec: (0x50, _write_acknowledgement),
    Pubrel: (0x62, _write_acknowledgement),
    Pubcomp: (0x70, _write_acknowledgement),
    Subscribe: (0x82, _write_subscribe),
    Suback: (0x90, _write_suback),
    Unsubscribe: (0xA2, _write_unsubscribe),
    Unsuback: (0xB0, _write_unsuback),
    Pingreq: (0xC0, _write_nothing),
    Pingresp: (0xD0, _write_nothing),
    Disconnect: (0xE0, _write_disconnect),
    Auth: (0xF0, _write_disconnect),
}
