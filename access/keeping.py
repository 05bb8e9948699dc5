"""Users, profiles or roles as documents: read from the private store, and written to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from access.directory import Directory
from access.places import INDEX, Kind
from router.envelope import JsonObject
from router.errors import RouterError
from storage.contract import Author, Document, Page, Storage, Verb, Write
from storage.query import Search

Change: TypeAlias = Literal["create", "create_or_replace", "replace", "update"]

RETRIES: Final = 10
"""Kuzzle's default for writes to its own documents."""

_WORDS: Final[dict[Kind, str]] = {"users": "user", "profiles": "profile", "roles": "role"}


class Keeping(msgspec.Struct, frozen=True):
    """One kind of document. Writes count from the next request (`Directory.learn`)."""

    private: Storage
    directory: Directory
    kind: Kind

    async def get(self, id: str) -> Document:
        """The document. Raises: `security.<user|profile|role>.not_found`."""
        found = await self.find(id)
        if found is None:
            raise self.missing(id)
        return found

    async def find(self, id: str) -> Document | None:
        """The document, None if there is none."""
        [found] = await self.private.mget(INDEX, self.kind, [id])
        return found

    async def mget(self, ids: Sequence[str]) -> list[Document]:
        """Those of these documents that there are."""
        found = await self.private.mget(INDEX, self.kind, ids)
        return [document for document in found if document is not None]

    async def write(self, verb: Change, id: str, content: JsonObject, author: Author) -> Document:
        """Write one; the caller holds `directory.lock`.

        Raises:
            RouterError: `security.<kind>.not_found`; for a `create` what the store says.
        """
        try:
            written = await self.private.write(self._write(verb, id, content, author))
        except RouterError as error:
            raise self._told(error, id) from error
        document = Document(id=id, version=written.version, source=written.source)
        self.directory.learn(self.kind, document)
        return document

    async def delete(self, id: str, author: Author) -> None:
        """Remove one; the caller holds `directory.lock`. Raises: `security.<kind>.not_found`."""
        try:
            await self.private.write(self._write("delete", id, {}, author))
        except RouterError as error:
            raise self._told(error, id) from error
        self.directory.forget(self.kind, id)

    async def search(self, search: Search) -> Page:
        """One page of them."""
        return await self.private.search([(INDEX, self.kind)], search)

    async def refresh(self) -> None:
        """Return once searches see every write of before."""
        await self.private.refresh(INDEX, self.kind)

    def missing(self, id: str) -> RouterError:
        """The error for one that isn't there."""
        return RouterError(f"security.{_WORDS[self.kind]}.not_found", id)

    def _write(self, verb: Verb, id: str, content: JsonObject, author: Author) -> Write:
        return Write(
            verb=verb,
            index=INDEX,
            collection=self.kind,
            id=id,
            content=content,
            author=author,
            retries=RETRIES,
        )

    def _told(self, error: RouterError, id: str) -> RouterError:
        return self.missing(id) if error.id == "services.storage.not_found" else error
