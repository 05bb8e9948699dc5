"""The other `admin` actions: resets, caches, dumps, and the end of the router."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from controllers.administration.dumps import Dumps
from controllers.administration.locks import Locks
from controllers.device_manager.engines import Engines
from controllers.kept_settings import KeptSettings
from controllers.writes import author
from router import places
from router.actions import Action, Argument, Route
from router.envelope import ABSENT, Json, JsonObject, Reply, Request
from router.errors import RouterError
from storage.contract import Storage

_DONE: Final[JsonObject] = {"acknowledge": True}
_LOCKED: Final = "api.process.action_locked"
_INTERNAL: Final = "internalCache"
_CACHES: Final = (_INTERNAL, "memoryStorage")

Forget = Callable[[], Awaitable[None]]


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    """Acts on the router as a whole.

    Attributes:
        forget: Reads anew whatever is remembered of users, rights and tokens.
        describe: What dumps tell beside what the process is doing.
        leaving: Set when somebody wants the router to end; whoever runs it waits for that.
    """

    storage: Storage
    settings: KeptSettings
    engines: Engines
    dumps: Dumps
    forget: Forget
    describe: Callable[[], JsonObject]
    leaving: asyncio.Event
    locks: Locks = msgspec.field(default_factory=Locks)

    async def refresh_index_cache(self, _: Request) -> Reply:
        """Look at what others who share the store did."""
        await self.storage.catch_up()
        return Reply(result=ABSENT)

    async def reset_cache(self, request: Request) -> Json:
        """Forget what can be read anew; nobody is logged out, as no login is kept in a cache."""
        database = request.name("database")
        if database not in _CACHES:
            raise RouterError("services.cache.database_not_found", database)
        if database == _INTERNAL:
            await self.storage.catch_up()
            await self.forget()
        return _DONE

    async def reset_database(self, request: Request) -> Json:
        """Delete all indexes; what the device-manager needs is made anew, empty."""
        with self.locks.held("resetDatabase"):
            await self.storage.catch_up()
            for index in self.storage.indexes():
                await self._remove(index, request)
            await self.engines.prepare()
        return _DONE

    async def _remove(self, index: str, request: Request) -> None:
        try:
            collections = self.storage.collections(index)
            await self.storage.delete_index(index)
        except RouterError as error:  # somebody else was faster
            if error.id != "services.storage.unknown_index":
                raise
            return
        for collection in collections:
            await self.settings.forget(index, collection, author(request))

    async def dump(self, request: Request) -> Json:
        """Write a dump."""
        suffix = request.string("suffix", None) or "manual"
        with self.locks.held("dump"):
            await self.dumps.write(suffix, self.describe())
        return _DONE

    async def shutdown(self, _: Request) -> Json:
        """Have the router end as it does when the system tells it to, this request answered."""
        if self.leaving.is_set():
            raise RouterError(_LOCKED, "shutdown")
        self.leaving.set()
        return _DONE

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (*self._caching(), *self._ending(), self._dumping())

    def _caching(self) -> tuple[Action, ...]:
        database = Argument("database", "string", f"One of {', '.join(_CACHES)}.", required=True)
        return (
            Action(
                controller="admin",
                name="refreshIndexCache",
                handler=self.refresh_index_cache,
                places=places.everywhere,
                summary="Know at once which indexes and collections other routers made.",
                routes=(Route("POST", "/admin/_refreshIndexCache"),),
            ),
            Action(
                controller="admin",
                name="resetCache",
                handler=self.reset_cache,
                places=places.everywhere,
                summary="Read anew what is remembered of users, rights, tokens and indexes.",
                routes=(Route("POST", "/admin/_resetCache"),),
                arguments=(database,),
                result="`{acknowledge: true}`",
                errors=(
                    "api.assert.missing_argument",
                    "api.assert.invalid_type",
                    "services.cache.database_not_found",
                ),
            ),
        )

    def _ending(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="admin",
                name="resetDatabase",
                handler=self.reset_database,
                places=places.everywhere,
                summary="Delete all indexes with their documents; users and rights stay.",
                routes=(Route("POST", "/admin/_resetDatabase"),),
                result="`{acknowledge: true}`",
                errors=(_LOCKED,),
            ),
            Action(
                controller="admin",
                name="shutdown",
                handler=self.shutdown,
                places=places.everywhere,
                summary="End the router once the requests at work are answered.",
                routes=(Route("POST", "/admin/_shutdown/"),),
                result="`{acknowledge: true}`",
                errors=(_LOCKED,),
            ),
        )

    def _dumping(self) -> Action:
        suffix = Argument(
            "suffix", "string", "Ends the file's name: letters, digits, hyphens, underscores."
        )
        return Action(
            controller="admin",
            name="dump",
            handler=self.dump,
            places=places.everywhere,
            summary="Write a file that tells the settings, the counts and what is being done.",
            routes=(Route("POST", "/admin/_dump"),),
            arguments=(suffix,),
            result="`{acknowledge: true}`",
            errors=(
                "api.assert.invalid_type",
                "api.assert.invalid_argument",
                "core.fatal.service_unavailable",
                _LOCKED,
            ),
        )
