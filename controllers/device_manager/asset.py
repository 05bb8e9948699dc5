"""The `device-manager/asset` controller: the documented form, any part of an asset."""

from __future__ import annotations

from typing import Final

import msgspec

from controllers import arguments, searches
from controllers.device_manager import asset_actions
from controllers.device_manager.engines import ASSETS
from controllers.device_manager.forms import Form
from controllers.device_manager.imports import Imports
from controllers.device_manager.twins import Birth, Change, Twins, asset_id, fresh
from controllers.writes import changed, described, told
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Reply, Request
from router.settings import DocumentSettings

_TYPE: Final = Argument("type", "string", "First part of the id.", place="body")


class AssetController(msgspec.Struct, frozen=True, kw_only=True):
    """Assets as the documentation describes them."""

    form: Form
    twins: Twins
    imports: Imports
    settings: DocumentSettings

    async def get(self, request: Request) -> Reply:
        """One asset."""
        engine, key = self.form.engine_of(request), request.name("_id")
        return told(await self.twins.get(engine, key))

    async def create(self, request: Request) -> Reply:
        """Create an asset; its model need not be declared."""
        return told(await self.twins.create(request, await self._birth(request)))

    async def update(self, request: Request) -> Reply:
        """Apply partial changes to an asset."""
        engine, key = self.form.engine_of(request), request.name("_id")
        updates = request.body_object()
        # Pipes may count on it: an object, if there is any.
        request.body_field("metadata", {})
        change = self._change(request, engine, key, updates)
        whole = request.flag("source")
        written, updates = await self.twins.update(request, change)
        return changed(written, updates, whole=whole)

    async def upsert(self, request: Request) -> Reply:
        """Create an asset, or apply the body to the one with that id."""
        birth = await self._birth(request)
        change = self._change(request, birth.engine, birth.id, request.body_object())
        written, updates = await self.twins.upsert(request, birth, change)
        return told(written, created=updates is None)

    async def delete(self, request: Request) -> Json:
        """Remove an asset."""
        engine, key = self.form.engine_of(request), request.name("_id")
        whole, strict = request.flag("source"), request.flag("strict")
        refresh = request.refresh_lenient()
        written = await self.twins.delete(request, engine, key, refresh=refresh, strict=strict)
        return described(written) if whole else {"_id": key}

    async def search(self, request: Request) -> Json:
        """Find assets of an engine."""
        return await find(self.twins, self.form, request, self.settings)

    async def import_assets(self, request: Request) -> Json:
        """Create assets from CSV text."""
        return await self.imports.run(self.form.engine_of(request), request)

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (
            asset_actions.create(
                self.form,
                self.create,
                error=asset_actions.BAD_ID,
                extra=(_TYPE, arguments.NEW_ID),
            ),
            asset_actions.delete(self.form, self.delete, extra=(arguments.SOURCE,)),
            asset_actions.get(self.form, self.get),
            self._importing(),
            asset_actions.search(self.form, self.search),
            asset_actions.update(
                self.form,
                self.update,
                body="Any part of an asset; merged into it.",
                extra=(arguments.SOURCE,),
                result="`{_id, _version, _source}`: the changes as written and `_kuzzle_info`, "
                "with `source` the whole asset",
            ),
            asset_actions.upsert(
                self.form,
                self.upsert,
                error=asset_actions.BAD_ID,
                extra=(_TYPE, arguments.NEW_ID),
            ),
        )

    async def _birth(self, request: Request) -> Birth:
        engine = self.form.engine_of(request)
        body = request.body_object()
        model, reference = request.body_name("model"), request.body_name("reference")
        kind = request.body_string("type", None)
        metadata = request.body_field("metadata", {})
        key = request.new_id() or asset_id(kind, model, reference)
        engines = self.twins.engines
        known = engines.models.asset(model, await engines.group(engine))
        asset = fresh(model, reference, metadata, known=known)
        # What the caller says of the other fields counts; of the metadata it is in already.
        content: JsonObject = {**asset, **body, "metadata": asset["metadata"]}
        return Birth(engine, key, content, request.refresh_lenient())

    def _change(self, request: Request, engine: str, id: str, updates: JsonObject) -> Change:
        return Change(
            engine=engine,
            id=id,
            updates=updates,
            refresh=request.refresh_lenient(),
            retries=arguments.retries(request),
        )

    def _importing(self) -> Action:
        return Action(
            controller=self.form.controller,
            name="importAssets",
            handler=self.import_assets,
            places=places.engine_assets,
            summary="Create assets from CSV text, a row each; a bad row spoils no other.",
            routes=(Route("POST", self.form.path("/_import")),),
            arguments=(
                asset_actions.engine_argument(self.form),
                arguments.REFRESH,
                Argument(
                    "upsert",
                    "flag",
                    "Merge rows into assets that exist; else such a row is an error.",
                ),
                Argument(
                    "csv",
                    "string",
                    "A header with model, reference, and perhaps type, _id, metadata.<path>; "
                    "then one asset a line. Numbers, booleans and dates are read as the "
                    "metadata's mapping says, objects as JSON.",
                    required=True,
                    place="body",
                ),
            ),
            body="required",
            result="`{successes: [id], errors: [{line, reason, status, _id?}]}`",
            errors=(
                *asset_actions.REFUSED,
                "api.assert.body_required",
                "api.assert.invalid_argument",
            ),
        )


async def find(
    twins: Twins, form: Form, request: Request, settings: DocumentSettings
) -> JsonObject:
    """One page of an engine's assets, as both forms show it."""
    engine = form.engine_of(request)
    await twins.engines.group(engine)
    search = searches.read(request, fetch_max=settings.fetch_max)
    page = await twins.storage.search([(engine, ASSETS)], search)
    return {**searches.listed(page), "fetched": len(page.hits)}
