"""What is let in: so many requests at work, so many waiting, the rest refused at once."""

from __future__ import annotations

import asyncio
from collections import deque

from router.errors import RouterError


class Admission:
    """Counts requests at work and keeps the others in a bounded queue, first come first served.

    Args:
        at_work: Most requests that run at a time.
        waiting: Most requests that wait for a place; one more is refused.
    """

    def __init__(self, *, at_work: int, waiting: int) -> None:
        self._free = at_work
        self._at_work = at_work
        self._waiting_max = waiting
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: asyncio.Event = asyncio.Event()
        self._idle.set()
        self._closed = False

    @property
    def running(self) -> int:
        """Requests at work."""
        return self._at_work - self._free

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the next request would be refused."""
        return self._closed or (self._free <= 0 and len(self._waiting) >= self._waiting_max)

    def enter(self) -> asyncio.Future[None] | None:
        """Take a place: at once (None), or once `wait` on the future that is returned is over.

        A place that was taken must be given back by `leave`.

        Raises:
            RouterError: `api.process.overloaded`, the queue is full; `api.process.shutting_down`.
        """
        if self._closed:
            raise RouterError("api.process.shutting_down")
        if self._free > 0:
            self._free -= 1
            self._idle.clear()
            return None
        if len(self._waiting) >= self._waiting_max:
            raise RouterError("api.process.overloaded")
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        return place

    async def wait(self, place: asyncio.Future[None]) -> None:
        """Wait in the queue; if that is cancelled, no place was taken."""
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to the first who waits, or free it."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
        if self._free == self._at_work:
            self._idle.set()

    def close(self) -> None:
        """Refuse whatever comes from now on; those inside and those waiting go on."""
        self._closed = True

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nobody is at work, at most so long; False if somebody still is."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
