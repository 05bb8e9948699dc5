"""What a client is sent with QoS 1 and has not acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from protocols.codec.mqtt.packets import Publish


class Outbox:
    """Gives packet ids, and holds messages back while the client has as many as it takes.

    Nothing is sent again: the session ends with its connection, and within a connection
    MQTT 5 forbids it ([MQTT-4.4.0-1]).

    Args:
        send: Called with each message once it may go.
        receive_maximum: The client's own.
    """

    __slots__ = ("_held", "_last_id", "_receive_maximum", "_send", "_unacknowledged", "held_bytes")

    def __init__(self, send: Callable[[Publish], None], *, receive_maximum: int) -> None:
        self._send = send
        self._receive_maximum = receive_maximum
        self._unacknowledged: set[int] = set()
        self._held: deque[Publish] = deque()
        self._last_id = 0
        self.held_bytes = 0

    def publish(self, message: Publish) -> None:
        """Send a message of QoS 0 at once, one of QoS 1 as soon as the client takes it."""
        if not message.qos:
            self._send(message)
        elif len(self._unacknowledged) < self._receive_maximum:
            self._send_numbered(message)
        else:
            self._held.append(message)
            self.held_bytes += len(message.payload)

    def acknowledged(self, packet_id: int) -> None:
        """A PUBACK came; one for an unknown id changes nothing."""
        self._unacknowledged.discard(packet_id)
        if self._held and len(self._unacknowledged) < self._receive_maximum:
            message = self._held.popleft()
            self.held_bytes -= len(message.payload)
            self._send_numbered(message)

    def _send_numbered(self, message: Publish) -> None:
        packet_id = self._last_id
        # Fewer than 65535 are in use, so that a free one is found.
        for _ in range(len(self._unacknowledged) + 1):
            packet_id = packet_id % 65_535 + 1
            if packet_id not in self._unacknowledged:
                break
        self._last_id = packet_id
        self._unacknowledged.add(packet_id)
        self._send(msgspec.structs.replace(message, packet_id=packet_id))
