"""What a client is sent with QoS 1 or 2 and has not acknowledged, and what waits to be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import TypeAlias

import msgspec

from protocols.codec.mqtt.packets import Publish, Pubrel
from protocols.codec.mqtt.reasons import Reason

Send: TypeAlias = Callable[[Publish | Pubrel], None]

_PACKET_IDS = 65_535


class Stage(Enum):
    """How far a message is. Source: MQTT 5, figures 4.2 and 4.3."""

    WAITING = auto()
    SENT = auto()
    RELEASED = auto()


class Entry:
    """One message on its way. `was_sent`: on this connection or an earlier one."""

    __slots__ = ("message", "stage", "was_sent")

    def __init__(self, message: Publish) -> None:
        self.message = message
        self.stage = Stage.WAITING
        self.was_sent = False


class Outbox:
    """Gives packet ids, holds messages back while the client has as many as it takes.

    Within a connection nothing is sent twice; what is unacknowledged when one ends is sent
    again, in its order and with its packet ids, on the next ([MQTT-4.4.0-1]).

    Attributes:
        held_bytes: Bytes of messages that wait to be sent.
    """

    __slots__ = (
        "_entries",
        "_in_flight",
        "_last_id",
        "_receive_maximum",
        "_send",
        "_waiting",
        "held_bytes",
    )

    def __init__(self) -> None:
        self._send: Send | None = None
        self._receive_maximum = 0
        self._entries: dict[int, Entry] = {}
        self._waiting: deque[Entry] = deque()
        self._in_flight = 0
        self._last_id = 0
        self.held_bytes = 0

    def attach(self, send: Send, *, receive_maximum: int) -> None:
        """The client is here: send what is due, again where it was sent before.

        Args:
            send: Called with each packet once it may go.
            receive_maximum: The client's own.
        """
        self._send = send
        self._receive_maximum = receive_maximum
        self._in_flight = 0
        numbered = list(self._entries.values())
        self._waiting = deque(
            [entry for entry in numbered if entry.stage is not Stage.RELEASED]
            + [entry for entry in self._waiting if not entry.message.packet_id]
        )
        self.held_bytes = sum(len(entry.message.payload) for entry in self._waiting)
        for entry in numbered:
            if entry.stage is Stage.RELEASED:
                self._in_flight += 1
                send(Pubrel(packet_id=entry.message.packet_id))
            else:
                entry.stage = Stage.WAITING
        self._go_on()

    def detach(self) -> None:
        """The client is gone: hold everything."""
        self._send = None

    def publish(self, message: Publish) -> None:
        """Send a message of QoS 0 now or never, one of another as soon as the client takes it."""
        if not message.qos:
            if self._send is not None:
                self._send(message)
            return
        entry = Entry(message)
        if len(self._entries) < _PACKET_IDS:
            self._number(entry)
        self._waiting.append(entry)
        self.held_bytes += len(message.payload)
        self._go_on()

    def acknowledged(self, packet_id: int) -> None:
        """A PUBACK came; one for what isn't sent, or not with QoS 1, changes nothing."""
        entry = self._entries.get(packet_id)
        if entry is not None and entry.stage is Stage.SENT and entry.message.qos == 1:
            self._finish(packet_id)

    def received(self, packet_id: int, reason: int) -> Reason | None:
        """A PUBREC came; what to release the id with, None if it is free already."""
        entry = self._entries.get(packet_id)
        is_known = entry is not None and entry.message.qos == 2 and entry.stage is not Stage.WAITING
        if reason >= Reason.UNSPECIFIED_ERROR:
            if is_known:
                self._finish(packet_id)
            return None
        if entry is None or not is_known:
            return Reason.PACKET_IDENTIFIER_NOT_FOUND
        entry.stage = Stage.RELEASED
        entry.message = msgspec.structs.replace(entry.message, payload=b"")
        return Reason.SUCCESS

    def completed(self, packet_id: int) -> None:
        """A PUBCOMP came; one for what isn't released changes nothing."""
        entry = self._entries.get(packet_id)
        if entry is not None and entry.stage is Stage.RELEASED:
            self._finish(packet_id)

    def _finish(self, packet_id: int) -> None:
        del self._entries[packet_id]
        self._in_flight -= 1
        self._go_on()

    def _go_on(self) -> None:
        waiting = self._waiting
        while waiting and self._send is not None and self._in_flight < self._receive_maximum:
            entry = waiting.popleft()
            self.held_bytes -= len(entry.message.payload)
            if not entry.message.packet_id:
                self._number(entry)
            self._in_flight += 1
            entry.stage = Stage.SENT
            message = entry.message
            # [MQTT-3.3.1-1]: DUP tells that it may have come before.
            self._send(msgspec.structs.replace(message, dup=True) if entry.was_sent else message)
            entry.was_sent = True

    def _number(self, entry: Entry) -> None:
        packet_id = self._last_id
        # Fewer than 65535 are in use, so that a free one is found.
        for _ in range(len(self._entries) + 1):
            packet_id = packet_id % _PACKET_IDS + 1
            if packet_id not in self._entries:
                break
        self._last_id = packet_id
        entry.message = msgspec.structs.replace(entry.message, packet_id=packet_id)
        self._entries[packet_id] = entry
