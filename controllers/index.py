"""The `index` controller."""

from __future__ import annotations

from dataclasses import dataclass

from controllers import arguments
from controllers.arguments import NAMED
from router import places
from router.actions import Action, Argument, Route
from router.envelope import ABSENT, Json, JsonObject, Reply, Request
from storage.contract import Storage


@dataclass(frozen=True, slots=True)
class Indexes:
    """Creates, lists and removes indexes."""

    storage: Storage

    async def create(self, request: Request) -> Reply:
        """Create an index; the answer carries no result."""
        await self.storage.create_index(request.name("index"))
        return Reply(result=ABSENT)

    async def delete(self, request: Request) -> Json:
        """Remove an index and all it holds."""
        await self.storage.delete_index(request.name("index"))
        return {"acknowledged": True}

    async def exists(self, request: Request) -> Json:
        """Whether the index exists."""
        index = request.name("index")
        await self.storage.catch_up()
        return self.storage.has_index(index)

    async def list(self, request: Request) -> Json:
        """All indexes, and how many collections each holds if asked."""
        await self.storage.catch_up()
        names = self.storage.indexes()
        result: JsonObject = {"indexes": [*names]}
        if request.flag("countCollection"):
            result["collections"] = {name: len(self.storage.collections(name)) for name in names}
        return result

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (*self._changing(), *self._reading())

    def _changing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="index",
                name="create",
                handler=self.create,
                places=places.named,
                summary="Create an index.",
                routes=(Route("POST", "/:index/_create"),),
                arguments=(arguments.INDEX,),
                errors=(
                    *NAMED[:2],
                    "services.storage.index_already_exists",
                    "services.storage.invalid_index_name",
                ),
            ),
            Action(
                controller="index",
                name="delete",
                handler=self.delete,
                places=places.named,
                summary="Delete an index with its collections and documents.",
                routes=(Route("DELETE", "/:index"),),
                arguments=(arguments.INDEX,),
                result="`{acknowledged: true}`",
                errors=NAMED[:3],
            ),
        )

    def _reading(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="index",
                name="exists",
                handler=self.exists,
                places=places.named,
                summary="Whether an index exists.",
                routes=(Route("GET", "/:index/_exists"),),
                arguments=(arguments.INDEX,),
                result="boolean",
                errors=NAMED[:2],
            ),
            Action(
                controller="index",
                name="list",
                handler=self.list,
                places=places.nowhere,
                summary="All indexes.",
                routes=(Route("GET", "/_list"),),
                arguments=(
                    Argument("countCollection", "flag", "Answer how many collections each has."),
                ),
                result="`{indexes: [name], collections?: {<index>: integer}}`",
                errors=("api.assert.invalid_type",),
            ),
        )
