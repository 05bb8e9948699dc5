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

    Args:
        send: Called with each acknowledgement once its turn has come.
        receive_maximum: Most messages unacknowledged; None without a limit (MQTT 3.1.1).
    """

    __slots__ = ("_line", "_receive_maximum", "_received", "_send", "_waiting")

    def __init__(self, send: Callable[[Answer], None], *, receive_maximum: int | None) -> None:
        self._send = send
        self._receive_maximum = receive_maximum
        self._line: deque[Receipt] = deque()
        self._waiting: dict[int, Receipt] = {}
        self._received: set[int] = set()

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
                return None
            raise protocol_error("the packet identifier is in use")
        if packet_id in self._received:
            if qos != 2:
                raise protocol_error("the packet identifier is in use")
            self._send(Pubrec(packet_id=packet_id))
            return None
        limit = self._receive_maximum
        if limit is not None and len(self._line) + len(self._received) >= limit:
            raise PacketError(
                Reason.RECEIVE_MAXIMUM_EXCEEDED, f"more than {limit} messages unacknowledged"
            )
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
        self._received.discard(packet_id)
        reason = Reason.SUCCESS if found else Reason.PACKET_IDENTIFIER_NOT_FOUND
        self._send(Pubcomp(packet_id=packet_id, reason=reason))
        return reason

    def _acknowledge(self, receipt: Receipt) -> None:
        packet_id = receipt.packet_id
        del self._waiting[packet_id]
        kind: type[Puback | Pubrec] = Puback if receipt.qos == 1 else Pubrec
        if receipt.qos == 2 and receipt.reason < Reason.UNSPECIFIED_ERROR:
            self._received.add(packet_id)
        self._send(kind(packet_id=packet_id, reason=receipt.reason, properties=receipt.properties))
