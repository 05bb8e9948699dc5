"""One call of an API action in process, and the controllers made of such calls."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypedDict, TypeVar, cast

import msgspec

from protocols.codec.frame import BadFrameError, request_of
from router.envelope import APPLICATION, Connection, Json, JsonObject, Request, Response, User
from router.errors import RouterError
from trivium.errors import AnsweredError

if TYPE_CHECKING:
    from router.dispatch import Router

T = TypeVar("T")

Content: TypeAlias = Mapping[str, object]
"""A JSON object as applications write it down, without declaring every level of it."""


class Options(TypedDict, total=False):
    """What every call takes beside its own arguments.

    `trigger_events` lets pipes and hooks hear the call (by default they don't, so that a
    pipe may write without calling itself).
    """

    trigger_events: bool


class WriteOptions(Options, total=False):
    """What calls that write take; the API's own names, `retryOnConflict` among them."""

    refresh: str
    retryOnConflict: int
    source: bool


class Caller(Protocol):
    """Runs actions; what `Actions` stand on."""

    async def call(self, request: JsonObject, *, trigger_events: bool = False) -> Response:
        """The answer to a request. Raises: RouterError, if it carries an error."""


class Actions:
    """The actions of one controller.

    Any action can be called by its name: `await actions.hello(name="Ada", body={…})`;
    arguments by keyword, `trigger_events=True` as in `Options`.
    """

    def __init__(self, caller: Caller, controller: str) -> None:
        self._caller = caller
        self._controller = controller

    def __getattr__(self, action: str) -> ActionCall:
        if action.startswith("_"):
            raise AttributeError(action)
        return ActionCall(self._caller, self._controller, action)

    async def _run(
        self, action: str, args: JsonObject, options: Options, body: Content | None = None
    ) -> Json:
        rest: JsonObject = {**options}  # type: ignore[dict-item]  # its values are Json
        trigger_events = bool(rest.pop("trigger_events", False))
        named: JsonObject = {"controller": self._controller, "action": action}
        if body is not None:
            named["body"] = as_json(body)
        response = await self._caller.call({**rest, **args, **named}, trigger_events=trigger_events)
        return result_of(response)


class ActionCall:
    """One action that is only known by its name."""

    def __init__(self, caller: Caller, controller: str, action: str) -> None:
        self._caller = caller
        self._name: JsonObject = {"controller": controller, "action": action}

    async def __call__(
        self, *, body: Json = None, trigger_events: bool = False, **args: Json
    ) -> Json:
        """The action's result. Raises: RouterError, as any client would get it."""
        request = {**args, "body": body, **self._name}
        return result_of(await self._caller.call(request, trigger_events=trigger_events))


class InProcess:
    """Runs actions on the router of this process, without admission.

    Args:
        user: In whose name, and with whose rights; None: the application's own, unchecked.
        connection: The id of a connection that listens; None for one of its own.
    """

    def __init__(
        self, router: Router, user: User | None = None, connection: str | None = None
    ) -> None:
        self._router = router
        self._user = user
        # One connection: what one caller writes on one document keeps its order.
        self._connection = Connection(connection or f"sdk-{uuid.uuid4()}", "internal")

    async def call(self, request: JsonObject, *, trigger_events: bool = False) -> Response:
        """The answer to a request. Raises: RouterError, if it carries an error."""
        response = await self._router.call(
            self._request(request), events=trigger_events, rights=self._user is not None
        )
        if response.error is not None:
            raise AnsweredError(response.error)
        return response

    def _request(self, request: JsonObject) -> Request:
        given: JsonObject = {key: value for key, value in request.items() if value is not None}
        try:
            made = request_of(given, self._connection)
        except BadFrameError as error:
            raise RouterError("api.assert.invalid_argument", "request", error.reason) from None
        return made.replace(user=self._user or APPLICATION)


def result_of(response: Response) -> Json:
    """The result of an answer, null when it carries none."""
    return None if isinstance(response.result, msgspec.UnsetType) else response.result


def as_json(content: Content) -> JsonObject:
    """The content as the router takes it. That it is JSON is for the author to see to."""
    return cast("JsonObject", dict(content))


def expect(kind: type[T], result: Json) -> T:
    """The result as what its action promises; TypeError when a pipe made it something else."""
    if not isinstance(result, kind):
        raise TypeError(f"expected a result of type {kind.__name__}, got {result!r}")
    return result
