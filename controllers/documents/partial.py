"""The `document` actions that change parts of one document: upsert and deleteFields."""

from __future__ import annotations

from typing import Final

import msgspec

from controllers import arguments
from controllers.arguments import NAMED, WRITTEN
from controllers.documents import events
from controllers.documents.metadata import Metadata
from controllers.writes import author, document_key, write_in_turn
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Reply, Request
from router.errors import RouterError
from router.guards import etag
from storage.contract import Storage, Write, Written

_DOCUMENT: Final = (arguments.INDEX, arguments.COLLECTION, arguments.ID)
_FLAGS: Final = (arguments.REFRESH, arguments.SILENT, arguments.SOURCE)


class PartialDocuments(msgspec.Struct, frozen=True):
    """Merges into documents, and takes fields out of them."""

    storage: Storage
    metadata: Metadata

    async def upsert(self, request: Request) -> Reply:
        """Merge changes into a document; create it, from a default, if it isn't there."""
        key = request.name("_id")
        changes = request.body_field("changes")
        default = request.body_field("default", {})
        refresh, whole = request.refresh_strict(), request.flag("source")
        retries = arguments.retries(request)
        write = Write(
            verb="upsert",
            index=request.name("index"),
            collection=request.name("collection"),
            id=key,
            content=changes,
            default=default,
            injected=await self.metadata.injected(request, "upsert"),
            author=author(request),
            retries=retries,
            refresh=refresh,
        )
        written = await self._write(request, write)
        return _told(written, whole=whole, created=written.created)

    async def delete_fields(self, request: Request) -> Reply:
        """Take fields out of a document."""
        key = request.name("_id")
        fields = _fields(request)
        refresh, whole = request.refresh_strict(), request.flag("source")
        write = Write(
            verb="delete_fields",
            index=request.name("index"),
            collection=request.name("collection"),
            id=key,
            fields=fields,
            author=author(request),
            refresh=refresh,
        )
        return _told(await self._write(request, write), whole=whole)

    async def _write(self, request: Request, write: Write) -> Written:
        request.flag("silent")
        return await write_in_turn(self.storage, request, write)

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        fields = Argument(
            "fields", "array", "Dotted paths of what to take out.", required=True, place="body"
        )
        return (
            Action(
                controller="document",
                name="deleteFields",
                handler=self.delete_fields,
                places=places.named,
                summary="Take fields out of a document.",
                routes=(Route("DELETE", "/:index/:collection/:_id/_fields"),),
                arguments=(*_DOCUMENT, fields, *_FLAGS),
                body="required",
                documents=events.FIELDS,
                result="`{_id, _version}`, with `source` `_source` too",
                errors=(
                    *NAMED,
                    "api.assert.body_required",
                    "services.storage.not_found",
                    "services.storage.invalid_argument",
                ),
                order_key=document_key,
                is_guarded=True,
            ),
            self._upserting(),
        )

    def _upserting(self) -> Action:
        return Action(
            controller="document",
            name="upsert",
            handler=self.upsert,
            places=places.named,
            summary="Merge changes into a document, or create it from a default under them.",
            routes=(
                Route("POST", "/:index/:collection/:_id/_upsert"),
                Route("PUT", "/:index/:collection/:_id/_upsert"),
            ),
            arguments=(
                *_DOCUMENT,
                Argument("changes", "object", "What to merge.", required=True, place="body"),
                Argument("default", "object", "What a new one begins with.", place="body"),
                arguments.RETRIES,
                *_FLAGS,
            ),
            body="required",
            documents=events.UPSERT,
            result="`{_id, _version, created: boolean}`, with `source` `_source` too",
            errors=(
                *WRITTEN,
                "services.storage.invalid_argument",
                "api.assert.invalid_argument",
                "services.storage.version_conflict",
            ),
            order_key=document_key,
            is_guarded=True,
        )


def _fields(request: Request) -> tuple[str, ...]:
    values = request.body_list("fields")
    fields = tuple(value for value in values if isinstance(value, str))
    if len(fields) < len(values):
        raise RouterError("api.assert.invalid_type", "body.fields", "array of strings")
    return fields


def _told(written: Written, *, whole: bool, **more: Json) -> Reply:
    shown: JsonObject = {"_id": written.id, "_version": written.version, **more}
    if whole:
        shown["_source"] = written.source
    return Reply(result=shown, etag=etag(written.version, written.incarnation))
