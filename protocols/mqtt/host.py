"""The listener, as its connections see it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from protocols.mqtt.job import Job, Storing
from protocols.mqtt.knock import Knock
from protocols.mqtt.sessions import Sessions
from router.envelope import Connection

if TYPE_CHECKING:
    from protocols.mqtt.connection import MqttConnection


class Host(Protocol):
    """The listener, as its connections see it."""

    @property
    def sessions(self) -> Sessions:
        """Where the clients' sessions are found."""

    @property
    def max_unsent_bytes(self) -> int:
        """Bytes that wait for a slow reader before it is cut off."""

    def certified(self, transport: asyncio.BaseTransport) -> str:
        """The user that a client's certificate names, empty without one."""

    def is_full(self, address: str) -> bool:
        """Whether the next client is refused, if it comes from that address."""

    def opened(self, connection: MqttConnection, address: str) -> None:
        """A TCP connection was made."""

    def lost(self, address: str) -> None:
        """A TCP connection is gone, though what it sent may still be to be done."""

    def left(self, connection: MqttConnection) -> None:
        """Its client is gone; what it sent may still be to be done."""

    def subscribed(self, connection: MqttConnection) -> None:
        """Its client has subscribed to topics."""

    def closed(self, connection: MqttConnection) -> None:
        """It is gone, with all that it sent."""

    def refused(self, reason: str) -> None:
        """Something was refused on it."""

    def admit(self, client: MqttConnection, connection: Connection, knock: Knock) -> None:
        """Check credentials, and tell by `MqttConnection.admitted` or `turned_away`."""

    def run(self, connection: MqttConnection, job: Job | Storing) -> None:
        """Dispatch a request, and bring its answer back by `MqttConnection.answered`; or await what
        is stored, and tell by `MqttConnection.stored`."""
