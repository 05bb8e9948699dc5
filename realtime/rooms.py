"""Rooms: who listens to what, and which rooms a document belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from realtime.holds import Hold
from realtime.koncorde.index import Index
from realtime.koncorde.normal import NormalForm
from router.envelope import Json, JsonObject, User
from router.errors import RouterError

Audience: TypeAlias = Literal["all", "in", "out", "none"]
AUDIENCES: Final[tuple[Audience, ...]] = ("all", "in", "out", "none")

Place: TypeAlias = tuple[str, str]
"""An index and a collection; neither need exist."""

# The ends of Kuzzle's channel names. There `out` and `none` share a number for users, so that
# the first subscriber's choice counts for both.
_USERS: Final = {"all": "1", "in": "2", "out": "4", "none": "3"}
_SCOPES: Final = {"all": "1", "in": "2", "out": "3", "none": ""}
_PROPAGATED: Final = "1"


@dataclass(slots=True, eq=False)
class Channel:
    """Those in a room who want to hear the same of it.

    Attributes:
        name: What its messages are sent under.
        users: Which comings and goings of others it hears of.
        scope: Whether it hears of documents that come in, go out, both or neither.
        listeners: Ids of connections.
        held: Those who still read what happened before.
    """

    name: str
    users: Audience
    scope: Audience
    listeners: dict[str, None] = field(default_factory=dict)
    held: dict[str, Hold] = field(default_factory=dict)

    def hears_of_user(self, direction: Literal["in", "out"]) -> bool:
        """Whether it is told that somebody came or went."""
        return self.users in ("all", direction)

    def hears_of_document(self, direction: Literal["in", "out"]) -> bool:
        """Whether it is told that a document is in the room's scope, or has left it."""
        return self.scope in ("all", direction)


@dataclass(slots=True, eq=False)
class Member:
    """What a connection gave when it came into a room.

    Attributes:
        is_internal: It is the application itself that listens.
    """

    user: User
    volatile: JsonObject | None
    is_internal: bool = False


@dataclass(slots=True, eq=False)
class Room:
    """All who listen to documents of one place that match one filter.

    Attributes:
        form: The filter.
        filter: As one of its members wrote it.
        members: By the id of their connection.
    """

    id: str
    place: Place
    form: NormalForm
    filter: JsonObject = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)

    def channel(self, users: Audience, scope: Audience) -> Channel:
        """The channel of that choice."""
        name = f"{self.id}-{_USERS[users]}{_PROPAGATED}{_SCOPES[scope]}"
        channel = self.channels.get(name)
        if channel is None:
            channel = self.channels[name] = Channel(name, users, scope)
        return channel

    def heard_on(self, connection: str) -> list[str]:
        """The names of the channels that a connection listens to."""
        return [
            each.name
            for each in self.channels.values()
            if connection in each.listeners or connection in each.held
        ]

    def forget(self, connection: str) -> None:
        """Take a connection out of the room and all its channels."""
        del self.members[connection]
        for channel in list(self.channels.values()):
            channel.listeners.pop(connection, None)
            channel.held.pop(connection, None)
            if not channel.listeners and not channel.held:
                del self.channels[channel.name]


class Rooms:
    """All rooms of this router; a room is there as long as it has members.

    Args:
        most: Rooms at most.
        most_each: Rooms that one connection may be in.
    """

    def __init__(self, *, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._rooms: dict[str, Room] = {}
        self._places: dict[Place, Index[Room]] = {}
        self._entered: dict[str, dict[str, Room]] = {}
        self._behind: dict[str, dict[str, Hold]] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(self._rooms.values())

    @property
    def subscriptions(self) -> int:
        """How many members all rooms have together."""
        return sum(len(rooms) for rooms in self._entered.values())

    @property
    def places(self) -> dict[Place, Index[Room]]:
        """The filters of the rooms, by place; only places that have rooms."""
        return self._places

    def collections(self, index: str) -> list[str]:
        """The collections of an index that somebody listens to, whether or not they are stored."""
        return [place[1] for place in self._places if place[0] == index]

    def find(self, id: str) -> Room:
        """The room of that id.

        Raises:
            RouterError: `core.realtime.room_not_found`.
        """
        room = self._rooms.get(id)
        if room is None:
            raise RouterError("core.realtime.room_not_found", id)
        return room

    def place_of(self, id: Json) -> Place | None:
        """Where the room of that id is; None if there is none."""
        room = self._rooms.get(id) if isinstance(id, str) else None
        return None if room is None else room.place

    def count(self, id: str) -> int:
        """How many members the room has; 0 for one that doesn't exist."""
        room = self._rooms.get(id)
        return 0 if room is None else len(room.members)

    def of(self, connection: str) -> list[Room]:
        """The rooms that a connection is in."""
        return list(self._entered.get(connection, {}).values())

    def enter(
        self,
        place: Place,
        form: NormalForm,
        connection: str,
        member: Member,
    ) -> tuple[Room, bool]:
        """Let a connection into the room of a filter; whether it wasn't in there before.

        Raises:
            RouterError: `core.realtime.too_many_rooms`, of all together or of the connection.
        """
        room_id = form.room_id(*place)
        room = self._rooms.get(room_id)
        if room is not None:
            return room, self.join(room, connection, member)
        if len(self._rooms) >= self._most:
            raise RouterError("core.realtime.too_many_rooms")
        room = Room(room_id, place, form)
        self.join(room, connection, member)
        self._rooms[room_id] = room
        if place not in self._places:
            self._places[place] = Index()
        self._places[place].add(room, form)
        return room, True

    def join(self, room: Room, connection: str, member: Member) -> bool:
        """Let a connection into a room; whether it wasn't in there before.

        Raises:
            RouterError: `core.realtime.too_many_rooms`.
        """
        entered = self._entered.get(connection, {})
        if room.id in entered:
            return False
        if len(entered) >= self._most_each:
            raise RouterError("core.realtime.too_many_rooms")
        entered[room.id] = room
        self._entered[connection] = entered
        room.members[connection] = member
        return True

    def hold(self, channel: Channel, connection: str, hold: Hold) -> None:
        """Let a listener of a channel hear what happens only once the hold is settled."""
        channel.listeners.pop(connection, None)
        channel.held[connection] = hold
        self._behind.setdefault(connection, {})[channel.name] = hold

    def behind(self, connection: str) -> dict[str, Hold]:
        """The holds of a connection that are not settled, by the names of their channels."""
        holds = self._behind.get(connection, {})
        for name, hold in list(holds.items()):
            if hold.is_settled:
                del holds[name]
        return holds

    def leave(self, connection: str, id: str) -> tuple[Room, Member]:
        """Take a connection out of a room.

        Raises:
            RouterError: `core.realtime.not_subscribed`.
        """
        entered = self._entered.get(connection, {})
        room = entered.pop(id, None)
        if room is None:
            raise RouterError("core.realtime.not_subscribed", connection, id)
        for name in room.channels:
            self._behind.get(connection, {}).pop(name, None)
        if not entered:
            del self._entered[connection]
            self._behind.pop(connection, None)
        member = room.members[connection]
        room.forget(connection)
        if not room.members:
            self._close(room)
        return room, member

    def _close(self, room: Room) -> None:
        del self._rooms[room.id]
        index = self._places[room.place]
        index.remove(room)
        if not len(index):
            del self._places[room.place]
