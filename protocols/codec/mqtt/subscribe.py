"""Reads SUBSCRIBE, UNSUBSCRIBE and their answers."""

from __future__ import annotations

from typing import Final

from protocols.codec.mqtt.fields import Fields
from protocols.codec.mqtt.packets import (
    V5,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from protocols.codec.mqtt.properties import NO_PROPERTIES, Place, read_properties
from protocols.codec.mqtt.reasons import (
    SUBACK_REASONS,
    UNSUBACK_REASONS,
    PacketError,
    Reason,
    malformed,
    protocol_error,
)
from router import topics

MAX_FILTERS: Final = 1_000
"""Most filters read from one packet, so that no packet takes long to read. No precedent in the
specification, which sets no limit."""

_SUBACK_3: Final = frozenset({0, 1, 2, 0x80})


def read_subscribe(fields: Fields, version: int) -> Subscribe:
    """At least one filter with its options. Source: 3.8."""
    packet_id = fields.packet_id()
    properties = read_properties(fields, Place.SUBSCRIBE) if version == V5 else NO_PROPERTIES
    subscriptions: list[Subscription] = []
    while fields.left:
        _check_count(len(subscriptions))
        topic_filter = _filter(fields, version)
        subscriptions.append(_options(topic_filter, fields.integer(1), version))
    if not subscriptions:
        raise protocol_error("a SUBSCRIBE without a topic filter")
    return Subscribe(packet_id=packet_id, subscriptions=tuple(subscriptions), properties=properties)


def _options(topic_filter: str, options: int, version: int) -> Subscription:
    if options & 0x03 == 3:
        raise malformed("the QoS asked for is 3")
    if options & (0xC0 if version == V5 else 0xFC):
        raise malformed("reserved subscription options are set")
    if options >> 4 & 0x03 == 3:
        raise protocol_error("retain handling is 3")
    if options & 0x04 and topics.is_shared(topic_filter):
        raise protocol_error("no local on a shared subscription")
    return Subscription(
        topic_filter=topic_filter,
        qos=options & 0x03,
        no_local=bool(options & 0x04),
        retain_as_published=bool(options & 0x08),
        retain_handling=options >> 4 & 0x03,
    )


def _check_count(count: int) -> None:
    if count == MAX_FILTERS:
        raise PacketError(Reason.QUOTA_EXCEEDED, f"more than {MAX_FILTERS} filters in a packet")


def _filter(fields: Fields, version: int) -> str:
    topic_filter = fields.text()
    is_valid = topics.is_filter(topic_filter)
    if version == V5 and topics.is_shared(topic_filter):
        is_valid = topics.is_shared_filter(topic_filter)
    if not is_valid:
        raise malformed("a topic filter is not valid")
    return topic_filter


def read_suback(fields: Fields, version: int) -> Suback:
    """At least one reason. Source: 3.9."""
    packet_id = fields.packet_id()
    properties = read_properties(fields, Place.SUBACK) if version == V5 else NO_PROPERTIES
    reasons = tuple(fields.rest())
    if not reasons or not set(reasons) <= (SUBACK_REASONS if version == V5 else _SUBACK_3):
        raise malformed("a SUBACK with reasons that do not belong there")
    return Suback(packet_id=packet_id, reasons=reasons, properties=properties)


def read_unsubscribe(fields: Fields, version: int) -> Unsubscribe:
    """At least one filter. Source: 3.10."""
    packet_id = fields.packet_id()
    properties = read_properties(fields, Place.UNSUBSCRIBE) if version == V5 else NO_PROPERTIES
    filters: list[str] = []
    while fields.left:
        _check_count(len(filters))
        filters.append(_filter(fields, version))
    if not filters:
        raise protocol_error("an UNSUBSCRIBE without a topic filter")
    return Unsubscribe(packet_id=packet_id, topic_filters=tuple(filters), properties=properties)


def read_unsuback(fields: Fields, version: int) -> Unsuback:
    """At least one reason in MQTT 5, none below. Source: 3.11."""
    packet_id = fields.packet_id()
    if version != V5:
        return Unsuback(packet_id=packet_id)
    properties = read_properties(fields, Place.SUBACK)
    reasons = tuple(fields.rest())
    if not reasons or not set(reasons) <= UNSUBACK_REASONS:
        raise malformed("an UNSUBACK with reasons that do not belong there")
    return Unsuback(packet_id=packet_id, reasons=reasons, properties=properties)
