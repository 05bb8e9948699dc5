"""The specifications of all collections: stored privately, kept ready for every write."""

from __future__ import annotations

import time
from typing import Final

from controllers.validation import check, specification
from controllers.validation.specification import Specification
from router.envelope import Json, JsonObject
from router.errors import RouterError
from storage.contract import Author, Document, Storage, Write
from storage.merge import merge
from storage.query import Search, Sort

HOME: Final = ("kuzzle", "validations")
"""Where the private store has them, as the peer has."""

VERDICT: Final = "`{valid: boolean, errorMessages: {documentScope?, fieldScope?}}`"
"""What trying a document out answers."""

_MAPPING: Final[JsonObject] = {
    "properties": {"index": {"type": "keyword"}, "collection": {"type": "keyword"}}
}
_FRESH_S: Final = 10.0
"""How long what another router specifies may stay unknown here."""

_PAGE: Final = 500


class Specifications:
    """Checks documents by the specification of their collection, if it has one."""

    def __init__(self, private: Storage) -> None:
        self._private = private
        self._known: dict[tuple[str, str], Specification] = {}
        self._read_at = -_FRESH_S

    async def checked(
        self, place: tuple[str, str], content: JsonObject, id: str | None
    ) -> JsonObject:
        """A new document with its defaults.

        Raises:
            RouterError: `validation.check.failed_field`, `validation.check.failed_document`.
        """
        found = await self.find(place)
        if found is None:
            return content
        content = check.filled(found, content)
        _refuse(found, content, id)
        return content

    async def check_update(
        self, place: tuple[str, str], changes: JsonObject, stored: Document
    ) -> None:
        """Let changes pass that leave a good document.

        Raises:
            RouterError: As `checked`.
        """
        found = await self.find(place)
        if found is not None:
            _refuse(found, merge(stored.source, changes), stored.id)

    async def verdict(
        self, place: tuple[str, str], content: JsonObject, id: str | None
    ) -> JsonObject:
        """Everything that is wrong with a document, as `VERDICT` says."""
        found = await self.find(place)
        if found is None:
            return {"valid": True, "errorMessages": {}}
        faults = list(check.faults(found, content, id))
        return {"valid": not faults, "errorMessages": check.messages(faults)}

    async def find(self, place: tuple[str, str]) -> Specification | None:
        """The specification of a collection, None if it has none."""
        if time.monotonic() - self._read_at > _FRESH_S:
            await self._read_all()
        return self._known.get(place)

    async def refresh(self) -> None:
        """Read everything anew."""
        await self._read_all()

    async def stored(self, place: tuple[str, str]) -> JsonObject:
        """`{index, collection, validation}`. Raises: `validation.assert.not_found`."""
        if self._private.has_collection(*HOME):
            (document,) = await self._private.mget(*HOME, [_id(place)])
            if document is not None:
                return _bare(document.source)
        raise RouterError("validation.assert.not_found", *place)

    async def save(self, place: tuple[str, str], content: JsonObject, author: Author) -> None:
        """Specify a collection; documents that are there already are not looked at.

        Raises:
            RouterError: `validation.assert.invalid_specifications`.
        """
        found, faults = specification.read(content)
        if faults:
            raise RouterError(
                "validation.assert.invalid_specifications", "\n".join(map(str, faults))
            )
        await self.prepare()
        index, collection = place
        source: JsonObject = {"index": index, "collection": collection, "validation": content}
        await self._private.write(_write("create_or_replace", place, source, author))
        self._known[place] = found

    async def forget(self, place: tuple[str, str], author: Author) -> None:
        """Specify a collection no longer, if it was specified at all."""
        self._known.pop(place, None)
        if not self._private.has_collection(*HOME):
            return
        try:
            await self._private.write(_write("delete", place, {}, author))
        except RouterError as error:
            if error.id != "services.storage.not_found":
                raise

    async def prepare(self) -> None:
        """Make the place where they are stored, if need be."""
        if not self._private.has_collection(*HOME):
            await self._private.create_collection(*HOME, _MAPPING)

    async def _read_all(self) -> None:
        self._read_at = time.monotonic()
        known: dict[tuple[str, str], Specification] = {}
        after: tuple[str] | None = None
        while self._private.has_collection(*HOME):
            search = Search(sort=(Sort("_id"),), after=after, size=_PAGE)
            hits = (await self._private.search([HOME], search)).hits
            for hit in hits:
                place, content = _read(hit.source)
                known[place] = specification.read(content)[0]
            if len(hits) < _PAGE:
                break
            after = (hits[-1].id,)
        self._known = known


def _refuse(found: Specification, document: JsonObject, id: str | None) -> None:
    for fault in check.faults(found, document, id):
        raise fault.as_error()


def _read(source: JsonObject) -> tuple[tuple[str, str], JsonObject]:
    content = source.get("validation")
    place = (str(source.get("index")), str(source.get("collection")))
    return place, content if isinstance(content, dict) else {}


def _bare(source: JsonObject) -> JsonObject:
    shown: dict[str, Json] = {key: source[key] for key in source if key != "_kuzzle_info"}
    return shown


def _id(place: tuple[str, str]) -> str:
    return "#".join(place)


def _write(verb: str, place: tuple[str, str], content: JsonObject, author: Author) -> Write:
    return Write(
        verb="delete" if verb == "delete" else "create_or_replace",
        index=HOME[0],
        collection=HOME[1],
        id=_id(place),
        content=content,
        author=author,
        refresh=True,
    )
