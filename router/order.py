"""Keeps the writes of one connection on one document in the order they arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable


class Turn:
    """One request's place in the order of its key.

    Await `wait()` right before the write is handed to the store, call `leave()` right after;
    `leave()` may be called again, and is, when the request ends. A turn that leaves early
    doesn't let its followers pass those before it.
    """

    __slots__ = ("_before", "_key", "_left", "_next", "_order", "_waiter")

    def __init__(self, order: Order, key: Hashable, before: Turn | None) -> None:
        self._order = order
        self._key = key
        self._before = before
        self._next: Turn | None = None
        self._left = False
        self._waiter: asyncio.Future[None] | None = None
        if before is not None:
            before._next = self

    async def wait(self) -> None:
        """Return once every earlier turn of the same key has left."""
        if self._before is not None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def leave(self) -> None:
        """Let the next turn of the key go on, as soon as those before have left too."""
        self._left = True
        turn: Turn | None = self
        while turn is not None and turn._left and turn._before is None:
            turn = self._order.pass_on(turn)

    def _come_up(self) -> None:
        self._before = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Order:
    """Hands out turns; remembers only the last turn of each key that is still at work."""

    def __init__(self) -> None:
        self._last: dict[Hashable, Turn] = {}

    def __len__(self) -> int:
        return len(self._last)

    def take(self, key: Hashable) -> Turn:
        """The next turn of `key`. Must be called in the order of arrival, before any await."""
        turn = Turn(self, key, self._last.get(key))
        self._last[key] = turn
        return turn

    def pass_on(self, turn: Turn) -> Turn | None:
        """Bring up the turn behind one that has left; called by `Turn.leave` only."""
        following, turn._next = turn._next, None
        if following is not None:
            following._come_up()
        elif self._last.get(turn._key) is turn:
            del self._last[turn._key]
        return following
