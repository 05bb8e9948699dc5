"""The `document` actions on all documents that match a query, up to a number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from controllers import arguments, searches
from controllers.arguments import NAMED
from controllers.documents import events, items, matching
from controllers.documents.matching import Place
from controllers.writes import author
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.settings import DocumentSettings
from storage.contract import Hit, Storage, Write
from storage.query import Search

_TARGET: Final = (arguments.INDEX, arguments.COLLECTION)
QUERY: Final = Argument("query", "object", "What to match; everything if absent.", place="body")
_FLAGS: Final = (arguments.REFRESH, arguments.SILENT, arguments.SOURCE, arguments.LANG)
# The rest of the body isn't looked at.
_ELSEWHERE: Final = "services.storage.invalid_search_query"
BY_QUERY: Final = (
    *NAMED,
    *(error for error in searches.COUNT_ERRORS if error != _ELSEWHERE),
)
"""What every action on what a query matches can answer."""

_ERRORS: Final = (
    *BY_QUERY,
    "services.storage.invalid_argument",
    "services.storage.write_limit_exceeded",
)


class DocumentsByQuery(msgspec.Struct, frozen=True):
    """Deletes and updates what matches, none of it if that is too much for one request.

    A document is written as it was found: where it has changed since, it is looked for again,
    and left alone if it matches no more.
    """

    storage: Storage
    settings: DocumentSettings

    async def delete(self, request: Request) -> Json:
        """Remove what matches."""
        search = query_of(request)
        refresh, whole = _flags(request)
        place = request.name("index"), request.name("collection")
        done = await self._write(place, search, _deleting(request, place, refresh=refresh))
        for _, error in done.failed:
            raise error
        documents: list[Json] = [
            {"_id": each.id, "_source": each.source} if whole else {"_id": each.id}
            for each in done.written
        ]
        return {"documents": documents, "ids": [each.id for each in done.written]}

    async def update(self, request: Request) -> Json:
        """Merge changes into what matches."""
        changes = request.body_field("changes")
        search = query_of(request)
        refresh, whole = _flags(request)
        place = request.name("index"), request.name("collection")
        make = _updating(request, place, changes, refresh=refresh)
        done = await self._write(place, search, make)
        successes: list[Json] = []
        for each in done.written:
            shown: JsonObject = {"_id": each.id, "_version": each.version, "status": 200}
            successes.append({**shown, "_source": each.source} if whole else shown)
        errors: list[Json] = [
            {
                "document": {"_id": hit.id, "body": changes},
                "reason": items.reason(error),
                "status": error.status,
            }
            for hit, error in done.failed
        ]
        return {"successes": successes, "errors": errors}

    async def _write(
        self, place: Place, search: Search, make: Callable[[Hit], Write]
    ) -> matching.Done:
        search = msgspec.structs.replace(search, size=self.settings.write_max, source_includes=())
        page = await self.storage.search([place], search)
        if page.total > self.settings.write_max:
            raise RouterError("services.storage.write_limit_exceeded")
        return await matching.write(self.storage, place, search, page.hits, make)

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        changes = Argument("changes", "object", "What to merge.", required=True, place="body")
        return (
            Action(
                controller="document",
                name="deleteByQuery",
                handler=self.delete,
                places=places.named,
                summary="Delete what matches a query.",
                routes=(Route("DELETE", "/:index/:collection/_query"),),
                arguments=(*_TARGET, QUERY, *_FLAGS),
                body="optional",
                documents=events.DELETE_BY_QUERY,
                result="`{documents: [{_id, _source?}], ids: [_id]}`",
                errors=_ERRORS,
            ),
            Action(
                controller="document",
                name="updateByQuery",
                handler=self.update,
                places=places.named,
                summary="Merge changes into what matches a query.",
                routes=(Route("PUT", "/:index/:collection/_query"),),
                arguments=(*_TARGET, QUERY, changes, *_FLAGS),
                body="required",
                documents=events.UPDATE_BY_QUERY,
                result="`{successes: [{_id, _version, _source?, status}], errors}`",
                errors=(*_ERRORS, "api.assert.body_required"),
            ),
        )


def query_of(request: Request) -> Search:
    """The search for the body's `query`, whatever else stands beside it; everything without one.

    Raises:
        RouterError: One of `searches.COUNT_ERRORS`, `api.assert.invalid_type`.
    """
    body = {} if request.body is None else request.body_object()
    kept: JsonObject = {key: body[key] for key in ("query",) if key in body}
    return searches.read_count(request.replace(body=kept))


def _flags(request: Request) -> tuple[bool, bool]:
    request.flag("silent")
    return request.refresh_strict(), request.flag("source")


def _deleting(request: Request, place: Place, *, refresh: bool) -> Callable[[Hit], Write]:
    signed = author(request)
    return lambda hit: Write(
        verb="delete",
        index=place[0],
        collection=place[1],
        id=hit.id,
        condition=matching.at(hit),
        author=signed,
        refresh=refresh,
    )


def _updating(
    request: Request, place: Place, changes: JsonObject, *, refresh: bool
) -> Callable[[Hit], Write]:
    signed = author(request)
    return lambda hit: Write(
        verb="update",
        index=place[0],
        collection=place[1],
        id=hit.id,
        content=changes,
        condition=matching.at(hit),
        author=signed,
        refresh=refresh,
    )
