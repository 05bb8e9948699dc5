"""The last message of each topic that was published to be kept for later subscribers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from operator import itemgetter
from typing import Final

from protocols.mqtt.broker.messages import Message
from protocols.mqtt.broker.tree import Tree

_SPARE: Final = 1_000


class Retained:
    """Retained messages in memory.

    Args:
        most: Messages at most.
        most_bytes: Bytes of them all, as `Message.size` counts them.
        clock: ms since 1970.

    Attributes:
        bytes: Those that they take by now.
        newest: The number of the message that was kept last.
        on_expired: Called with the topic of each message that has expired.
    """

    def __init__(self, *, most: int, most_bytes: int, clock: Callable[[], float]) -> None:
        self.on_expired: Callable[[str], object] = _ignore
        self._most = most
        self._most_bytes = most_bytes
        self._clock = clock
        self._messages: dict[str, Message] = {}
        self._numbers: Tree[tuple[int, Message]] = Tree()
        self._ends: list[tuple[float, str]] = []
        self.bytes = 0
        self.newest = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> bool:
        """Keep a message in the place of that of its topic; False if there is no room for it."""
        self.expire()
        older = self._messages.get(message.topic)
        size = self.bytes + message.size - (0 if older is None else older.size)
        if size > self._most_bytes or (older is None and len(self) >= self._most):
            return False
        self.bytes = size
        self._messages[message.topic] = message
        self.newest += 1
        self._numbers.put(message.topic, (self.newest, message))
        if message.expires_at_ms < math.inf:
            heapq.heappush(self._ends, (message.expires_at_ms, message.topic))
            self._compact()
        return True

    def remove(self, topic: str) -> Message | None:
        """Keep the message of a topic no longer; what it was."""
        found = self._messages.pop(topic, None)
        if found is not None:
            self.bytes -= found.size
            self._numbers.remove(topic)
        return found

    def get(self, topic: str) -> Message | None:
        """The message of that topic, unless it has expired."""
        found = self._messages.get(topic)
        return None if found is None or found.is_expired(self._clock()) else found

    def matched(self, topic_filter: str, *, newest: int | None = None) -> list[Message]:
        """The messages of all topics that a filter matches, in the order in which they came.

        Args:
            newest: Leave out what was kept after that.
        """
        self.expire()
        last = self.newest if newest is None else newest
        found = sorted(self._numbers.matched(topic_filter), key=itemgetter(0))
        return [message for number, message in found if number <= last]

    def expire(self) -> None:
        """Let go of messages that have expired."""
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            _, topic = heapq.heappop(self._ends)
            found = self._messages.get(topic)
            if found is not None and found.is_expired(now):
                self.remove(topic)
                self.on_expired(topic)

    def _compact(self) -> None:
        # A topic may be published on often before the first of its messages expires.
        if len(self._ends) > 2 * len(self) + _SPARE:
            self._ends = [
                (each.expires_at_ms, each.topic)
                for each in self._messages.values()
                if each.expires_at_ms < math.inf
            ]
            heapq.heapify(self._ends)


def _ignore(_: str) -> None:
    """Nothing is kept elsewhere."""
