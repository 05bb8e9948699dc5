"""The `server` controller: what this router is, offers and does at the moment."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from realtime.rooms import Rooms
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Reply, Request
from router.errors import RouterError
from storage.contract import Storage

_SERVICES: Final = ("internalCache", "memoryStorage", "storageEngine")


class Load(Protocol):
    """What is at work right now."""

    def requests_running(self) -> int:
        """Requests at work."""

    def requests_waiting(self) -> int:
        """Requests that wait for a place."""

    def connections(self) -> Mapping[str, int]:
        """Open connections by wire (`http`, `websocket`, `mqtt`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Answers for the router as a whole.

    Attributes:
        api: Gives the public API of the complete table; called per request, since the
            application adds controllers after this one.
        has_admin: Whether somebody is an administrator.
        node: The id of this node.
    """

    storage: Storage
    load: Load
    rooms: Rooms
    api: Callable[[], JsonObject]
    has_admin: Callable[[], Awaitable[bool]]
    node: str
    version: str
    started: float = field(default_factory=time.monotonic)

    async def now(self, _: Request) -> Json:
        """The time."""
        return {"now": time.time_ns() // 1_000_000}

    async def admin_exists(self, _: Request) -> Json:
        """Whether somebody is an administrator."""
        return {"exists": await self.has_admin()}

    async def public_api(self, _: Request) -> Json:
        """Every action and its HTTP routes."""
        return self.api()

    async def metrics(self, _: Request) -> Json:
        """What is at work on this node."""
        connections: JsonObject = {
            "http/1.1" if wire == "http" else wire: count
            for wire, count in self.load.connections().items()
            if count
        }
        return {
            "api": {
                "concurrentRequests": self.load.requests_running(),
                "pendingRequests": self.load.requests_waiting(),
            },
            "network": {"connections": connections},
            "realtime": {"rooms": len(self.rooms), "subscriptions": self.rooms.subscriptions},
        }

    async def health_check(self, request: Request) -> Json | Reply:
        """The state of the services; with one in red the answer is a 500 that has a result too."""
        asked = _names(request.args.get("services")) or _SERVICES
        state = await self._storage_state()
        services: JsonObject = {
            name: state if name == "storageEngine" else "green"
            for name in _SERVICES
            if name in asked
        }
        status = "red" if "red" in services.values() else "green"
        result: JsonObject = {"status": status, "services": services}
        if status == "green":
            return result
        failure = RouterError("core.fatal.service_unavailable", "storageEngine")
        return Reply(result=result, status=failure.status, error=failure)

    async def _storage_state(self) -> str:
        indexes = self.storage.indexes()
        try:
            if indexes:
                for collection in self.storage.collections(indexes[0])[:1]:
                    await self.storage.mget(indexes[0], collection, ["health-check"])
        except RouterError as error:
            return "red" if error.status >= 500 else "green"
        return "green"

    async def describe(self, _: Request) -> Json:
        """What runs here, in the peer's shape; SDKs find the routes in it."""
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        total, free = _memory()
        uptime = time.monotonic() - self.started
        kuzzle: JsonObject = {
            "api": {"routes": self.api()},
            "application": {"name": "trivium", "version": self.version},
            "memoryUsed": used if sys.platform == "darwin" else used * 1024,
            "node": self.node,
            "nodeVersion": f"python {platform.python_version()}",
            "plugins": {"device-manager": {"version": self.version}},
            "system": {
                "cpus": [{"model": platform.machine()}] * (os.cpu_count() or 1),
                "memory": {"free": free, "total": total},
            },
            "uptime": f"{uptime:.1f}s",
            "version": self.version,
        }
        services: JsonObject = {
            "internalCache": {"type": "embedded"},
            "internalStorage": {"type": type(self.storage).__name__},
            "memoryStorage": {"type": "embedded"},
            "publicStorage": {"type": type(self.storage).__name__},
        }
        return {"serverInfo": {"kuzzle": kuzzle, "services": services}}

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (*self._describing(), *self._measuring())

    def _describing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="server",
                name="adminExists",
                handler=self.admin_exists,
                places=places.nowhere,
                summary="Whether an administrator exists.",
                routes=(Route("GET", "/_adminExists"),),
                result="`{exists: boolean}`",
            ),
            Action(
                controller="server",
                name="healthCheck",
                handler=self.health_check,
                places=places.nowhere,
                summary="The state of the services this router lives on.",
                routes=(Route("GET", "/_healthCheck"),),
                arguments=(
                    Argument("services", "array", f"Only these of {', '.join(_SERVICES)}."),
                ),
                result='`{status: "green" | "red", services: {<name>: "green" | "red"}}`',
                errors=("core.fatal.service_unavailable",),
            ),
            Action(
                controller="server",
                name="info",
                handler=self.describe,
                places=places.nowhere,
                summary="What runs here: version, routes, memory, services.",
                routes=(Route("GET", "/"), Route("GET", "/_serverInfo")),
                result="`{serverInfo: {kuzzle: {api, version, uptime, …}, services}}`",
            ),
        )

    def _measuring(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="server",
                name="metrics",
                handler=self.metrics,
                places=places.nowhere,
                summary="Requests and connections at work on this node.",
                routes=(Route("GET", "/_metrics"),),
                result="`{api: {concurrentRequests, pendingRequests}, network: {connections}, "
                "realtime: {rooms, subscriptions}}`",
            ),
            Action(
                controller="server",
                name="now",
                handler=self.now,
                places=places.nowhere,
                summary="The time, in milliseconds since 1970.",
                routes=(Route("GET", "/_now"),),
                result="`{now: integer}`",
            ),
            Action(
                controller="server",
                name="publicApi",
                handler=self.public_api,
                places=places.nowhere,
                summary="Every action with its HTTP routes; SDKs choose their URLs by it.",
                routes=(Route("GET", "/_publicApi"),),
                result="`{<controller>: {<action>: {controller, action, http?}}}`",
            ),
        )


def _names(value: Json) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    if isinstance(value, list):
        return tuple(name for name in value if isinstance(name, str))
    return ()


def _memory() -> tuple[int, int]:
    page = os.sysconf("SC_PAGE_SIZE")
    total = page * os.sysconf("SC_PHYS_PAGES")
    if "SC_AVPHYS_PAGES" not in os.sysconf_names:  # pragma: no cover - macOS doesn't say
        return total, 0
    return total, page * os.sysconf("SC_AVPHYS_PAGES")
