"""The request and the response that every wire is translated to and from."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from router.copies import copied
from router.errors import RouterError
from router.guards import Condition
from router.once import Once
from router.order import Turn

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
JsonObject: TypeAlias = "dict[str, Json]"
Wire: TypeAlias = Literal["http", "websocket", "mqtt", "internal"]

ABSENT: Final = msgspec.UNSET
"""Stands for a `result` that the answer does not carry at all (null is a result)."""

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""Largest integer that a JavaScript client reads back unchanged."""

_NO_HEADERS: Final[Mapping[str, str]] = {}


class User(msgspec.Struct, frozen=True):
    """Who asks: the id that is written into documents and the profiles that give rights.

    `rate_limit` is how many requests the user may make in a second; 0 is any number.
    """

    id: str
    profile_ids: tuple[str, ...] = ()
    rate_limit: int = 0


ANONYMOUS: Final = User("-1", ("anonymous",))

APPLICATION: Final = User("")
"""The application itself: it may do everything, and what it writes is in nobody's name."""


def nothing() -> None:
    """Do nothing."""


def never() -> bool:
    """No."""
    return False


def always() -> bool:
    """Yes."""
    return True


class Bearer(Protocol):
    """What a connection was opened with: it speaks for the user of that id."""

    @property
    def kuid(self) -> str:
        """Whom it speaks for."""


class Connection(msgspec.Struct, frozen=True):
    """One client's connection, as the wire that holds it describes it.

    `address` is the client's own where a proxy that is believed tells it. `client_id` is what
    the client calls itself (MQTT), else the empty string; `headers` are those of the HTTP
    request or of the WebSocket upgrade, names in lower case. Once `is_gone`, nobody reads its
    answers: requests that still wait for a place are dropped. `is_local` tells whether the
    client is on this machine in fact, and no browser's page of elsewhere; `is_secure` whether
    it speaks TLS. `certified` is the user that its certificate names, verified by TLS; empty
    without one. `bearer` is what `Doorkeeper.admit` made of the credentials that the connection
    was opened with; it speaks for requests without a token.
    """

    id: str
    wire: Wire
    address: str = ""
    client_id: str = ""
    headers: Mapping[str, str] = _NO_HEADERS
    is_gone: Callable[[], bool] = never
    is_local: Callable[[], bool] = always
    is_secure: bool = False
    certified: str = ""
    bearer: Bearer | None = None

    def __repr__(self) -> str:
        # Headers and arguments may hold tokens and passwords, and this ends up in logs.
        return f"<Connection {self.id} {self.wire}>"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, whatever wire it came by.

    `args` holds every root key of the frame that isn't a field here, `index`,
    `collection` and `_id` among them. The readers below raise the peer's argument errors
    (Kuzzle reference 1.1); those named `body_*` read from the body.
    """

    controller: str
    action: str
    connection: Connection
    request_id: str = msgspec.field(default_factory=lambda: str(uuid.uuid4()))
    args: JsonObject = msgspec.field(default_factory=dict)
    body: JsonObject | list[Json] | None = None
    jwt: str | None = None
    volatile: JsonObject | None = None
    timestamp: int = msgspec.field(default_factory=lambda: int(time.time() * 1000))
    user: User = ANONYMOUS
    turn: Turn | None = None
    # The header If-Match, HTTP only: elsewhere the argument `ifVersion` says it. Either is read
    # into `condition` before an action runs.
    if_match: str | None = None
    condition: Condition | None = None
    # Names a request that may come again from the client's side of a wire, although it knows of
    # no idempotency: it is done once where the action can. Empty without.
    delivery: str = ""
    # Set for a request with an idempotency key while its action runs.
    once: Once | None = None
    # Whether actions trigger their own events; off for the application's own calls, so that
    # a pipe that calls the action it listens to doesn't meet itself.
    trigger_events: bool = True

    def __repr__(self) -> str:
        return f"<Request {self.request_id} {self.controller}:{self.action} {self.connection!r}>"

    def __deepcopy__(self, memo: dict[int, object]) -> Request:
        return self.replace(
            args=copied(self.args, memo),
            body=copied(self.body, memo),
            volatile=copied(self.volatile, memo),
        )

    def replace(self, **changes: object) -> Request:
        """This request with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    # -- what the request is about ------------------------------------------------------

    @property
    def index(self) -> str | None:
        """The `index` argument if it is text, else None; `name("index")` insists on it."""
        value = self.args.get("index")
        return value if isinstance(value, str) else None

    @property
    def collection(self) -> str | None:
        """The `collection` argument if it is text, else None."""
        value = self.args.get("collection")
        return value if isinstance(value, str) else None

    def name(self, key: str) -> str:
        """The non-empty text argument `key` (`index`, `collection`, `_id`, `engineId`…).

        Raises:
            RouterError: `api.assert.missing_argument`, also when empty; `api.assert.invalid_type`.
        """
        value = self.string(key)
        if not value:
            raise RouterError("api.assert.missing_argument", key)
        return value

    def new_id(self) -> str | None:
        """The `_id` of a document to create, None when the caller left it to the store.

        Raises:
            RouterError: `api.assert.invalid_type`; `api.assert.invalid_id` for a leading `_`.
        """
        value = self.string("_id", None)
        if value is not None and value.startswith("_"):
            raise RouterError("api.assert.invalid_id")
        return value or None

    # -- arguments ----------------------------------------------------------------------

    def string(self, key: str, default: str | None | msgspec.UnsetType = ABSENT) -> str | None:
        """The text argument `key`; without a default a missing one is an error."""
        return _string(self.args.get(key), key, default)

    def integer(self, key: str, default: int) -> int:
        """The whole number `key`; numeric text counts, as query strings are text.

        Raises:
            RouterError: `api.assert.invalid_type` if it isn't an integer within +-(2^53 - 1).
        """
        value = self.args.get(key)
        return default if value is None else _integer(value, key)

    def flag(self, key: str) -> bool:
        """The switch `key`. Over HTTP it is on when present, whatever its value.

        Raises:
            RouterError: `api.assert.invalid_type` for a non-boolean on the other wires.
        """
        value = self.args.get(key)
        if value is None:
            return False
        if self.connection.wire == "http":
            return True
        if not isinstance(value, bool):
            raise RouterError("api.assert.invalid_type", key, "boolean")
        return value

    def refresh_lenient(self) -> bool:
        """Whether the answer waits until searches see the change: any value but false."""
        return self.args.get("refresh") not in (None, False, "false")

    def refresh_strict(self) -> bool:
        """The same, for actions that take only `wait_for` and `false`.

        Raises:
            RouterError: `api.assert.invalid_type` if not text, `services.storage.invalid_argument`
                for another text.
        """
        value = self.string("refresh", "false")
        if value not in ("wait_for", "false"):
            raise RouterError("services.storage.invalid_argument", "refresh", '"wait_for", "false"')
        return value == "wait_for"

    # -- body ---------------------------------------------------------------------------

    def body_object(self) -> JsonObject:
        """The body as an object.

        Raises:
            RouterError: `api.assert.body_required` if there is none, `api.assert.invalid_type`
                if it is an array.
        """
        if self.body is None:
            raise RouterError("api.assert.body_required")
        if not isinstance(self.body, dict):
            raise RouterError("api.assert.invalid_type", "body", "object")
        return self.body

    def body_string(self, key: str, default: str | None | msgspec.UnsetType = ABSENT) -> str | None:
        """The text `body.<key>`; without a default a missing one is an error."""
        return _string(self.body_object().get(key), f"body.{key}", default)

    def body_name(self, key: str) -> str:
        """The non-empty text `body.<key>`."""
        value = self.body_string(key)
        if not value:
            raise RouterError("api.assert.missing_argument", f"body.{key}")
        return value

    def body_list(self, key: str) -> list[Json]:
        """The array `body.<key>`, which must be there."""
        value = self.body_object().get(key)
        if value is None:
            raise RouterError("api.assert.missing_argument", f"body.{key}")
        if not isinstance(value, list):
            raise RouterError("api.assert.invalid_type", f"body.{key}", "array")
        return value

    def body_field(self, key: str, default: JsonObject | None = None) -> JsonObject:
        """The object `body.<key>`; without a default a missing one is an error."""
        value = self.body_object().get(key)
        if value is None:
            if default is None:
                raise RouterError("api.assert.missing_argument", f"body.{key}")
            return default
        if not isinstance(value, dict):
            raise RouterError("api.assert.invalid_type", f"body.{key}", "object")
        return value


class Stream(msgspec.Struct, frozen=True):
    """A body that is made while it is sent: what reads slowly slows down who makes it.

    Whoever holds it reads `chunks` to the end or calls its `aclose()`, and calls `on_lost` once
    the client is gone, which may be while it waits for the next chunk. What it raises cuts the
    connection, for a head has been sent by then.
    """

    chunks: AsyncGenerator[bytes, None]
    content_type: str
    on_lost: Callable[[], None] = nothing


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler returns when a bare result doesn't say enough.

    `index` and `collection` replace the request's own in the answer; `error` with a result
    makes an answer that carries both (server:healthCheck); `headers` go into the envelope and,
    over HTTP, into the response; `etag` names the state of the document that was read or
    written, for wires that have a place for it; `cookie` is set in the browser, over HTTP. `raw`
    is the media type of a result that is sent as it is, without the envelope: text, or JSON.
    written, for wires that have a place for it. A `stream` takes the place of the envelope; only
    HTTP can send one.
    """

    result: Json | msgspec.UnsetType = None
    status: int = 200
    index: str | None = None
    collection: str | None = None
    headers: Mapping[str, str] = _NO_HEADERS
    etag: str = ""
    cookie: str = ""
    error: RouterError | None = None
    raw: str = ""
    stream: Stream | None = None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one request, ready for any wire. `error` is null or the error object."""

    request_id: str
    status: int
    error: JsonObject | None = None
    result: Json | msgspec.UnsetType = None
    controller: str | None = None
    action: str | None = None
    index: str | None = None
    collection: str | None = None
    volatile: JsonObject | None = None
    headers: Mapping[str, str] = _NO_HEADERS
    etag: str = ""
    raw: str = ""
    cookie: str = ""
    stream: Stream | None = None


def refusal(error: RouterError, *, request_id: str | None = None) -> Response:
    """The answer to a frame that never became a request."""
    return Response(
        request_id=request_id or str(uuid.uuid4()),
        status=error.status,
        error=error.to_json(),
        headers=error.headers,
    )


def _string(value: Json, name: str, default: str | None | msgspec.UnsetType) -> str | None:
    if value is None:
        if default is ABSENT:
            raise RouterError("api.assert.missing_argument", name)
        return default
    if not isinstance(value, str):
        raise RouterError("api.assert.invalid_type", name, "string")
    return value


def _integer(value: Json, name: str) -> int:
    number = value
    if isinstance(number, str):
        try:
            number = float(number)
        except ValueError:
            number = None
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or abs(number) > MAX_SAFE_INTEGER:
        raise RouterError("api.assert.invalid_type", name, "integer")
    return number
