"""The `bulk` controller: writes without specifications, events and limits on their number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from controllers import arguments, bulk_lines
from controllers.arguments import NAMED, WRITTEN
from controllers.bulk_lines import Line
from controllers.documents import items, matching
from controllers.documents.by_query import BY_QUERY, QUERY, query_of
from controllers.documents.items import answered
from controllers.writes import author, described, document_key, new_id, write_in_turn
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from storage.contract import Hit, Storage, Write, Written

_PAGE: Final = 500
"""Documents that an action by query writes at a time; others get between."""

_TARGET: Final = (arguments.INDEX, arguments.COLLECTION)
_NOTIFY: Final = Argument("notify", "flag", "Trigger realtime notifications.")
_FLAGS: Final = (_NOTIFY, arguments.REFRESH)
_NO_BODY: Final = "api.assert.body_required"
_STRICT: Final = "api.process.incomplete_multiple_request"
_STATUS: Final = {"index": 200, "create": 201, "update": 200, "delete": 200}


class Bulk(msgspec.Struct, frozen=True):
    """Low-level writes. `write` and `mWrite` store contents as they are, stamp included."""

    storage: Storage

    async def load(self, request: Request) -> Json:
        """Do what the lines of Elasticsearch's bulk API say."""
        lines = request.body_list("bulkData")
        is_strict, refresh = request.flag("strict"), request.refresh_lenient()
        place = await self._place(request)
        found = bulk_lines.read(lines, place, author(request), refresh=refresh)
        outcomes = await self.storage.bulk([line.write for line in found])
        successes: list[Json] = []
        errors: list[Json] = []
        for line, outcome in zip(found, outcomes, strict=True):
            if isinstance(outcome, Written):
                status = 201 if outcome.created else _STATUS[line.action]
                successes.append({line.action: {"_id": outcome.id, "status": status}})
            else:
                errors.append(refused(line, outcome))
        return answered("import", successes, errors, is_strict=is_strict)

    async def write(self, request: Request) -> Json:
        """Create or replace a document, its content stored as it is."""
        content = request.body_object()
        key = request.string("_id", None) or new_id()
        refresh = request.refresh_lenient()
        index, collection = request.name("index"), request.name("collection")
        write = Write(
            verb="create_or_replace",
            index=index,
            collection=collection,
            id=key,
            content=content,
            stamping="kept",
            author=author(request),
            refresh=refresh,
        )
        return described(await write_in_turn(self.storage, request, write))

    async def write_many(self, request: Request) -> Json:
        """Create or replace many documents, their contents stored as they are."""
        found = items.read(request, "body", needs_id=False)
        is_strict, refresh = request.flag("strict"), request.refresh_lenient()
        index, collection = await self._place(request)
        signed = author(request)
        writes = [
            Write(
                verb="create_or_replace",
                index=index,
                collection=collection,
                id=item.id or new_id(),
                content=item.content,
                stamping="kept",
                author=signed,
                refresh=refresh,
            )
            for item in found.good
        ]
        successes: list[Json] = []
        errors = found.errors
        for item, outcome in zip(found.good, await self.storage.bulk(writes), strict=True):
            if isinstance(outcome, Written):
                successes.append(described(outcome))
            else:
                errors.append(items.refused(item, outcome))
        return answered("write", successes, errors, is_strict=is_strict)

    async def delete_by_query(self, request: Request) -> Json:
        """Remove everything that matches."""
        signed = author(request)
        done, failed = await self._by_query(
            request,
            lambda place, hit: Write(
                verb="delete", index=place[0], collection=place[1], id=hit.id, author=signed
            ),
        )
        if failed:
            raise failed[0][1]
        return {"deleted": done}

    async def update_by_query(self, request: Request) -> Json:
        """Merge changes into everything that matches, the stamps left alone."""
        changes = request.body_field("changes")
        signed = author(request)
        done, failed = await self._by_query(
            request,
            lambda place, hit: Write(
                verb="update",
                index=place[0],
                collection=place[1],
                id=hit.id,
                content=changes,
                stamping="kept",
                author=signed,
            ),
        )
        if failed:
            raise RouterError("services.storage.incomplete_update", done)
        return {"updated": done}

    async def _by_query(
        self, request: Request, make: Callable[[matching.Place, Hit], Write]
    ) -> tuple[int, list[tuple[Hit, RouterError]]]:
        search = msgspec.structs.replace(query_of(request), source_includes=())
        refresh = request.refresh_lenient()
        place = request.name("index"), request.name("collection")
        done = 0
        async for hits in matching.pages(self.storage, place, search, _PAGE):
            outcome = await matching.write(
                self.storage, place, search, hits, lambda hit: _as_found(make(place, hit), hit)
            )
            done += len(outcome.written)
            if outcome.failed:
                return done, outcome.failed
        if refresh:
            await self.storage.refresh(*place)
        return done, []

    async def _place(self, request: Request) -> tuple[str, str]:
        index, collection = request.name("index"), request.name("collection")
        await self.storage.mget(index, collection, ())
        return index, collection

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (*self._querying(), *self._loading(), *self._writing())

    def _querying(self) -> tuple[Action, ...]:
        changes = Argument("changes", "object", "What to merge.", required=True, place="body")
        return (
            Action(
                controller="bulk",
                name="deleteByQuery",
                handler=self.delete_by_query,
                places=places.named,
                summary="Delete what matches a query, however much it is.",
                routes=(Route("DELETE", "/:index/:collection/_bulk/_query"),),
                arguments=(*_TARGET, QUERY, *_FLAGS, arguments.LANG),
                body="optional",
                result="`{deleted: integer}`",
                errors=BY_QUERY,
            ),
            Action(
                controller="bulk",
                name="updateByQuery",
                handler=self.update_by_query,
                places=places.named,
                summary="Merge changes into what matches a query, however much it is.",
                routes=(Route("PATCH", "/:index/:collection/_bulk/_query"),),
                arguments=(*_TARGET, QUERY, changes, *_FLAGS, arguments.LANG),
                body="required",
                result="`{updated: integer}`",
                errors=(*BY_QUERY, _NO_BODY, "services.storage.incomplete_update"),
            ),
        )

    def _loading(self) -> tuple[Action, ...]:
        lines = Argument(
            "bulkData", "array", "Lines of Elasticsearch's bulk API.", required=True, place="body"
        )
        return (
            Action(
                controller="bulk",
                name="import",
                handler=self.load,
                places=places.named,
                summary="Do what lines of Elasticsearch's bulk API say.",
                routes=(Route("POST", "/:index/:collection/_bulk"),),
                arguments=(*_TARGET, lines, *_FLAGS, arguments.STRICT),
                body="required",
                result="`{successes: [{<action>: {_id, status}}], errors: [{<action>: {_id, "
                "_source?, status, error: {type, reason}}}]}`",
                errors=(
                    *NAMED,
                    _NO_BODY,
                    "services.storage.unexpected_bad_request",
                    "services.storage.invalid_query_keyword",
                    _STRICT,
                ),
            ),
        )

    def _writing(self) -> tuple[Action, ...]:
        documents = Argument("documents", "array", "`[{_id?, body}]`.", required=True, place="body")
        return (
            Action(
                controller="bulk",
                name="mWrite",
                handler=self.write_many,
                places=places.named,
                summary="Create or replace many documents, stored as they are.",
                routes=(Route("POST", "/:index/:collection/_mWrite"),),
                arguments=(*_TARGET, documents, *_FLAGS, arguments.STRICT),
                body="required",
                result="`{successes: [{_id, _version, _source}], errors}`",
                errors=(*NAMED, _NO_BODY, "api.assert.unexpected_argument", _STRICT),
            ),
            Action(
                controller="bulk",
                name="write",
                handler=self.write,
                places=places.named,
                summary="Create or replace a document, stored as it is.",
                routes=(Route("POST", "/:index/:collection/_write"),),
                arguments=(*_TARGET, arguments.NEW_ID, *_FLAGS),
                body="required",
                result="`{_id, _version, _source}`",
                errors=WRITTEN,
                order_key=document_key,
            ),
        )


def _as_found(write: Write, hit: Hit) -> Write:
    return msgspec.structs.replace(write, condition=matching.at(hit))


def refused(line: Line, error: RouterError) -> JsonObject:
    """A line that was not done, as answers show it."""
    told: JsonObject = {
        "_id": line.write.id,
        "status": error.status,
        "error": {"type": error.id, "reason": items.reason(error)},
    }
    if line.source is not None:
        told["_source"] = line.source
    return {line.action: told}
