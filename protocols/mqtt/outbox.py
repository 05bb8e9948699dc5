"""What a client is sent with QoS 1 or 2 and has not acknowledged, and what waits to be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from enum import Enum, auto
from typing import Final, Protocol, TypeAlias

import msgspec

from protocols.codec.mqtt.packets import Publish, Pubrel
from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.broker.messages import properties_size
from protocols.mqtt.room import Bounds

Send: TypeAlias = Callable[[Publish | Pubrel], bool]
"""Sends a packet; False if it is too long for the client, who never gets it."""

_PACKET_IDS: Final = 65_535
_OVERHEAD: Final = 256
"""Bytes that a message takes beside its payload, topic and properties, about."""

MOST_IN_FLIGHT: Final = 1_048_576
"""Bytes of messages that a client may leave unacknowledged before the next one is sent. They stay
in memory until then, and 65 535 messages of a megabyte would be too many."""

_CROWD_BYTES: Final = 2 * 65_537


def _ignore() -> None:
    """Nobody wants to know."""


class Stage(Enum):
    """How far a message is. Source: MQTT 5, figures 4.2 and 4.3."""

    WAITING = auto()
    SENT = auto()
    RELEASED = auto()


class Entry:
    """One message on its way.

    Attributes:
        lasts: Whether it is for the session, or for this connection alone.
        since: When it was handed in, in s since 1970.
        was_sent: On this connection or an earlier one.
        number: Its place among all messages of the session.
        seq: Where the feed tells of it; None if it doesn't, 0 for a part of a snapshot of it.
        is_written: Whether it is written down; `is_noted`: also that it was sent.
        size: Bytes that it takes in memory; `weight`: without what every message takes.
    """

    __slots__ = (
        "is_noted",
        "is_written",
        "lasts",
        "message",
        "number",
        "seq",
        "since",
        "size",
        "stage",
        "was_sent",
        "weight",
    )

    def __init__(
        self, message: Publish, since: float, *, lasts: bool, seq: int | None = None
    ) -> None:
        self.message = message
        self.seq = seq
        self.since = since
        self.lasts = lasts
        self.stage = Stage.WAITING
        self.was_sent = False
        self.number = 0
        self.is_written = self.is_noted = False
        texts = len(message.topic) + properties_size(message.properties)
        self.weight = len(message.payload) + texts
        self.size = self.weight + _OVERHEAD


class Diary(Protocol):
    """Where one session's messages are written down."""

    def message(self, entry: Entry) -> None:
        """A message is on its way, or further on it."""

    def dropped(self, entry: Entry) -> None:
        """A message that was written down is done with."""


class Outbox:
    """Gives packet ids, holds messages back while the client has as many as it takes.

    Within a connection nothing is sent twice; what is unacknowledged when one ends is sent
    again, in its order and with its packet ids, on the next ([MQTT-4.4.0-1]).

    Args:
        clock: s since 1970.

    Attributes:
        diary: Where the messages are written down that last; None for nowhere.
        bounds: How much may wait while the session is kept; None for no bound.
        held_bytes: Bytes of messages that wait to be sent.
        on_dropped: Called for each message that is lost since the queue is full.
    """

    __slots__ = (
        "_clock",
        "_entries",
        "_flying",
        "_in_flight",
        "_is_over",
        "_last_id",
        "_last_number",
        "_receive_maximum",
        "_send",
        "_waiting",
        "bounds",
        "diary",
        "held_bytes",
        "on_dropped",
    )

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._send: Send | None = None
        self._receive_maximum = 0
        self._entries: dict[int, Entry] = {}
        self._waiting: deque[Entry] = deque()
        self._in_flight = self._flying = 0  # messages, and their bytes
        self._is_over = False
        self._last_id = 0
        self._last_number = 0
        self.bounds: Bounds | None = None
        self.diary: Diary | None = None
        self.held_bytes = 0
        self.on_dropped: Callable[[], None] = _ignore

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def kept_bytes(self) -> int:
        """How full the queue of a kept session is, sent or not: more than whoever sends much of
        its own accord may leave unread, once it is half full."""
        # What is on its way alone tells nothing: over a long line that is much at all times.
        return 0 if self.bounds is None else int(_CROWD_BYTES * self.bounds.share(len(self)))

    # -- the client comes and goes --------------------------------------------------------

    def attach(self, send: Send, *, receive_maximum: int) -> None:
        """The client is here: send what is due, again where it was sent before.

        Args:
            send: Called with each packet once it may go.
            receive_maximum: The client's own.
        """
        self._send = send
        self._receive_maximum = receive_maximum
        self._in_flight = self._flying = 0
        self._waiting.clear()
        self.held_bytes = 0
        for entry in self._entries.values():
            if entry.stage is Stage.RELEASED:
                self._in_flight += 1
                self._flying += entry.weight
                send(Pubrel(packet_id=entry.message.packet_id))
            else:
                entry.stage = Stage.WAITING
                self._wait(entry)
        self._go_on()

    def detach(self) -> None:
        """The client is gone: hold everything."""
        self._send = None
        for entry in self._entries.values():
            if entry.was_sent and not entry.is_noted:
                self._write_down(entry)

    def restore(self, entry: Entry) -> None:
        """Take back a message that was written down, behind those before it."""
        entry.is_written, entry.is_noted = True, entry.was_sent
        if self.bounds is not None and not self.bounds.take(entry.size, len(self._entries)):
            self.on_dropped()
            if self.diary is not None:
                self.diary.dropped(entry)
            return
        self._entries[entry.message.packet_id] = entry
        self._last_id, self._last_number = entry.message.packet_id, entry.number
        if entry.stage is Stage.WAITING:
            self._wait(entry)

    def forget_passing(self, topics: Collection[str]) -> None:
        """Let go of what is not for whoever comes next: messages that don't last, and those of
        these topics. Call it while the client is away."""
        for entry in list(self._entries.values()):
            if not entry.lasts or entry.message.topic in topics:
                self._drop(entry)

    def unacknowledged(self) -> list[Publish]:
        """The messages of QoS 1 that the client has not said to have, sent to it or not."""
        aged = [self._aged(entry) for entry in self._entries.values() if entry.message.qos == 1]
        return [message for message in aged if message is not None]

    def clear(self) -> None:
        """Let go of everything, and take nothing more: the session is over."""
        self._is_over = True
        self._waiting.clear()
        self.held_bytes = 0
        for entry in list(self._entries.values()):
            self._drop(entry)

    # -- messages -------------------------------------------------------------------------

    def publish(self, message: Publish, *, lasts: bool = True, seq: int | None = None) -> None:
        """Send a message of QoS 0 now or never, one of another as soon as the client takes it."""
        if not message.qos:
            if self._send is not None:
                self._send(message)
            return
        if self._is_over:
            return
        entry = Entry(message, self._clock(), lasts=lasts, seq=seq)
        if self.bounds is not None and not self._make_room(entry.size, self.bounds):
            self.on_dropped()
            return
        if len(self._entries) < _PACKET_IDS:
            self._number(entry)
        self._last_number = entry.number = self._last_number + 1
        self._wait(entry)
        self._go_on()
        if lasts and self._entries.get(entry.message.packet_id) is entry:
            self._write_down(entry)

    def acknowledged(self, packet_id: int) -> None:
        """A PUBACK came; one for what isn't sent, or not with QoS 1, changes nothing."""
        entry = self._entries.get(packet_id)
        if entry is not None and entry.stage is Stage.SENT and entry.message.qos == 1:
            self._finish(entry)

    def received(self, packet_id: int, reason: int) -> Reason | None:
        """A PUBREC came; what to release the id with, None if it is free already."""
        entry = self._entries.get(packet_id)
        if entry is None or entry.message.qos != 2 or entry.stage is Stage.WAITING:
            is_refused = reason >= Reason.UNSPECIFIED_ERROR
            return None if is_refused else Reason.PACKET_IDENTIFIER_NOT_FOUND
        if reason >= Reason.UNSPECIFIED_ERROR:
            self._finish(entry)
            return None
        if entry.stage is not Stage.RELEASED:
            entry.stage = Stage.RELEASED
            entry.message = msgspec.structs.replace(entry.message, payload=b"")
            if entry.is_written:
                self._write_down(entry)
        return Reason.SUCCESS

    def completed(self, packet_id: int) -> None:
        """A PUBCOMP came; one for what isn't released changes nothing."""
        entry = self._entries.get(packet_id)
        if entry is not None and entry.stage is Stage.RELEASED:
            self._finish(entry)

    # -- inside ---------------------------------------------------------------------------

    def _wait(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self.held_bytes += entry.size

    def _finish(self, entry: Entry) -> None:
        self._in_flight -= 1
        self._flying -= entry.weight
        self._remove(entry)
        self._go_on()

    def _drop(self, entry: Entry) -> None:
        # To look for one that was sent would take as long as all that wait are many.
        if entry.stage is Stage.WAITING and entry in self._waiting:
            self._waiting.remove(entry)
            self.held_bytes -= entry.size
        self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.message.packet_id]
        if self.bounds is not None:
            self.bounds.give_back(entry.size)
        if self.diary is not None and entry.is_written:
            self.diary.dropped(entry)

    def _write_down(self, entry: Entry) -> None:
        if self.diary is not None:
            self.diary.message(entry)
            entry.is_written, entry.is_noted = True, entry.was_sent

    def _make_room(self, size: int, bounds: Bounds) -> bool:
        if not bounds.may_ever(size):
            return False
        while not bounds.take(size, len(self._entries)):
            oldest = next((entry for entry in self._waiting if not entry.was_sent), None)
            if oldest is None or not bounds.drops_oldest:
                return False
            self._drop(oldest)
            self.on_dropped()
        return True

    def _go_on(self) -> None:
        waiting = self._waiting
        while waiting and self._send is not None and self._takes_more:
            entry = waiting.popleft()
            self.held_bytes -= entry.size
            if not entry.message.packet_id:
                self._number(entry)
            message = self._aged(entry)
            if message is None:
                self._remove(entry)
                continue
            # [MQTT-3.3.1-1]: DUP tells that it may have come before.
            if entry.was_sent:
                message = msgspec.structs.replace(message, dup=True)
            if not self._send(message):
                # [MQTT-3.1.2-25]: as if it had been sent and the client had it.
                self._remove(entry)
                continue
            self._in_flight += 1
            self._flying += entry.weight
            entry.stage = Stage.SENT
            entry.was_sent = True

    @property
    def _takes_more(self) -> bool:
        return self._in_flight < self._receive_maximum and self._flying < MOST_IN_FLIGHT

    def _aged(self, entry: Entry) -> Publish | None:
        # [MQTT-3.3.2-5], [MQTT-3.3.2-6]: what is left of its time, nothing of what is too old.
        message = entry.message
        interval = message.properties.message_expiry_interval
        if interval is None:
            return message
        left = interval - int(self._clock() - entry.since)
        if left <= 0 and not entry.was_sent:
            return None
        properties = msgspec.structs.replace(
            message.properties, message_expiry_interval=max(0, left)
        )
        return msgspec.structs.replace(message, properties=properties)

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
