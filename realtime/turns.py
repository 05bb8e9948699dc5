"""Who may read the past, and who reads the next page of it, so that others don't suffer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Final, NamedTuple, TypeVar

from router.addresses import network_of
from router.envelope import ANONYMOUS, Request
from router.errors import RouterError
from router.settings import RealtimeSettings
from router.tasks import ended

T = TypeVar("T")

_LONGEST_S: Final = 1.0
"""The longest rest between two turns, however long a step took: the machine may have slept."""

TURN_S: Final = 0.01
"""The longest that readers keep the loop at a stretch, but for the page they are at; and what they
save up while others keep it."""


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
        user = f"{user}@{network_of(request.connection.address) or own}"
    return Reader(own, user)


class Turns:
    """Counts those who read the past, and lets them read one after the other.

    Users take turns, however many readers each has. What counts is the time for which readers
    themselves keep the loop, all that they do within `metered`: of the time that passes they get
    their share, also where others keep the loop for long. So the busier the router is, the more
    pages are read in one turn, and whoever reads comes nearer to what is written meanwhile.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, limits: PastLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._saved_s = TURN_S
        self._saved_at = self._begun_at = clock()
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
        self._count(self._connections, reader.connection, 1)
        self._count(self._users, reader.user, 1)

    def end(self, reader: Reader) -> None:
        """It reads no longer."""
        self._count(self._connections, reader.connection, -1)
        self._count(self._users, reader.user, -1)

    def rest(self, reader: Reader) -> None:
        """Its client is away: its user may have another instead. `go_on` has to follow, which
        needs no place: who comes back is not sent away."""
        self._count(self._users, reader.user, -1)

    def go_on(self, reader: Reader) -> None:
        """Its client is back."""
        self._count(self._users, reader.user, 1)

    async def next(self, reader: Reader) -> None:
        """Return when it is its turn to read a page, which it then does at once."""
        granted = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(reader.user, deque()).append(granted)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="turns of the past")
        await granted

    def may_go_on(self) -> bool:
        """Whether the one whose turn it is may read on; otherwise it waits for the `next`."""
        used_s = self._clock() - self._begun_at
        return used_s < TURN_S and used_s < self._save()

    @coroutine
    def metered(self, reading: Coroutine[object, object, T]) -> Generator[object, object, T]:
        """Do what a reader does, and count how long it keeps the loop; not how long it waits."""
        step = partial(reading.send, None)
        while True:
            self._begun_at = self._clock()
            try:
                awaited = step()
            except StopIteration as end:
                found: T = end.value
                return found
            finally:
                self._saved_s = self._save() - (self._clock() - self._begun_at)
            try:
                step = partial(reading.send, (yield awaited))
            except BaseException as error:  # noqa: BLE001 - it is the reader's, also its cancellation
                step = partial(reading.throw, error)

    async def close(self) -> None:
        """Let nobody read any more; those who wait are to be cancelled."""
        await ended(self._task)

    # -- inside -------------------------------------------------------------------------

    @staticmethod
    def _count(counter: Counter[str], key: str, more: int) -> None:
        counter[key] += more
        if not counter[key]:
            del counter[key]

    async def _run(self) -> None:
        while self._waiting:
            owed_s = -self._save() / self._limits.share
            await asyncio.sleep(min(max(owed_s, 0), _LONGEST_S))
            granted = self._first()
            if granted is not None:
                granted.set_result(None)
                await asyncio.sleep(0)  # it reads
        self._task = None

    def _save(self) -> float:
        """Seconds for which readers may keep the loop by now; negative: they have to rest."""
        now = self._clock()
        share_s = (now - self._saved_at) * self._limits.share
        self._saved_s = max(min(self._saved_s + share_s, TURN_S), -_LONGEST_S)
        self._saved_at = now
        return self._saved_s

    def _first(self) -> asyncio.Future[None] | None:
        while self._waiting:
            user, line = self._waiting.popitem(last=False)
            granted = line.popleft()
            if line:
                self._waiting[user] = line
            if not granted.done():
                return granted
        return None
