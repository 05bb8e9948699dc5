"""Reads PUBLISH and the four packets that acknowledge it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from protocols.codec import topics
from protocols.codec.mqtt.fields import Fields
from protocols.codec.mqtt.packets import V5, Acknowledgement, Publish
from protocols.codec.mqtt.properties import NO_PROPERTIES, Place, read_properties
from protocols.codec.mqtt.reasons import PacketError, Reason, malformed, protocol_error

A = TypeVar("A", bound=Acknowledgement)


def read_publish(flags: int, fields: Fields, version: int) -> Publish:
    """The PUBLISH of a body; `flags` are the low four bits of its header. Source: 3.3."""
    topic = fields.text()
    qos = flags >> 1 & 0x03
    if qos == 3:
        raise malformed("the QoS is 3")
    if not qos and flags & 0x08:
        raise malformed("DUP with QoS 0")
    packet_id = fields.packet_id() if qos else 0
    properties = NO_PROPERTIES
    if version == V5:
        properties = read_properties(fields, Place.PUBLISH)
        response_topic = properties.response_topic
        if response_topic is not None and not topics.is_name(response_topic):
            raise protocol_error("the response topic is not a topic name")
    if not topics.is_name(topic) and (topic or properties.topic_alias is None):
        if not topic and version == V5:
            raise protocol_error("neither a topic nor a topic alias")
        raise PacketError(Reason.TOPIC_NAME_INVALID, "the topic is not a topic name")
    return Publish(
        topic=topic,
        payload=fields.rest(),
        qos=qos,
        retain=bool(flags & 0x01),
        dup=bool(flags & 0x08),
        packet_id=packet_id,
        properties=properties,
    )


def acknowledgement(kind: type[A], reasons: frozenset[int]) -> Callable[[Fields, int], A]:
    """The reader of one kind of acknowledgement and the reasons it may give. Source: 3.4 to 3.7."""

    def read(fields: Fields, version: int) -> A:
        packet_id = fields.packet_id()
        if version != V5 or not fields.left:
            return kind(packet_id=packet_id)
        reason = fields.reason(reasons)
        properties = read_properties(fields, Place.PUBACK) if fields.left else NO_PROPERTIES
        return kind(packet_id=packet_id, reason=reason, properties=properties)

    return read
