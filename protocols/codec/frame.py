"""JSON frames: the one request that a frame carries, and the one answer to it."""

from __future__ import annotations

import time
import uuid
from types import NoneType
from typing import Final

import msgspec
import orjson

from protocols.codec.frame_id import early_id
from router.connections import Notification
from router.envelope import Connection, Json, JsonObject, Request, Response
from router.errors import RouterError

_TEXT: Final = (str, NoneType)
_OBJECT: Final = (dict, NoneType)
_BODY: Final = (dict, list, NoneType)

_RESERVED: Final = (
    ("requestId", _TEXT, 'type "string"'),
    ("controller", _TEXT, 'type "string"'),
    ("action", _TEXT, 'type "string"'),
    ("jwt", _TEXT, 'type "string"'),
    ("volatile", _OBJECT, 'type "object"'),
    ("body", _BODY, 'type "object" or "array"'),
)
"""What the reserved keys hold; each of them may also be null."""


class FrameLimits(msgspec.Struct, frozen=True):
    """What a frame may hold at most. Precedents: Kuzzle's maxRequestSize of 1 MB."""

    max_bytes: int = 1_048_576
    max_depth: int = 64
    max_keys: int = 10_000


class BadFrameError(Exception):
    """A frame that is not a request. `request_id` is the frame's own, where one could be read."""

    def __init__(self, reason: str, request_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.request_id = request_id

    def as_refusal(self, id: str) -> RouterError:
        """The error for the client, under the wire's own id."""
        return RouterError(id, self.reason)


def parse(text: bytes | bytearray | memoryview, limits: FrameLimits) -> Json:
    """Read JSON within the limits.

    Of a repeated key the last one counts, as in every JavaScript client. Whole numbers
    beyond 64 bits are read as floats.

    Raises:
        BadFrameError: Too long, not UTF-8, not JSON (NaN and Infinity aren't), too deep or
            with too many keys. Nothing else leaves this function.
    """
    if len(text) > limits.max_bytes:
        reason = f"more than {limits.max_bytes} bytes"
        raise BadFrameError(reason, early_id(text, max_depth=limits.max_depth))
    try:
        value: Json = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # Deeper than 1 024 levels is no JSON either.
        raise BadFrameError(str(error), early_id(text, max_depth=limits.max_depth)) from None
    # Counting bytes is far cheaper than walking, and gives an upper bound: a level takes two
    # bytes at least, a key four.
    if len(text) > limits.max_depth * 2 or len(text) > limits.max_keys * 4:
        raw = text if isinstance(text, bytes) else bytes(text)
        opened = raw.count(b"{") + raw.count(b"[")
        if opened > limits.max_depth or raw.count(b":") > limits.max_keys:
            _check(value, limits)
    return value


def _own_id(value: Json) -> str | None:
    own = value.get("requestId") if isinstance(value, dict) else None
    return own if own and isinstance(own, str) else None


def decode(
    frame: bytes | bytearray | memoryview, connection: Connection, limits: FrameLimits
) -> Request:
    """Read the one request that a JSON frame carries.

    Args:
        frame: A JSON object; `controller` and `action` may be missing (the router says so).

    Raises:
        BadFrameError: See `parse`; or not an object, or a reserved key of the wrong type.

    Source: Kuzzle API, "Query syntax"; reference 1.1.
    """
    value = parse(frame, limits)
    if not isinstance(value, dict):
        raise BadFrameError("a request must be a JSON object")
    return request_of(value, connection)


def request_of(
    payload: JsonObject, connection: Connection, *, request_id: str | None = None
) -> Request:
    """The request that a decoded frame describes.

    Args:
        payload: Goes into the request's keeping: what is not reserved becomes its arguments.
        request_id: Overrules the frame's own (HTTP: the id of the header or connection).

    Raises:
        BadFrameError: A reserved key of the wrong type.
    """
    take = payload.pop
    own_id = take("requestId", None)
    request_id = request_id or (own_id if own_id and isinstance(own_id, str) else None)
    controller, action = take("controller", None), take("action", None)
    jwt, volatile, body = take("jwt", None), take("volatile", None), take("body", None)
    if not (
        isinstance(own_id, _TEXT)
        and isinstance(controller, _TEXT)
        and isinstance(action, _TEXT)
        and isinstance(jwt, _TEXT)
        and isinstance(volatile, _OBJECT)
        and isinstance(body, _BODY)
    ):
        raise _mistyped((own_id, controller, action, jwt, volatile, body), request_id)
    timestamp = take("timestamp", None)
    if type(timestamp) is not int:
        timestamp = int(time.time() * 1000)
    return Request(
        controller=controller or "",
        action=action or "",
        connection=connection,
        request_id=request_id or str(uuid.uuid4()),
        args=payload,
        body=body,
        jwt=jwt,
        volatile=volatile,
        timestamp=timestamp,
    )


def envelope(response: Response) -> JsonObject:
    """The answer as the object that goes onto the wire, keys in the peer's order."""
    answer: JsonObject = {"action": response.action}
    if response.collection is not None:
        answer["collection"] = response.collection
    answer["controller"] = response.controller
    answer["error"] = response.error
    answer["headers"] = dict(response.headers)
    if response.index is not None:
        answer["index"] = response.index
    answer["requestId"] = response.request_id
    if not isinstance(response.result, msgspec.UnsetType):
        answer["result"] = response.result
    answer["status"] = response.status
    answer["volatile"] = response.volatile
    return answer


def encode(response: Response, *, room: bool = False, node: str = "") -> bytes:
    """The answer as UTF-8 JSON. `room` adds the key by which WebSocket clients match it.

    An answer that an application filled with something that is no JSON becomes the error
    `plugin.controller.unserializable_response`, so that nobody waits in vain.
    """
    return encode_with_status(response, room=room, node=node)[0]


def encode_notification(notification: Notification, *, room: bool, node: str) -> bytes:
    """The notification as UTF-8 JSON; `room` adds the channel, which is how WebSocket clients
    find who it is for."""
    message: JsonObject = {**notification.content, "node": node}
    if room:
        message["room"] = notification.channel
    return dumps(message)


def encode_with_status(
    response: Response, *, room: bool = False, node: str = "", pretty: bool = False
) -> tuple[bytes, int]:
    """What `encode` gives, perhaps indented, and the status that stands in it."""
    if response.raw:
        return _bare(response, room=room, pretty=pretty), response.status
    answer = envelope(response)
    if node:
        answer["node"] = node
    if room:
        answer["room"] = response.request_id
    try:
        return dumps(answer, pretty=pretty), response.status
    except (TypeError, ValueError, OverflowError, RecursionError):
        error = RouterError("plugin.controller.unserializable_response")
        answer |= {
            "error": error.to_json(),
            "headers": {},
            "result": None,
            "status": error.status,
            "volatile": None,
        }
        return dumps(answer, pretty=pretty), error.status


def _bare(response: Response, *, room: bool, pretty: bool) -> bytes:
    """A result without its envelope (Kuzzle reference 1.2, "raw response")."""
    result = response.result
    if result is None or isinstance(result, msgspec.UnsetType):
        return b""
    if isinstance(result, str):
        return _text(result).encode()
    if room and isinstance(result, dict):
        result = {**result, "room": response.request_id}
    return dumps(result, pretty=pretty)


def dumps(value: Json, *, pretty: bool = False) -> bytes:
    """JSON text of a value, whatever an application put into it.

    Integers beyond 64 bits are written as floats, text that is not Unicode with U+FFFD in
    the place of what can't be encoded.
    """
    option = orjson.OPT_INDENT_2 if pretty else 0
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError:
        return orjson.dumps(_encodable(value), option=option)


def _encodable(value: Json) -> Json:
    if isinstance(value, dict):
        return {_text(str(key)): _encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(item) for item in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value)
    return value


def _text(value: str) -> str:
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _mistyped(values: tuple[Json, ...], request_id: str | None) -> BadFrameError:
    key, expected = next(
        (key, expected)
        for value, (key, types, expected) in zip(values, _RESERVED, strict=True)
        if not isinstance(value, types)
    )
    return BadFrameError(f"Attribute {key} must be of {expected}", request_id)


def _check(value: Json, limits: FrameLimits) -> None:
    keys = 0
    level: list[Json] = [value]
    for _ in range(limits.max_depth):
        below: list[Json] = []
        for item in level:
            if isinstance(item, dict):
                keys += len(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if keys > limits.max_keys:
            raise BadFrameError(f"more than {limits.max_keys} keys", _own_id(value))
        level = [item for item in below if isinstance(item, dict | list)]
        if not level:
            return
    raise BadFrameError(f"nested more than {limits.max_depth} deep", _own_id(value))
