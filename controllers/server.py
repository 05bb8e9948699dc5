"""The `server` controller: what this router is, offers and does at the moment."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Reply, Request
from router.errors import RouterError
from router.settings import Settings
from storage.contract import Storage

_SERVICES: Final = ("internalCache", "memoryStorage", "storageEngine")

_UNTOLD: Final = {"access", "logins"}
"""Tables of the settings that are for the operator alone; the peer leaves out its `security`."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Answers for the router as a whole.

    Attributes:
        api: Gives the public API of the complete table; called per request, since the
            application adds controllers after this one.
        has_admin: Whether somebody is an administrator.
        node: The id of this node.
    """

    storage: Storage
    settings: Settings
    api: Callable[[], JsonObject]
    has_admin: Callable[[], Awaitable[bool]]
    node: str
    version: str
    started: float = msgspec.field(default_factory=time.monotonic)

    async def now(self, _: Request) -> Json:
        """The time."""
        return {"now": time.time_ns() // 1_000_000}

    async def admin_exists(self, _: Request) -> Json:
        """Whether somebody is an administrator."""
        return {"exists": await self.has_admin()}

    async def public_api(self, _: Request) -> Json:
        """Every action and its HTTP routes."""
        return self.api()

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
            "plugins": self._plugins(),
            "system": {
                "cpus": [{"model": platform.machine()}] * (os.cpu_count() or 1),
                "memory": {"free": free, "total": total},
            },
            "uptime": f"{uptime:.1f}s",
            "version": self.version,
        }
        return {"serverInfo": {"kuzzle": kuzzle, "services": self._services()}}

    async def capabilities(self, _: Request) -> Json:
        """What clients may ask of this router, in the peer's words."""
        return {
            "limits": _limits(self.settings),
            "plugins": self._plugins(),
            "routes": self.api(),
            "services": self._services(),
            "version": self.version,
        }

    async def config(self, _: Request) -> Json:
        """The settings in force, and the limits in the peer's words as well.

        Nothing of what is secret, and nothing of how users are let in.
        """
        shown = self.settings.without_secrets().model_dump(mode="json", exclude=_UNTOLD)
        return {**shown, "limits": {**shown["limits"], **_limits(self.settings)}}

    def _plugins(self) -> JsonObject:
        return {"device-manager": {"version": self.version}}

    def _services(self) -> JsonObject:
        store = type(self.storage).__name__
        return {
            "internalCache": {"type": "embedded"},
            "internalStorage": {"type": store},
            "memoryStorage": {"type": "embedded"},
            "publicStorage": {"type": store},
        }

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (*self._describing(), *self._offering(), *self._checking())

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
                name="capabilities",
                handler=self.capabilities,
                places=places.nowhere,
                summary="Limits, plugins, routes and services of this router.",
                routes=(Route("GET", "/_capabilities"),),
                result="`{limits: object, plugins: object, routes: object, services: object, "
                "version: string}`",
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

    def _offering(self) -> tuple[Action, ...]:
        return (
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

    def _checking(self) -> tuple[Action, ...]:
        return (
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
                name="getConfig",
                handler=self.config,
                places=places.everywhere,
                summary="The settings in force, without secrets and those of users.",
                routes=(Route("GET", "/_getConfig"),),
                result="`{limits: object, server: object, …}`",
            ),
        )


def _limits(settings: Settings) -> JsonObject:
    limits, documents, realtime = settings.limits, settings.documents, settings.realtime
    return {
        "concurrentRequests": limits.requests_at_work,
        "documentsFetchCount": documents.fetch_max,
        "documentsWriteCount": documents.write_max,
        "requestsBufferSize": limits.requests_waiting,
        "subscriptionConditionsCount": realtime.filter_conditions,
        "subscriptionMinterms": realtime.filter_conditions,
        "subscriptionRooms": realtime.rooms,
    }


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
