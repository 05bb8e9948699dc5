"""What can be done with an asset, whatever form of the API asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from controllers.device_manager.engines import ASSETS, Engines
from controllers.device_manager.models import AssetModel
from controllers.writes import author, described, is_repeat, write_in_turn, write_now
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from router.events import Events
from storage.contract import Document, Storage, Write, Written

BEFORE: Final = "device-manager:asset:update:before"
AFTER: Final = "device-manager:asset:update:after"

_ENGINE_GONE: Final = ("services.storage.unknown_index", "services.storage.unknown_collection")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One update as it was asked for.

    Attributes:
        check: Called with the updates that are about to be written, pipes done; raises to
            refuse them.
    """

    engine: str
    id: str
    updates: JsonObject
    refresh: bool = False
    retries: int = 0
    check: Callable[[JsonObject], None] | None = None


class Birth(msgspec.Struct, frozen=True):
    """One new asset as it was asked for: id and whole content."""

    engine: str
    id: str
    content: JsonObject
    refresh: bool = False


class Twins(msgspec.Struct, frozen=True):
    """Reads and writes the assets of engines and runs their named pipes."""

    storage: Storage
    events: Events
    engines: Engines

    async def get(self, engine: str, id: str) -> Document:
        """One asset.

        Raises:
            RouterError: `trivium.engine.unknown`, `services.storage.not_found`.
        """
        await self.engines.group(engine)
        return await self.storage.get(engine, ASSETS, id)

    async def create(self, request: Request, birth: Birth) -> Written:
        """Store a new asset.

        Raises:
            RouterError: `services.storage.document_already_exists`, what the mapping refuses.
        """
        return await self._write(request, _birth(request, birth))

    async def update(self, request: Request, change: Change) -> tuple[Written, JsonObject]:
        """Run the before pipes, merge what they return, run the after pipes.

        The pipes run once; only the write is tried again after a conflict.

        Returns:
            The asset after the write, and the updates as they were written.

        Raises:
            RouterError: `trivium.engine.unknown`, `services.storage.not_found`,
                `services.storage.version_conflict`, `plugin.runtime.unexpected_error` or what
                else a pipe raised, what the mapping refuses.
        """
        await self.engines.group(change.engine)
        updates = await self._before(request, change)
        if change.check is not None:
            change.check(updates)
        write = Write(
            verb="update",
            index=change.engine,
            collection=ASSETS,
            id=change.id,
            content=updates,
            author=author(request),
            retries=change.retries,
            refresh=change.refresh,
        )
        written = await self._write(request, write)
        if written.repeats is not None:
            updates = written.repeats
        # A repeat of an upsert that has created the asset comes here too: nothing was updated.
        if not written.created:
            await self._after(request, written, updates)
        return written, updates

    async def upsert(
        self, request: Request, birth: Birth, change: Change
    ) -> tuple[Written, JsonObject | None]:
        """Create the asset, or update it, pipes and all, if it is there.

        Returns:
            The asset after the write, and the updates as written; None if it was created.
        """
        await self.engines.group(birth.engine)
        # Which of the two it will be depends on the requests before this one.
        if request.turn is not None:
            await request.turn.settled()
        stored = (await self.storage.mget(birth.engine, ASSETS, [birth.id]))[0]
        if stored is None:
            try:
                return await write_now(self.storage, request, _birth(request, birth)), None
            except RouterError as error:
                if error.id != "services.storage.document_already_exists":
                    raise
                # Somebody else was quicker; what they created is updated.
        written, updates = await self.update(request, change)
        return written, None if written.created else updates

    async def delete(
        self, request: Request, engine: str, id: str, *, refresh: bool, strict: bool
    ) -> Written:
        """Remove an asset.

        Args:
            strict: Refuse while devices are linked to it.

        Raises:
            RouterError: `trivium.engine.unknown`, `services.storage.not_found`,
                `trivium.asset.still_linked`.
        """
        is_checked = strict and not is_repeat(request)
        if is_checked and (await self.get(engine, id)).source.get("linkedDevices"):
            raise RouterError("trivium.asset.still_linked", id)
        await self.engines.group(engine)
        write = Write(
            verb="delete",
            index=engine,
            collection=ASSETS,
            id=id,
            author=author(request),
            refresh=refresh,
        )
        return await self._write(request, write)

    async def _write(self, request: Request, write: Write) -> Written:
        try:
            return await write_in_turn(self.storage, request, write)
        except RouterError as error:
            if error.id not in _ENGINE_GONE:
                raise
            # The engine was deleted while the request waited for its pipes or its turn.
            raise RouterError("trivium.engine.unknown", write.index, write.index) from None

    async def _before(self, request: Request, change: Change) -> JsonObject:
        is_heard = request.trigger_events and self.events.heard(BEFORE)
        if not is_heard or is_repeat(request):
            return change.updates
        stored = await self._stored(request, change)
        payload: JsonObject = {
            "asset": described(stored),
            "updates": change.updates,
            "metadata": change.updates.get("metadata", {}),
        }
        return _chosen(await self.events.trigger(BEFORE, payload), change.updates)

    async def _stored(self, request: Request, change: Change) -> Document:
        try:
            return await self.storage.get(change.engine, ASSETS, change.id)
        except RouterError:
            if request.turn is None:
                raise
        # A request before this one may be about to create it.
        await request.turn.settled()
        return await self.storage.get(change.engine, ASSETS, change.id)

    async def _after(self, request: Request, written: Written, updates: JsonObject) -> None:
        if not (request.trigger_events and self.events.heard(AFTER)):
            return
        payload: JsonObject = {
            "asset": described(written),
            "previous": {
                "_id": written.id,
                "_source": written.previous,
                "_version": written.version - 1,
            },
            "updates": updates,
            "metadata": updates.get("metadata", {}),
        }
        await self.events.trigger(AFTER, payload)


def fresh(
    model: str, reference: str, metadata: JsonObject, *, known: AssetModel | None
) -> JsonObject:
    """The content of a new asset.

    Args:
        known: Its model, which gives defaults, slots and locales; None if it isn't declared.
    """
    slots: JsonObject = {} if known is None else {slot.name: None for slot in known.measures}
    return {
        "model": model,
        "reference": reference,
        "modelLocales": {} if known is None else known.locales,
        "softTenant": [],
        "groups": [],
        "metadata": metadata if known is None else known.fresh(metadata),
        "measures": slots,
        "lastMeasuredAt": None,
        "linkedDevices": [],
    }


def asset_id(type: str | None, model: str, reference: str) -> str:
    """The id of an asset whose creator gave none: `[type-]model-reference`.

    Raises:
        RouterError: `api.assert.invalid_id` if that starts with an underscore.
    """
    key = f"{type}-{model}-{reference}" if type else f"{model}-{reference}"
    if key.startswith("_"):
        raise RouterError("api.assert.invalid_id")
    return key


def _birth(request: Request, birth: Birth) -> Write:
    return Write(
        verb="create",
        index=birth.engine,
        collection=ASSETS,
        id=birth.id,
        content=birth.content,
        author=author(request),
        refresh=birth.refresh,
    )


def _chosen(payload: object, sent: JsonObject) -> JsonObject:
    """What to write of a payload that went through the pipes."""
    updates = payload.get("updates") if isinstance(payload, dict) else None
    if not isinstance(payload, dict) or not isinstance(updates, dict):
        raise RouterError(
            "plugin.runtime.unexpected_error",
            f"a pipe on {BEFORE} must return its payload with the updates in it",
        )
    metadata: Json = payload.get("metadata")
    written = updates.get("metadata", {})
    # A pipe that puts another object in the place of `metadata` alone means it, too.
    is_alone = written == sent.get("metadata", {})
    if is_alone and isinstance(metadata, dict) and metadata != written:
        return {**updates, "metadata": metadata}
    return updates
