"""Tells those in the rooms what happens to documents, and who comes and goes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog

from realtime import notices
from realtime.deliveries import DOCUMENT, USER, Deliveries
from realtime.holds import Hold
from realtime.koncorde.normal import NormalForm
from realtime.notices import Direction, Happening
from realtime.rooms import Audience, Channel, Member, Place, Room, Rooms
from router.envelope import JsonObject, Request, User
from router.errors import RouterError
from storage.contract import Write, Written

_DOCUMENT_TOLD: Final = "core:notify:document"
_USER_TOLD: Final = "core:notify:user"
_CAME: Final = "core:realtime:user:subscribe:after"
_WENT: Final = "core:realtime:user:unsubscribe:after"

_log: Final = structlog.get_logger("trivium.realtime")


class Notifier:
    """The rooms of one router and what is sent to them.

    Nothing here waits: a notification is made and handed to the connections while the write
    that it tells of is acknowledged, so that those of one document come in its order.

    Args:
        deliveries: Where notifications go; whose connection is closed there leaves its rooms.
        feed: Tells the id of the store's feed.

    Attributes:
        on_change: Each is called with the id of a connection that listens elsewhere by now.
    """

    def __init__(self, rooms: Rooms, deliveries: Deliveries, *, feed: Callable[[], str]) -> None:
        self.rooms = rooms
        self.deliveries = deliveries
        self._connections = connections = deliveries.connections
        self._feed = feed
        self._seen = 0
        self.on_change: list[Callable[[str], None]] = []
        connections.on_closed(self.leave_all)
        connections.on_signed_out(self.leave_all)
        connections.on_parted(self.leave_others)

    # -- coming and going ---------------------------------------------------------------

    def subscribe(
        self,
        request: Request,
        place: Place,
        form: NormalForm,
        *,
        users: Audience,
        scope: Audience,
        hold: Hold | None = None,
    ) -> tuple[Room, Channel]:
        """Let the request's connection into the room of a filter, and tell the others.

        Args:
            hold: Keeps from it what becomes of documents, until it has read what was before.

        Raises:
            RouterError: `core.realtime.too_many_rooms`; for a connection that is gone
                `api.process.connection_dropped`.
        """
        connection = self._open_connection(request)
        room, is_new = self.rooms.enter(place, form, connection, _member(request))
        room.filter = request.body if isinstance(request.body, dict) else {}
        channel = self._listen(room, request, room.channel(users, scope), is_new=is_new)
        return room, self._held(channel, connection, hold)

    def join(
        self,
        request: Request,
        room: Room,
        *,
        users: Audience,
        scope: Audience,
        hold: Hold | None = None,
    ) -> tuple[Room, Channel]:
        """Let the request's connection into a room that is there, and tell the others.

        Raises:
            RouterError: As `subscribe`.
        """
        connection = self._open_connection(request)
        is_new = self.rooms.join(room, connection, _member(request))
        channel = self._listen(room, request, room.channel(users, scope), is_new=is_new)
        return room, self._held(channel, connection, hold)

    def unsubscribe(self, request: Request, room_id: str) -> None:
        """Take the request's connection out of a room, and tell the others.

        Raises:
            RouterError: `core.realtime.not_subscribed`.
        """
        self._leave(request.connection.id, room_id, request)

    def leave(self, connection: str, room_id: str) -> None:
        """Take a connection out of a room that it is in, and tell the others."""
        self._leave(connection, room_id, None)

    def leave_all(self, connection: str) -> None:
        """Take a connection out of every room, and tell the others."""
        for room in self.rooms.of(connection):
            self._leave(connection, room.id, None)

    def leave_others(self, connection: str, user_id: str) -> list[str]:
        """Take a connection out of the rooms that it came into as another user; the names of
        their channels."""
        found: list[str] = []
        for room in self.rooms.of(connection):
            if room.members[connection].user.id != user_id:
                found += room.heard_on(connection)
                self._leave(connection, room.id, None)
        return found

    def review(self, may_listen: Callable[[User, Place], bool]) -> None:
        """Take everybody out of the rooms that they may be in no longer."""
        for room in list(self.rooms):
            for connection, member in list(room.members.items()):
                if not may_listen(member.user, room.place):
                    self._leave(connection, room.id, None)

    # -- documents ----------------------------------------------------------------------

    def written(self, write: Write, written: Written) -> None:
        """Tell of a write that is acknowledged; a `storage.contract.Listener`."""
        rooms = self.rooms.places.get((write.index, write.collection))
        if rooms is not None and not write.author.is_silent:
            try:
                self._tell_of(write, written)
            except Exception as error:  # noqa: BLE001 - a boundary: the write is acknowledged all the same
                request_id = write.author.request_id
                _log.error("a notification failed", request_id=request_id, exc_info=error)
        self.begins_at(written.seq or 0)

    def begins_at(self, seq: int) -> None:
        """Nobody is to be told of anything up to that position any more."""
        self._seen = max(self._seen, seq)

    @property
    def told(self) -> int:
        """The position up to which all who hear it live have been handed everything."""
        first = self.deliveries.first_seq
        return self._seen if first is None else min(self._seen, first - 1)

    def published(self, happening: Happening, place: Place) -> None:
        """Tell of a message, those whose filter it matches."""
        source, key = happening.result["_source"], happening.result.get("_id")
        assert isinstance(source, dict)
        document = source if key is None else {**source, "_id": key}
        self._tell(self._matching(place, document), "in", happening)

    def tell_one(
        self, channel: Channel, connection: str, content: JsonObject, seq: int = 0
    ) -> None:
        """Tell one listener of a channel, who is held, something that the others don't hear, or
        have heard.

        Args:
            seq: What the listener has been told up to then.
        """
        hold = channel.held.get(connection)
        if hold is None:  # it was cut off by what it was told before
            return
        told = partial(hold.reached, seq)
        self.deliveries.send_to(DOCUMENT, channel, connection, content, told=told)
        # Afterwards: what finds no place is not on its way.
        hold.sent = max(hold.sent, seq)

    # -- inside -------------------------------------------------------------------------

    def _open_connection(self, request: Request) -> str:
        connection = request.connection
        if connection.id in self._connections:
            return connection.id
        if connection.wire in ("http", "internal"):
            raise RouterError(
                "trivium.unsupported.feature", "Subscribing by a request that ends at once"
            )
        raise RouterError("api.process.connection_dropped")

    def _listen(self, room: Room, request: Request, channel: Channel, *, is_new: bool) -> Channel:
        connection = request.connection.id
        if connection not in channel.held:
            channel.listeners[connection] = None
        if is_new:
            self._tell_application(_CAME, room, connection, room.members[connection])
        # Whoever comes first finds nobody to be told.
        if is_new and len(room.members) > 1:
            self._tell_of_user(room, "in", room.members[connection], request)
        self._changed(connection)
        return channel

    def _held(self, channel: Channel, connection: str, hold: Hold | None) -> Channel:
        if hold is not None:
            self.rooms.hold(channel, connection, hold)
        return channel

    def _leave(self, connection: str, room_id: str, request: Request | None) -> None:
        room, member = self.rooms.leave(connection, room_id)
        self._tell_application(_WENT, room, connection, member)
        self._tell_of_user(room, "out", member, request)
        self._changed(connection)

    def _changed(self, connection: str) -> None:
        for listener in self.on_change:
            listener(connection)

    def _tell_application(self, event: str, room: Room, connection: str, member: Member) -> None:
        if self.deliveries.events.heard(event):
            self.deliveries.events.tell(event, notices.of_subscription(room, connection, member))

    def _tell_of_user(
        self, room: Room, direction: Direction, member: Member, request: Request | None
    ) -> None:
        channels = [each for each in room.channels.values() if each.hears_of_user(direction)]
        events = self.deliveries.events
        is_heard = events.heard(_USER_TOLD)
        if not channels and not is_heard:
            return
        content = notices.of_user(room, direction, member, request)
        if is_heard:
            events.tell(_USER_TOLD, {"notification": content, "room": room.id})
        if channels:
            self._send(USER, channels, content)

    def _tell_of(self, write: Write, written: Written) -> None:
        place = (write.index, write.collection)
        after = {} if write.verb == "delete" else self._with_id(place, written, written.source)
        previous = written.previous
        before = {} if previous is None else self._with_id(place, written, previous)
        left = [room for room in before if room not in after]
        if not after and not left:
            return
        position: JsonObject = {}
        if written.seq is not None:
            position = {"feed": self._feed(), "seq": written.seq}
        happening = notices.of_write(write, written, position)
        self._tell(after, "in", happening, written.seq)
        self._tell(left, "out", happening, written.seq)

    def _with_id(self, place: Place, written: Written, source: JsonObject) -> dict[Room, None]:
        return self._matching(place, {**source, "_id": written.id})

    def _matching(self, place: Place, document: JsonObject) -> dict[Room, None]:
        rooms = self.rooms.places.get(place)
        return {} if rooms is None else rooms.match(document)

    def _tell(
        self,
        rooms: dict[Room, None] | list[Room],
        direction: Direction,
        happening: Happening,
        seq: int | None = None,
    ) -> None:
        events = self.deliveries.events
        if rooms and events.heard(_DOCUMENT_TOLD):
            content = happening.seen(direction)
            told = {"notification": content, "rooms": [room.id for room in rooms]}
            events.tell(_DOCUMENT_TOLD, told)
        channels = [
            channel
            for room in rooms
            for channel in room.channels.values()
            if channel.hears_of_document(direction)
        ]
        if channels:
            self._send(DOCUMENT, channels, happening.seen(direction), seq)

    def _send(
        self, event: str, channels: list[Channel], content: JsonObject, seq: int | None = None
    ) -> None:
        for channel in channels:
            for connection, hold in list(channel.held.items()):
                if seq is None:  # it is not in the feed
                    self.deliveries.send_to(event, channel, connection, content)
                elif not hold.is_over(seq):
                    hold.take(seq, content)
                elif hold.is_settled:
                    del channel.held[connection]
                    channel.listeners[connection] = None
                else:  # what was before is in pipes still
                    self.tell_one(channel, connection, content, seq)
        self.deliveries.send(event, channels, content, seq)


def _member(request: Request) -> Member:
    is_internal = request.connection.wire == "internal"
    return Member(request.user, request.volatile, is_internal)
