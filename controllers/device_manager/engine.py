"""The `device-manager/engine` controller."""

from __future__ import annotations

from typing import Final

import msgspec

from controllers.arguments import NAMED
from controllers.device_manager.engines import COLLECTIONS, CONFIG, Engines
from controllers.device_manager.models import COMMONS
from controllers.sight import Sight
from controllers.writes import author
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, Request
from router.ports import Authority

_INDEX: Final = Argument("index", "string", "The engine's index.", required=True)
_GROUP: Final = Argument("group", "string", "Whose models the engine sees; default `commons`.")
_PATH: Final = "/_/device-manager/engine/:index"


class EngineController(msgspec.Struct, frozen=True):
    """Creates, brings up to date, lists and removes engines."""

    engines: Engines
    authority: Authority

    async def create(self, request: Request) -> Json:
        """Make an index an engine."""
        index = request.name("index")
        group = request.string("group", COMMONS) or COMMONS
        await self.engines.create(index, group, author(request))
        return {"index": index, "collections": [CONFIG, *COLLECTIONS]}

    async def update(self, request: Request) -> Json:
        """Bring the mappings up to date with the models."""
        index = request.name("index")
        await self.engines.update(index)
        return {"index": index, "collections": [*COLLECTIONS]}

    async def delete(self, request: Request) -> Json:
        """Remove the engine's collections."""
        index = request.name("index")
        await self.engines.delete(index, author(request))
        return {"index": index, "collections": [*COLLECTIONS]}

    async def exists(self, request: Request) -> Json:
        """Whether the index is an engine."""
        return {"exists": await self.engines.exists(request.name("index"))}

    async def list(self, request: Request) -> Json:
        """All engines that the caller may see."""
        sight = Sight(self.authority, "device-manager/engine", "list")
        return {
            "engines": [
                engine
                for engine in await self.engines.list()
                if sight.sees(request.user, str(engine["index"]), COLLECTIONS)
            ]
        }

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (*self._changing(), *self._reading())

    def _changing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="device-manager/engine",
                name="create",
                handler=self.create,
                places=places.engine,
                summary="Make an index a device-manager engine, creating it if need be.",
                routes=(Route("POST", _PATH),),
                arguments=(_INDEX, _GROUP),
                result="`{index, collections: [name]}`",
                errors=(
                    *NAMED[:2],
                    "api.assert.invalid_argument",
                    "trivium.engine.already_exists",
                    "services.storage.invalid_index_name",
                ),
            ),
            Action(
                controller="device-manager/engine",
                name="delete",
                handler=self.delete,
                places=places.engine,
                summary="Remove an engine's collections; its index and `config` stay.",
                routes=(Route("DELETE", _PATH),),
                arguments=(_INDEX,),
                result="`{index, collections: [name]}`",
                errors=(*NAMED[:2], "trivium.engine.missing"),
            ),
        )

    def _reading(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="device-manager/engine",
                name="exists",
                handler=self.exists,
                places=places.engine,
                summary="Whether an index is an engine.",
                routes=(Route("GET", f"{_PATH}/_exists"),),
                arguments=(_INDEX,),
                result="`{exists: boolean}`",
                errors=NAMED[:2],
            ),
            Action(
                controller="device-manager/engine",
                name="list",
                handler=self.list,
                places=places.nowhere,
                summary="All engines.",
                routes=(Route("GET", "/_/device-manager/engines"),),
                result="`{engines: [{index, group, name}]}`",
            ),
            Action(
                controller="device-manager/engine",
                name="update",
                handler=self.update,
                places=places.engine,
                summary="Bring an engine's mappings up to date with the models.",
                routes=(Route("PUT", _PATH),),
                arguments=(_INDEX, _GROUP),
                result="`{index, collections: [name]}`",
                errors=(*NAMED[:2], "trivium.engine.missing"),
            ),
        )
