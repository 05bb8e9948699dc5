"""One way through the router for every request: find, identify, allow, pipes, act, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final, Protocol

import msgspec
import structlog

from router.actions import Action, ActionTable
from router.admission import Admission
from router.document_events import Documents
from router.envelope import ANONYMOUS, Json, Reply, Request, Response, User, Wire
from router.errors import RouterError, TooSoonError
from router.events import Events, Exchange, is_cancelled
from router.guards import condition
from router.once import Memory, once
from router.order import Order, Turn
from router.places import nowhere
from router.ports import Auditor, Authority, Unaudited
from router.rates import Rates, payer
from router.repeats import Repeats

CURRENT: Final[ContextVar[str]] = ContextVar("trivium_request_id")
"""Id of the request that is being answered, for the lines that are logged meanwhile."""

# Whether a call of the application is being answered whose pipes may call again.
_WITHIN_CALL: Final[ContextVar[bool]] = ContextVar("trivium_within_call", default=False)

_LOGIN: Final = ("auth", "login")
_LOGOUT: Final = ("auth", "logout")

_log: Final = structlog.get_logger("trivium.router")


def _nothing() -> None:
    """There is nothing to wait for."""


class Meter(Protocol):
    """Counts answered requests."""

    def begun(self, wire: Wire) -> None:
        """Called when a request comes in."""

    def ended(self, wire: Wire) -> None:
        """Called once when it is over, whether it is answered or was given up."""

    def answered(self, request: Request, status: int, seconds: float) -> None:
        """Called once for each answer."""


class Router:
    """Answers requests from an action table.

    In this order: a turn, admission, the user, its rate, rights, the before pipes, the action,
    the after pipes, the answer.

    Args:
        pending: What has to be done before an action that ended counts as done; None if nothing.

    Attributes:
        rates: What each user has asked for within this second.
    """

    def __init__(  # noqa: PLR0913 - one for each port
        self,
        table: ActionTable,
        *,
        events: Events,
        authority: Authority,
        admission: Admission,
        meter: Meter,
        memory: Memory,
        auditor: Auditor | None = None,
        pending: Callable[[], Awaitable[object] | None] = _nothing,
    ) -> None:
        self.table = table
        self.events = events
        self.admission = admission
        self._authority = authority
        self._meter = meter
        self._auditor = Unaudited() if auditor is None else auditor
        self._pending = pending
        self._order = Order()
        self._repeats = Repeats(memory)
        self.rates = Rates()

    async def dispatch(self, request: Request) -> Response:
        """The answer to a request that came in from outside; raises nothing but cancellation."""
        started, wire = time.perf_counter(), request.connection.wire
        self._meter.begun(wire)
        token = CURRENT.set(request.request_id)
        turn: Turn | None = None
        action: Action | None = None
        try:
            action = self._find(request)
            if action is not None and action.order_key is not None:
                turn = self._turn(action, request)
                request = request.replace(turn=turn)
            place = self.admission.enter()
            if place is not None:
                await self.admission.wait(place)
            try:
                if place is not None and request.connection.is_gone():
                    raise RouterError("api.process.connection_dropped")
                user = await self._authority.identify(request)
                if user is not request.user:
                    request = request.replace(user=user)
                action = self._permitted(action, request)
                response = await self._perform(action, guarded(action, request))
            finally:
                self.admission.leave()
        except RouterError as error:
            response = failed(request, error)
        except Exception as error:  # noqa: BLE001 - the boundary: no fault may silence the wire
            response = failed(request, _unexpected(request, error))
        finally:
            self._meter.ended(wire)
            if turn is not None:
                turn.end()
            CURRENT.reset(token)
        self._auditor.answered(action, request, response)
        self._meter.answered(request, response.status, time.perf_counter() - started)
        return response

    async def call(
        self, request: Request, *, events: bool = False, rights: bool = False
    ) -> Response:
        """The answer to a request of the application itself, in the name of `request.user`.

        No admission; by default no events and no rights. A call made by a pipe of another
        call has no turn: that other one may hold the turn and would wait for it for ever.
        """
        within = _WITHIN_CALL.get()
        token = _WITHIN_CALL.set(within or events)
        turn: Turn | None = None
        action: Action | None = None
        try:
            action = self._find(request) or self.table.find(request.controller, request.action)
            turn = None if within else self._turn(action, request)
            request = request.replace(trigger_events=events, turn=turn)
            if rights:
                user = await self._authority.assume(request.user)
                request = request.replace(user=user)
                self._allow(user, action, request)
            self._auditor.check(action)
            response = await self._perform(action, guarded(action, request), events=events)
        except RouterError as error:
            response = failed(request, error)
        except Exception as error:  # noqa: BLE001 - the boundary: a call is always answered
            response = failed(request, _unexpected(request, error))
        finally:
            if turn is not None:
                turn.end()
            _WITHIN_CALL.reset(token)
        self._auditor.answered(action, request, response)
        return response

    def _find(self, request: Request) -> Action | None:
        if not request.controller:
            raise RouterError("api.assert.missing_argument", "controller")
        if not request.action:
            raise RouterError("api.assert.missing_argument", "action")
        return self.table.get(request.controller, request.action)

    def _permitted(self, action: Action | None, request: Request) -> Action:
        user = request.user
        if user.rate_limit:
            self._spend(user, request)
        if action is None:
            raise self._missing(user, request)
        self._allow(user, action, request)
        self._auditor.check(action)
        return action

    def _missing(self, user: User, request: Request) -> RouterError:
        # Who might not run the action doesn't learn that there is none.
        names = (request.controller, request.action)
        missing = Action(
            controller=names[0], name=names[1], handler=_run_nothing, places=nowhere, summary=""
        )
        try:
            self._allow(user, missing, request)
            self.table.find(*names)
        except RouterError as error:
            return error
        raise AssertionError(f"the action {names} is there")

    def _turn(self, action: Action, request: Request) -> Turn | None:
        # Before the first await, so that the order is that of arrival.
        key = None if action.order_key is None else action.order_key(request)
        return None if key is None else self._order.take((request.connection.id, key))

    def _spend(self, user: User, request: Request) -> None:
        is_anonymous = user.id == ANONYMOUS.id
        name = (request.controller, request.action)
        # Logging in has limits of its own, and nobody shall be kept from logging out.
        if name == _LOGIN or (name == _LOGOUT and not is_anonymous):
            return
        key = payer(user.id, request.connection.address)
        if not self.rates.spend(key, user.rate_limit):
            raise TooSoonError("api.process.too_many_requests", retry_after_s=1)

    def _allow(self, user: User, action: Action, request: Request) -> None:
        if self._authority.allows(user, action, request):
            return
        names = (action.controller, action.name)
        if user.id == ANONYMOUS.id:
            raise RouterError("security.rights.unauthorized", *names, user.id)
        raise RouterError("security.rights.forbidden", *names, user.id)

    def _discreet(self, action: Action, request: Request, error: RouterError) -> RouterError:
        """A conflict tells the document as it is now to those alone who may get it."""
        if error.id != "services.storage.version_conflict":
            return error
        controller = action.controller
        get = self.table.find(controller, "get") if self.table.has(controller, "get") else action
        if self._authority.allows(request.user, get, request):
            return error
        return RouterError(error.id, *error.props[:-1], None).with_status(error.status)

    async def _perform(self, action: Action, request: Request, *, events: bool = True) -> Response:
        if "idempotencyKey" not in request.args:
            if not (request.delivery and action.is_guarded):
                return await self._act(action, request, events=events)
            request = request.replace(args={**request.args, "idempotencyKey": request.delivery})

        async def act(keyed: Request) -> Response:
            return await self._act(action, keyed, events=events)

        keep = not self.events.is_silent
        return await self._repeats.answer(request, once(action, request), act, keep=keep)

    async def _act(self, action: Action, request: Request, *, events: bool = True) -> Response:
        heard, events = self.events.heard, events and not self.events.is_silent
        try:
            if events and not _is_behind(request):
                request = await self._before(action, request)
            outcome = await action.handler(request)
            reply = outcome if isinstance(outcome, Reply) else Reply(result=outcome)
            if (pending := self._pending()) is not None:
                # What it left for clients that are away is as durable as what it wrote.
                await asyncio.wait({asyncio.ensure_future(pending)})
            if reply.stream is not None and request.connection.wire != "http":
                await reply.stream.chunks.aclose()
                raise RouterError("api.assert.forbidden_stream")
            if events:
                reply = await self._after(action, request, reply)
            return succeeded(request, reply)
        except RouterError as error:
            failure = self._discreet(action, request, error)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            failure = RouterError("plugin.runtime.unexpected_error", "a part of it was cancelled")
        except Exception as error:  # noqa: BLE001 - the boundary: application code
            failure = _unexpected(request, error)
        if events and heard(action.error_event):
            return await self._failed(action, request, failure)
        return failed(request, failure)

    async def _before(self, action: Action, request: Request) -> Request:
        generic, heard = action.documents, self.events.heard
        if generic is not None and generic.before is not None and heard(generic.before_event):
            take, put = generic.before
            found = await self._documents(generic.before_event, take(request), request)
            request = put(request, found)
        if not heard(action.before_event):
            return request
        return (await self._trigger(action.before_event, Exchange(request))).request

    async def _after(self, action: Action, request: Request, reply: Reply) -> Reply:
        generic, heard = action.documents, self.events.heard
        result: Json = None if isinstance(reply.result, msgspec.UnsetType) else reply.result
        if heard(action.after_event):
            exchange = Exchange(request, result, reply.error)
            result = (await self._trigger(action.after_event, exchange)).result
            reply = msgspec.structs.replace(reply, result=result)
        if generic is not None and heard(generic.after_event):
            take, put = generic.after
            found = await self._documents(generic.after_event, take(result), request)
            reply = msgspec.structs.replace(reply, result=put(result, found))
        return reply

    async def _documents(self, event: str, documents: Documents, request: Request) -> Documents:
        payload = await self.events.trigger(event, documents, request)
        if not isinstance(payload, list):
            raise _other_payload(event)
        return payload

    async def _failed(self, action: Action, request: Request, failure: RouterError) -> Response:
        exchange = await self._trigger(action.error_event, Exchange(request, None, failure))
        if exchange.error is None:
            return succeeded(request, Reply(result=exchange.result))
        return failed(request, exchange.error)

    async def _trigger(self, event: str, exchange: Exchange) -> Exchange:
        payload = await self.events.trigger(event, exchange)
        if not isinstance(payload, Exchange):
            raise _other_payload(event)
        return payload


def guarded(action: Action, request: Request) -> Request:
    """The request with its guards read.

    Raises:
        RouterError: `api.process.if_version_unsupported`; as `router.guards.condition`.
    """
    if request.if_match is None and "ifVersion" not in request.args:
        return request
    if not action.is_guarded:
        raise RouterError("api.process.if_version_unsupported", action.controller, action.name)
    return request.replace(condition=condition(request))


def _other_payload(event: str) -> RouterError:
    reason = f"a pipe on {event} returned another payload"
    return RouterError("plugin.runtime.unexpected_error", reason)


def _is_behind(request: Request) -> bool:
    """Whether a repeat goes on behind a write that was done before."""
    return request.once is not None and request.once.is_repeat


async def _run_nothing(_: Request) -> Json:
    raise AssertionError("an action that does not exist was run")


def succeeded(request: Request, reply: Reply) -> Response:
    """The answer that carries a result."""
    return Response(
        request_id=request.request_id,
        status=reply.status,
        error=None if reply.error is None else reply.error.to_json(),
        result=reply.result,
        controller=request.controller,
        action=request.action,
        index=reply.index or request.index,
        collection=reply.collection or request.collection,
        volatile=request.volatile,
        headers=reply.headers,
        etag=reply.etag,
        raw=reply.raw,
        cookie=reply.cookie,
        stream=reply.stream,
    )


def failed(request: Request, error: RouterError) -> Response:
    """The answer that carries an error."""
    return Response(
        request_id=request.request_id,
        status=error.status,
        error=error.to_json(),
        controller=request.controller or None,
        action=request.action or None,
        index=request.index,
        collection=request.collection,
        volatile=request.volatile,
        headers=error.headers,
    )


def _unexpected(request: Request, error: Exception) -> RouterError:
    _log.error(
        "action failed unexpectedly",
        request_id=request.request_id,
        controller=request.controller,
        action=request.action,
        exc_info=error,
    )
    return RouterError("plugin.runtime.unexpected_error", str(error) or repr(error))
