"""What a client has published and not yet been told about, in the order it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from protocols.codec.mqtt.packets import Puback, Pubcomp, Publish, Pubrec
from protocols.codec.mqtt.properties import NO_PROPERTIES, Properties
from protocols.codec.mqtt.reasons import PacketError, Reason, protocol_error

Answer: TypeAlias = Puback | Pubrec | Pubcomp


class Receipt:
    """One PUBLISH of QoS 1 or 2 that waits for its PUBACK or PUBREC."""

    __slots__ = ("is_settled", "packet_id", "properties", "qos", "reason")

    def __init__(self, packet_id: int, qos: int) -> None:
        self.packet_id = packet_id
        self.qos = qos
        self.is_settled = False
        self.reason = Reason.SUCCESS
        self.properties = NO_PROPERTIES


class Inbox:
    """Acknowledges in the order of arrival, and lets no QoS 2 message in twice.

    Attributes:
        on_received: Called with each id of QoS 2 whose `turn` is another; None: nobody asks.
    """

    __slots__ = (
        "_counted",
        "_line",
        "_receive_maximum",
        "_received",
        "_send",
        "_turns",
        "_waiting",
        "on_received",
    )

    def __init__(self) -> None:
        self._send: Callable[[Answer], None] | None = None
        self._receive_maximum: int | None = None
        self._counted: set[int] = set()
        self._line: deque[Receipt] = deque()
        self._waiting: dict[int, Receipt] = {}
        self._received: set[int] = set()
        self._turns: dict[int, int] = {}
        self.on_received: Callable[[int], None] | None = None

    def attach(self, send: Callable[[Answer], None], *, receive_maximum: int | None) -> None:
        """The client is here; it counts its messages anew (MQTT 5, 4.9).

        Args:
            send: Called with each acknowledgement once its turn has come.
            receive_maximum: Most messages unacknowledged; None without a limit (MQTT 3.1.1).
        """
        self._send = send
        self._receive_maximum = receive_maximum
        self._counted.clear()

    def detach(self) -> None:
        """The client is gone: what it hears no more it asks again, by sending the same again."""
        self._send = None

    def take(self, publish: Publish) -> Receipt | None:
        """The receipt for a PUBLISH of QoS 1 or 2; None for a message that is already here.

        Raises:
            PacketError: The packet id belongs to another message, or there are more messages
                unacknowledged than were allowed.

        Source: MQTT 5, 4.3.2, 4.3.3 and 4.9.
        """
        packet_id, qos = publish.packet_id, publish.qos
        waiting = self._waiting.get(packet_id)
        if waiting is not None:
            # [MQTT-4.3.3-10]: until the PUBREL a QoS 2 message is the same, DUP or not.
            if waiting.qos == qos and (qos == 2 or publish.dup):
                self._count(packet_id)
                return None
            raise protocol_error("the packet identifier is in use")
        if packet_id in self._received:
            if qos != 2:
                raise protocol_error("the packet identifier is in use")
            self._count(packet_id)
            self._tell(Pubrec(packet_id=packet_id))
            return None
        self._count(packet_id)
        receipt = self._waiting[packet_id] = Receipt(packet_id, qos)
        self._line.append(receipt)
        return receipt

    def settle(
        self,
        receipt: Receipt,
        reason: Reason = Reason.SUCCESS,
        properties: Properties = NO_PROPERTIES,
    ) -> None:
        """The message is dealt with: acknowledge it, and what waited behind it.

        Source: [MQTT-4.6.0-2] and [MQTT-4.6.0-3], acknowledgements in the order of arrival.
        """
        receipt.is_settled = True
        receipt.reason = reason
        receipt.properties = properties
        line = self._line
        while line and line[0].is_settled:
            self._acknowledge(line.popleft())

    def release(self, packet_id: int) -> Reason:
        """A PUBREL came: forget the id, answer PUBCOMP.

        Raises:
            PacketError: Its PUBREC has not been sent yet.
        """
        if packet_id in self._waiting:
            raise protocol_error("PUBREL before PUBREC")
        found = packet_id in self._received
        if found:
            self._received.discard(packet_id)
            if self.on_received is not None:
                self._turns[packet_id] = self._turns.get(packet_id, 0) + 1
                self.on_received(packet_id)
        self._counted.discard(packet_id)
        reason = Reason.SUCCESS if found else Reason.PACKET_IDENTIFIER_NOT_FOUND
        self._tell(Pubcomp(packet_id=packet_id, reason=reason))
        return reason

    def turn(self, packet_id: int) -> tuple[int, bool]:
        """How often the client has used an id of QoS 2 up, and whether it uses it now and was
        told that its message is here."""
        return self._turns.get(packet_id, 0), packet_id in self._received

    def known(self) -> set[int]:
        """The ids of QoS 2 whose `turn` may be another than at first."""
        return self._turns.keys() | self._received

    def restore(self, packet_id: int, turn: int, *, is_here: bool) -> None:
        """Take back what `turn` told of an id."""
        self._turns[packet_id] = turn
        if is_here:
            self._received.add(packet_id)

    def _acknowledge(self, receipt: Receipt) -> None:
        packet_id = receipt.packet_id
        del self._waiting[packet_id]
        kind: type[Puback | Pubrec] = Puback if receipt.qos == 1 else Pubrec
        if receipt.qos == 2 and receipt.reason < Reason.UNSPECIFIED_ERROR:
            self._received.add(packet_id)
            if self.on_received is not None:
                self.on_received(packet_id)
        else:
            self._counted.discard(packet_id)
        self._tell(kind(packet_id=packet_id, reason=receipt.reason, properties=receipt.properties))

    def _count(self, packet_id: int) -> None:
        limit = self._receive_maximum
        if limit is not None and len(self._counted) >= limit and packet_id not in self._counted:
            raise PacketError(
                Reason.RECEIVE_MAXIMUM_EXCEEDED, f"more than {limit} messages unacknowledged"
            )
        self._counted.add(packet_id)

    def _tell(self, answer: Answer) -> None:
        if self._send is not None:
            self._send(answer)
