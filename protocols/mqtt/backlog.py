"""Retained messages that a client is still to be sent, no faster than it takes them."""

from __future__ import annotations

from itertools import islice
from typing import Final

from protocols.mqtt.broker.broker import Broker
from protocols.mqtt.broker.messages import Message
from protocols.mqtt.broker.standing import Standing
from protocols.mqtt.state import SessionState
from router.topics import has_wildcard

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
        self._waiting: dict[str, tuple[Standing, int]] = {}
        self._standing = Standing(topic_filter="")
        self._messages: list[Message] = []

    @property
    def is_due(self) -> bool:
        """Whether there is something that the client takes now."""
        has_more = bool(self._waiting or self._messages)
        return has_more and len(self._state.outbox) < AT_A_TIME

    def add(self, standing: Standing) -> None:
        """A subscription was made that gets what is retained by now."""
        # One that is made again before its turn has one turn, with the options of now.
        self._waiting[standing.topic_filter] = (standing, self._broker.retained.newest)
        if len(self._waiting) > len(self._state.subscriptions.topics()):
            self._waiting = {
                name: each for name, each in self._waiting.items() if self._stands(name)
            }

    def send(self) -> None:
        """Hand in the next messages; looks up one filter with wildcards at most, for that takes
        as long as there are messages."""
        left = AT_A_TIME
        has_searched = False
        for _ in range(AT_A_TIME):
            while left and self.is_due and self._has_next():
                self._broker.send_retained(self._state, self._standing, self._messages.pop())
                left -= 1
            is_search = any(has_wildcard(each) for each in islice(self._waiting, 1))
            if not left or not self.is_due or (is_search and has_searched):
                return
            has_searched = has_searched or is_search
            self._look_up()

    def leave(self) -> None:
        """The client goes: what it must not miss waits with its session, as much as has a place
        there. More would take others' time to be handed in and lost."""
        bounds = self._state.outbox.bounds
        left = 0 if bounds is None else bounds.most_messages - len(self._state.outbox)
        self._waiting = {name: each for name, each in self._waiting.items() if each[0].qos}
        while self._has_next() or self._waiting:
            if not self._has_next():
                self._look_up()
                continue
            message = self._messages.pop()
            if not min(message.qos, self._standing.qos):
                continue
            if left <= 0:
                self._state.outbox.on_dropped()
                return
            left -= 1
            self._broker.send_retained(self._state, self._standing, message)

    def _stands(self, topic_filter: str) -> bool:
        return self._state.subscriptions.qos(topic_filter) is not None

    def _has_next(self) -> bool:
        return bool(self._messages) and self._stands(self._standing.topic_filter)

    def _look_up(self) -> None:
        self._messages = []
        if self._waiting:
            name = next(iter(self._waiting))
            self._standing, newest = self._waiting.pop(name)
            self._messages = self._broker.retained.matched(
                self._standing.bare_filter, newest=newest
            )
            self._messages.reverse()
