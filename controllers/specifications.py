"""Specifications of collections: the `collection` actions on them, and `document:validate`."""

from __future__ import annotations

from typing import Final

import msgspec

from controllers import arguments, searches
from controllers.arguments import NAMED
from controllers.cursors import ERRORS as SCROLL_ERRORS
from controllers.cursors import SCROLL, Cursors
from controllers.validation import specification
from controllers.validation.registry import HOME, VERDICT, Specifications
from controllers.writes import author
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, Request
from router.settings import DocumentSettings
from storage.contract import Storage

_TARGET: Final = (arguments.INDEX, arguments.COLLECTION)
_NAMES: Final = ("api.assert.missing_argument", "api.assert.invalid_type")
_NO_BODY: Final = "api.assert.body_required"
_PARTS: Final = (
    Argument("strict", "any", "Whether documents have no other fields.", place="body"),
    Argument("fields", "object", "`{name: {type, mandatory?, …}}`.", place="body"),
    Argument("validators", "array", "Koncorde filters that documents pass.", place="body"),
)


class SpecificationActions(msgspec.Struct, frozen=True):
    """Stores, shows and tries out what documents are checked by."""

    storage: Storage
    specifications: Specifications
    settings: DocumentSettings
    private: Storage
    cursors: Cursors

    async def update(self, request: Request) -> Json:
        """Specify a collection."""
        content = request.body_object()
        place = await self._place(request)
        await self.specifications.save(place, content, author(request))
        return content

    async def get(self, request: Request) -> Json:
        """The specification of a collection."""
        return await self.specifications.stored(await self._place(request))

    async def delete(self, request: Request) -> Json:
        """Specify a collection no longer."""
        await self.specifications.forget(await self._place(request), author(request))
        return {"acknowledged": True}

    async def validate(self, request: Request) -> Json:
        """What is wrong with a specification, without storing it."""
        content = request.body_object()
        await self._place(request)
        _, faults = specification.read(content)
        if not faults:
            return {"valid": True}
        details: list[Json] = [str(fault) for fault in faults]
        return {
            "valid": False,
            "description": "Some errors with provided specifications.",
            "details": details,
        }

    async def search(self, request: Request) -> Json:
        """The specifications of all collections that match."""
        search = searches.read(request, fetch_max=self.settings.fetch_max)
        life_s = self.cursors.duration_s(request)
        await self.specifications.prepare()
        if life_s is not None:
            return await self.cursors.open(request, [HOME], search, life_s)
        return searches.listed(await self.private.search([HOME], search))

    async def validate_document(self, request: Request) -> Json:
        """What is wrong with a document, without storing it."""
        content = request.body_object()
        place = await self._place(request)
        return await self.specifications.verdict(place, content, request.string("_id", None))

    async def _place(self, request: Request) -> tuple[str, str]:
        index, collection = request.name("index"), request.name("collection")
        await self.storage.mget(index, collection, ())
        return index, collection

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (*self._storing(), *self._showing(), *self._finding(), *self._validating())

    def _storing(self) -> tuple[Action, ...]:
        path = "/:index/:collection/_specifications"
        return (
            Action(
                controller="collection",
                name="deleteSpecifications",
                handler=self.delete,
                places=places.named,
                summary="Specify a collection no longer.",
                routes=(Route("DELETE", path),),
                arguments=_TARGET,
                result="`{acknowledged: true}`",
                errors=NAMED,
            ),
            Action(
                controller="collection",
                name="updateSpecifications",
                handler=self.update,
                places=places.named,
                summary="Say what the documents of a collection must look like.",
                routes=(Route("PUT", path),),
                arguments=(*_TARGET, *_PARTS),
                body="required",
                result="The specification.",
                errors=(*NAMED, _NO_BODY, "validation.assert.invalid_specifications"),
            ),
        )

    def _showing(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="collection",
                name="getSpecifications",
                handler=self.get,
                places=places.named,
                summary="What the documents of a collection must look like.",
                routes=(Route("GET", "/:index/:collection/_specifications"),),
                arguments=_TARGET,
                result="`{index, collection, validation}`",
                errors=(*NAMED, "validation.assert.not_found"),
            ),
        )

    def _finding(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="collection",
                name="scrollSpecifications",
                handler=self.cursors.read,
                places=places.nowhere,
                summary="The next page of collection:searchSpecifications.",
                routes=(Route("GET", "/validations/_scroll/:scrollId"),),
                arguments=(Argument("scrollId", "string", "As answered.", required=True), SCROLL),
                result="`{hits, remaining, scrollId, total}`",
                errors=(*_NAMES, "services.storage.unknown_scroll_id"),
            ),
            Action(
                controller="collection",
                name="searchSpecifications",
                handler=self.search,
                places=places.everywhere,
                summary="Find specifications by `index` and `collection`.",
                routes=(Route("POST", "/validations/_search"),),
                arguments=(*searches.ARGUMENTS, SCROLL),
                body="optional",
                result="`{hits: [{_id, _source: {index, collection, validation}}], total}`",
                errors=(_NAMES[1], *searches.ERRORS, *SCROLL_ERRORS[:1]),
            ),
        )

    def _validating(self) -> tuple[Action, ...]:
        return (
            Action(
                controller="collection",
                name="validateSpecifications",
                handler=self.validate,
                places=places.named,
                summary="What is wrong with a specification; it isn't stored.",
                routes=(Route("POST", "/:index/:collection/_validateSpecifications"),),
                arguments=(*_TARGET, *_PARTS),
                body="required",
                result="`{valid: true}` or `{valid: false, description, details}`",
                errors=(*NAMED, _NO_BODY),
            ),
            Action(
                controller="document",
                name="validate",
                handler=self.validate_document,
                places=places.named,
                summary="What is wrong with a document; it isn't stored.",
                routes=(Route("POST", "/:index/:collection/_validate"),),
                arguments=_TARGET,
                body="required",
                result=VERDICT,
                errors=(*NAMED, _NO_BODY),
            ),
        )
