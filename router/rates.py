"""How often something may happen within a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from router.addresses import network_of
from router.envelope import ANONYMOUS


def payer(user_id: str, address: str) -> Hashable:
    """By which key the requests of a user are counted, from wherever they come."""
    # One stranger's flood shall not shut the others out (the peer counts all together).
    return (user_id, network_of(address)) if user_id == ANONYMOUS.id else user_id


class Rates:
    """Counts by key within the current second, as the peer does (Kuzzle reference 7.1).

    What it holds is bounded by what happens within a second. The second is the clock's, so
    that twice the limit may pass around its turn.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0
        self._counts: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def spend(self, key: Hashable, limit: int) -> bool:
        """Count one; False if the key has had its share of this second already."""
        second = int(self._clock())
        if second != self._second:
            self._second = second
            # A new one: `clear` would keep the room that a flood took.
            self._counts = {}
        count = self._counts.get(key, 0)
        if count >= limit:
            return False
        self._counts[key] = count + 1
        return True
