"""What one connection listens to, as a document that it can be let in by again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog

from realtime.koncorde.parse import FilterLimits, normal_form
from realtime.notifier import Notifier
from realtime.rooms import Member, Room
from router.envelope import Json, JsonObject, User
from router.errors import RouterError

_log: Final = structlog.get_logger("trivium.realtime")


class Memberships:
    """Takes down where connections listen, and lets them in there again.

    Args:
        limits: Of filters, also of those that were let in before.
    """

    def __init__(self, notifier: Notifier, limits: FilterLimits) -> None:
        self._notifier = notifier
        self._limits = limits

    def watch(self, listener: Callable[[str], None]) -> None:
        """Call the listener with each connection that comes into a room, or leaves one."""
        self._notifier.on_change.append(listener)

    def of(self, connection: str, user_id: str) -> tuple[list[Json], list[str]]:
        """What a connection listens to as that user, and the channels that it hears else."""
        kept: list[Json] = []
        others: list[str] = []
        for room in self._notifier.rooms.of(connection):
            if room.members[connection].user.id == user_id:
                kept.append(_document(room, connection))
            else:
                others += room.heard_on(connection)
        return kept, others

    def restore(self, connection: str, user_id: str, kept: list[Json]) -> None:
        """Let a connection in again; nobody is told. What can't be listened to any more is left
        out, with a line in the log."""
        for document in kept:
            try:
                self._enter(connection, user_id, document)
            except RouterError as error:
                _log.warning("a subscription could not be restored", error=error.message)

    def _enter(self, connection: str, user_id: str, document: Any) -> None:
        form = normal_form(document["filter"], self._limits)
        place = (document["index"], document["collection"])
        member = Member(User(user_id), document["volatile"])
        room, _ = self._notifier.rooms.enter(place, form, connection, member)
        room.filter = document["filter"]
        for users, scope in document["channels"]:
            room.channel(users, scope).listeners[connection] = None


def _document(room: Room, connection: str) -> JsonObject:
    # Whoever still reads the past hears everything live by the time that this is read.
    heard = [
        each
        for each in room.channels.values()
        if connection in each.listeners or connection in each.held
    ]
    return {
        "index": room.place[0],
        "collection": room.place[1],
        "filter": room.filter,
        "channels": [[each.users, each.scope] for each in heard],
        "volatile": room.members[connection].volatile,
    }
