"""A router with users: an administrator, one with the default profile, and restricted rights."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from access.securities import Securities
from access.users import NewUser
from router.envelope import JsonObject
from router.settings import Settings, load
from storage.contract import Author
from storage.memory import MemoryStorage
from trivium import App
from trivium.assembly import Core
from trivium.server import Server, running

ROOT = {"username": "root", "password": "root's long password"}
ADA = {"username": "ada", "password": "ada's long password"}


def settings(**flags: object) -> Settings:
    """Settings with free ports."""
    return load(None, {}, {"server.port": 0, "mqtt.port": 0, **flags})


async def add_user(core: Core, id: str, login: dict[str, str], *profiles: str) -> None:
    """A user who can log in."""
    content: JsonObject = {"profileIds": list(profiles)}
    await core.register.users.create(NewUser(id, content, {"local": {**login}}, Author()))


@contextlib.asynccontextmanager
async def peopled(app: App | None = None, **flags: object) -> AsyncIterator[Server]:
    """A router in memory that root administers, and that ada may log in to."""
    async with running(app or App(), settings(**flags), MemoryStorage()) as server:
        await add_user(server.core, "root-id", ROOT, "admin")
        await add_user(server.core, "ada-id", ADA, "default")
        await Securities(server.core.register).restrict(Author())
        yield server


def login(who: dict[str, str], **more: Any) -> dict[str, Any]:
    """The request that logs somebody in."""
    return {"controller": "auth", "action": "login", "strategy": "local", "body": who, **more}
