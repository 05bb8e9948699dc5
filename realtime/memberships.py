"""What one connection listens to, as a document that it can be let in by again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any, Final, NamedTuple

import structlog

from realtime.holds import Hold
from realtime.koncorde.parse import FilterLimits, normal_form
from realtime.notifier import Notifier
from realtime.past import Past, resuming
from realtime.rooms import Channel, Member, Room
from router.envelope import Json, JsonObject, Request, User
from router.errors import RouterError

_log: Final = structlog.get_logger("trivium.realtime")


class Told(NamedTuple):
    """What is known of a connection that is let in again.

    Attributes:
        queued: The positions that wait for it already, by channel.
        mark: What `mark` said last; empty for nothing.
        behind: What `behind` said since its places were taken down; empty for nothing.
    """

    queued: Mapping[str, Set[int]]
    mark: JsonObject
    behind: JsonObject


class Memberships:
    """Takes down where connections listen, and lets them in there again.

    Args:
        limits: Of filters, also of those that were let in before.
        past: Tells what happened meanwhile.
    """

    def __init__(self, notifier: Notifier, limits: FilterLimits, past: Past) -> None:
        self._notifier = notifier
        self._limits = limits
        self._past = past
        self._returning: list[tuple[Request, tuple[Room, Channel], Hold, JsonObject]] = []

    def watch(self, listener: Callable[[str], None]) -> None:
        """Call the listener with each connection that comes into a room, or leaves one."""
        self._notifier.on_change.append(listener)

    def of(self, connection: str, user_id: str) -> tuple[list[Json], list[str]]:
        """What a connection listens to as that user, and the channels that it hears else."""
        kept: list[Json] = []
        others: list[str] = []
        for room in self._notifier.rooms.of(connection):
            if room.members[connection].user.id == user_id:
                kept.append(_document(room, connection, self.mark()))
            else:
                others += room.heard_on(connection)
        return kept, others

    def mark(self) -> JsonObject:
        """The position up to which all who hear it live have been handed everything."""
        return {"feed": self._past.feed, "seq": self._notifier.told}

    def behind(self, connection: str) -> JsonObject:
        """How far a connection is where it is told of the past still, by channel."""
        holds = self._notifier.rooms.behind(connection)
        return {name: _unsettled(hold) for name, hold in holds.items()}

    async def prepare(self) -> None:
        """Call it once the store is open, before anybody comes into a room."""
        self._notifier.begins_at(await self._past.newest())

    def restore(
        self,
        connection: str,
        user_id: str,
        kept: list[Json],
        told: Told,
    ) -> None:
        """Let a connection in again; nobody is told, and it hears nothing before `resume`. What
        can't be listened to any more is left out, with a line in the log."""
        for document in kept:
            try:
                self._enter(connection, user_id, document, told)
            except RouterError as error:
                _log.warning("a subscription could not be restored", error=error.message)

    async def resume(self) -> None:
        """Tell those who were let in again what they have not been told yet, and what happens."""
        returning, self._returning = self._returning, []
        for _, _, hold, _ in returning:
            hold.begin()
        newest = await self._past.newest()
        for request, joined, hold, position in returning:
            self._past.go_on(request, joined, hold, (position, newest))

    # -- inside -------------------------------------------------------------------------

    def _enter(
        self,
        connection: str,
        user_id: str,
        document: Any,
        told: Told,
    ) -> None:
        form = normal_form(document["filter"], self._limits)
        place = (document["index"], document["collection"])
        member = Member(User(user_id), document["volatile"])
        room, _ = self._notifier.rooms.enter(place, form, connection, member)
        room.filter = document["filter"]
        for users, scope, *position in document["channels"]:
            channel = room.channel(users, scope)
            if not position:  # written down before positions were
                channel.listeners[connection] = None
                continue
            later: Any = told.behind.get(channel.name, position)
            hold, at = _hold(document["feed"], later, told.mark)
            hold.queued = told.queued.get(channel.name, frozenset())
            self._notifier.rooms.hold(channel, connection, hold)
            request = resuming(connection, member, hold)
            self._returning.append((request, (room, channel), hold, at))


def _hold(feed: str, position: list[Any], mark: JsonObject) -> tuple[Hold, JsonObject]:
    seq, reads, request_id = position
    newest: Any = mark.get("seq", 0) if mark.get("feed") == feed else 0
    if reads == "live":
        seq, reads = max(seq, newest), "gap"
    hold = Hold(seq, reads)
    hold.request_id = request_id
    return hold, {"feed": feed, "seq": seq}


def _document(room: Room, connection: str, mark: JsonObject) -> JsonObject:
    heard: list[Json] = []
    for each in room.channels.values():
        if connection in each.listeners:
            heard.append([each.users, each.scope, mark["seq"], "live", ""])
        elif connection in each.held:
            heard.append([each.users, each.scope, *_position(each.held[connection], mark)])
    return {
        "index": room.place[0],
        "collection": room.place[1],
        "filter": room.filter,
        "feed": mark["feed"],
        "channels": heard,
        "volatile": room.members[connection].volatile,
    }


def _position(hold: Hold, mark: JsonObject) -> list[Json]:
    if not hold.is_settled:
        return _unsettled(hold)
    told = mark["seq"]
    assert isinstance(told, int)
    return [max(hold.told, told), "live", ""]


def _unsettled(hold: Hold) -> list[Json]:
    return [hold.told, hold.reads, hold.request_id]
