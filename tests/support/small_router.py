"""A real router over a handful of actions, for tests of the wires."""

from __future__ import annotations

import asyncio

from router.actions import Action, ActionTable, Route
from router.admission import Admission
from router.dispatch import Router
from router.envelope import ANONYMOUS, Json, Reply, Request, User
from router.errors import RouterError
from router.events import Events
from router.places import nowhere
from storage.memory import MemoryStorage


class OpenAuthority:
    """Everybody is the anonymous user, who may do everything; a token is refused."""

    async def identify(self, request: Request) -> User:
        if request.jwt is not None:
            raise RouterError("security.token.invalid")
        return ANONYMOUS

    async def assume(self, user: User) -> User:
        return user

    def allows(self, user: User, action: Action, request: Request) -> bool:
        return True


class CountingMeter:
    """Remembers the status of each answer."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.at_work = 0

    def begun(self, wire: str) -> None:
        self.at_work += 1

    def ended(self, wire: str) -> None:
        self.at_work -= 1

    def answered(self, request: Request, status: int, seconds: float) -> None:
        self.statuses.append(status)


class CountingObserver:
    """Remembers what the wires told."""

    def __init__(self) -> None:
        self.open = 0
        self.opened_in_all = 0
        self.reasons: list[str] = []

    def opened(self, wire: str) -> None:
        self.open += 1
        self.opened_in_all += 1

    def closed(self, wire: str) -> None:
        self.open -= 1

    def refused(self, wire: str, reason: str) -> None:
        self.reasons.append(reason)


class Gate:
    """The action `test:hold` waits here until the test opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def hold(self, request: Request) -> Json:
        self.reached.set()
        await self.opened.wait()
        return {"held": True}


async def _now(request: Request) -> Json:
    return {"now": request.timestamp}


async def _echo(request: Request) -> Json:
    return {"args": request.args, "body": request.body, "connection": request.connection.wire}


async def _who(request: Request) -> Json:
    return {"address": request.connection.address, "certified": request.connection.certified}


async def _large(request: Request) -> Json:
    return {"text": "x" * request.integer("size", 100_000)}


async def _with_headers(request: Request) -> Reply:
    return Reply(
        result={},
        status=201,
        headers={"x-made-by": "test", "content-length": "1", "x-split": "a\r\nEvil: 1"},
    )


async def _fault(request: Request) -> Json:
    raise ZeroDivisionError("made for the test")


def small_table(gate: Gate | None = None) -> ActionTable:
    """server:now and info, document:get, search and exists, and what tests need besides."""
    get, post = "GET", "POST"
    actions = [
        _action("server", "info", _echo, Route(get, "/")),
        _action("server", "now", _now, Route(get, "/_now")),
        _action("document", "get", _echo, Route(get, "/:index/:collection/:_id")),
        _action("collection", "exists", _echo, Route(get, "/:index/:collection/_exists")),
        _action("collection", "list", _echo, Route(get, "/:index/_list")),
        _action("security", "getUser", _echo, Route(get, "/users/:_id")),
        _action(
            "document",
            "search",
            _echo,
            Route(get, "/:index/:collection/_search"),
            Route(post, "/:index/:collection/_search"),
        ),
        _action(
            "device-manager/asset",
            "update",
            _echo,
            Route("PUT", "/_/device-manager/:index/assets/:_id"),
        ),
        _action("test", "echo", _echo, Route(post, "/_/test/echo")),
        _action("test", "who", _who, Route(get, "/_/test/who")),
        _action("test", "large", _large, Route(get, "/_/test/large")),
        _action("test", "headers", _with_headers, Route(get, "/_/test/headers")),
        _action("test", "fault", _fault, Route(get, "/_/test/fault")),
    ]
    if gate is not None:
        actions.append(_action("test", "hold", gate.hold, Route(get, "/_/test/hold")))
    return ActionTable(actions)


def small_router(
    table: ActionTable,
    *,
    at_work: int = 100,
    waiting: int = 100,
    meter: CountingMeter | None = None,
) -> Router:
    """The router that the program runs, without its controllers."""
    return Router(
        table,
        events=Events(),
        authority=OpenAuthority(),
        admission=Admission(at_work=at_work, waiting=waiting),
        meter=meter or CountingMeter(),
        memory=MemoryStorage(),
    )


def _action(controller: str, name: str, handler: object, *routes: Route) -> Action:
    return Action(
        controller=controller,
        name=name,
        handler=handler,
        places=nowhere,
        summary="For tests.",
        routes=routes,
    )
