"""What listeners missed while they could not be told, read in the feed once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, NamedTuple

from realtime import notices
from realtime.holds import Hold
from realtime.listeners import Listener
from realtime.notifier import Notifier
from realtime.rooms import Room
from realtime.states import Remembered
from realtime.turns import Reader, Turns
from router.envelope import JsonObject
from router.tasks import ended
from storage.contract import Change, Storage
from storage.replay import is_silent, retold

PAGE: Final = 100
"""Rows of the feed that are read at once for all listeners."""

_ALL: Final = Reader("", "")
"""They take turns with the users who read the past, all of them as one."""


class Ways(NamedTuple):
    """What becomes of a listener that is not told of the rows in step with the others.

    Attributes:
        may_be_told: Whether its client has read most of what it was sent, once pipes allow.
        alone: It is told on its own what comes behind a position.
        caught_up: It has been told all up to a position, and is to hear the rest live.
        failed: It can't be told.
    """

    may_be_told: Callable[[Listener], Awaitable[bool]]
    alone: Callable[[Listener, int], None]
    caught_up: Callable[[Listener, int], None]
    failed: Callable[[Listener, Exception], None]


class Gap:
    """Tells all listeners that have a gap before what happens, until they hear that live.

    It costs as much as there are rows, and as is told of them, however many listen: each row is
    matched with all rooms of its place at once, as if it had just been written.
    """

    def __init__(self, storage: Storage, notifier: Notifier, turns: Turns, ways: Ways) -> None:
        self._storage = storage
        self._notifier = notifier
        self._turns = turns
        self._ways = ways
        self._documents = Remembered(storage)
        self._after: dict[Hold, int] = {}
        self._listeners: dict[Hold, Listener] = {}
        self._at = 0
        self._task: asyncio.Task[None] | None = None

    def add(self, listener: Listener, after: int) -> None:
        """Tell one more, who has been told up to a position."""
        self._listeners[listener.hold] = listener
        self._after[listener.hold] = after
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="gap of listeners")

    async def close(self) -> None:
        """Stop telling."""
        await ended(self._task)

    # -- inside -------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._turns.metered(self._read())
        finally:
            self._task = None

    async def _read(self) -> None:
        await self._turns.next(_ALL)
        while readers := self._here():
            try:
                await self._page(readers)
            except Exception as error:  # noqa: BLE001 - a boundary: nobody awaits the task
                self._fail(error)
            await self._rest()

    def _here(self) -> dict[Hold, Listener]:
        for hold, listener in list(self._listeners.items()):
            if not listener.is_here:
                self._forget(hold)
        return dict(self._listeners)

    async def _page(self, readers: Mapping[Hold, Listener]) -> None:
        """Read a page for those who are there; who comes meanwhile is told from the next on."""
        self._at = min(self._after.values())
        for hold in readers:
            hold.begin()
        try:
            changes = await self._storage.changes(self._at, PAGE)
            for change in changes:
                await self._tell(change, readers)
                self._at = change.seq
        finally:
            self._move_on(readers)
        if len(changes) < PAGE:
            self._release(readers)

    async def _tell(self, change: Change, readers: Mapping[Hold, Listener]) -> None:
        rooms = self._notifier.rooms.places.get((change.index, change.collection))
        if rooms is None:
            return
        before = await self._documents.before(change)
        write, written = retold(change, before)
        source = None if change.action == "delete" else written.source
        self._documents.remember(change, source)
        if is_silent(change):
            return
        after = {} if source is None else rooms.match({**source, "_id": change.id})
        left = {} if before is None else rooms.match({**before, "_id": change.id})
        position: JsonObject = {"feed": change.feed, "seq": change.seq}
        happening = notices.of_write(write, written, position)
        await self._hand(after, happening.seen("in"), readers)
        out = [room for room in left if room not in after]
        await self._hand(out, happening.seen("out"), readers)

    async def _hand(
        self, rooms: Iterable[Room], content: JsonObject, readers: Mapping[Hold, Listener]
    ) -> None:
        seq, direction = content["seq"], content["scope"]
        assert isinstance(seq, int)
        holds = [
            hold
            for room in rooms
            for channel in room.channels.values()
            if channel.hears_of_document("in" if direction == "in" else "out")
            for hold in channel.held.values()
        ]
        for hold in holds:
            if hold in readers and self._after.get(hold, seq) < seq and seq not in hold.queued:
                await self._hand_to(readers[hold], content, seq)
                await self._rest()

    async def _hand_to(self, listener: Listener, content: JsonObject, seq: int) -> None:
        may_be_told = await self._ways.may_be_told(listener)
        if not listener.is_here:
            return
        if may_be_told:
            self._notifier.tell_one(listener.channel, listener.connection, content, seq)
        else:  # the others don't wait for it
            self._forget(listener.hold)
            self._ways.alone(listener, seq - 1)

    def _move_on(self, readers: Mapping[Hold, Listener]) -> None:
        for hold, listener in readers.items():
            # Whom the pipes had no place for begins again, and has not been told of the page.
            if hold in self._after and listener.is_here:
                self._after[hold] = max(self._after[hold], self._at)
                if hold.is_reached:
                    hold.reached(self._after[hold])

    def _release(self, readers: Mapping[Hold, Listener]) -> None:
        for hold, listener in readers.items():
            if hold in self._after and listener.is_here and not hold.has_overflowed:
                after = self._after[hold]
                self._forget(hold)
                self._ways.caught_up(listener, after)

    def _fail(self, error: Exception) -> None:
        # Those who are further may be able to go on.
        first = min(self._after.values(), default=0)
        for hold in [each for each, after in self._after.items() if after == first]:
            self._ways.failed(self._forget(hold), error)

    async def _rest(self) -> None:
        if not self._turns.may_go_on():
            await self._turns.next(_ALL)

    def _forget(self, hold: Hold) -> Listener:
        del self._after[hold]
        return self._listeners.pop(hold)
