"""The `document` actions on many documents by id: an outcome for each, one commit for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from controllers import arguments
from controllers.arguments import NAMED
from controllers.documents import events, items
from controllers.documents.items import Form, Item, answered
from controllers.writes import author, described, new_id
from router import places
from router.actions import Action, Argument, Route
from router.document_events import DocumentEvents
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.settings import DocumentSettings
from storage.contract import Stamping, Storage, Verb, Write, Written
from storage.merge import paths

_SLICE: Final = 1_000
"""Documents that are shown in one go; others get the loop between."""

_TARGET: Final = (arguments.INDEX, arguments.COLLECTION)
_FLAGS: Final = (arguments.REFRESH, arguments.SILENT, arguments.STRICT)
_STRICT: Final = "api.process.incomplete_multiple_request"
_ERRORS: Final = (
    *NAMED,
    "api.assert.body_required",
    "services.storage.invalid_argument",
    "services.storage.write_limit_exceeded",
    _STRICT,
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How one of the actions writes its documents.

    Attributes:
        shown: A success, given the request, the document and what was written.
        takes_retries: Whether `retryOnConflict` counts.
        arguments, errors: Those that the other actions don't have.
    """

    action: str
    verb: Verb
    shown: Callable[[Request, Item, Written], JsonObject]
    form: Form = "body"
    needs_id: bool = True
    stamping: Stamping = "signed"
    takes_retries: bool = False
    events: DocumentEvents = events.M_WRITE
    arguments: tuple[Argument, ...] = ()
    errors: tuple[str, ...] = ()


def _stored(request: Request, _: Item, written: Written) -> JsonObject:
    shown: JsonObject = {
        **described(written),
        "created": written.created,
        "result": "created" if written.created else "updated",
        "status": 201 if written.created else 200,
    }
    # Only mCreateOrReplace has ever looked at this; over HTTP every other flag is on when present.
    if request.action == "mCreateOrReplace" and request.args.get("source") in (False, "false"):
        del shown["_source"]
    return shown


def _updated(request: Request, item: Item, written: Written) -> JsonObject:
    shown: JsonObject = {**described(written), "status": 200}
    if not request.flag("silent"):
        shown["_updatedFields"] = [*paths(item.content)]
    return shown


def _upserted(request: Request, item: Item, written: Written) -> JsonObject:
    if written.created:
        return {**described(written), "created": True, "status": 201}
    return {**_updated(request, item, written), "created": False}


_DOCUMENTS: Final[dict[Form, Argument]] = {
    "body": Argument("documents", "array", "`[{_id?, body}]`.", required=True, place="body"),
    "changes": Argument(
        "documents", "array", "`[{_id, changes, default?}]`.", required=True, place="body"
    ),
}
_RESULT: Final = (
    "`{successes: [{_id, _version, _source?, status, …}], errors: [{document, reason, status}]}`"
)
_RETRYING: Final = ("api.assert.invalid_argument",)
_PLANS: Final = (
    (
        Plan(action="mCreate", verb="create", shown=_stored, needs_id=False),
        ("POST",),
        "Create many documents.",
    ),
    (
        Plan(
            action="mCreateOrReplace",
            verb="create_or_replace",
            shown=_stored,
            needs_id=False,
            stamping="anew",
            arguments=(Argument("source", "flag", "`false` leaves out the contents."),),
        ),
        ("PUT",),
        "Create many documents, or replace those with their ids.",
    ),
    (
        Plan(action="mReplace", verb="replace", shown=_stored, stamping="anew"),
        ("PUT",),
        "Replace the whole content of many documents.",
    ),
    (
        Plan(
            action="mUpdate",
            verb="update",
            shown=_updated,
            takes_retries=True,
            events=events.M_UPDATE,
            arguments=(arguments.RETRIES,),
            errors=_RETRYING,
        ),
        ("PUT", "PATCH"),
        "Merge changes into many documents.",
    ),
    (
        Plan(
            action="mUpsert",
            verb="upsert",
            shown=_upserted,
            form="changes",
            takes_retries=True,
            events=events.M_UPSERT,
            arguments=(arguments.RETRIES,),
            errors=_RETRYING,
        ),
        ("POST",),
        "Merge changes into many documents, those created that aren't there.",
    ),
)


class ManyDocuments(msgspec.Struct, frozen=True):
    """Reads and writes documents of one collection, many at a time."""

    storage: Storage
    settings: DocumentSettings

    async def get(self, request: Request) -> Json:
        """The documents of these ids, and the ids of which there are none."""
        keys, is_strict = self._wanted(request)
        index, collection = request.name("index"), request.name("collection")
        documents = await self.storage.mget(index, collection, keys)
        successes: list[Json] = []
        for start in range(0, len(documents), _SLICE):
            found = documents[start : start + _SLICE]
            successes += [described(each) for each in found if each is not None]
            await asyncio.sleep(0)
        missing = [key for key, each in zip(keys, documents, strict=True) if each is None]
        return answered("get", successes, [*missing], is_strict=is_strict)

    async def exists(self, request: Request) -> Json:
        """Which of these ids are those of documents, and which aren't."""
        keys, is_strict = self._wanted(request)
        index, collection = request.name("index"), request.name("collection")
        documents = await self.storage.mget(index, collection, keys)
        there = {each.id for each in documents if each is not None}
        found: list[Json] = [key for key in keys if key in there]
        missing: list[Json] = [key for key in keys if key not in there]
        return answered("get", found, missing, is_strict=is_strict)

    def _wanted(self, request: Request) -> tuple[list[str], bool]:
        keys = items.ids(request)
        is_strict = request.flag("strict")
        if len(keys) > self.settings.fetch_max:
            raise RouterError("services.storage.get_limit_exceeded")
        return keys, is_strict

    async def delete(self, request: Request) -> Json:
        """Remove the documents of these ids."""
        keys = request.body_list("ids")
        is_strict, refresh = request.flag("strict"), request.refresh_strict()
        place = await self._place(request, len(keys))
        good = [key for key in keys if isinstance(key, str) and key]
        errors: list[Json] = [
            {"_id": key, "reason": "document _id must be a string", "status": 400}
            for key in keys
            if not isinstance(key, str) or not key
        ]
        signed = author(request)
        writes = [
            Write(
                verb="delete",
                index=place[0],
                collection=place[1],
                id=key,
                author=signed,
                refresh=refresh,
            )
            for key in good
        ]
        successes: list[Json] = []
        outcomes = await self.storage.bulk(writes)
        for key, outcome in zip(good, outcomes, strict=True):
            if isinstance(outcome, Written):
                successes.append(key)
            else:
                reason = items.reason(outcome)
                errors.append({"_id": key, "reason": reason, "status": outcome.status})
        return answered("delete", successes, errors, is_strict=is_strict)

    async def write(self, request: Request, *, plan: Plan) -> Json:
        """Write every document of the request as the plan says."""
        found = items.read(request, plan.form, needs_id=plan.needs_id)
        is_strict, refresh = request.flag("strict"), request.refresh_strict()
        retries = arguments.retries(request) if plan.takes_retries else 0
        place = await self._place(request, len(found.good) + len(found.errors))
        signed = author(request)
        writes = [
            Write(
                verb=plan.verb,
                index=place[0],
                collection=place[1],
                id=item.id or new_id(),
                content=item.content,
                default=item.default,
                stamping=plan.stamping,
                author=signed,
                retries=retries,
                refresh=refresh,
            )
            for item in found.good
        ]
        successes: list[Json] = []
        errors = found.errors
        for item, outcome in zip(found.good, await self.storage.bulk(writes), strict=True):
            if isinstance(outcome, Written):
                successes.append(plan.shown(request, item, outcome))
            else:
                errors.append(items.refused(item, outcome))
        return answered(plan.action, successes, errors, is_strict=is_strict)

    async def _place(self, request: Request, count: int) -> tuple[str, str]:
        request.flag("silent")
        index, collection = request.name("index"), request.name("collection")
        if count > self.settings.write_max:
            raise RouterError("services.storage.write_limit_exceeded")
        # Of a place that isn't there all are told at once, not each document.
        await self.storage.mget(index, collection, ())
        return index, collection

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (*self._reading(), *self._writing(), self._deleting())

    def _reading(self) -> tuple[Action, ...]:
        errors = (*NAMED, "services.storage.get_limit_exceeded", _STRICT)
        return (
            Action(
                controller="document",
                name="mExists",
                handler=self.exists,
                places=places.named,
                summary="Which of many documents exist.",
                routes=(Route("POST", "/:index/:collection/_mExists"),),
                arguments=(*_TARGET, arguments.IDS, arguments.STRICT),
                body="optional",
                documents=events.M_EXISTS,
                result="`{successes: [_id], errors: [_id]}`",
                errors=errors,
            ),
            Action(
                controller="document",
                name="mGet",
                handler=self.get,
                places=places.named,
                summary="Get many documents.",
                routes=(
                    Route("GET", "/:index/:collection/_mGet"),
                    Route("POST", "/:index/:collection/_mGet"),
                ),
                arguments=(*_TARGET, arguments.IDS, arguments.STRICT),
                body="optional",
                documents=events.M_GET,
                result="`{successes: [{_id, _version, _source}], errors: [_id]}`",
                errors=errors,
            ),
        )

    def _deleting(self) -> Action:
        return Action(
            controller="document",
            name="mDelete",
            handler=self.delete,
            places=places.named,
            summary="Delete many documents.",
            routes=(Route("DELETE", "/:index/:collection/_mDelete"),),
            arguments=(*_TARGET, arguments.IDS, *_FLAGS),
            body="required",
            documents=events.M_DELETE,
            result="`{successes: [_id], errors: [{_id: any, reason, status}]}`",
            errors=_ERRORS,
        )

    def _writing(self) -> tuple[Action, ...]:
        return tuple(
            Action(
                controller="document",
                name=plan.action,
                handler=partial(self.write, plan=plan),
                places=places.named,
                summary=summary,
                routes=tuple(Route(verb, f"/:index/:collection/_{plan.action}") for verb in verbs),
                arguments=(*_TARGET, _DOCUMENTS[plan.form], *_FLAGS, *plan.arguments),
                body="required",
                documents=plan.events,
                result=_RESULT,
                errors=(*_ERRORS, "api.assert.unexpected_argument", *plan.errors),
            )
            for plan, verbs, summary in _PLANS
        )
