"""`app.sdk.document`: documents of any collection."""

from __future__ import annotations

from typing import Unpack

from router.envelope import JsonObject
from trivium.sdk.calls import Actions, Content, Options, WriteOptions, expect


class DocumentActions(Actions):
    """Documents: `{"_id", "_version", "_source"}`; errors as any client gets them."""

    async def get(
        self, index: str, collection: str, _id: str, **options: Unpack[Options]
    ) -> JsonObject:
        """The document. Raises: `services.storage.not_found`."""
        return expect(dict, await self._run("get", _at(index, collection, _id), options))

    async def create(
        self,
        index: str,
        collection: str,
        content: Content,
        _id: str | None = None,
        **options: Unpack[WriteOptions],
    ) -> JsonObject:
        """Create a document, under an id of its own unless `_id` is given."""
        place = _at(index, collection, _id)
        return expect(dict, await self._run("create", place, options, content))

    async def update(
        self,
        index: str,
        collection: str,
        _id: str,
        changes: Content,
        **options: Unpack[WriteOptions],
    ) -> JsonObject:
        """Merge changes into a document; `source=True` answers with all of it."""
        place = _at(index, collection, _id)
        return expect(dict, await self._run("update", place, options, changes))

    async def replace(
        self,
        index: str,
        collection: str,
        _id: str,
        content: Content,
        **options: Unpack[WriteOptions],
    ) -> JsonObject:
        """Put other content into a document that exists."""
        place = _at(index, collection, _id)
        return expect(dict, await self._run("replace", place, options, content))

    async def create_or_replace(
        self,
        index: str,
        collection: str,
        _id: str,
        content: Content,
        **options: Unpack[WriteOptions],
    ) -> JsonObject:
        """Put content into a document, whether or not it exists."""
        place = _at(index, collection, _id)
        return expect(dict, await self._run("createOrReplace", place, options, content))

    async def delete(
        self, index: str, collection: str, _id: str, **options: Unpack[WriteOptions]
    ) -> JsonObject:
        """Remove a document. Raises: `services.storage.not_found`."""
        return expect(dict, await self._run("delete", _at(index, collection, _id), options))

    async def exists(
        self, index: str, collection: str, _id: str, **options: Unpack[Options]
    ) -> bool:
        """Whether the document is there."""
        return expect(bool, await self._run("exists", _at(index, collection, _id), options))

    async def search(
        self,
        index: str,
        collection: str,
        search: Content | None = None,
        *,
        offset: int = 0,
        size: int = 10,
        **options: Unpack[Options],
    ) -> JsonObject:
        """`{"hits": […], "total"}` of a search body (`query`, `sort`…)."""
        place: JsonObject = {**_at(index, collection), "from": offset, "size": size}
        return expect(dict, await self._run("search", place, options, search or {}))

    async def count(
        self,
        index: str,
        collection: str,
        query: Content | None = None,
        **options: Unpack[Options],
    ) -> int:
        """How many documents match (all of them without a query)."""
        body = {"query": query or {}}
        result = await self._run("count", _at(index, collection), options, body)
        return expect(int, expect(dict, result)["count"])


def _at(index: str, collection: str, _id: str | None = None) -> JsonObject:
    return {"index": index, "collection": collection, "_id": _id}
