"""Keeps the writes of one connection on one document in the order they arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable


class Turn:
    """One request's place in the order of its key.

    Await `wait()` right before the write is handed to the store, call `leave()` right after
    and `end()` when the request is answered. A turn that leaves early doesn't let its
    followers pass those before it.
    """

    __slots__ = (
        "_before",
        "_ended",
        "_ending",
        "_key",
        "_left",
        "_next",
        "_order",
        "_previous",
        "_waiter",
    )

    def __init__(self, order: Order, key: Hashable, previous: Turn | None) -> None:
        self._order = order
        self._key = key
        self._previous = previous
        self._before = None if previous is None or previous._is_through() else previous
        self._next: Turn | None = None
        self._left = False
        self._ended = False
        self._ending: asyncio.Event | None = None
        self._waiter: asyncio.Future[None] | None = None
        if self._before is not None:
            self._before._next = self

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

    async def settled(self) -> None:
        """Return once every earlier request of the key is answered: what it wrote can be read."""
        earlier = self._previous
        while earlier is not None:
            if not earlier._ended:
                earlier._ending = earlier._ending or asyncio.Event()
                await earlier._ending.wait()
            earlier = earlier._previous

    def end(self) -> None:
        """Leave, if that is still to do, and note that the request is answered."""
        self.leave()
        self._ended = True
        if self._ending is not None:
            self._ending.set()
        self._order.forget(self._key)

    def is_settled(self) -> bool:
        """Whether this request and all before it are answered."""
        # Nobody needs to know the ended ones any longer: they would hold each other for ever.
        while self._previous is not None and self._previous._ended:
            self._previous = self._previous._previous
        return self._ended and self._previous is None

    def _is_through(self) -> bool:
        return self._left and self._before is None

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
        return following

    def forget(self, key: Hashable) -> None:
        """Drop the key if all its requests are answered; called by `Turn.end` only."""
        last = self._last.get(key)
        if last is not None and last.is_settled():
            del self._last[key]
