"""The `document` controller: documents by id, searches and counts."""

from __future__ import annotations

from typing import Final

import msgspec

from controllers import arguments, cursors, searches
from controllers.arguments import INVALID, NAMED, WRITTEN
from controllers.cursors import Cursors
from controllers.documents import events
from controllers.documents.metadata import Metadata
from controllers.validation.registry import Specifications
from controllers.writes import (
    author,
    born_as,
    changed,
    described,
    document_key,
    is_repeat,
    told,
    write_in_turn,
)
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Reply, Request
from router.errors import RouterError
from router.settings import DocumentSettings
from storage.contract import Storage, Verb, Write, Written

_TARGET: Final = (arguments.INDEX, arguments.COLLECTION)
_DOCUMENT: Final = (*_TARGET, arguments.ID)
_WRITE: Final = (arguments.REFRESH, arguments.SILENT)
_CONTENT: Final = "`{_id, _version, _source}`"


class Documents(msgspec.Struct, frozen=True):
    """Reads and writes documents of any collection.

    The order in which arguments are read is the peer's, so that a request with several
    faults is refused for the same one.
    """

    storage: Storage
    settings: DocumentSettings
    cursors: Cursors
    specifications: Specifications
    metadata: Metadata

    async def get(self, request: Request) -> Reply:
        """One document."""
        key = request.name("_id")
        index, collection = _place(request)
        if key == "_search":
            raise RouterError("services.storage.search_as_an_id")
        return told(await self.storage.get(index, collection, key))

    async def exists(self, request: Request) -> Json:
        """Whether the document exists."""
        key = request.name("_id")
        index, collection = _place(request)
        return (await self.storage.mget(index, collection, [key]))[0] is not None

    async def create(self, request: Request) -> Reply:
        """Create a document; the store must not have that id."""
        content = request.body_object()
        key = born_as(request)
        refresh = request.refresh_lenient()
        return told(await self._write(request, "create", key, content, refresh=refresh))

    async def create_or_replace(self, request: Request) -> Reply:
        """Create a document, or take the place of the one with that id."""
        written = await self._write_whole(request, "create_or_replace")
        return told(written, created=written.created)

    async def replace(self, request: Request) -> Reply:
        """Take the place of an existing document."""
        return told(await self._write_whole(request, "replace"))

    async def update(self, request: Request) -> Reply:
        """Merge changes into a document."""
        key = request.name("_id")
        changes = request.body_object()
        refresh = request.refresh_strict()
        retries = arguments.retries(request)
        whole = request.flag("source")
        written = await self._write(
            request, "update", key, changes, refresh=refresh, retries=retries
        )
        return changed(written, changes, whole=whole)

    async def delete(self, request: Request) -> Json:
        """Remove a document."""
        key = request.name("_id")
        refresh = request.refresh_strict()
        whole = request.flag("source")
        written = await self._write(request, "delete", key, {}, refresh=refresh)
        return described(written) if whole else {"_id": written.id}

    async def search(self, request: Request) -> Json:
        """One page of the documents that match."""
        search = searches.read(request, fetch_max=self.settings.fetch_max)
        targets = searches.targets(request, self.storage)
        life_s = self.cursors.duration_s(request)
        if life_s is not None:
            return await self.cursors.open(request, targets, search, life_s)
        return searches.listed(await self.storage.search(targets, search))

    async def count(self, request: Request) -> Json:
        """How many documents match."""
        search = searches.read_count(request)
        return {"count": await self.storage.count([_place(request)], search)}

    async def _write_whole(self, request: Request, verb: Verb) -> Written:
        key = request.name("_id")
        content = request.body_object()
        refresh = request.refresh_strict()
        return await self._write(request, verb, key, content, refresh=refresh)

    async def _write(
        self,
        request: Request,
        verb: Verb,
        id: str,
        content: JsonObject,
        *,
        refresh: bool,
        retries: int = 0,
    ) -> Written:
        request.flag("silent")
        index, collection = _place(request)
        if verb != "delete" and not is_repeat(request):
            content = await self._checked(request, verb, id, content)
        injected = None if verb == "delete" else await self.metadata.injected(request, verb)
        write = Write(
            verb=verb,
            index=index,
            collection=collection,
            id=id,
            content=content,
            injected=injected,
            author=author(request),
            retries=retries,
            refresh=refresh,
        )
        return await write_in_turn(self.storage, request, write)

    async def _checked(
        self, request: Request, verb: Verb, id: str, content: JsonObject
    ) -> JsonObject:
        place = _place(request)
        if verb != "update":
            return await self.specifications.checked(place, content, id)
        if await self.specifications.find(place) is not None:
            if request.turn is not None:
                await request.turn.settled()
            (stored,) = await self.storage.mget(*place, [id])
            if stored is not None:
                await self.specifications.check_update(place, content, stored)
        return content

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        found = (
            *self._getting(),
            *self._counting(),
            *self._searching(),
            self._creating(),
            self._putting(),
            self._deleting(),
            self._replacing(),
            self._updating(),
        )
        return tuple(sorted(found, key=lambda action: action.name))

    def _getting(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="document",
                name="exists",
                handler=self.exists,
                places=places.named,
                summary="Whether a document exists.",
                routes=(Route("GET", "/:index/:collection/:_id/_exists"),),
                arguments=_DOCUMENT,
                documents=events.GET,
                result="boolean",
                errors=NAMED,
            ),
            Action(
                controller="document",
                name="get",
                handler=self.get,
                places=places.named,
                summary="Get a document.",
                routes=(Route("GET", "/:index/:collection/:_id"),),
                arguments=_DOCUMENT,
                documents=events.GET,
                result=_CONTENT,
                errors=(
                    *NAMED,
                    "services.storage.not_found",
                    "services.storage.search_as_an_id",
                ),
            ),
        )

    def _counting(self) -> tuple[Action, ...]:
        query = Argument("query", "object", "What to match; everything if absent.", place="body")
        return (
            Action(
                controller="document",
                name="count",
                handler=self.count,
                places=places.named,
                summary="Count the documents that match a query.",
                routes=(Route("POST", "/:index/:collection/_count"),),
                arguments=(*_TARGET, arguments.LANG, query),
                body="optional",
                result="`{count: integer}`",
                errors=(*NAMED, *searches.COUNT_ERRORS),
            ),
        )

    def _searching(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="document",
                name="search",
                handler=self.search,
                places=searches.target_places,
                summary="Find documents.",
                routes=(
                    Route("GET", "/:index/:collection/_search"),
                    Route("POST", "/:index/:collection/_search"),
                ),
                arguments=(
                    Argument("index", "string", "Index to search; or `targets`."),
                    Argument("collection", "string", "Collection to search; or `targets`."),
                    *searches.ARGUMENTS,
                    cursors.SCROLL,
                    Argument(
                        "targets", "array", "`[{index, collections}]` instead of one collection."
                    ),
                ),
                body="optional",
                documents=events.SEARCH,
                result=searches.RESULT,
                errors=(
                    *NAMED,
                    *searches.ERRORS,
                    *cursors.ERRORS,
                    "api.assert.mutually_exclusive",
                    "services.storage.invalid_multi_index_collection_usage",
                    "services.storage.invalid_target_format",
                ),
            ),
        )

    def _creating(self) -> Action:
        return Action(
            controller="document",
            name="create",
            handler=self.create,
            places=places.named,
            summary="Create a document.",
            routes=(
                Route("POST", "/:index/:collection/_create"),
                Route("POST", "/:index/:collection/:_id/_create"),
            ),
            arguments=(*_TARGET, arguments.NEW_ID, *_WRITE),
            body="required",
            documents=events.WRITE,
            result=_CONTENT,
            errors=(
                *WRITTEN,
                *INVALID,
                "api.assert.invalid_id",
                "services.storage.document_already_exists",
            ),
            order_key=document_key,
            is_guarded=True,
        )

    def _putting(self) -> Action:
        return Action(
            controller="document",
            name="createOrReplace",
            handler=self.create_or_replace,
            places=places.named,
            summary="Create a document, or replace the one with that id.",
            routes=(Route("PUT", "/:index/:collection/:_id"),),
            arguments=(*_DOCUMENT, *_WRITE),
            body="required",
            documents=events.WRITE,
            result="`{_id, _version, _source, created: boolean}`",
            errors=(*WRITTEN, *INVALID, "services.storage.invalid_argument"),
            order_key=document_key,
            is_guarded=True,
        )

    def _deleting(self) -> Action:
        return Action(
            controller="document",
            name="delete",
            handler=self.delete,
            places=places.named,
            summary="Delete a document.",
            routes=(Route("DELETE", "/:index/:collection/:_id"),),
            arguments=(*_DOCUMENT, *_WRITE, arguments.SOURCE),
            documents=events.DELETE,
            result="`{_id}`, with `source` `{_id, _version, _source}`",
            errors=(
                *NAMED,
                "services.storage.not_found",
                "services.storage.invalid_argument",
            ),
            order_key=document_key,
            is_guarded=True,
        )

    def _replacing(self) -> Action:
        return Action(
            controller="document",
            name="replace",
            handler=self.replace,
            places=places.named,
            summary="Replace the whole content of a document.",
            routes=(Route("PUT", "/:index/:collection/:_id/_replace"),),
            arguments=(*_DOCUMENT, *_WRITE),
            body="required",
            documents=events.WRITE,
            result=_CONTENT,
            errors=(
                *WRITTEN,
                *INVALID,
                "services.storage.not_found",
                "services.storage.invalid_argument",
            ),
            order_key=document_key,
            is_guarded=True,
        )

    def _updating(self) -> Action:
        return Action(
            controller="document",
            name="update",
            handler=self.update,
            places=places.named,
            summary="Merge changes into a document: objects key by key, all else replaced.",
            routes=(
                Route("PUT", "/:index/:collection/:_id/_update"),
                Route("PATCH", "/:index/:collection/:_id/_update"),
            ),
            arguments=(*_DOCUMENT, *_WRITE, arguments.RETRIES, arguments.SOURCE),
            body="required",
            documents=events.UPDATE,
            result="`{_id, _version, _source}`: the changes and `_kuzzle_info`, with `source` all",
            errors=(
                *WRITTEN,
                *INVALID,
                "services.storage.not_found",
                "services.storage.invalid_argument",
                "api.assert.invalid_argument",
                "services.storage.version_conflict",
            ),
            order_key=document_key,
            is_guarded=True,
        )


def _place(request: Request) -> tuple[str, str]:
    return request.name("index"), request.name("collection")
