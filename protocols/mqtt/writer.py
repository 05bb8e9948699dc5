"""Writes packets for one client, in its version and within what it takes."""

from __future__ import annotations

import math

import msgspec

from protocols.codec.mqtt.encode import encode
from protocols.codec.mqtt.packets import Packet, Publish, Pubrel
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.mqtt.aliases import OutgoingAliases


class Writer:
    """Collects bytes in `out`; `refused` gets a short text for each message left out.

    Attributes:
        version: The protocol level; 0 until a CONNECT has told it.
        max_packet_bytes: The client's Maximum Packet Size; infinite without.
        tells_problems: Whether the client wants reason strings in every packet.
        aliases: Those of topics, if the client takes some.
    """

    __slots__ = ("aliases", "max_packet_bytes", "out", "refused", "tells_problems", "version")

    def __init__(self, refused: list[str]) -> None:
        self.out: list[bytes] = []
        self.refused = refused
        self.version = 0
        self.max_packet_bytes = math.inf
        self.tells_problems = True
        self.aliases: OutgoingAliases | None = None

    def send(self, packet: Packet) -> None:
        """Write a packet, without its properties where it would be too long with them."""
        encoded = encode(packet, self.version)
        if len(encoded) <= self.max_packet_bytes:
            self.out.append(encoded)
        elif getattr(packet, "properties", NO_PROPERTIES) is not NO_PROPERTIES:
            self.send(msgspec.structs.replace(packet, properties=NO_PROPERTIES))

    def deliver(self, packet: Publish | Pubrel) -> bool:
        """Write what a session sends by itself: a message, or the release of one. False for a
        message that is too long for the client."""
        if not isinstance(packet, Publish):
            self.send(packet)
            return True
        if self.aliases is None:
            return self.push(encode(packet, self.version))
        return self._deliver_short(packet, self.aliases)

    def _deliver_short(self, packet: Publish, aliases: OutgoingAliases) -> bool:
        short = aliases.shorten(packet)
        encoded = encode(short, self.version)
        if len(encoded) > self.max_packet_bytes and short.topic:
            # Telling an alias takes some bytes more than to leave it at that.
            return self.push(encode(packet, self.version))
        if not self.push(encoded):
            return False
        aliases.sent(short)
        return True

    def push(self, message: bytes) -> bool:
        """The same for one that is encoded already."""
        if len(message) <= self.max_packet_bytes:
            self.out.append(message)
            return True
        # [MQTT-3.1.2-25]: as if it had been sent.
        self.refused.append("answer_too_large")
        return False

    def problem(self, text: str, *, retry_after: str = "") -> Properties:
        """The reason string for a packet other than CONNACK and DISCONNECT, and after how many
        seconds to try again, if that is wanted.

        Source: [MQTT-3.1.2-29].
        """
        if not self.tells_problems:
            return NO_PROPERTIES
        told = (("retry-after", retry_after),) if retry_after else ()
        return Properties(reason_string=text, user_properties=told)
