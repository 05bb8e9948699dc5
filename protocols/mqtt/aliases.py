"""Topic aliases: numbers that stand for topics, each side its own. MQTT 5, 3.3.2.3.4."""

from __future__ import annotations

from typing import Final

import msgspec

from protocols.codec.mqtt.packets import Publish
from protocols.codec.mqtt.properties import NO_PROPERTIES
from protocols.codec.mqtt.reasons import PacketError, Reason, protocol_error

_COST: Final = 3
"""Bytes of an alias: no topic that short needs one."""


class IncomingAliases:
    """What a client's aliases stand for, for as long as its connection lasts."""

    __slots__ = ("_maximum", "_topics")

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._topics: dict[int, str] = {}

    def resolve(self, packet: Publish) -> Publish:
        """The message with its topic and without its alias.

        Raises:
            PacketError: Topic alias invalid above the maximum; a protocol error for an alias that
                stands for nothing.
        """
        alias = packet.properties.topic_alias
        if alias is None:
            return packet
        if alias > self._maximum:
            raise PacketError(
                Reason.TOPIC_ALIAS_INVALID, f"topic aliases go from 1 to {self._maximum}"
            )
        if packet.topic:
            self._topics[alias] = packet.topic
        elif alias not in self._topics:
            raise protocol_error(f"topic alias {alias} stands for nothing")
        properties = msgspec.structs.replace(packet.properties, topic_alias=None)
        if properties == NO_PROPERTIES:
            properties = NO_PROPERTIES
        return msgspec.structs.replace(packet, topic=self._topics[alias], properties=properties)


class OutgoingAliases:
    """What the client was told that aliases stand for. The first topics get them, and keep them.

    Args:
        maximum: The most that the client takes.
    """

    __slots__ = ("_aliases", "_maximum")

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._aliases: dict[str, int] = {}

    def shorten(self, packet: Publish) -> Publish:
        """The message as it should be sent; if it is, call `sent` with it."""
        if len(packet.topic) <= _COST:
            return packet
        alias = self._aliases.get(packet.topic)
        if alias is not None:
            return _with_alias(packet, "", alias)
        if len(self._aliases) < self._maximum:
            return _with_alias(packet, packet.topic, len(self._aliases) + 1)
        return packet

    def sent(self, packet: Publish) -> None:
        """The client has learnt the alias of this message."""
        alias = packet.properties.topic_alias
        if alias is not None and packet.topic:
            self._aliases[packet.topic] = alias


def _with_alias(packet: Publish, topic: str, alias: int) -> Publish:
    properties = msgspec.structs.replace(packet.properties, topic_alias=alias)
    return msgspec.structs.replace(packet, topic=topic, properties=properties)
