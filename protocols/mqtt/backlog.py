"""Retained messages that a client is still to be sent, no faster than it takes them."""

from __future__ import annotations

from collections import deque
from typing import Final

from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.broker.messages import Message
from protocols.mqtt.broker.standing import Standing
from protocols.mqtt.state import SessionState

AT_A_TIME: Final = 64
"""Messages that are sent before others have their turn, and that wait to be acknowledged."""


class Backlog:
    """What one client gets for the subscriptions that it has made on this connection.

    A subscription's messages are looked up when its turn comes, so that many subscriptions to
    many messages take no memory. Those that were published meanwhile have been sent by then.
    """

    __slots__ = ("_broker", "_messages", "_standing", "_state", "_waiting")

    def __init__(self, broker: Broker, state: SessionState) -> None:
        self._broker = broker
        self._state = state
        self._waiting: deque[tuple[Standing, int]] = deque()
        self._standing = Standing(topic_filter="")
        self._messages: list[Message] = []

    @property
    def is_due(self) -> bool:
        """Whether there is something that the client takes now."""
        has_more = bool(self._waiting or self._messages)
        return has_more and len(self._state.outbox) < AT_A_TIME

    def add(self, standing: Standing) -> None:
        """A subscription was made that gets what is retained by now."""
        self._waiting.append((standing, self._broker.retained.newest))

    def send(self) -> None:
        """Hand in the next messages."""
        for _ in range(AT_A_TIME):
            if not self.is_due or not self._find():
                return
            self._broker.send_retained(self._state, self._standing, self._messages.pop())

    def leave(self) -> None:
        """The client goes: what it must not miss waits with its session."""
        while self._find():
            message = self._messages.pop()
            if min(message.qos, self._standing.qos):
                self._broker.send_retained(self._state, self._standing, message)

    def _find(self) -> bool:
        # Whether there is a next message, of a subscription that still stands.
        while True:
            is_standing = self._state.subscriptions.qos(self._standing.topic_filter) is not None
            if self._messages and is_standing:
                return True
            if not self._waiting:
                self._messages.clear()
                return False
            self._standing, newest = self._waiting.popleft()
            bare_filter = self._standing.bare_filter
            self._messages = self._broker.retained.matched(bare_filter, newest=newest)
            self._messages.reverse()
