"""Actions that run once at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from router.errors import RouterError


class Locks:
    """Which of them are running."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    @contextlib.contextmanager
    def held(self, action: str) -> Iterator[None]:
        """Keep others from running this action for the time of the block.

        Raises:
            RouterError: `api.process.action_locked`, somebody else is at it.
        """
        if action in self._held:
            raise RouterError("api.process.action_locked", action)
        self._held.add(action)
        try:
            yield
        finally:
            self._held.discard(action)
