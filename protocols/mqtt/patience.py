"""How long a client may take: to connect, between packets, and within one."""

from __future__ import annotations

import math

from protocols.codec.mqtt.reasons import Reason
from protocols.mqtt.terms import Terms

KEEP_ALIVE_FACTOR = 1.5
"""[MQTT-3.1.2-22]: one and a half times the keep alive."""


class Patience:
    """Knows when one client is overdue. Times are seconds of a clock that never goes back."""

    __slots__ = ("_heard_at", "_packet_began_at", "_silence_s", "_terms", "is_connected")

    def __init__(self, terms: Terms, now: float) -> None:
        self._terms = terms
        self._heard_at = now
        self._packet_began_at: float | None = None
        self._silence_s = terms.connect_timeout_s
        self.is_connected = False

    @property
    def deadline(self) -> float:
        """When the client is overdue, unless it is heard before; infinite for never."""
        by_silence = self._heard_at + self._silence_s
        if self._packet_began_at is None or not self.is_connected:
            return by_silence
        return min(by_silence, self._packet_began_at + self._terms.packet_timeout_s)

    def connect(self, keep_alive_s: int) -> None:
        """The client is let in; a keep alive of 0 allows any silence."""
        self.is_connected = True
        self._silence_s = keep_alive_s * KEEP_ALIVE_FACTOR or math.inf

    def hear(self, now: float) -> None:
        """A whole packet was read."""
        self._heard_at = now
        self._packet_began_at = None

    def wait_for_rest(self, now: float) -> bool:
        """What came last ended within a packet; whether that packet has just begun."""
        if self._packet_began_at is not None:
            return False
        self._packet_began_at = now
        return True

    def complaint(self) -> tuple[Reason, str]:
        """Why the client was overdue at the deadline."""
        if self.deadline < self._heard_at + self._silence_s:
            text = f"a packet took more than {self._terms.packet_timeout_s:g} s to arrive"
            return Reason.IMPLEMENTATION_SPECIFIC_ERROR, text
        return Reason.KEEP_ALIVE_TIMEOUT, f"nothing was heard for {self._silence_s:g} s"
