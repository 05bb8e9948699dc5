"""Reads PUBLISH and the four packets that acknowledge it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar

from protocols.codec.mqtt.fields import Fields
from protocols.codec.mqtt.packets import V5, Acknowledgement, Publish
from protocols.codec.mqtt.properties import NO_PROPERTIES, Place, Properties, read_properties
from protocols.codec.mqtt.reasons import malformed, protocol_error
from router import topics

A = TypeVar("A", bound=Acknowledgement)


def read_publish(flags: int, body: bytes, version: int) -> Publish:
    """The PUBLISH of a body; `flags` are the low four bits of its header. Source: 3.3.

    Requests come in it, so that its fields are cut out in place.
    """
    qos = flags >> 1 & 0x03
    if qos == 3 or flags & 0x0E == 0x08:
        raise malformed("the QoS is 3" if qos else "DUP with QoS 0")
    at = 2 + int.from_bytes(body[:2], "big")
    if len(body) < at:
        raise malformed("the packet ends in the middle of its topic")
    topic = _topic(body[2:at]) if at <= _CACHED_TOPIC_BYTES else _read_topic(body[2:at])
    packet_id = 0
    if qos:
        packet_id = int.from_bytes(body[at : at + 2], "big")
        at += 2
        if not packet_id or len(body) < at:
            raise malformed("the packet identifier is zero or missing")
    properties = NO_PROPERTIES
    if version == V5:
        fields = Fields(body, at)
        properties = _read_properties(fields)
        at = len(body) - fields.left
    if not topic:
        _check_alias(properties, version)
    return Publish(
        topic=topic,
        payload=body[at:],
        qos=qos,
        retain=flags & 0x01 == 1,
        dup=flags & 0x08 == 8,
        packet_id=packet_id,
        properties=properties,
    )


def _read_topic(encoded: bytes) -> str:
    try:
        topic = encoded.decode()
    except UnicodeDecodeError:
        raise malformed("the topic is not UTF-8") from None
    if "\0" in topic:
        raise malformed("the topic holds U+0000")
    if topic and not topics.is_name(topic):
        raise malformed("the topic is not a topic name")
    return topic


# A client publishes on few topics: looking one up costs a tenth of checking it.
_topic = lru_cache(maxsize=1_024)(_read_topic)
_CACHED_TOPIC_BYTES: Final = 256


def _read_properties(fields: Fields) -> Properties:
    properties = read_properties(fields, Place.PUBLISH)
    response_topic = properties.response_topic
    if response_topic is not None and not topics.is_name(response_topic):
        raise protocol_error("the response topic is not a topic name")
    return properties


def _check_alias(properties: Properties, version: int) -> None:
    # 3.3.2.1: an empty topic stands for the one of its alias.
    if version != V5:
        raise malformed("the topic is empty")
    if properties.topic_alias is None:
        raise protocol_error("neither a topic nor a topic alias")


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
