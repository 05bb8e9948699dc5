"""What notifications say: of documents, and of those who come and go."""

from __future__ import annotations

import time
from typing import Final, Literal, NamedTuple, TypeAlias

from realtime.rooms import Member, Place, Room
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from storage.contract import Document, Write, Written
from storage.merge import paths
from storage.stamps import STAMP

Direction: TypeAlias = Literal["in", "out"]

_UPDATES: Final = ("update", "upsert", "delete_fields")


class Happening(NamedTuple):
    """What became of one document, as its listeners are told.

    Attributes:
        content: All of the notification but its result and its scope.
        result: `{_id?, _source, …}`.
    """

    content: JsonObject
    result: JsonObject

    def seen(self, direction: Direction) -> JsonObject:
        """The notification for those whom the document comes to, or leaves."""
        head: JsonObject = {"type": "document", "status": 200, "action": self.content["action"]}
        return {**head, "scope": direction, "result": self.result, **self.content}


def of_write(write: Write, written: Written, position: JsonObject) -> Happening:
    """What a write did.

    Args:
        position: Where the feed tells of it, `{feed, seq}`; empty where that isn't known yet.
    """
    author = write.author
    action, event = _action(write, written), "delete" if write.verb == "delete" else "write"
    result: JsonObject = {"_id": written.id, "_source": written.source}
    result["_version"] = written.version
    if action == "update":
        result["_updatedFields"] = _updated(write)
    elif write.verb == "create_or_replace":
        result["created"] = written.created
    content: JsonObject = {
        "action": action,
        "event": event,
        "requestId": author.request_id,
        "timestamp": author.timestamp or _now_ms(),
        "volatile": author.volatile,
        "index": write.index,
        "collection": write.collection,
        "controller": author.controller,
        "protocol": author.wire,
        **position,
    }
    return Happening(content, result)


def of_publish(request: Request, place: Place, source: JsonObject) -> Happening:
    """A message that somebody publishes as if it were a document.

    Raises:
        RouterError: `api.assert.invalid_type` for an `_id` that is no text.
    """
    key = request.string("_id", None)
    result: JsonObject = {"_id": key, "_source": source} if key else {"_source": source}
    content: JsonObject = {
        "action": "publish",
        "event": "publish",
        "requestId": request.request_id,
        "timestamp": request.timestamp,
        "volatile": request.volatile,
        "index": place[0],
        "collection": place[1],
        "controller": "realtime",
        "protocol": request.connection.wire,
    }
    return Happening(content, result)


def of_user(
    room: Room, direction: Direction, member: Member, request: Request | None
) -> JsonObject:
    """What the others in a room are told of one who came or went; without a request it is the
    end of a connection."""
    index, collection = room.place
    count: JsonObject = {"count": len(room.members)}
    volatile = request.volatile if direction == "in" and request else member.volatile
    return {
        "type": "user",
        "status": 200,
        "user": direction,
        "result": count,
        "timestamp": request.timestamp if request else _now_ms(),
        "volatile": volatile,
        "index": index,
        "collection": collection,
        "controller": "realtime",
        "action": "subscribe" if direction == "in" else "unsubscribe",
        "protocol": request.connection.wire if request else None,
    }


def of_subscription(room: Room, connection: str, member: Member) -> JsonObject:
    """What the application's hooks are told of one who came or went."""
    return {
        "roomId": room.id,
        "connectionId": connection,
        "kuid": member.user.id,
        "index": room.place[0],
        "collection": room.place[1],
        "volatile": member.volatile,
    }


class Snapshot:
    """What one subscriber is told of the documents that are there when it comes.

    Until it is told the end, it has no position to go on from.
    """

    def __init__(self, request: Request, place: Place, position: JsonObject) -> None:
        self._head: JsonObject = {
            "status": 200,
            "action": "snapshot",
            "requestId": request.request_id,
            "timestamp": _now_ms(),
            "volatile": request.volatile,
            "index": place[0],
            "collection": place[1],
            "controller": "realtime",
            "protocol": request.connection.wire,
            **position,
        }
        self._count = 0

    def document(self, document: Document) -> JsonObject:
        """One document, as it was at the position."""
        self._count += 1
        result: JsonObject = {
            "_id": document.id,
            "_source": document.source,
            "_version": document.version,
        }
        return {**self._head, "type": "document", "event": "read", "scope": "in", "result": result}

    def end(self) -> JsonObject:
        """All documents have been told; the stream follows."""
        return {**self._head, "type": "snapshot", "result": {"count": self._count}}


def of_end(room: Room, error: RouterError) -> JsonObject:
    """A subscription ends here, and why."""
    return {
        "type": "error",
        "status": error.status,
        "error": error.to_json(),
        "timestamp": _now_ms(),
        "index": room.place[0],
        "collection": room.place[1],
        "controller": "realtime",
        "action": "subscribe",
    }


def _action(write: Write, written: Written) -> str:
    if write.verb == "delete":
        return "delete"
    if written.replaced is None:
        return "create"
    return "update" if write.verb in _UPDATES else "replace"


def _updated(write: Write) -> list[Json]:
    if write.verb == "delete_fields":
        return [*write.fields]
    return [path for path in paths(write.content) if path.partition(".")[0] != STAMP]


def _now_ms() -> int:
    return int(time.time() * 1000)
