"""What is let in: so many requests at work, so many waiting, the rest refused at once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

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
        # Ordered, with cheap removal: a client that goes away takes its requests out of the queue.
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()
        self._drained: asyncio.Event | None = None
        # What everybody is refused with at the moment: an id of the catalogue and its arguments.
        self._refusal: tuple[str, ...] = ()

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
        return bool(self._refusal) or (self._free <= 0 and len(self._waiting) >= self._waiting_max)

    def enter(self) -> asyncio.Future[None] | None:
        """Take a place: at once (None), or once `wait` on the future that is returned is over.

        A place that was taken must be given back by `leave`.

        Raises:
            RouterError: `api.process.overloaded`, the queue is full; `api.process.shutting_down`;
                what `hold` was told.
        """
        if self._refusal:
            raise RouterError(*self._refusal)
        if self._free > 0:
            self._free -= 1
            return None
        if len(self._waiting) >= self._waiting_max:
            raise RouterError("api.process.overloaded")
        place = asyncio.get_running_loop().create_future()
        self._waiting[place] = None
        return place

    async def wait(self, place: asyncio.Future[None]) -> None:
        """Wait in the queue; if that is cancelled, no place was taken."""
        try:
            await place
        except asyncio.CancelledError:
            self._waiting.pop(place, None)
            if place.done() and not place.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place to the first who waits, or free it."""
        while self._waiting:
            place, _ = self._waiting.popitem(last=False)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
        if self._drained is not None and self._free == self._at_work:
            self._drained.set()

    def hold(self, id: str, *props: str) -> None:
        """Refuse whatever comes with this error, until `release`."""
        self._refusal = (id, *props)

    def release(self) -> None:
        """Let in again what `hold` kept out."""
        self._refusal = ()

    def close(self) -> None:
        """Refuse whatever comes from now on; those inside and those waiting go on."""
        self._refusal = ("api.process.shutting_down",)

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nobody is at work, at most so long; False if somebody still is.

        Call `close` first, else somebody may come in right after.
        """
        if self._free == self._at_work:
            return True
        self._drained = self._drained or asyncio.Event()
        try:
            async with asyncio.timeout(timeout_s):
                await self._drained.wait()
        except TimeoutError:
            return False
        return True
