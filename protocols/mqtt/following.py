"""Subscriptions to topics of assets: granted by right, which takes a moment to find out."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from protocols.codec.mqtt.packets import V5
from protocols.codec.mqtt.reasons import SUBACK_FAILURE, Reason
from protocols.mqtt.state import SessionState
from protocols.mqtt.terms import Terms
from router.envelope import Connection

Tell = Callable[[tuple[int, ...]], None]


class Following:
    """The assets that one client follows.

    Args:
        version: The client's protocol level.
    """

    __slots__ = ("_asked", "_connection", "_most", "_state", "_twins", "_version")

    def __init__(
        self, terms: Terms, state: SessionState, connection: Connection, version: int
    ) -> None:
        self._twins = terms.twins
        self._most = terms.max_subscriptions
        self._state = state
        self._connection = connection
        self._version = version
        self._asked = 0

    def subscribed(
        self, topics: Sequence[str], reasons: tuple[int, ...], fresh: Set[str], tell: Tell
    ) -> None:
        """The client subscribes to topics, which are granted so far for these reasons.

        Args:
            fresh: Those of which it wants what is retained.
            tell: Called with the reasons for the SUBACK once it is known which assets the client
                may read.
        """
        places = [
            place
            for place, reason in enumerate(reasons)
            if reason < SUBACK_FAILURE and self.is_twin(topics[place])
        ]
        if self._twins is None or not places:
            tell(reasons)
        elif self._asked + len(places) > self._most:
            tell(self._refused(topics, reasons, places, Reason.QUOTA_EXCEEDED))
        else:
            self._asked += len(places)
            asked = [topics[place] for place in places]

            def settled(allowed: Sequence[bool]) -> None:
                self._asked -= len(places)
                denied = [place for place, may in zip(places, allowed, strict=True) if not may]
                tell(self._refused(topics, reasons, denied, Reason.NOT_AUTHORIZED))
                # The client may want it no longer by now.
                subscriptions = self._state.subscriptions
                self.unsubscribed([each for each in asked if subscriptions.qos(each) is None])
                self._state.flush()

            wanted = {each: each in fresh for each in asked}
            self._twins.follow(self._connection, wanted, settled)

    def unsubscribed(self, topics: Sequence[str]) -> None:
        """The client wants to hear of these no longer."""
        for topic in topics:
            if self._twins is not None:
                self._twins.leave(self._connection.id, topic)

    def go_on(self) -> None:
        """The client is back: tell it how the assets are that it followed before."""
        topics = [topic for topic in self._state.subscriptions.topics() if self.is_twin(topic)]
        if self._twins is None or not topics:
            return

        def settled(allowed: Sequence[bool]) -> None:
            self._refused(topics, allowed, [n for n, may in enumerate(allowed) if not may])

        self._twins.follow(self._connection, dict.fromkeys(topics, True), settled)

    def is_twin(self, topic: str) -> bool:
        """Whether it is the topic of an asset."""
        return self._twins is not None and self._twins.has(topic)

    def _refused(
        self,
        topics: Sequence[str],
        reasons: Sequence[int],
        places: Sequence[int],
        reason: Reason = Reason.NOT_AUTHORIZED,
    ) -> tuple[int, ...]:
        told = list(reasons)
        for place in places:
            self._state.subscriptions.drop(topics[place])
            told[place] = reason if self._version == V5 else SUBACK_FAILURE
        if places:
            self._state.on_change()
        return tuple(told)
