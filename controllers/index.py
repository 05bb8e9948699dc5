"""The `index` controller."""

from __future__ import annotations

import msgspec

from controllers import arguments
from controllers.arguments import NAMED
from controllers.kept_settings import KeptSettings
from controllers.sight import Sight
from controllers.writes import author
from router import places
from router.actions import Action, Argument, Route
from router.envelope import ABSENT, Json, JsonObject, Reply, Request
from router.errors import RouterError
from router.ports import Authority
from storage.contract import Storage, Usage


class Indexes(msgspec.Struct, frozen=True):
    """Creates, lists and removes indexes."""

    storage: Storage
    settings: KeptSettings
    authority: Authority

    async def create(self, request: Request) -> Reply:
        """Create an index; the answer carries no result."""
        await self.storage.create_index(request.name("index"))
        return Reply(result=ABSENT)

    async def delete(self, request: Request) -> Json:
        """Remove an index and all it holds."""
        await self._remove(request, request.name("index"))
        return {"acknowledged": True}

    async def delete_many(self, request: Request) -> Json:
        """Remove those of many indexes that are there."""
        names = request.body_list("indexes")
        if not all(isinstance(name, str) for name in names):
            raise RouterError("api.assert.invalid_type", "body.indexes", "array of strings")
        there = [str(name) for name in names if name in self.storage.indexes()]
        deleted: list[Json] = []
        for name in dict.fromkeys(there):
            try:
                await self._remove(request, name)
            except RouterError as error:  # somebody else was faster
                if error.id != "services.storage.unknown_index":
                    raise
            else:
                deleted.append(name)
        return {"deleted": deleted}

    async def _remove(self, request: Request, index: str) -> None:
        collections = self.storage.collections(index)
        await self.storage.delete_index(index)
        for collection in collections:
            await self.settings.forget(index, collection, author(request))

    async def stats(self, request: Request) -> Json:
        """How many documents there are, and how many bytes they take."""
        sight = Sight(self.authority, "index", "stats")
        seen = sight.seen(request.user, self.storage.indexes())
        found: dict[str, list[Usage]] = {name: [] for name in seen}
        for usage in await self.storage.usage():
            if usage.index in found:
                found[usage.index].append(usage)
        indexes: list[Json] = [_told(name, usages) for name, usages in found.items()]
        size = sum(usage.bytes for usages in found.values() for usage in usages)
        return {"indexes": indexes, "size": size}

    async def exists(self, request: Request) -> Json:
        """Whether the index exists."""
        index = request.name("index")
        await self.storage.catch_up()
        return self.storage.has_index(index)

    async def list(self, request: Request) -> Json:
        """All indexes that the caller may see, and how many collections each holds if asked."""
        await self.storage.catch_up()
        sight, storage = Sight(self.authority, "index", "list"), self.storage
        names = [
            name
            for name in storage.indexes()
            if sight.sees(request.user, name, storage.collections(name))
        ]
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
            Action(
                controller="index",
                name="mDelete",
                handler=self.delete_many,
                places=places.body_indexes,
                summary="Delete those of many indexes that are there.",
                routes=(Route("DELETE", "/_mDelete"), Route("DELETE", "/_mdelete")),
                arguments=(Argument("indexes", "array", "Names.", required=True, place="body"),),
                body="required",
                result="`{deleted: [name]}`",
                errors=(*NAMED[:2], "api.assert.body_required"),
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
            Action(
                controller="index",
                name="stats",
                handler=self.stats,
                places=places.nowhere,
                summary="How many documents each collection holds, and how many bytes.",
                routes=(Route("GET", "/_storageStats"),),
                result="`{indexes: [{name, size, collections: [{name, documentCount, size}]}], "
                "size}`",
            ),
        )


def _told(index: str, usages: list[Usage]) -> JsonObject:
    return {
        "name": index,
        "size": sum(usage.bytes for usage in usages),
        "collections": [
            {"name": usage.collection, "documentCount": usage.documents, "size": usage.bytes}
            for usage in usages
        ],
    }
