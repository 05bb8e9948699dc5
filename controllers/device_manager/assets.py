"""The `device-manager/assets` controller: the plugin's current form, for declared models."""

from __future__ import annotations

import msgspec

from controllers import arguments
from controllers.device_manager import asset_actions
from controllers.device_manager.asset import find
from controllers.device_manager.engines import ASSETS
from controllers.device_manager.forms import Form
from controllers.device_manager.twins import Birth, Change, Twins, asset_id, fresh
from controllers.writes import answered_for, described
from router.actions import Action
from router.envelope import ABSENT, JsonObject, Reply, Request
from router.errors import RouterError
from router.settings import DocumentSettings
from storage.contract import Document, Written


class AssetsController(msgspec.Struct, frozen=True, kw_only=True):
    """Assets as the plugin's current version serves them: only metadata can be written."""

    form: Form
    twins: Twins
    settings: DocumentSettings

    async def get(self, request: Request) -> Reply:
        """One asset."""
        engine, key = self.form.engine_of(request), request.name("_id")
        return _whole(engine, await self.twins.get(engine, key))

    async def create(self, request: Request) -> Reply:
        """Create an asset of a declared model."""
        birth = await self._birth(request, request.body_field("metadata", {}))
        written = await self.twins.create(request, birth)
        return _whole(birth.engine, written)

    async def update(self, request: Request) -> Reply:
        """Merge metadata into an asset's own."""
        engine, key = self.form.engine_of(request), request.name("_id")
        change = self._change(request, engine, key, request.body_field("metadata"))
        written, _ = await self.twins.update(request, change)
        return _whole(engine, written)

    async def upsert(self, request: Request) -> Reply:
        """Create an asset, or merge the metadata into the one there is."""
        metadata = request.body_field("metadata")
        birth = await self._birth(request, metadata)
        change = self._change(request, birth.engine, birth.id, metadata)
        written, _ = await self.twins.upsert(request, birth, change)
        return _whole(birth.engine, written)

    async def delete(self, request: Request) -> Reply:
        """Remove an asset; the answer carries no result."""
        engine, key = self.form.engine_of(request), request.name("_id")
        strict, refresh = request.flag("strict"), request.refresh_lenient()
        await self.twins.delete(request, engine, key, refresh=refresh, strict=strict)
        return Reply(result=ABSENT, index=engine, collection=ASSETS)

    async def search(self, request: Request) -> Reply:
        """Find assets of an engine."""
        found = await find(self.twins, self.form, request, self.settings)
        return answered_for(self.form.engine_of(request), ASSETS, found)

    def actions(self) -> tuple[Action, ...]:
        """The actions of this controller."""
        return (
            asset_actions.create(self.form, self.create, error=asset_actions.UNKNOWN_MODEL),
            asset_actions.upsert(self.form, self.upsert, error=asset_actions.UNKNOWN_MODEL),
            asset_actions.delete(self.form, self.delete),
            asset_actions.get(self.form, self.get),
            asset_actions.search(self.form, self.search),
            asset_actions.update(
                self.form,
                self.update,
                body="`{metadata: {…}}`, merged into the asset's metadata.",
                extra=(),
                result="`{_id, _version, _source}`: the whole asset",
            ),
        )

    async def _birth(self, request: Request, metadata: JsonObject) -> Birth:
        engine = self.form.engine_of(request)
        model, reference = request.body_name("model"), request.body_name("reference")
        engines = self.twins.engines
        known = engines.models.asset(model, await engines.group(engine))
        if known is None:
            raise RouterError("trivium.asset.unknown_model", model)
        self._check_declared(engine, metadata)
        content = fresh(model, reference, metadata, known=known)
        key = asset_id(None, model, reference)
        return Birth(engine, key, content, request.refresh_lenient())

    def _change(self, request: Request, engine: str, id: str, metadata: JsonObject) -> Change:
        def check(updates: JsonObject) -> None:
            self._check_declared(engine, updates.get("metadata"))

        return Change(
            engine=engine,
            id=id,
            updates={"metadata": metadata},
            refresh=request.refresh_lenient(),
            retries=arguments.retries(request),
            check=check,
        )

    def _check_declared(self, engine: str, metadata: object) -> None:
        # The peer's mapping is strict here; ours isn't, for the singular form's sake.
        declared = self.twins.engines.metadata(engine)
        for key in metadata if isinstance(metadata, dict) else ():
            if key not in declared:
                raise RouterError("services.storage.strict_mapping_rejection", key, engine, ASSETS)


def _whole(engine: str, asset: Document | Written) -> Reply:
    return answered_for(engine, ASSETS, described(asset), of=asset)
