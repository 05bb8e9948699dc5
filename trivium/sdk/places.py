"""`app.sdk.index`, `collection`, `server`, `auth`: where documents live, and who serves them."""

from __future__ import annotations

from typing import Unpack

from router.envelope import Json, JsonObject
from trivium.sdk.calls import Actions, Content, Options, expect


class IndexActions(Actions):
    """Indexes, each a set of collections."""

    async def create(self, index: str, **options: Unpack[Options]) -> None:
        """Create an empty index. Raises: `services.storage.index_already_exists`."""
        await self._run("create", {"index": index}, options)

    async def exists(self, index: str, **options: Unpack[Options]) -> bool:
        """Whether the index is there."""
        return expect(bool, await self._run("exists", {"index": index}, options))

    async def delete(self, index: str, **options: Unpack[Options]) -> None:
        """Remove the index with all its collections."""
        await self._run("delete", {"index": index}, options)

    async def list(self, **options: Unpack[Options]) -> list[str]:
        """The names of all indexes."""
        found = expect(dict, await self._run("list", {}, options))["indexes"]
        return [str(name) for name in expect(list, found)]


class CollectionActions(Actions):
    """Collections of documents."""

    async def create(
        self,
        index: str,
        collection: str,
        mapping: Content | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Create a collection, or update its mapping: `{"mappings": {"properties": {…}}}`."""
        await self._run("create", _at(index, collection), options, mapping)

    async def exists(self, index: str, collection: str, **options: Unpack[Options]) -> bool:
        """Whether the collection is there."""
        return expect(bool, await self._run("exists", _at(index, collection), options))

    async def delete(self, index: str, collection: str, **options: Unpack[Options]) -> None:
        """Remove the collection and its documents."""
        await self._run("delete", _at(index, collection), options)

    async def get_mapping(
        self, index: str, collection: str, **options: Unpack[Options]
    ) -> JsonObject:
        """`{"dynamic", "_meta", "properties"}` of the collection."""
        return expect(dict, await self._run("getMapping", _at(index, collection), options))

    async def refresh(self, index: str, collection: str, **options: Unpack[Options]) -> None:
        """Return once searches see every write that was answered."""
        await self._run("refresh", _at(index, collection), options)


class ServerActions(Actions):
    """The router itself."""

    async def now(self, **options: Unpack[Options]) -> int:
        """Its clock, in ms since 1970."""
        return expect(int, expect(dict, await self._run("now", {}, options))["now"])

    async def info(self, **options: Unpack[Options]) -> JsonObject:
        """`{"serverInfo": {…}}`."""
        return expect(dict, await self._run("info", {}, options))


class AuthActions(Actions):
    """Tokens and users."""

    async def check_token(self, token: str, **options: Unpack[Options]) -> JsonObject:
        """`{"valid", "state"?, "kuid"?}`; a bad token is an answer, no error."""
        body: JsonObject = {"token": token}
        return expect(dict, await self._run("checkToken", {}, options, body))

    async def get_current_user(self, **options: Unpack[Options]) -> Json:
        """Who the caller is."""
        return await self._run("getCurrentUser", {}, options)


def _at(index: str, collection: str) -> JsonObject:
    return {"index": index, "collection": collection}
