"""Changes with the document before and after them, read from the feed one after the other."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import orjson

from realtime import notices
from realtime.koncorde.evaluate import form_tester
from realtime.notices import Direction
from realtime.rooms import Channel, Room
from router.envelope import JsonObject
from storage.contract import Change, Storage
from storage.replay import is_silent, retold

_REMEMBERED_BYTES: Final = 1_048_576
"""Of documents as they were last, so that the next change of each needs no search for them."""


class Remembered:
    """Documents as the changes of the feed that were read last have left them."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._last: OrderedDict[tuple[str, str, str], tuple[int, bytes]] = OrderedDict()
        self._bytes = 0

    async def before(self, change: Change) -> JsonObject | None:
        """The document before a change.

        Raises:
            RouterError: `trivium.feed.gone`, that of the store.
        """
        last = self._last.pop(_key(change), None)
        if last is None:
            return await self._storage.before(change)
        version, packed = last
        self._bytes -= len(packed)
        if version != change.version - 1:  # the collection was made anew
            return await self._storage.before(change)
        document: JsonObject = orjson.loads(packed)
        return document

    def remember(self, change: Change, after: JsonObject | None) -> None:
        """Keep the document after a change, whose `before` was asked for; None: it is gone."""
        if after is None:
            return
        packed = orjson.dumps(after)
        self._last[_key(change)] = (change.version, packed)
        self._bytes += len(packed)
        while self._bytes > _REMEMBERED_BYTES:
            _, (_, forgotten) = self._last.popitem(last=False)
            self._bytes -= len(forgotten)


def _key(change: Change) -> tuple[str, str, str]:
    return change.index, change.collection, change.id


class Recounting:
    """Tells changes of the feed as a listener in a room would have heard them.

    For one listener, in the order of the feed.
    """

    def __init__(self, storage: Storage, room: Room, channel: Channel) -> None:
        self._place = room.place
        self._channel = channel
        self._matches = form_tester(room.form)
        self._documents = Remembered(storage)

    async def tell(self, change: Change) -> JsonObject | None:
        """The notification of a change, None if the listener wouldn't get one.

        Raises:
            RouterError: `trivium.feed.gone`, that of the store.
        """
        if (change.index, change.collection) != self._place:
            return None
        before = await self._documents.before(change)
        write, written = retold(change, before)
        is_gone = change.action == "delete"
        self._documents.remember(change, None if is_gone else written.source)
        direction = self._direction(change, before, None if is_gone else written.source)
        if is_silent(change) or direction is None:
            return None
        if not self._channel.hears_of_document(direction):
            return None
        position: JsonObject = {"feed": change.feed, "seq": change.seq}
        return notices.of_write(write, written, position).seen(direction)

    def matches(self, id: str, document: JsonObject | None) -> bool:
        """Whether a document is in the room."""
        return document is not None and self._matches({**document, "_id": id})

    def _direction(
        self, change: Change, before: JsonObject | None, after: JsonObject | None
    ) -> Direction | None:
        if self.matches(change.id, after):
            return "in"
        return "out" if self.matches(change.id, before) else None
