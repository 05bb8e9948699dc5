"""Topics that the router keeps to itself, so that nobody can speak in its name."""

from __future__ import annotations

import re
from typing import Final

from router.connections import SERVER_CHANNEL, TWINS

_CHANNEL: Final = re.compile(r"[0-9a-f]{64}-\d{2,3}")
"""As `realtime.rooms` names channels; whether there is one is nobody's business."""


class Reserved:
    """The topics of requests, answers, notifications and assets, and those that begin with `$`.

    What the router sends there goes to those it is meant for alone, so that no subscription
    with wildcards gets it; and what clients publish there goes to nobody.

    Source: MQTT 5, 4.7.2: clients shall not use `$` topics to exchange messages.
    """

    __slots__ = ("_has_twins", "_own")

    def __init__(self, request_topic: str, response_topic: str, *, has_twins: bool = False) -> None:
        self._has_twins = has_twins
        self._own = frozenset({request_topic, response_topic, SERVER_CHANNEL})

    def __contains__(self, topic: str) -> bool:
        """Whether it is a topic where the router tells clients something."""
        if self._has_twins and topic.startswith(TWINS):
            return True
        return topic in self._own or _CHANNEL.fullmatch(topic) is not None

    def is_closed(self, topic: str) -> bool:
        """Whether clients may not publish there."""
        return topic.startswith("$") or topic in self
