"""One way through the router for every request: find, identify, allow, pipes, act, answer."""

from __future__ import annotations

import time
from typing import Final, Protocol

import msgspec
import structlog

from router.actions import Action, ActionTable
from router.admission import Admission
from router.envelope import Json, Reply, Request, Response
from router.errors import RouterError
from router.events import Events, Exchange
from router.order import Order
from router.ports import Authority

_log: Final = structlog.get_logger("trivium.router")


class Meter(Protocol):
    """Counts answered requests."""

    def answered(self, request: Request, status: int, seconds: float) -> None:
        """Called once for each answer."""


class Router:
    """Answers requests from an action table.

    The order of DESIGN 2: admission, the user, rights, the before pipes, the action, the
    after pipes, the answer.
    """

    def __init__(
        self,
        table: ActionTable,
        *,
        events: Events,
        authority: Authority,
        admission: Admission,
        meter: Meter,
    ) -> None:
        self.table = table
        self.events = events
        self.admission = admission
        self._authority = authority
        self._meter = meter
        self._order = Order()
        self._event_names: dict[tuple[str, str, str], str] = {}

    async def dispatch(self, request: Request) -> Response:
        """The answer to a request that came in from outside; raises nothing but cancellation."""
        started = time.perf_counter()
        try:
            action = self._find(request)
            request = self._take_turn(action, request)
            place = self.admission.enter()
            if place is not None:
                await self.admission.wait(place)
        except RouterError as error:
            response = failed(request, error)
        else:
            try:
                response = await self._answer(action, request)
            finally:
                self.admission.leave()
        finally:
            _leave_turn(request)
        self._meter.answered(request, response.status, time.perf_counter() - started)
        return response

    async def call(
        self, request: Request, *, events: bool = False, rights: bool = False
    ) -> Response:
        """The answer to a request of the application itself: no admission, by default no
        events and no rights."""
        try:
            action = self._find(request)
        except RouterError as error:
            return failed(request, error)
        request = self._take_turn(action, request.replace(trigger_events=events))
        try:
            return await self._answer(action, request, events=events, rights=rights)
        finally:
            _leave_turn(request)

    def _find(self, request: Request) -> Action:
        if not request.controller:
            raise RouterError("api.assert.missing_argument", "controller")
        if not request.action:
            raise RouterError("api.assert.missing_argument", "action")
        return self.table.find(request.controller, request.action)

    def _take_turn(self, action: Action, request: Request) -> Request:
        # Before the first await, so that the order is that of arrival.
        key = None if action.order_key is None else action.order_key(request)
        if key is None:
            return request
        return request.replace(turn=self._order.take((request.connection.id, key)))

    async def _answer(
        self, action: Action, request: Request, *, events: bool = True, rights: bool = True
    ) -> Response:
        try:
            if rights:
                request = await self._admit(action, request)
        except RouterError as error:
            return failed(request, error)
        except Exception as error:  # noqa: BLE001 - the boundary: no fault may silence the wire
            return failed(request, self._unexpected(request, error))
        try:
            if events:
                request = await self._before(request)
            outcome = await action.handler(request)
            reply = outcome if isinstance(outcome, Reply) else Reply(result=outcome)
            return await self._after(request, reply) if events else succeeded(request, reply)
        except RouterError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - the boundary: application code
            failure = self._unexpected(request, error)
        return await self._failed(request, failure) if events else failed(request, failure)

    async def _admit(self, action: Action, request: Request) -> Request:
        user = await self._authority.identify(request)
        if user is not request.user:
            request = request.replace(user=user)
        if not self._authority.allows(user, action, request):
            anonymous = user.id == "-1"
            names = (request.controller, request.action)
            if anonymous:
                raise RouterError("security.rights.unauthorized", *names)
            raise RouterError("security.rights.forbidden", *names, user.id)
        return request

    async def _before(self, request: Request) -> Request:
        event = self._event(request, "before")
        if not self.events.heard(event):
            return request
        return _exchange(event, await self.events.trigger(event, Exchange(request))).request

    async def _after(self, request: Request, reply: Reply) -> Response:
        event = self._event(request, "after")
        if self.events.heard(event):
            result: Json = None if isinstance(reply.result, msgspec.UnsetType) else reply.result
            payload = await self.events.trigger(event, Exchange(request, result, reply.error))
            reply = msgspec.structs.replace(reply, result=_exchange(event, payload).result)
        return succeeded(request, reply)

    async def _failed(self, request: Request, failure: RouterError) -> Response:
        event = self._event(request, "error")
        if not self.events.heard(event):
            return failed(request, failure)
        try:
            payload = await self.events.trigger(event, Exchange(request, None, failure))
            exchange = _exchange(event, payload)
        except RouterError as error:
            return failed(request, error)
        if exchange.error is None:
            return succeeded(request, Reply(result=exchange.result))
        return failed(request, exchange.error)

    def _event(self, request: Request, stage: str) -> str:
        key = (request.controller, request.action, stage)
        name = self._event_names.get(key)
        if name is None:
            action = request.action[:1].upper() + request.action[1:]
            name = self._event_names[key] = f"{request.controller}:{stage}{action}"
        return name

    def _unexpected(self, request: Request, error: Exception) -> RouterError:
        _log.error(
            "action failed unexpectedly",
            request_id=request.request_id,
            controller=request.controller,
            action=request.action,
            exc_info=error,
        )
        return RouterError("plugin.runtime.unexpected_error", str(error) or repr(error))


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
    )


def _leave_turn(request: Request) -> None:
    if request.turn is not None:
        request.turn.leave()


def _exchange(event: str, payload: object) -> Exchange:
    if not isinstance(payload, Exchange):
        raise RouterError(
            "plugin.runtime.unexpected_error", f"a pipe on {event} did not return its payload"
        )
    return payload
