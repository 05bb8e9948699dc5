"""What is sent to clients that are away, whose sessions wait for them."""

from __future__ import annotations

from collections.abc import Callable

from protocols.mqtt.description import message_of, position_of
from protocols.mqtt.state import SessionState
from router.connections import Notification


class Away:
    """Takes a client's notifications into its session; a `router.connections.Sink`.

    Args:
        end: Ends the session.
        node: This router's name.
    """

    __slots__ = ("_end", "_node", "_state")

    def __init__(self, state: SessionState, end: Callable[[SessionState], None], node: str) -> None:
        self._state = state
        self._end = end
        self._node = node

    def notify(self, notification: Notification) -> None:
        """Keep a message that the client asked for with more than QoS 0, or has to know."""
        qos = self._state.subscriptions.qos(notification.channel) or 0
        if notification.is_direct:
            qos = max(qos, 1)
        if qos:
            message = message_of(notification, qos, self._node)
            self._state.deliver(message, seq=position_of(notification))

    def unsent(self) -> int:
        """Nothing that the client could read by now."""
        return 0

    def hears(self, channel: str) -> bool:  # noqa: ARG002 - none
        """Whether the client hears a channel: not before it comes back."""
        return False

    def expel(self, reason: str) -> None:  # noqa: ARG002 - the client learns it when it comes
        """End the session if nobody may go on with it; its client is not here anyway."""
        if not self._state.expiry_s:
            self._end(self._state)
