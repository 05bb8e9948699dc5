"""A router in process, and short ways to ask it for users and rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.envelope import Connection, Request, Response, User
from tests.support.inprocess import InProcess, in_process


@pytest.fixture
async def router() -> AsyncIterator[InProcess]:
    """A router over stores in memory."""
    async with in_process() as made:
        yield made


async def as_user(
    router: InProcess, kuid: str, name: str, body: Any = None, **args: Any
) -> Response:
    """The answer that a user who is logged in gets."""
    controller, _, action = name.rpartition(":")
    request = Request(
        controller=controller,
        action=action,
        connection=Connection("c1", "websocket"),
        args=args,
        body=body,
        user=User(kuid),
    )
    return await router.router.call(request)


def role(**controllers: str) -> Any:
    """A role that allows these actions, as text, of these controllers."""
    return {
        "controllers": {
            name: {"actions": dict.fromkeys(actions.split(), True)}
            for name, actions in controllers.items()
        }
    }


def user(*profiles: str, name: str = "", password: str = "secret", **content: Any) -> Any:
    """The body that creates a user."""
    body: Any = {"content": {"profileIds": [*profiles], **content}}
    if name:
        body["credentials"] = {"local": {"username": name, "password": password}}
    return body
