"""`admin:loadMappings` and `loadFixtures`: collections and documents from one description."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from controllers import bulk, bulk_lines, collection
from controllers.bulk_lines import Line
from controllers.kept_settings import KeptSettings
from controllers.writes import author
from router import places
from router.actions import Action, Argument, Route
from router.envelope import Json, JsonObject, Request
from router.errors import RouterError
from storage import names
from storage.contract import Storage, Written

_DONE: Final[JsonObject] = {"acknowledge": True}
_UNSEEN: Final = (None, False, "false")
_REFRESH: Final = Argument(
    "refresh",
    "string",
    "`wait_for`, the default: answer only once searches see the documents. Else `false`.",
)
_READ: Final = ("api.assert.body_required", "api.assert.invalid_type")


class _Described(NamedTuple):
    """What the body says of one collection."""

    place: tuple[str, str]
    content: Json

    @property
    def path(self) -> str:
        """Where it stands, as errors name it."""
        return "body." + ".".join(self.place)


class _Loaded(NamedTuple):
    """What is to be written into one collection."""

    place: tuple[str, str]
    lines: list[Line]


class Loading(msgspec.Struct, frozen=True):
    """Loads what the body describes, by index and collection."""

    storage: Storage
    settings: KeptSettings

    async def mappings(self, request: Request) -> Json:
        """Create what is missing, and merge the mappings into what is there.

        What has a wrong name or type is refused before anything is done; a mapping that
        contradicts what is there ends it, and those before it stay.
        """
        found = [(each, _mapping(each)) for each in _described(request)]
        for each, _ in found:
            names.check_index(each.place[0])
            names.check_collection(each.place[1])
        for index in request.body_object():
            await self._create(index)
        for each, (mapping, settings) in found:
            await self.storage.create_collection(*each.place, mapping)
            await self.settings.add(*each.place, settings, author(request))
        return _DONE

    async def _create(self, index: str) -> None:
        try:
            await self.storage.create_index(index)
        except RouterError as error:
            if error.id != "services.storage.index_already_exists":
                raise

    async def fixtures(self, request: Request) -> Json:
        """Write documents into collections that are there.

        Everything is read before anything is written. Then each document stands alone: those
        that can't be written are told, the others are.
        """
        refresh = request.args.get("refresh", "wait_for") not in _UNSEEN
        loads = [_lines(each, request, refresh=refresh) for each in _described(request)]
        for load in loads:
            await self.storage.mget(*load.place, ())
        errors: list[Json] = []
        for load in loads:
            outcomes = await self.storage.bulk([line.write for line in load.lines])
            for line, outcome in zip(load.lines, outcomes, strict=True):
                if not isinstance(outcome, Written):
                    index, collection = load.place
                    refused = bulk.refused(line, outcome)
                    errors.append({"index": index, "collection": collection, **refused})
        if errors:
            failed = "services.storage.import_failed"
            raise RouterError(failed, errors=errors, count=len(errors))
        return _DONE

    def actions(self) -> tuple[Action, ...]:
        """The actions of this part."""
        return (
            Action(
                controller="admin",
                name="loadFixtures",
                handler=self.fixtures,
                places=places.everywhere,
                summary="Write documents into many collections, by lines of the bulk API. The "
                "body is `{<index>: {<collection>: [line]}}`.",
                routes=(Route("POST", "/admin/_loadFixtures"),),
                arguments=(_REFRESH,),
                body="required",
                result="`{acknowledge: true}`",
                errors=(
                    *_READ,
                    "services.storage.unknown_index",
                    "services.storage.unknown_collection",
                    "services.storage.unexpected_bad_request",
                    "services.storage.invalid_query_keyword",
                    "services.storage.import_failed",
                ),
            ),
            Action(
                controller="admin",
                name="loadMappings",
                handler=self.mappings,
                places=places.everywhere,
                summary="Create many indexes and collections, or merge their mappings. The body is "
                "`{<index>: {<collection>: {mappings?, settings?}}}`.",
                routes=(Route("POST", "/admin/_loadMappings"),),
                body="required",
                result="`{acknowledge: true}`",
                errors=(
                    *_READ,
                    *collection.MAPPING_ERRORS,
                    "services.storage.invalid_index_name",
                    "services.storage.invalid_collection_name",
                    "services.storage.collection_reserved",
                ),
            ),
        )


def _described(request: Request) -> Iterator[_Described]:
    for index, collections in request.body_object().items():
        if not isinstance(collections, dict):
            raise RouterError("api.assert.invalid_type", f"body.{index}", "object")
        for name, content in collections.items():
            yield _Described((index, name), content)


def _mapping(described: _Described) -> tuple[JsonObject | None, JsonObject]:
    where, content = described.path, described.content
    if not isinstance(content, dict):
        raise RouterError("api.assert.invalid_type", where, "object")
    mapping, settings = collection.mapping_of(content), content.get("settings", {})
    if not isinstance(mapping, dict | None):
        raise RouterError("api.assert.invalid_type", f"{where}.mappings", "object")
    if not isinstance(settings, dict):
        raise RouterError("api.assert.invalid_type", f"{where}.settings", "object")
    return mapping, settings


def _lines(described: _Described, request: Request, *, refresh: bool) -> _Loaded:
    place, content = described
    if not isinstance(content, list):
        raise RouterError("api.assert.invalid_type", described.path, "array")
    return _Loaded(place, bulk_lines.read(content, place, author(request), refresh=refresh))
