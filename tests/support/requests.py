"""Requests and small action tables for tests of the core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from router.actions import Action
from router.envelope import Connection, Request
from router.errors import RouterError
from router.places import nowhere


def connection(wire: Any = "websocket", id: str = "c1") -> Connection:
    """A client's connection."""
    return Connection(id=id, wire=wire)


def request(
    name: str = "test:run", *, wire: Any = "websocket", body: Any = None, **args: Any
) -> Request:
    """A request for the action `controller:action` with these arguments."""
    controller, _, action = name.partition(":")
    return Request(
        controller=controller, action=action, connection=connection(wire), args=args, body=body
    )


def action(name: str, handler: Any, **rest: Any) -> Action:
    """An action of that name."""
    controller, _, action = name.partition(":")
    named = {"controller": controller, "name": action, "handler": handler, "places": nowhere}
    return Action(**{**named, "summary": "For tests.", **rest})


def refused(reader: Callable[[], object]) -> tuple[str, list[Any]]:
    """Id and values of the error that a call raises; a call that returns fails the test."""
    try:
        value = reader()
    except RouterError as error:
        return error.id, error.props
    raise AssertionError(f"not refused, but {value!r}")


async def until(condition: Callable[[], bool], *, turns: int = 1000) -> None:
    """Let other tasks run until the condition holds; give up after so many turns of the loop."""
    for _ in range(turns):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition did not come true")
