"""How many connections each address has open, on all ports of a router."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from router.addresses import network_of

CROWDED_S: Final = 10
"""When somebody who has too many connections may try again."""


class Crowd:
    """Counts connections by address (of IPv6 by its first 64 bits).

    Args:
        limit: Most connections of one address; 0 is any number.
        is_exempt: Whether an address may have any number, as proxies must.
    """

    def __init__(self, limit: int, is_exempt: Callable[[str], bool] = lambda _: False) -> None:
        self._limit = limit
        self._is_exempt = is_exempt
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def enter(self, address: str) -> None:
        """Count a connection in; `leave` must follow, also if there are too many of them."""
        network = network_of(address)
        self._counts[network] = self._counts.get(network, 0) + 1

    def leave(self, address: str) -> None:
        """Count a connection out."""
        network = network_of(address)
        left = self._counts[network] - 1
        if left:
            self._counts[network] = left
        else:
            del self._counts[network]

    def excess(self, address: str) -> int:
        """How many connections of that address are too many."""
        count = self._counts.get(network_of(address), 0)
        if not self._limit or count <= self._limit or self._is_exempt(address):
            return 0
        return count - self._limit

    def has_room(self, address: str) -> bool:
        """Whether that address may have one more connection."""
        count = self._counts.get(network_of(address), 0)
        return not self._limit or count < self._limit or self._is_exempt(address)
