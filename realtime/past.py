"""Listeners that begin in the past: told what happened since, until they hear all of it live."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import structlog

from realtime import notices
from realtime.gaps import Gap, Ways
from realtime.holds import Hold
from realtime.listeners import Listener
from realtime.notifier import Notifier
from realtime.rooms import Channel, Member, Room
from realtime.snapshots import Snapshot
from realtime.starts import Start
from realtime.states import Recounting
from realtime.turns import PastLimits, Turns, reader_of
from router.connections import Connections, Notification
from router.envelope import Connection, JsonObject, Request
from router.errors import RouterError
from storage.contract import Storage

_log: Final = structlog.get_logger("trivium.realtime")

PAGE: Final = 100
"""Rows of the feed that are read at once for one listener."""

MOST_UNSENT: Final = 65_536
"""Bytes that a listener may have unread before the next thing of the past is sent to it."""

PATIENCE_S: Final = 10.0
"""How long a listener may read nothing of what it was sent."""

_MOST_IN_PIPES: Final = 1_000
"""Notifications that wait for the application's pipes before the past goes on."""

_LOOK_EVERY_S: Final = 0.02
_TOO_SLOW: Final = "the client reads too slowly; it may come back and go on from where it was"


_LIMITS: Final = PastLimits()


class _LeftError(Exception):
    """The listener has gone, or has begun again elsewhere."""


class Past:
    """Reads the feed for listeners who begin in it, a page at a time, as fast as they take it."""

    def __init__(
        self,
        storage: Storage,
        notifier: Notifier,
        connections: Connections,
        limits: PastLimits = _LIMITS,
    ) -> None:
        self._storage = storage
        self._notifier = notifier
        self._connections = connections
        self._turns = Turns(limits)
        ways = Ways(self._may_be_told, self._alone, self._catch_up, self._fail)
        self._gap = Gap(storage, notifier, self._turns, ways)
        self._tasks: dict[str, dict[asyncio.Task[None], Listener]] = {}
        self._heard: dict[str, asyncio.Event] = {}
        notifier.deliveries.on_given_up = self._catch_up_later
        connections.on_subscribed(self._look_again)
        connections.on_closed(self._look_again)
        notifier.on_change.append(self._look_again)

    def check(self, request: Request) -> None:
        """Let a request pass that asks for the past.

        Raises:
            RouterError: `trivium.feed.too_many_readers`: its connection or its user reads enough.
        """
        self._turns.check(reader_of(request))

    def tell(
        self, request: Request, joined: tuple[Room, Channel], hold: Hold, start: Start
    ) -> None:
        """Tell a listener that is held everything behind a position, then let it hear the rest.

        Begins once the answer to the request is on its way, and the client can hear it.
        """
        hold.request_id = request.request_id
        listener = Listener(request.connection.id, *joined, hold, request)
        answering = asyncio.current_task()
        answered = asyncio.Event()
        if answering is None or request.connection.wire in ("internal", "http"):
            answered.set()
        else:
            # The others send the answer in the task that dispatched the request.
            answering.add_done_callback(lambda _: answered.set())
        self._begin(listener, start, answered)

    def go_on(
        self,
        request: Request,
        joined: tuple[Room, Channel],
        hold: Hold,
        where: tuple[JsonObject, int],
    ) -> None:
        """Go on telling a listener whose session has outlived a router.

        Args:
            request: As if it had been its own.
            hold: Has begun.
            where: The position that it was told up to, and one that the feed has reached since.
        """
        position, newest = where
        listener = Listener(request.connection.id, *joined, hold, request)
        after = position["seq"]
        assert isinstance(after, int)
        if position["feed"] != self._storage.feed or after > newest:
            told = f"{position['feed']}:{after}"
            self._end(listener, RouterError("trivium.feed.gone", told))
        elif hold.reads == "gap" and after == newest:
            self._catch_up(listener, after)
        else:
            self._resume(listener, Start(after, hold.reads == "snapshot"))

    @property
    def feed(self) -> str:
        """The id of the feed."""
        return self._storage.feed

    async def newest(self) -> int:
        """Where the feed is by now."""
        return await self._storage.newest()

    async def close(self) -> None:
        """Stop telling."""
        tasks = [task for each in self._tasks.values() for task in each]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._gap.close()
        await self._turns.close()

    # -- inside -------------------------------------------------------------------------

    def _begin(self, listener: Listener, start: Start, answered: asyncio.Event) -> None:
        task = asyncio.create_task(self._run(listener, start, answered), name="past of a listener")
        self._turns.begin(listener.reader)
        self._tasks.setdefault(listener.connection, {})[task] = listener
        task.add_done_callback(partial(self._done, listener))

    def _done(self, listener: Listener, task: asyncio.Task[None]) -> None:
        self._turns.end(listener.reader)
        tasks = self._tasks[listener.connection]
        del tasks[task]
        if not tasks:
            del self._tasks[listener.connection]

    async def _run(self, listener: Listener, start: Start, answered: asyncio.Event) -> None:
        await self._turns.metered(self._read(listener, start, answered))

    async def _read(self, listener: Listener, start: Start, answered: asyncio.Event) -> None:
        try:
            await answered.wait()
            await self._until_it_hears(listener)
            if start.is_snapshot:
                await self._show(listener, start.after)
            await self._recount(listener, start.after)
        except _LeftError:
            return
        except Exception as error:  # noqa: BLE001 - a boundary: nobody awaits the task
            self._fail(listener, error)

    async def _recount(self, listener: Listener, after: int) -> None:
        recounting = Recounting(self._storage, listener.room, listener.channel)
        hold = listener.hold
        await self._turn(listener)
        while True:
            hold.begin()
            changes = await self._storage.changes(after, PAGE)
            for change in changes:
                content = await recounting.tell(change)
                if content is not None and change.seq not in hold.queued:
                    await self._keep_pace(listener)
                    self._tell(listener, content, change.seq)
                after = change.seq
            _check(listener)
            if len(changes) < PAGE and not hold.has_overflowed:
                break
            if hold.is_reached:
                hold.reached(after)
            if not self._turns.may_go_on():
                await self._turn(listener)
        self._catch_up(listener, after)

    async def _turn(self, listener: Listener) -> None:
        await self._turns.next(listener.reader)
        _check(listener)

    def _catch_up_later(self, channel: Channel, connection: str, seq: int) -> None:
        # What goes through pipes too slowly is read again in the feed once they have eased.
        for room in self._notifier.rooms.of(connection):
            if room.channels.get(channel.name) is channel:
                member = room.members[connection]
                old = channel.held.get(connection)
                hold = Hold(self._notifier.told, "gap") if old is None else old.again()
                self._notifier.rooms.hold(channel, connection, hold)
                request = resuming(connection, member, hold)
                listener = Listener(connection, room, channel, hold, request)
                # A snapshot is shown anew, as after a restart.
                start = Start(seq - 1) if hold.is_shown else Start(hold.told, is_snapshot=True)
                self._resume(listener, start)

    def _resume(self, listener: Listener, start: Start) -> None:
        if listener.hold.reads == "gap":
            self._gap.add(listener, start.after)
        else:
            self._begin(listener, start, _set())

    async def _may_be_told(self, listener: Listener) -> bool:
        await self._notifier.deliveries.eased(_MOST_IN_PIPES)
        return self._connections.unsent(listener.connection) <= MOST_UNSENT

    def _alone(self, listener: Listener, after: int) -> None:
        self._begin(listener, Start(after), _set())

    def _catch_up(self, listener: Listener, after: int) -> None:
        for seq, content in listener.hold.end(after):
            self._tell(listener, content, seq)

    def _tell(self, listener: Listener, content: JsonObject, seq: int = 0) -> None:
        if listener.is_here:
            self._notifier.tell_one(listener.channel, listener.connection, content, seq)

    async def _show(self, listener: Listener, seq: int) -> None:
        room, channel, request = listener.room, listener.channel, listener.request
        matches = Recounting(self._storage, room, channel).matches
        snapshot = notices.Snapshot(request, room.place, {"feed": self._storage.feed, "seq": seq})
        if channel.hears_of_document("in"):
            await self._turn(listener)
            async for documents in Snapshot(self._storage, room.place, seq).pages():
                for document in documents:
                    if matches(document.id, document.source):
                        await self._keep_pace(listener)
                        self._tell(listener, snapshot.document(document))
                await self._turn(listener)
        await self._keep_pace(listener)
        self._tell(listener, snapshot.end(), seq)

    async def _until_it_hears(self, listener: Listener) -> None:
        """Wait until the client listens to the channel, which it can't know before the answer."""
        connection, channel = listener.connection, listener.channel.name
        # What came while the router was away waits for a client, as what comes now does.
        while listener.hold.reads != "gap" and not self._connections.hears(connection, channel):
            _check(listener)
            self._turns.rest(listener.reader)
            try:
                await self._heard.setdefault(connection, asyncio.Event()).wait()
            finally:
                self._turns.go_on(listener.reader)
        _check(listener)

    def _look_again(self, connection: str) -> None:
        # It hears another channel by now, or has left the room.
        event = self._heard.pop(connection, None)
        if event is not None:
            event.set()
        for task, listener in self._tasks.get(connection, {}).items():
            if not listener.is_here and task is not asyncio.current_task():
                task.cancel()  # it shall not take a turn

    async def _keep_pace(self, listener: Listener) -> None:
        """Wait until the client has read most of what it was sent; cut it off if it doesn't."""
        await self._until_it_hears(listener)  # an MQTT client may be away for a while
        unsent = self._connections.unsent(listener.connection)
        waited_s = 0.0
        while unsent > MOST_UNSENT:
            await asyncio.sleep(_LOOK_EVERY_S)
            waited_s += _LOOK_EVERY_S
            before, unsent = unsent, self._connections.unsent(listener.connection)
            if unsent < before:  # it reads, though what comes live may make up for that
                waited_s = 0.0
            elif waited_s > PATIENCE_S:
                self._connections.expel(listener.connection, _TOO_SLOW)
        # Last: the pipes must not fill up while the client is waited for.
        await self._notifier.deliveries.eased(_MOST_IN_PIPES)
        _check(listener)

    def _fail(self, listener: Listener, error: Exception) -> None:
        if not isinstance(error, RouterError):
            _log.error("the past could not be told", exc_info=error)
            error = RouterError("core.fatal.unexpected_error", type(error).__name__)
        self._end(listener, error)

    def _end(self, listener: Listener, error: RouterError) -> None:
        if listener.is_here:
            content = notices.of_end(listener.room, error)
            notification = Notification(listener.channel.name, content)
            self._connections.notify(listener.connection, notification)
            self._notifier.leave(listener.connection, listener.room.id)


def resuming(connection: str, member: Member, hold: Hold) -> Request:
    """What a listener is told by that goes on with what it began before."""
    return Request(
        controller="realtime",
        action="subscribe",
        connection=Connection(connection, "mqtt"),
        request_id=hold.request_id,
        volatile=member.volatile,
        user=member.user,
    )


def _set() -> asyncio.Event:
    answered = asyncio.Event()
    answered.set()
    return answered


def _check(listener: Listener) -> None:
    if not listener.is_here:
        raise _LeftError
