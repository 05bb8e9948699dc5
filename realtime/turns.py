"""Who may read the past, and who reads the next page of it, so that others don't suffer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from typing import Final, NamedTuple

from router.envelope import ANONYMOUS, Request
from router.errors import RouterError
from router.settings import RealtimeSettings

_LONGEST_S: Final = 1.0
"""The longest rest between two pages: what took longer was not their reading alone."""


class PastLimits(NamedTuple):
    """What reading the past may take.

    Attributes:
        per_connection: Subscriptions of one connection that read it at once.
        per_user: Those of one user; of an address where nobody has logged in.
        share: The part of the router's time that goes to all of them together, 0 to 1.
    """

    per_connection: int = 256
    per_user: int = 10_000
    share: float = 0.5

    @classmethod
    def of(cls, settings: RealtimeSettings) -> PastLimits:
        """Those that the settings give."""
        return cls(
            settings.past_reads_per_connection, settings.past_reads_per_user, settings.past_share
        )


class Reader(NamedTuple):
    """One who reads the past.

    Attributes:
        user: Whose turn it is when it reads.
    """

    connection: str
    user: str


def reader_of(request: Request) -> Reader:
    """The one who asks to be told of the past."""
    own = request.connection.id
    user = request.user.id
    if user == ANONYMOUS.id:
        user = f"{user}@{request.connection.address or own}"
    return Reader(own, user)


class Turns:
    """Counts those who read the past, and lets them read their pages one after the other.

    Users take turns, however many readers each has. After each page the router does something else,
    for as long as its share says.
    """

    def __init__(self, limits: PastLimits) -> None:
        self._limits = limits
        self._connections: Counter[str] = Counter()
        self._users: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def check(self, reader: Reader) -> None:
        """Let one more reader pass.

        Raises:
            RouterError: `trivium.feed.too_many_readers`.
        """
        limits = self._limits
        for count, most in (
            (self._connections[reader.connection], limits.per_connection),
            (self._users[reader.user], limits.per_user),
        ):
            if count >= most:
                raise RouterError("trivium.feed.too_many_readers", most)

    def begin(self, reader: Reader) -> None:
        """One begins to read; `end` has to follow."""
        self._connections[reader.connection] += 1
        self._users[reader.user] += 1

    def end(self, reader: Reader) -> None:
        """It reads no longer."""
        for counter, key in ((self._connections, reader.connection), (self._users, reader.user)):
            counter[key] -= 1
            if not counter[key]:
                del counter[key]

    async def next(self, reader: Reader) -> None:
        """Return when it may read a page, which it then does at once."""
        granted = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(reader.user, deque()).append(granted)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="turns of the past")
        await granted

    async def close(self) -> None:
        """Let nobody read any more; those who wait are to be cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # -- inside -------------------------------------------------------------------------

    async def _run(self) -> None:
        rest = 1 / self._limits.share - 1
        while (granted := self._first()) is not None:
            begun = time.monotonic()
            granted.set_result(None)
            await asyncio.sleep(0)  # it wakes up
            await asyncio.sleep(0)  # it has read
            used_s = time.monotonic() - begun
            await asyncio.sleep(min(used_s * rest, _LONGEST_S))
        self._task = None

    def _first(self) -> asyncio.Future[None] | None:
        while self._waiting:
            user, line = self._waiting.popitem(last=False)
            granted = line.popleft()
            if line:
                self._waiting[user] = line
            if not granted.done():
                return granted
        return None
